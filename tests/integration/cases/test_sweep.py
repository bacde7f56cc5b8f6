"""Warnings, breaches and escalations on both databases."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

import services
from services.cases import service as cases
from services.cases import tasks
from services.cases.models import CaseAlert, CaseClock

POLICE = "市公安局交通警察支队"


def test_warning_breach_and_escalation_come_once_each_to_the_right_people(desk: Any) -> None:
    case_no = desk.open(department=POLICE).case_no
    assert desk.at("2026-11-23T14:36").sweep().raised == 0
    assert desk.at("2026-11-23T14:36:01").sweep() == tasks.Swept(due=1, raised=1, failed=0)
    assert desk.sweep().due == 0
    assert desk.at("2026-11-23T17:00").sweep().raised == 0
    assert desk.at("2026-11-23T17:00:01").sweep().raised == 1
    assert desk.at("2026-11-24T17:00:01").sweep().raised == 1
    assert desk.at("2026-12-31T10:00").sweep().due == 0
    assert desk.outbox() == [
        ("case_warning", f"department:{POLICE}"),
        ("case_breach", "role:supervisor"),
        ("case_escalation", "role:manager"),
    ]
    assert desk.events(case_no) == ["opened", "warned", "breached", "escalated"]


def test_a_warning_goes_to_the_clerk_in_charge_or_to_the_duty_department(desk: Any) -> None:
    held = desk.open().case_no
    desk.open()
    desk.do(cases.claim, held, desk.li)
    desk.at("2026-11-23T16:00").sweep()
    assert sorted(desk.outbox()) == [("case_warning", "department:市政务服务中心"), ("case_warning", "user:li")]


def test_a_worker_that_was_away_catches_up_in_order(desk: Any) -> None:
    first, second = desk.open().case_no, desk.open(kind="help").case_no
    assert desk.at("2026-12-31T10:00").sweep().raised == 6
    for case_no in (first, second):
        assert desk.events(case_no) == ["opened", "warned", "breached", "escalated"]
    assert [kind for kind, _ in desk.outbox()] == ["case_warning", "case_breach", "case_escalation"] * 2


def test_an_answered_case_is_never_raised(desk: Any) -> None:
    case_no = desk.open().case_no
    desk.do(cases.reply, case_no, desk.li, text="好")
    assert desk.at("2027-01-31T10:00").sweep() == tasks.Swept(0, 0, 0)


def test_a_clock_that_jumps_back_and_forth_doubles_nothing(desk: Any) -> None:
    desk.open()
    for moment in ("2026-11-23T18:00", "2026-11-20T09:00", "2026-11-23T18:00", "2026-11-25T10:00", "2026-11-23T18:00"):
        desk.at(moment).sweep()
    assert desk.count(CaseAlert) == 3
    assert len(desk.outbox()) == 3


def test_a_raised_level_stays_raised_when_the_clock_is_recomputed(desk: Any) -> None:
    case = desk.open(conversation_id="c1")
    desk.at("2026-11-23T16:00").sweep()
    desk.open(conversation_id="c1", kind="urgent")
    desk.at("2026-11-23T16:14").sweep()
    assert desk.events(case.case_no) == ["opened", "warned", "raised"]
    desk.at("2026-11-23T16:16").sweep()
    assert desk.events(case.case_no)[-1] == "breached"


def test_nobody_is_warned_of_a_breach_that_they_have_heard_of(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    # Nobody swept between the warning and the breach, which the question to the citizen raises.
    desk.at("2026-11-23T18:00").do(cases.hold, case_no, desk.li, question="请补充")
    assert desk.events(case_no)[-2:] == ["breached", "held"]
    assert desk.sweep().raised == 0
    desk.at("2026-12-31T10:00").sweep()
    assert [event for event in desk.events(case_no) if event in ("warned", "breached", "escalated")] == [
        "breached",
        "escalated",
    ]


def test_the_new_cycle_of_a_reopened_case_warns_again(desk: Any) -> None:
    case_no = desk.open().case_no
    desk.at("2026-11-23T16:00").sweep()
    desk.do(cases.reply, case_no, desk.li, text="好", resolve=True)
    desk.at("2026-11-25T10:00").do(cases.reopen, case_no, desk.li, reason="没有解决")
    desk.at("2026-11-26T16:00").sweep()
    assert desk.events(case_no)[-2:] == ["reopened", "warned"]


def test_running_clocks_keep_the_policy_they_started_with(desk: Any, tmp_path: Any) -> None:
    before = desk.open()
    city = tmp_path / "city"
    city.mkdir()
    for source in (Path(services.__file__).parent / "demo_city").glob("*.yaml"):
        shutil.copy(source, city)
    file = city / "policies.yaml"
    file.write_text(file.read_text().replace("limit: 1\n", "limit: 3\n"))
    desk.apply_city(city)
    after = desk.open()
    assert desk.detail(before.case_no).next_due_at == before.next_due_at
    assert after.next_due_at > before.next_due_at
    assert (before.clocks[0].policy, after.clocks[0].policy) == ("示范政策 v1", "示范政策 v2")


def test_one_clock_that_fails_does_not_hold_up_the_others(desk: Any, monkeypatch: Any) -> None:
    bad, good = desk.open().case_no, desk.open().case_no
    original = tasks.alarms.raise_levels

    def raising(uow: Any, case: Any, clock: Any, now: Any, **known: Any) -> Any:
        if case.case_no == bad:
            raise OperationalError("statement", {}, Exception("broken"))
        return original(uow, case, clock, now, **known)

    monkeypatch.setattr(tasks.alarms, "raise_levels", raising)
    assert desk.at("2026-11-23T16:00").sweep() == tasks.Swept(due=2, raised=1, failed=1)
    monkeypatch.undo()
    assert desk.events(good) == ["opened", "warned"]
    assert desk.sweep().raised == 1


def test_a_sweep_reads_only_what_is_due(desk: Any) -> None:
    desk.open()
    for _ in range(5):
        desk.open(kind="help")
    desk.at("2026-11-23T18:00")
    with desk.database.unit_of_work(read_only=True) as uow:
        pending = uow.session.scalar(
            sa.select(sa.func.count()).select_from(CaseClock).where(CaseClock.next_check_at.is_not(None))
        )
    assert pending == 6
    assert desk.sweep().due == 1
