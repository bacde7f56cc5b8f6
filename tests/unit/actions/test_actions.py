"""Each action through rasa-sdk's own executor, as Rasa calls it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from actions.base import BROKEN, UNVERIFIED
from actions.server import Executor, build_executor
from services.core.clock import FixedClock
from services.core.crypto import Secrets
from services.lookups.schemas import Detail, LookupResult

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


class FakeLookups:
    """Remembers what it was asked and answers the same to all."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, dict[str, str]]] = []
        self.result = LookupResult("查到了", {"count": 3}, "done")
        self.error: Exception | None = None

    async def query(
        self, kind: str, conversation_id: str, message_seq: int, parameters: Mapping[str, str]
    ) -> LookupResult:
        if self.error is not None:
            raise self.error
        self.asked.append((kind, conversation_id, message_seq, dict(parameters)))
        return self.result

    async def detail(
        self,
        kind: str,
        conversation_id: str,
        message_seq: int,
        parameters: Mapping[str, str],
        *,
        about: str,
        at: int = 0,
    ) -> Detail:
        await self.query(kind, conversation_id, message_seq, parameters)
        return Detail(f"{about} {at}", at + 1)


class NoAppointments:
    """A city that has not opened booking."""

    def rules(self) -> None:
        return None


@pytest.fixture
def lookups() -> FakeLookups:
    return FakeLookups()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def secrets() -> Secrets:
    return Secrets(["k" * 32])


@pytest.fixture
def executor(lookups: FakeLookups, clock: FixedClock, secrets: Secrets) -> Executor:
    return build_executor(SimpleNamespace(lookups=lookups, clock=clock, secrets=secrets, appointments=NoAppointments()))  # type: ignore[arg-type]


def call(executor: Executor, action: str, slots: dict[str, Any], ref: str | None, sender: str = "c1") -> dict[str, Any]:
    metadata = {} if ref is None else {"ref": ref}
    tracker = {
        "sender_id": sender,
        "slots": slots,
        "latest_message": {"text": "x", "metadata": metadata},
        "events": [],
        "paused": False,
        "followup_action": None,
        "active_loop": {},
        "latest_action_name": None,
    }
    body = {"next_action": action, "sender_id": sender, "tracker": tracker, "version": "3.6.21"}

    result = asyncio.run(executor.run(body))
    assert result is not None
    answer: dict[str, Any] = json.loads(result.model_dump_json())
    return answer


def payloads(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [response["custom"] for response in answer["responses"]]


PLATE = {"plate": "【车牌1】", "plate_kind": "小型汽车", "engine_tail": "【发动机号1】"}
LICENCE = {"license_file_no": "【档案编号1】", "id_card": "【身份证1】"}


@pytest.mark.parametrize(
    ("action", "kind", "slots", "asked"),
    [
        ("action_query_violation", "violation", PLATE, PLATE),
        ("action_query_violation", "violation", LICENCE, LICENCE),
        (
            "action_query_bill",
            "bill",
            {"household_no": "【户号1】", "bill_kind": "水费"},
            {"household_no": "【户号1】", "bill_kind": "水费"},
        ),
        ("action_query_progress", "progress", {"case_no": "GD2026112100001"}, {"case_no": "GD2026112100001"}),
        (
            "action_nearby_service",
            "nearby",
            {"location": "市民中心", "place_kind": "图书馆"},
            {"location": "市民中心", "service": "图书馆"},
        ),
    ],
)
def test_a_lookup_action_asks_with_its_slots_and_resets_them(
    executor: Executor,
    lookups: FakeLookups,
    secrets: Secrets,
    action: str,
    kind: str,
    slots: dict[str, str],
    asked: dict[str, str],
) -> None:
    route = "nearby_service" if kind == "nearby" else f"query_{kind}"
    answer = call(
        executor, action, slots | {"requested_slot": "plate", "plates": None}, secrets.sign_reference("c1", 7, NOW)
    )
    assert lookups.asked == [(kind, "c1", 7, asked)]
    (payload,) = payloads(answer)
    assert payload["type"] == "lookup_result"
    assert (payload["route"], payload["text"]) == (route, "查到了")
    assert payload["data"] == {"kind": kind, "state": "done", "count": 3}
    reset = {event["name"]: event["value"] for event in answer["events"]}
    memory = reset.pop("memory")
    assert memory["values"] == slots, "placeholders only, for what may be asked next"
    assert set(slots) <= set(reset)
    assert set(reset.values()) == {None}


def test_a_pending_lookup_is_told_as_such(executor: Executor, lookups: FakeLookups, secrets: Secrets) -> None:
    lookups.result = LookupResult("稍后告诉您", {}, "pending")
    slots = {"household_no": "80013327", "bill_kind": "电费"}
    answer = call(executor, "action_query_bill", slots, secrets.sign_reference("c1", 1, NOW))
    assert payloads(answer)[0]["data"]["state"] == "pending"


BILL = {"household_no": "【户号1】", "bill_kind": "电费"}


def test_a_form_that_was_interrupted_is_taken_up_after_the_lookup(executor: Executor, secrets: Secrets) -> None:
    slots = BILL | {"paused": "nearby_form violation_form"}
    answer = call(executor, "action_query_bill", slots, secrets.sign_reference("c1", 1, NOW))
    assert payloads(answer)[1]["text"] == "我们接着刚才的违章查询："
    assert {"event": "followup", "timestamp": None, "name": "violation_form"} in answer["events"]
    changed = {event["name"]: event["value"] for event in answer["events"] if event["event"] == "slot"}
    assert changed["paused"] == "nearby_form"


def test_a_number_taken_over_that_does_not_fit_is_asked_for(
    executor: Executor, lookups: FakeLookups, secrets: Secrets
) -> None:
    lookups.result = LookupResult("没有查到", {}, "not_found")
    slots = BILL | {"carried": "household_no"}
    answer = call(executor, "action_query_bill", slots, secrets.sign_reference("c1", 1, NOW))
    assert "直接发过来" in payloads(answer)[1]["text"]
    changed = {event["name"]: event["value"] for event in answer["events"]}
    assert changed == {"household_no": None, "carried": None, "parked": "bill_form"}


def test_a_question_about_the_result_is_answered_from_the_lookup_again(
    executor: Executor, lookups: FakeLookups, secrets: Secrets
) -> None:
    memory = {"form": "nearby_form", "values": {"place_kind": "公园", "location": "市民中心"}, "at": 1}
    slots = {"memory": memory, "about": "next"}
    answer = call(executor, "action_lookup_detail", slots, secrets.sign_reference("c1", 4, NOW))
    assert lookups.asked == [("nearby", "c1", 4, {"service": "公园", "location": "市民中心"})]
    (payload,) = payloads(answer)
    assert (payload["route"], payload["text"]) == ("nearby_service", "next 1")
    changed = {event["name"]: event["value"] for event in answer["events"]}
    assert changed == {"about": None, "memory": memory | {"at": 2}}


def test_a_question_about_no_result_says_so(executor: Executor, lookups: FakeLookups, secrets: Secrets) -> None:
    answer = call(executor, "action_lookup_detail", {"about": "fine"}, secrets.sign_reference("c1", 4, NOW))
    assert "没有查询过" in payloads(answer)[0]["text"]
    assert lookups.asked == []


@pytest.mark.parametrize("name", ["action_query_violation", "action_query_progress", "action_book_appointment"])
def test_without_a_valid_reference_an_action_does_nothing(
    executor: Executor, lookups: FakeLookups, secrets: Secrets, clock: FixedClock, name: str
) -> None:
    genuine = secrets.sign_reference("c1", 1, NOW)
    forged = Secrets(["x" * 32]).sign_reference("c1", 1, NOW)
    expired = secrets.sign_reference("c1", 1, NOW - timedelta(minutes=16))
    for ref, sender in (
        (None, "c1"),
        ("", "c1"),
        (forged, "c1"),
        (expired, "c1"),
        (genuine + "x", "c1"),
        (genuine, "c2"),
    ):
        answer = call(executor, name, {"plate": "粤B7K392", "case_no": "GD1"}, ref, sender)
        (payload,) = payloads(answer)
        assert (payload["type"], payload["text"]) == ("text", UNVERIFIED)
        assert answer["events"] == []
    assert lookups.asked == []


def test_an_error_becomes_a_polite_text_with_a_human_offered(
    executor: Executor, lookups: FakeLookups, secrets: Secrets
) -> None:
    lookups.error = RuntimeError("粤B7K392 broke it")
    answer = call(executor, "action_query_violation", {"plate": "粤B7K392"}, secrets.sign_reference("c1", 1, NOW))
    assert [payload["type"] for payload in payloads(answer)] == ["text", "offer_human"]
    assert payloads(answer)[0]["text"] == BROKEN
    assert "broke it" not in json.dumps(answer, ensure_ascii=False)


def test_booking_in_a_city_without_it_says_so_and_offers_a_human(executor: Executor, secrets: Secrets) -> None:
    answer = call(executor, "action_book_appointment", {}, secrets.sign_reference("c1", 1, NOW))
    text, offer = payloads(answer)
    assert "还没有开通在线预约" in text["text"]
    assert offer == {"type": "offer_human", "route": "book_appointment"}


def test_the_executor_knows_its_actions(executor: Executor) -> None:
    assert {one.name for one in executor.list_actions()} == {
        "action_query_violation",
        "action_query_bill",
        "action_query_outage",
        "action_query_progress",
        "action_nearby_service",
        "action_book_appointment",
        "action_lookup_detail",
    }


def test_a_lookup_that_wants_a_check_opens_the_form_for_it_and_keeps_what_is_known(
    executor: Executor, lookups: FakeLookups, secrets: Secrets
) -> None:
    lookups.result = LookupResult("", {"reason": "incomplete", "slots": ["phone_tail"]}, "failed")
    ref = secrets.sign_reference("c1", 1, NOW)
    answer = call(executor, "action_query_progress", {"case_no": "BJ202608150021"}, ref)
    assert payloads(answer) == []
    assert answer["events"] == [{"event": "followup", "timestamp": None, "name": "progress_check_form"}]
    lookups.result = LookupResult("查到了", {}, "done")
    known = {"case_no": "BJ202608150021", "phone_tail": "【手机尾号1】"}
    answer = call(executor, "action_query_progress", known, ref)
    assert lookups.asked[-1] == ("progress", "c1", 1, known)
    memory = next(event["value"] for event in answer["events"] if event.get("name") == "memory")
    assert memory == {"form": "progress_form", "values": known}
