"""Bindings in a conversation: the talk about them before the classifier, and what is bound for the forms.

Which message belongs to the talk is pure (`services.bindings`); what it does happens in the transaction that finishes
the turn, so a code is sent, a try counted or a binding made exactly once.
"""

from datetime import datetime
from typing import Any

from services.bindings import service as bindings
from services.conversations import repository, vault
from services.conversations.models import Conversation
from services.conversations.outcomes import unchanged
from services.conversations.schemas import Option, Outgoing, Talked, TurnContext, TurnOutcome
from services.core import audit
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.understanding.entities import Entity
from services.understanding.folding import fold

# The slots of forms that are identifiers, by the entity that fills them; the others are words.
_ENTITIES = {"plate": "plate", "engine_tail": "engine_tail", "id_card": "id_card"}
_ENTITIES |= {"license_file_no": "license_file_no", "household_no": "household_no"}


def draft_of(row: Conversation) -> bindings.Draft | None:
    return bindings.Draft.of_json(row.talk) if row.talk else None


def expected(row: Conversation, now: datetime) -> str | None:
    """What a bare answer is expected to be: what the talk asks for, else what the form does."""
    return bindings.expected(bindings.is_open(draft_of(row), now)) or row.requested_slot


def said(context: TurnContext) -> bindings.Said:
    entities = tuple((str(entity["type"]), str(entity["value"])) for entity in context.entities)
    chosen = context.kind == "choice"
    # As extraction reads it: simplified characters, half-width digits and letters; a payload stays as it is.
    return bindings.Said(context.text if chosen else fold(context.text), entities, chosen=chosen)


def understood(context: TurnContext) -> bindings.Intent | None:
    """What the message means for the talk; None when a person holds the conversation or it is about another thing."""
    if context.handler == "human":
        return None
    return bindings.understand(said(context), context.talk, context.at)


def consents(context: TurnContext) -> bool:
    """Whether this message agrees to the keeping of numbers: the check of this very turn reads them."""
    if context.talk is None:
        return False
    intent = understood(context)
    return intent is not None and intent.does == "consent"


def outcome(context: TurnContext, intent: bindings.Intent, check: bindings.Check | None) -> TurnOutcome:
    """The form stays as it is; an open question for consent gives way to that of the talk."""
    decided = unchanged(context, route=None)
    decided.talked = Talked(intent, check)
    if intent.does in ("start", "consent", "refuse"):
        decided.deferred_seq, decided.deferred_payloads = None, None
    return decided


def take_step(
    uow: UnitOfWork,
    talks: bindings.Talks,
    secrets: Secrets,
    row: Conversation,
    talked: Talked,
    now: datetime,
) -> list[Outgoing]:
    """Do what was understood; returns what to say. The caller holds the conversation's lock."""

    def resolve(placeholder: str) -> bindings.Hidden | None:
        found = repository.identifier(uow.session, row.id, placeholder)
        return bindings.Hidden(secrets.decrypt(found.value_encrypted), found.masked) if found else None

    answered = talks.answer(
        uow,
        row.id,
        draft_of(row),
        talked.intent,
        resolve=resolve,
        now=now,
        check=talked.check,
        origin=row.origin,
    )
    row.talk = answered.draft.to_json() if answered.draft else None
    if answered.consent is True and row.consent_at is None:
        row.consent_at = now
    if answered.consent is True:
        audit.record(uow, actor="citizen", action="consent.bind", subject=f"conversation:{row.id}", now=now)
    elif answered.consent is False and row.consent_at is None:
        repository.delete_identifiers(uow.session, row.id)
        audit.record(uow, actor="citizen", action="consent.refuse", subject=f"conversation:{row.id}", now=now)
    return [
        Outgoing(
            reply.text,
            type="options" if reply.options else "text",
            options=tuple(Option(title=title, payload=payload) for title, payload in reply.options),
        )
        for reply in answered.replies
    ]


def known(
    uow: UnitOfWork, secrets: Secrets, row: Conversation, seq: int, now: datetime
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """What the citizen has bound, as values for the forms' slots, and how its placeholders are shown.

    The numbers get placeholders of this conversation, which outlives what its vault keeps.
    """
    if row.consent_at is None:
        return [], {}
    records: list[dict[str, str]] = []
    shown: dict[str, str] = {}
    for one in bindings.visit(uow, secrets, row.id, now):
        record: dict[str, str] = {}
        for asked in bindings.TYPES[one.kind].asked:
            slot, value = asked.slot, one.values[asked.slot]
            if slot not in _ENTITIES:
                record[slot] = value
                continue
            entity: Any = Entity(_ENTITIES[slot], value, 0, len(value), value)  # type: ignore[arg-type]
            placeholder, masked = vault.keep(uow, secrets, conversation_id=row.id, seq=seq, entity=entity)
            record[slot] = placeholder
            shown[placeholder] = masked
        records.append(record)
    return records, shown
