"""Messages as rows: sealed on the way in, opened and masked on the way out."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.conversations import feedback, repository, vault
from services.conversations.models import Conversation, Message
from services.conversations.schemas import MessageView, Option, Outgoing, Source
from services.core.crypto import Secrets
from services.core.database import UnitOfWork

# So many of the newest messages are looked through for what somebody chose or wants.
RECENT_MESSAGES = 20


class Messages:
    """Writes and reads the messages of conversations; texts, entities and results are encrypted at rest."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def say(
        self,
        uow: UnitOfWork,
        row: Conversation,
        message: Outgoing,
        now: datetime,
        in_reply_to: int | None = None,
        dedupe_key: str | None = None,
    ) -> Message:
        """Add a message of ours at the end of a locked conversation."""
        row.last_seq += 1
        extra: dict[str, Any] = {}
        options = list(message.options)
        if message.entry_id is not None:
            extra["entry"] = message.entry_id
            options += feedback.options(row.last_seq)
        if message.others:
            extra["others"] = list(message.others)
        if options:
            extra["options"] = [option.model_dump() for option in options]
        if message.spoken_by is not None:
            extra["spoken_by"] = message.spoken_by
        if message.source:
            extra["source"] = message.source.model_dump()
        if message.data:
            extra["data"] = self._secrets.encrypt(json.dumps(message.data, ensure_ascii=False))
        stored = Message(
            conversation_id=row.id,
            seq=row.last_seq,
            sender=message.sender,
            type=message.type,
            text_encrypted=self._secrets.encrypt(message.text),
            extra=extra,
            created_at=now,
            in_reply_to=in_reply_to,
            case_no=message.case_no,
            dedupe_key=dedupe_key,
        )
        uow.session.add(stored)
        uow.session.flush()
        return stored

    def hear_file(
        self,
        uow: UnitOfWork,
        row: Conversation,
        words: str,
        described: dict[str, Any],
        client_message_id: str,
        now: datetime,
    ) -> Message:
        """Add the citizen's message that a file stands for, at the place `row.last_seq` of a locked conversation."""
        message = Message(
            conversation_id=row.id,
            seq=row.last_seq,
            sender="citizen",
            type="file",
            text_encrypted=self._secrets.encrypt(words),
            extra={"data": self._secrets.encrypt(json.dumps({"attachment": described}))},
            created_at=now,
            state=repository.DONE,
            client_message_id=client_message_id,
        )
        uow.session.add(message)
        uow.session.flush()
        return message

    def seal(self, entities: list[dict[str, Any]], choice: str | None) -> dict[str, Any]:
        """What is kept beside the text of a citizen's message: its entities, sealed, and the option chosen."""
        extra: dict[str, Any] = {}
        if entities:
            extra["entities"] = self._secrets.encrypt(json.dumps(entities, ensure_ascii=False))
        if choice is not None:
            extra["choice"] = choice
        return extra

    def read(self, message: Message) -> tuple[str, list[dict[str, Any]]]:
        """Text (with placeholders) and entities of a citizen's message. ValueError when no secret key fits."""
        sealed = message.extra.get("entities")
        entities = json.loads(self._secrets.decrypt(sealed)) if sealed else []
        return self._secrets.decrypt(message.text_encrypted), entities

    def views(self, uow: UnitOfWork, conversation_id: str, rows: Sequence[Message]) -> list[MessageView]:
        """Messages as people read them, identifiers masked."""
        texts = [self._secrets.decrypt(row.text_encrypted) for row in rows]
        hidden = any(vault.BRACKET in text for text in texts)
        identifiers = vault.masked_identifiers(uow, conversation_id) if hidden else []
        return [self._view(row, vault.show_masked(text, identifiers)) for row, text in zip(rows, texts, strict=True)]

    def _view(self, row: Message, text: str) -> MessageView:
        options, source, data = (row.extra.get(name) for name in ("options", "source", "data"))
        return MessageView.model_validate(
            {
                "id": row.seq,
                "sender": row.sender,
                "type": row.type,
                "text": text,
                "options": [Option(**option) for option in options] if options else None,
                "source": Source(**source) if source else None,
                "case_no": row.case_no,
                "data": json.loads(self._secrets.decrypt(data)) if data else None,
                "helpful": row.extra.get("helpful"),
                "spoken_by": row.extra.get("spoken_by"),
                "created_at": row.created_at,
                "client_message_id": row.client_message_id,
            }
        )
