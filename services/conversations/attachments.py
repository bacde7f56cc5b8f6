"""Photos and documents that a citizen sends: checked, cleaned of what the camera noted, kept encrypted.

A photo tells more than it shows: place, time and device stand in its EXIF data. It is decoded and written anew, so only
the picture is kept; a process of its own does that (`photos`). A PDF is kept as it is, and only offered for download.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from services.cases.service import Shade
from services.conversations import repository
from services.conversations.models import Attachment
from services.conversations.photos import Decoder
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import TooManyRequests, Unprocessable

Kind = Literal["photo", "document"]
MEDIA_TYPE: Final[dict[Kind, str]] = {"photo": "image/jpeg", "document": "application/pdf"}
WORDS: Final[dict[Kind, str]] = {"photo": "[照片]", "document": "[PDF 文件]"}
PER_CONVERSATION = 50
_PDF = b"%PDF-"


@dataclass(frozen=True)
class Content:
    """What is kept of an upload; `width` and `height` in pixels, 0 for a document."""

    kind: Kind
    data: bytes
    width: int = 0
    height: int = 0


def cleaned(upload: bytes, decoder: Decoder) -> Content:
    """The photo (JPEG, at most 2048 pixels a side, no metadata) or PDF in `upload`.

    Raises Unprocessable, and Unavailable while too many photos wait for the decoder.
    """
    if not upload:
        raise Unprocessable("文件是空的")
    if upload.startswith(_PDF):
        return Content("document", upload)
    picture = decoder.clean(upload)
    return Content("photo", picture.data, picture.width, picture.height)


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
