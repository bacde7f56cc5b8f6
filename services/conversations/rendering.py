"""What the dialogue decided becomes what the citizen reads."""

from collections.abc import Sequence
from typing import Any

from knowledge_base import Entry, Hit, KnowledgeBase, readable
from services.conversations import texts
from services.conversations.schemas import Option, Outgoing, Source

CANDIDATES_SHOWN = 3
SAMPLE_MARK = "示范数据"


def answer(entry: Entry) -> Outgoing:
    """A curated answer, word for word (its markup turned into text), with department, date and source."""
    return Outgoing(
        readable(entry.answer),
        type="answer",
        source=Source(
            department=entry.department,
            source=entry.source,
            date=str(entry.valid_from) if entry.valid_from else None,
            sample=SAMPLE_MARK in entry.answer,
        ),
    )


def candidates(knowledge: KnowledgeBase, hits: Sequence[Hit]) -> Outgoing:
    shown = [knowledge.entry(hit.entry_id) for hit in hits[:CANDIDATES_SHOWN]]
    options = [Option(title=entry.question, payload=f"{texts.ENTRY_CHOICE}{entry.id}") for entry in shown]
    options.append(Option(title=texts.NONE_TITLE, payload=texts.NONE_OF_THESE))
    return Outgoing(texts.CANDIDATES, type="candidates", options=tuple(options))


def payload_text(payload: dict[str, Any]) -> str:
    return str(payload.get("text") or "")


def ask(payload: dict[str, Any]) -> Outgoing:
    """A form's question, with its options when it has some."""
    options = tuple(
        Option(title=str(option["title"]), payload=str(option["payload"])) for option in payload.get("options") or ()
    )
    return Outgoing(payload_text(payload), type="options" if options else "text", options=options)


def lookup_result(payload: dict[str, Any]) -> Outgoing:
    data = payload.get("data")
    return Outgoing(payload_text(payload), type="result", data=data if isinstance(data, dict) else None)


def needs_consent(payloads: Sequence[dict[str, Any]]) -> bool:
    """True when the dialogue is about to ask for an identifier."""
    return any(payload.get("type") == "ask" and payload.get("identifier") for payload in payloads)
