"""Routing and entities, measured through the whole pipeline and a real Rasa server.

Each message is the first of a conversation of its own whose citizen has given consent, as after a first lookup.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from knowledge_base import ImportRejected
from knowledge_base.tables import Cell, Columns, parse_json, plain, read_file, read_table
from services.app import build_turns
from services.container import Container
from services.conversations.dialogue import RasaDialogue
from services.conversations.payloads import ROUTES
from services.conversations.schemas import InboundMessage
from services.conversations.turns import TurnRunner
from services.core.errors import Unprocessable
from services.evaluation.hard_pairs import is_hard_pair
from services.understanding.entities import extract

Progress = Callable[[int, int], None]
NO_ROUTE = "none"
WAIT_STEP = 0.05


@dataclass(frozen=True)
class Row:
    text: str
    route: str
    entities: tuple[tuple[str, str], ...]


COLUMNS = Columns({"text": (), "route": (), "entities": ()}, required=("text", "route"))


def read_rows(path: Path) -> list[Row]:
    """Rows {text, route, entities: [{type, value}]} of a table (in cells the entities are JSON).

    Raises Unprocessable naming the first bad line.
    """
    rows = []
    try:
        for row in read_table(path.name, read_file(path), COLUMNS):
            where = f"{path.name} {f'“{row.sheet}”' if row.sheet else ''}第 {row.number} 行"
            if row.problem is not None:
                raise Unprocessable(f"{where}：{row.problem}")
            rows.append(_row(row.values, where))
    except ImportRejected as error:
        raise Unprocessable(f"{path.name}：{error}") from None
    return rows


def _row(values: Mapping[str, Any], where: str) -> Row:
    try:
        given = values.get("entities") or ()
        listed = parse_json(given.text) if isinstance(given, Cell) else given
        entities = tuple((str(entity["type"]), str(entity["value"])) for entity in listed)
        row = Row(str(plain(values["text"])), str(plain(values["route"])), entities)
    except (ValueError, KeyError, TypeError):
        raise Unprocessable(f"{where}不是 {{text, route, entities}}") from None
    if row.route not in ROUTES:
        raise Unprocessable(f"{where}的 route 不在十一种之内")
    return row


async def evaluate(container: Container, rows: list[Row], progress: Progress) -> dict[str, Any]:
    """The figures of `huiying dialogue evaluate` (DESIGN, Contracts)."""
    settings = container.settings
    dialogue = RasaDialogue(settings.rasa_url, settings.rasa_token.get_secret_value(), settings.turn_seconds)
    await anyio.to_thread.run_sync(container.knowledge.refresh)
    turns = build_turns(container, dialogue)
    hints = asyncio.create_task(container.signals.run())
    decided = []
    for number, row in enumerate(rows, start=1):
        decided.append(await _route_of(container, turns, row.text))
        progress(number, len(rows))
    hints.cancel()
    await dialogue.close()
    return {"messages": len(rows), **_routing(rows, decided), **_entities(rows)}


async def _route_of(container: Container, turns: TurnRunner, text: str) -> str:
    def begin() -> str:
        with container.database.unit_of_work() as uow:
            opened = container.conversations.open(uow, channel="web", now=container.clock.now())
            container.conversations.grant_consent(uow, opened.conversation_id, container.clock.now())
            uow.commit()
        return opened.conversation_id

    conversation_id = await anyio.to_thread.run_sync(begin)
    inbound = InboundMessage(text=text, client_message_id="1")
    answer = await turns.receive(conversation_id, inbound)
    waited = 0.0
    while answer.pending and waited < container.settings.turn_seconds + 5:
        await asyncio.sleep(WAIT_STEP)
        waited += WAIT_STEP
        answer = await turns.receive(conversation_id, inbound)
    return answer.route or NO_ROUTE


def _routing(rows: list[Row], decided: list[str]) -> dict[str, Any]:
    pairs = Counter((row.route, got) for row, got in zip(rows, decided, strict=True))
    right = sum(count for (want, got), count in pairs.items() if want == got)
    per_route = {}
    for route in sorted(ROUTES):
        wanted = sum(count for (want, _), count in pairs.items() if want == route)
        given = sum(count for (_, got), count in pairs.items() if got == route)
        hit = pairs[route, route]
        per_route[route] = {"precision": _share(hit, given), "recall": _share(hit, wanted), "n": wanted}
    urgent = sum(1 for row in rows if row.route == "urgent")
    false_alarms = sum(count for (want, got), count in pairs.items() if got == "urgent" and want != "urgent")
    confusions = [
        {"route": want, "decided": got, "n": count} for (want, got), count in pairs.most_common() if want != got
    ]
    return {
        "route_accuracy": _share(right, len(rows)),
        "per_route": per_route,
        "urgent_recall": _share(pairs["urgent", "urgent"], urgent),
        "urgent_false_alarm_rate": _share(false_alarms, len(rows) - urgent),
        "hard_pairs": _hard_pairs(rows, decided),
        "confusions": confusions,
    }


def _hard_pairs(rows: list[Row], decided: list[str]) -> dict[str, Any]:
    """Recall over the general questions that sound like a service (`hard_pairs.is_hard_pair`), and what they became."""
    hard = [got for row, got in zip(rows, decided, strict=True) if is_hard_pair(row.text, row.route)]
    taken = Counter(got for got in hard if got != "faq")
    return {"recall": _share(hard.count("faq"), len(hard)), "n": len(hard), "taken_for": dict(taken.most_common())}


def _entities(rows: list[Row]) -> dict[str, Any]:
    """Exact type and value; rows of route faq are left out (DESIGN, Contracts)."""
    found = wanted = hits = 0
    for row in rows:
        if row.route == "faq":
            continue
        got = Counter((str(entity.type), entity.value) for entity in extract(row.text))
        want = Counter(row.entities)
        found += got.total()
        wanted += want.total()
        hits += (got & want).total()
    return {"entity_precision": _share(hits, found), "entity_recall": _share(hits, wanted)}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
