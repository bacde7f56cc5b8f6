"""What the dialogue decided becomes what the citizen reads."""

import contextlib
from collections.abc import Sequence
from typing import Any

from knowledge_base import Entry, Hit, KnowledgeBase, readable
from services.conversations import texts
from services.conversations.schemas import Option, Outgoing, Source

CANDIDATES_SHOWN = 3
OTHERS_KEPT = 5
"""How many further hits of a question are kept for a citizen whom the answer did not help."""
SAMPLE_MARK = "示范数据"


def answer(entry: Entry, others: Sequence[str] = ()) -> Outgoing:
    """A curated answer, word for word (its markup turned into text), with department, date and source.

    `others` are ids of the question's further hits, best first.
    """
    return Outgoing(
        readable(entry.answer),
        type="answer",
        source=Source(
            department=entry.department,
            source=entry.source,
            date=str(entry.valid_from) if entry.valid_from else None,
            sample=SAMPLE_MARK in entry.answer,
        ),
        entry_id=entry.id,
        others=tuple(others[:OTHERS_KEPT]),
    )


def candidates(knowledge: KnowledgeBase, hits: Sequence[Hit]) -> Outgoing:
    kept = [hit.entry_id for hit in hits[: CANDIDATES_SHOWN + OTHERS_KEPT - 2]]
    return suggestions(knowledge, kept, texts.CANDIDATES) or texts.MISS


def suggestions(knowledge: KnowledgeBase, ids: Sequence[str], text: str) -> Outgoing | None:
    """Up to three entries to choose from, the rest kept for later; None when none of them is there (any more)."""
    entries = []
    for entry_id in ids:
        with contextlib.suppress(KeyError):
            entries.append(knowledge.entry(entry_id))
    if not entries:
        return None
    options = [
        Option(title=entry.question, payload=f"{texts.ENTRY_CHOICE}{entry.id}") for entry in entries[:CANDIDATES_SHOWN]
    ]
    options.append(Option(title=texts.NONE_TITLE, payload=texts.NONE_OF_THESE))
    others = tuple(entry.id for entry in entries[CANDIDATES_SHOWN:])
    return Outgoing(text, type="candidates", options=tuple(options), others=others)


def payload_text(payload: dict[str, Any]) -> str:
    return str(payload.get("text") or "")


def ask(payload: dict[str, Any], known: Sequence[Option] = ()) -> Outgoing:
    """A form's question, with its options when it has some; what is `known` of the citizen comes first."""
    options = tuple(known) + tuple(
        Option(title=str(option["title"]), payload=str(option["payload"])) for option in payload.get("options") or ()
    )
    return Outgoing(payload_text(payload), type="options" if options else "text", options=options)


def lookup_result(payload: dict[str, Any]) -> Outgoing:
    """What a lookup found; when its system is down, with the offer to hear of its return, or to speak to a person."""
    data = payload.get("data")
    known = data if isinstance(data, dict) else {}
    options = tuple(
        Option(title=str(option["title"]), payload=str(option["payload"])) for option in payload.get("options") or ()
    )
    if known.get("reason") in ("system_down", "system_busy"):
        options = (Option(title="转人工", payload=texts.HUMAN_YES),)
        if known.get("watch"):
            watch = Option(title=texts.WATCH_TITLE, payload=f"{texts.WATCH_CHOICE}{known['watch']}")
            options = (watch, *options)
    return Outgoing(payload_text(payload), type="result", data=known or None, options=options)


def needs_consent(payloads: Sequence[dict[str, Any]]) -> bool:
    """True when the dialogue is about to ask for an identifier."""
    return any(payload.get("type") == "ask" and payload.get("identifier") for payload in payloads)
