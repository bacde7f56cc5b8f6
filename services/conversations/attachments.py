"""Photos and documents that a citizen sends: checked, cleaned of what the camera noted, kept encrypted.

A photo tells more than it shows: place, time and device stand in its EXIF data. It is decoded and written anew, so only
the picture is kept. A PDF is kept as it is and only ever offered for download.
"""

import io
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from PIL import Image, ImageOps, UnidentifiedImageError

from services.cases.service import Shade
from services.conversations import repository
from services.conversations.models import Attachment
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import TooManyRequests, Unprocessable

Kind = Literal["photo", "document"]
MEDIA_TYPE: Final[dict[Kind, str]] = {"photo": "image/jpeg", "document": "application/pdf"}
WORDS: Final[dict[Kind, str]] = {"photo": "[照片]", "document": "[PDF 文件]"}
PER_CONVERSATION = 50
_FORMATS = ("JPEG", "PNG", "WEBP")
# A telephone's camera has some 50 megapixels; more is a decompression bomb.
_MOST_PIXELS = 60_000_000
_LONGEST_SIDE = 2048
_QUALITY = 85
_PDF = b"%PDF-"


@dataclass(frozen=True)
class Content:
    """What is kept of an upload; `width` and `height` in pixels, 0 for a document."""

    kind: Kind
    data: bytes
    width: int = 0
    height: int = 0


def cleaned(upload: bytes) -> Content:
    """The photo (JPEG, at most 2048 pixels a side, no metadata) or PDF in `upload`. Raises Unprocessable."""
    if not upload:
        raise Unprocessable("文件是空的")
    if upload.startswith(_PDF):
        return Content("document", upload)
    try:
        with Image.open(io.BytesIO(upload), formats=_FORMATS) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise Unprocessable("照片太大，请换一张小一些的")
            # Lets the decoder skip what would be thrown away.
            opened.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            upright = ImageOps.exif_transpose(opened)
            upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
            picture = _on_white(upright)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Unprocessable("只收 JPG、PNG、WebP 照片或 PDF 文件，这个文件读不出来") from None
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return Content("photo", written.getvalue(), picture.width, picture.height)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode not in ("RGBA", "LA", "PA", "P"):
        return picture.convert("RGB")
    shown = picture.convert("RGBA")
    page = Image.new("RGB", shown.size, "white")
    page.paste(shown, mask=shown.getchannel("A"))
    return page


def keep(
    uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, seq: int, content: Content, now: datetime
) -> dict[str, Any]:
    """Store the content of message `seq`; what the message says of it. Raises TooManyRequests.

    The caller holds the conversation's row lock.
    """
    if repository.attachment_count(uow.session, conversation_id) >= PER_CONVERSATION:
        raise TooManyRequests(f"一个会话最多发 {PER_CONVERSATION} 个文件")
    kept = Attachment(
        id=str(uuid.uuid4()),
        conversation_id=conversation_id,
        seq=seq,
        media_type=MEDIA_TYPE[content.kind],
        content_encrypted=secrets.encrypt_bytes(content.data),
        created_at=now,
    )
    uow.session.add(kept)
    uow.session.flush()
    described: dict[str, Any] = {"id": kept.id, "media_type": kept.media_type, "size": len(content.data)}
    if content.kind == "photo":
        described |= {"width": content.width, "height": content.height}
    return described


def read(
    uow: UnitOfWork, secrets: Secrets, conversation_id: str, attachment_id: str, hidden: Shade
) -> tuple[str, bytes] | None:
    """Media type and content of an attachment of this conversation; None also for one that is `hidden`."""
    kept = repository.attachment(uow.session, conversation_id, attachment_id)
    if kept is None or hidden.covers(kept.created_at):
        return None
    return kept.media_type, secrets.decrypt_bytes(kept.content_encrypted)
