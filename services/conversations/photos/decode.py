"""The process that decodes one photo: the upload on standard input, the clean JPEG on standard output, then its end.

    python decode.py SECONDS MEGABYTES < upload > jpeg

It is run as a file and imports nothing of ours, so that it starts in a tenth of a second and holds no key, no database
and no connection: a decoder that is broken out of has nothing. What it needs of memory goes back with its end.
Before the JPEG it writes one line, "WIDTH HEIGHT"; it ends with one of the codes below.
"""

import io
import resource
import sys

from PIL import Image, ImageOps

DONE, UNREADABLE, TOO_LARGE = 0, 3, 4
FORMATS = ("JPEG", "PNG", "WEBP")
LONGEST_SIDE = 2048
QUALITY = 85
# A telephone's camera has some 50 megapixels. A JPEG can be decoded at a fraction of its size, the others only whole.
MOST_PIXELS = 60_000_000
MOST_PIXELS_WHOLE = 24_000_000
_MEGABYTE = 1024 * 1024


class TooLarge(Exception):
    """More pixels than are decoded."""


def bound(seconds: int, megabytes: int) -> None:
    """Let the system end this process at so much time of the processor and refuse it more memory."""
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * _MEGABYTE, megabytes * _MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def clean(upload: bytes) -> tuple[bytes, int, int]:
    """JPEG, width and height of the picture, upright, at most 2048 pixels a side, with nothing but the picture in it.

    Raises TooLarge by what the head says, before anything is decoded, and what PIL raises for what is no picture.
    """
    with Image.open(io.BytesIO(upload), formats=FORMATS) as opened:
        most = MOST_PIXELS if opened.format == "JPEG" else MOST_PIXELS_WHOLE
        if opened.width * opened.height > most:
            raise TooLarge
        # Lets the decoder skip what would be thrown away.
        opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        opened.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        shown = _on_white(ImageOps.exif_transpose(opened))
    # Pixels only: comments, profiles and notes stay behind with the image that was opened.
    picture = Image.new("RGB", shown.size)
    picture.paste(shown)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY, optimize=True)
    return written.getvalue(), picture.width, picture.height


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode not in ("RGBA", "LA", "PA", "P"):
        return picture.convert("RGB")
    shown = picture.convert("RGBA")
    page = Image.new("RGB", shown.size, "white")
    page.paste(shown, mask=shown.getchannel("A"))
    return page


def main() -> int:
    bound(int(sys.argv[1]), int(sys.argv[2]))
    try:
        jpeg, width, height = clean(sys.stdin.buffer.read())
    except (TooLarge, MemoryError, Image.DecompressionBombError):
        return TOO_LARGE
    except (OSError, ValueError, SyntaxError, EOFError):
        return UNREADABLE
    sys.stdout.buffer.write(f"{width} {height}\n".encode() + jpeg)
    sys.stdout.buffer.flush()
    return DONE


if __name__ == "__main__":
    sys.exit(main())
