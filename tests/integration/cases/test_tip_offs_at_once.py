"""A case that turns out to be a tip-off, and who is named for it; on both databases."""

from pathlib import Path
from typing import Any

import pytest

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases import tasks
from services.cases.proposing import Proposal
from services.cases.sight import without_secrets
from services.core.errors import NotFound, Unprocessable
from services.notifications import repository as notices
from services.notifications import service as notifications
from services.notifications.dead_letters import dead_letters
from services.notifications.models import OutboxRow
from tests.integration.cases.conftest import CIVIL
from tests.integration.cases.test_named_and_dealt import city_of, people

SURE = Proposal("report", "举报", 0.9, None, 0.0, 0)
NAMED = StaffUser("inspector", "clerk", None)
ROSTER = "queues: [{department: 未分配, shift: 7x24, members: [{name: night}]}]\n"
SHIFTS = """
source: 测试
hours: [{start: "09:00", end: "12:00"}, {start: "13:30", end: "17:00"}]
shifts: [{name: 7x24, hours: [{start: "00:00", end: "24:00"}]}]
"""


def hidden_from(desk: Any, case_no: str, *users: StaffUser) -> None:
    for user in users:
        with pytest.raises(NotFound):
            desk.detail(case_no, user)


def test_a_complaint_that_is_surely_a_tip_off_makes_the_open_case_confidential(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    again = desk.open(conversation_id="c1", kind="complaint", proposal=SURE)
    assert (again.case_no, again.reused, again.confidential, again.kind) == (case_no, True, True, "report")
    # Its clerk is not named, and so is out of it.
    assert again.assignee is None
    hidden_from(desk, case_no, desk.li, desk.boss)
    assert ("case_confidential", "user:inspector") in desk.outbox()


@pytest.mark.parametrize("how", ["add", "withdraw", "reopen", "rate"])
def test_words_that_a_citizen_leaves_with_a_case_make_it_confidential(desk: Any, how: str) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    accused = "村支书贪污低保款"
    mine = {"case_no": case_no, "conversation_id": "c1"}
    if how in ("reopen", "rate"):
        desk.do(cases.reply, case_no, desk.li, text="好", resolve=True)
    match how:
        case "add":
            desk.run(cases.citizen_adds, **mine, text=accused)
        case "withdraw":
            desk.run(cases.citizen_withdraws, **mine, reason=accused)
        case "reopen":
            desk.run(cases.citizen_reopens, **mine, reason=accused)
        case "rate":
            desk.run(cases.citizen_rates, **mine, score=1, comment=accused)
    assert desk.detail(case_no, NAMED).confidential
    hidden_from(desk, case_no, desk.li, desk.boss)


def test_danger_to_life_in_a_tip_off_is_known_to_those_on_duty(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, roster=ROSTER, calendar=SHIFTS, desk="confidential_readers: [inspector]\n")
    people(desk, "night")
    night = StaffUser("night", "clerk", None)
    case_no = desk.open(conversation_id="c1", kind="report").case_no
    hidden_from(desk, case_no, night)
    desk.open(conversation_id="c1", kind="urgent")
    assert desk.detail(case_no, night).priority == "urgent"
    assert ("case_urgent", "user:night") in desk.outbox()
    hidden_from(desk, case_no, desk.li, desk.boss)


def test_what_was_told_of_it_before_is_shown_to_nobody_else(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    other = desk.open(conversation_id="c2").case_no
    for number in (case_no, other):
        desk.do(cases.transfer, number, desk.boss, department=CIVIL, reason="转")
        desk.database.write(
            lambda uow, number=number: uow.session.add(
                OutboxRow(
                    channel="wechat",
                    recipient="c",
                    kind="case.reply",
                    body={"case_no": number},
                    dedupe_key=number,
                    created_at=desk.clock.now(),
                    next_attempt_at=desk.clock.now(),
                    attempts=12,
                    dead=True,
                )
            )
        )

    def read(user: StaffUser) -> tuple[set[str], int, set[str], str]:
        with desk.database.unit_of_work(read_only=True) as uow:
            hidden = cases.sight_of(uow, user).hidden()
            told = notices.notices_for(uow.session, [f"department:{CIVIL}"], hidden, 50)
            numbers = {str(row.body["case_no"]) for row in told}
            dead = dead_letters(uow, hidden=hidden)
            assert dead.total == len(dead.rows)
            found = cases.visible_among(uow, user, [case_no, other])
            return numbers, dead.total, found, without_secrets(uow, user, f"见 {case_no}")

    assert read(desk.boss) == ({case_no, other}, 2, {case_no, other}, f"见 {case_no}")
    desk.run(cases.citizen_adds, case_no=case_no, conversation_id="c1", text="村支书贪污低保款")
    assert read(desk.boss) == ({other}, 1, {other}, "见 （工单号）")
    assert read(NAMED) == ({case_no, other}, 2, {case_no, other}, f"见 {case_no}")


def test_whoever_is_named_later_hears_of_what_is_open_once(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, desk="confidential_readers: []\n")
    people(desk, "zhao")
    case_no = desk.open(kind="report").case_no
    with desk.database.unit_of_work(read_only=True) as uow:
        assert "尚未指定" in str(cases.tip_off_readers(uow).problem)
    city_of(desk, tmp_path, desk="confidential_readers: [zhao]\n")
    assert tasks.tell_named(desk.database, desk.clock.now()) == 1
    tasks.tell_named(desk.database, desk.clock.now())
    told = [who for kind, who in desk.outbox() if kind == "case_confidential"]
    assert told == ["role:admin", "user:zhao"]
    assert desk.detail(case_no, StaffUser("zhao", "clerk", None)).case_no == case_no
    with desk.database.unit_of_work(read_only=True) as uow:
        assert cases.tip_off_readers(uow).problem is None


def test_a_missed_limit_is_heard_by_the_supervisor_of_tip_offs_and_by_no_office(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, desk="confidential_readers: [zhao]\nconfidential_supervisors: [qian]\n")
    people(desk, "zhao", "qian")
    desk.open(kind="report")
    desk.at("2026-11-27T15:50").sweep()
    desk.at("2026-12-31T09:00").sweep()
    assert desk.outbox() == [
        ("case_confidential", "user:zhao"),
        ("case_warning", "user:zhao"),
        ("case_breach", "user:qian"),
        ("case_breach", "user:zhao"),
        ("case_escalation", "user:qian"),
        ("case_escalation", "user:zhao"),
    ]


def test_somebody_named_without_an_account_is_nobody(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, desk="confidential_readers: [ghost]\n")
    with desk.database.unit_of_work(read_only=True) as uow:
        named = cases.tip_off_readers(uow)
    assert (named.able, named.unable) == ((), ("ghost",))
    assert "ghost" in str(named.problem)
    desk.open(kind="report")
    assert ("case_confidential", "role:admin") in desk.outbox()


def test_a_tip_off_leaves_no_gap_among_the_numbers_of_a_day(desk: Any) -> None:
    numbers = [desk.open(kind=kind).case_no for kind in ("help", "report", "report", "help")]
    assert [numbers[0], numbers[3]] == ["GD2026112000001", "GD2026112000002"]
    assert len(set(numbers)) == 4
    first, second = (int(number.removeprefix("GD20261120")) for number in numbers[1:3])
    assert min(first, second) >= 5_000_000
    assert abs(first - second) != 1


@pytest.mark.parametrize(
    ("reader", "message"),
    [("role:clark", r"routes\[0\]\.readers\[0\]: no role clark"), ("department:市外星局", "not in departments.yaml")],
)
def test_a_route_to_a_role_or_department_that_there_is_not_is_refused_when_applied(
    desk: Any, tmp_path: Path, reader: str, message: str
) -> None:
    route = f"{{kinds: [case_breach], readers: ['{reader}'], mailbox: m}}"
    text = f"mailboxes: [{{name: m, address: a@b.cn}}]\nroutes: [{route}]\n"
    (tmp_path / "notifications.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Unprocessable, match=message):
        desk.database.write(lambda uow: notifications.apply_city(uow, tmp_path, desk.clock.now()))
