"""The conversation's vault: what its placeholders stand for, encrypted, found again by keyed hash."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from services.conversations import repository
from services.conversations.models import Identifier
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.understanding import placeholders
from services.understanding.entities import Entity, mask, pseudonymise

BRACKET = "【"
"""Begins every placeholder, and stands nowhere else in what a citizen wrote."""


@dataclass(frozen=True)
class Hidden:
    """A text without identifiers, and its entities as they travel to the dialogue."""

    text: str
    entities: list[dict[str, Any]]


def hide(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    conversation_id: str,
    seq: int,
    text: str,
    now: datetime,
    expected: str | None = None,
) -> Hidden:
    """Put the identifiers of `text` into the vault and placeholders into their places.

    The same value keeps its number within the conversation. The caller holds the conversation's row lock.
    """
    numbers = _Numbers(uow, secrets, conversation_id)
    hidden = pseudonymise(text, numbers.of, now=now, expected=expected)
    for placeholder, entity in hidden.identifiers:
        value_hash = secrets.keyed_hash(f"{entity.type}:{entity.normalised}")
        if (entity.type, value_hash) in numbers.fresh:
            numbers.fresh.discard((entity.type, value_hash))
            uow.session.add(_row(secrets, conversation_id, seq, placeholder, entity, value_hash))
    return Hidden(
        hidden.text,
        [
            {"type": entity.type, "value": entity.value, "start": entity.start, "end": entity.end}
            for entity in hidden.entities
        ],
    )


class _Numbers:
    """The numbers of a conversation's identifiers. Most messages hold none, so the vault is read with the first one."""

    def __init__(self, uow: UnitOfWork, secrets: Secrets, conversation_id: str) -> None:
        self._uow = uow
        self._secrets = secrets
        self._conversation_id = conversation_id
        self.fresh: set[tuple[str, str]] = set()

    @cached_property
    def _known(self) -> dict[tuple[str, str], int]:
        rows = repository.identifiers(self._uow.session, self._conversation_id)
        return {(row.type, row.value_hash): _number(row.placeholder) for row in rows}

    def of(self, kind: str, normalised: str) -> int:
        """The number that this value has, or gets, among those of its kind."""
        value = (kind, self._secrets.keyed_hash(f"{kind}:{normalised}"))
        if value not in self._known:
            last = max((number for (other, _), number in self._known.items() if other == kind), default=0)
            self._known[value] = last + 1
            self.fresh.add(value)
        return self._known[value]


def keep(uow: UnitOfWork, secrets: Secrets, *, conversation_id: str, seq: int, entity: Entity) -> tuple[str, str]:
    """A placeholder for an identifier that the citizen did not type just now (it is bound), and its mask.

    The same value has the placeholder that it has already. The caller holds the conversation's row lock.
    """
    rows = repository.identifiers(uow.session, conversation_id)
    value_hash = secrets.keyed_hash(f"{entity.type}:{entity.normalised}")
    known = next((row for row in rows if (row.type, row.value_hash) == (entity.type, value_hash)), None)
    if known is not None:
        return known.placeholder, known.masked
    number = max((_number(row.placeholder) for row in rows if row.type == entity.type), default=0) + 1
    placeholder = placeholders.placeholder(entity.type, number)
    uow.session.add(_row(secrets, conversation_id, seq, placeholder, entity, value_hash))
    uow.session.flush()
    return placeholder, mask(entity)


def resolve(uow: UnitOfWork, secrets: Secrets, conversation_id: str, placeholder: str) -> str | None:
    """What a placeholder stands for in this conversation, or None."""
    row = repository.identifier(uow.session, conversation_id, placeholder)
    return secrets.decrypt(row.value_encrypted) if row else None


def masked_identifiers(uow: UnitOfWork, conversation_id: str) -> list[dict[str, str]]:
    return [
        {"placeholder": row.placeholder, "type": row.type, "masked": row.masked}
        for row in repository.identifiers(uow.session, conversation_id)
    ]


def show_masked(text: str, identifiers: list[dict[str, str]]) -> str:
    """The text as people read it: masks in the places of the placeholders."""
    for identifier in identifiers:
        text = text.replace(identifier["placeholder"], identifier["masked"])
    return text


def _number(placeholder: str) -> int:
    return int("".join(char for char in placeholder if char.isdigit()))


def _row(
    secrets: Secrets, conversation_id: str, seq: int, placeholder: str, entity: Entity, value_hash: str
) -> Identifier:
    return Identifier(
        conversation_id=conversation_id,
        placeholder=placeholder,
        type=entity.type,
        value_encrypted=secrets.encrypt(entity.normalised),
        value_hash=value_hash,
        masked=mask(entity),
        first_seq=seq,
    )
