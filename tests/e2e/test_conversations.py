"""Conversations of citizens with the whole running system, one file of turns per theme (conversations/*.yml).

Of a turn: `say` (text; {code} is the newest one-time code to `phone`), `choose` (an option), `tap` (an option by its
title) or `at` (a position), `after_minutes` of silence before it. Expected of
its answer: `route`, `has` and `lacks` (texts), `asks` (the last message asks this), `result` (a result with this text),
`offers: human`, `case: true` (a case number), `heard` (said in the conversation by then, as a case's news is).
`case_has` and `case_lacks` are about what the citizen added to the case.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from services.conversations.models import Message
from services.core.database import Database
from tests.e2e.conftest import Citizen, System

FOLDER = Path(__file__).parent / "conversations"

pytestmark = pytest.mark.e2e


def conversations() -> list[Any]:
    return [
        pytest.param(one, id=one["it"].replace(" ", "_"))
        for path in sorted(FOLDER.glob("*.yml"))
        for one in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


@pytest.fixture(scope="module")
def rows(system: System) -> Database:
    return Database(system.stack.settings.database_url)


def pass_time(rows: Database, citizen: Citizen, minutes: float) -> None:
    """Make everything said so far older: time is moved, not waited for."""
    with rows.unit_of_work() as uow:
        said = uow.session.scalars(sa.select(Message).where(Message.conversation_id == citizen.conversation_id))
        for message in said:
            message.created_at -= timedelta(minutes=minutes)
        uow.commit()


def take_turn(citizen: Citizen, turn: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    if "choose" in turn:
        return citizen.send(choice=turn["choose"])
    if "tap" in turn:
        shown = [option for message in citizen.messages() for option in message["options"] or ()]
        return citizen.send(choice=next(one["payload"] for one in reversed(shown) if one["title"] == turn["tap"]))
    if "at" in turn:
        return citizen.send(location={"lat": turn["at"][0], "lng": turn["at"][1]})
    return citizen.send(str(turn["say"]).format(**known))


def check(turn: dict[str, Any], answer: dict[str, Any]) -> None:
    messages = answer["messages"]
    everything = "\n".join(message["text"] for message in messages)
    said = f"\n{turn} -> {answer['route']}\n{everything}"
    if "route" in turn:
        assert answer["route"] == turn["route"], said
    for text in listed(turn.get("has", [])):
        assert text in everything, said
    for text in listed(turn.get("lacks", [])):
        assert text not in everything, said
    if "asks" in turn:
        assert turn["asks"] in messages[-1]["text"], said
    if "result" in turn:
        results = [message["text"] for message in messages if message["type"] == "result"]
        assert any(turn["result"] in text for text in results), said
    if turn.get("offers") == "human":
        payloads = [option["payload"] for message in messages for option in message["options"] or ()]
        assert "human:yes" in payloads, said
    if turn.get("case"):
        assert answer["case_no"], said


@pytest.mark.parametrize("system", ["embedded"], indirect=True)
@pytest.mark.parametrize("conversation", conversations())
def test_a_citizen_is_understood_when(system: System, rows: Database, conversation: dict[str, Any]) -> None:
    citizen = system.citizen().consented()
    known: dict[str, str] = {}
    for turn in conversation["turns"]:
        if "after_minutes" in turn:
            pass_time(rows, citizen, turn["after_minutes"])
        if "phone" in turn:
            known["code"] = system.code_to(turn["phone"])
        answer = take_turn(citizen, turn, known)
        check(turn, answer)
        if "heard" in turn:
            assert any(turn["heard"] in message["text"] for message in citizen.messages()), turn
        if answer["case_no"]:
            known["case"] = answer["case_no"]
    if "case_has" in conversation:
        seen = system.staff("admin").get(f"/api/v1/cases/{known['case']}").json()
        added = json.dumps([event["text"] for event in seen["events"] if event["type"] == "added"], ensure_ascii=False)
        for text in conversation["case_has"]:
            assert text in added, added
        for text in conversation.get("case_lacks", []):
            assert text not in added, added
