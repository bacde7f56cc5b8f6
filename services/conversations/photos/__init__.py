"""Photos of citizens: read in a process of their own, bounded in memory and time, that ends with each of them."""

from services.conversations.photos.decoder import Decoder, Picture

__all__ = ["Decoder", "Picture"]
