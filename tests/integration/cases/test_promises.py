"""What was promised stays true: holds, raises, moves, merges and reopenings, on both databases."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import services
from services.cases import service as cases
from services.cases import tasks
from services.cases.models import CaseAlert
from services.core.clock import parse_moment

DEMO_CITY = Path(services.__file__).parent / "demo_city"
POLICE, CIVIL = "市公安局交通警察支队", "市民政局"


def city_with(tmp_path: Path, **changes: tuple[str, str]) -> Path:
    """The demo city with one text of each named file replaced."""
    city = tmp_path / "city"
    if not city.exists():
        shutil.copytree(DEMO_CITY, city)
    for name, (old, new) in changes.items():
        file = city / f"{name}.yaml"
        written = file.read_text(encoding="utf-8")
        assert old in written
        file.write_text(written.replace(old, new, 1), encoding="utf-8")
    return city


def policies_with(tmp_path: Path, rows: str) -> Path:
    """The demo city with more rows at the end of its default policy."""
    city = city_with(tmp_path)
    with (city / "policies.yaml").open("a", encoding="utf-8") as file:
        file.write(rows)
    return city


def citizen(desk: Any, action: Any, case_no: str, conversation_id: str = "c1", **values: Any) -> Any:
    return desk.run(action, case_no=case_no, conversation_id=conversation_id, **values)


def raised(desk: Any, moment: str, conversation_id: str = "c1") -> Any:
    return desk.at(moment).open(conversation_id=conversation_id, kind="urgent")


def ask(desk: Any, case_no: str) -> Any:
    """A clerk takes the case and waits for the citizen."""
    desk.do(cases.claim, case_no, desk.li)
    return desk.do(cases.hold, case_no, desk.li, question="请补充地址")


def live(case: Any) -> list[tuple[str, str, Any]]:
    return [(clock.target, clock.state, clock.due_at) for clock in case.clocks if clock.state in ("running", "paused")]


def test_a_hold_that_ended_before_a_limit_began_does_not_lengthen_it(desk: Any) -> None:
    case_no = desk.at("2026-11-20T09:00").open(conversation_id="c1").case_no
    ask(desk.at("2026-11-20T09:30"), case_no)
    desk.at("2026-11-20T11:30").do(cases.resume, case_no, desk.li)
    shown = raised(desk, "2026-11-20T11:40")
    assert shown.next_due_at == parse_moment("2026-11-20T11:55")
    (clock,) = shown.clocks
    assert (clock.counted_from, clock.counted_why) == (parse_moment("2026-11-20T11:40"), "raised")


def test_a_raise_while_waiting_ends_the_wait_and_leaves_one_running_clock(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    ask(desk, case_no)
    shown = raised(desk, "2026-11-20T11:00")
    assert live(shown) == [("first_response", "running", parse_moment("2026-11-20T11:15"))]
    assert (shown.status, shown.hold_until) == ("in_progress", None)
    assert desk.events(case_no)[-2:] == ["resumed", "raised"]


def test_a_day_added_to_the_calendar_does_not_move_the_limit_of_a_raised_case(desk: Any, tmp_path: Path) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    raised(desk, "2026-11-20T15:00")
    added = "days:\n  - {day: 2027-03-03, working: false, source: 测试}"
    desk.at("2026-11-20T15:05").apply_city(city_with(tmp_path, calendar=("days: []", added)))
    assert tasks.recompute_stale(desk.database, desk.clock.now()) == 1
    assert desk.sweep().raised == 0
    (clock,) = desk.detail(case_no).clocks
    assert (clock.due_at, clock.counted_from) == (
        parse_moment("2026-11-20T15:15"),
        parse_moment("2026-11-20T15:00"),
    )
    assert cases.recompute_running(desk.database, desk.clock.now()) == 1
    assert desk.detail(case_no).next_due_at == parse_moment("2026-11-20T15:15")
    assert desk.count(CaseAlert) == 0


def test_policies_put_on_running_clocks_count_each_limit_from_where_it_began(desk: Any, tmp_path: Path) -> None:
    opened, danger = desk.open(conversation_id="c1").case_no, desk.open(conversation_id="c2").case_no
    raised(desk, "2026-11-20T15:00", "c2")
    rows = """  - name: 新政策
    rows:
      - {target: first_response, limit: 2, unit: working_days, source: 测试}
      - {target: first_response, priority: urgent, limit: 30, unit: minutes, source: 测试}
    default: true
"""
    city = policies_with(tmp_path, rows)
    file = city / "policies.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("default: true", "default: false", 1), encoding="utf-8")
    desk.at("2026-11-20T15:05").apply_city(city)
    assert desk.detail(danger).next_due_at == parse_moment("2026-11-20T15:15")
    cases.recompute_running(desk.database, desk.clock.now())
    assert desk.detail(danger).next_due_at == parse_moment("2026-11-20T15:30")
    assert desk.detail(opened).next_due_at == parse_moment("2026-11-24T17:00")


def test_an_extension_is_no_extension_of_the_urgent_limit_and_comes_back_with_the_old_one(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1", kind="help").case_no
    desk.do(cases.claim, case_no, desk.li)
    extended = desk.do(cases.extend, case_no, desk.boss, days=2, reason="核实").next_due_at
    assert raised(desk, "2026-11-20T11:00").next_due_at == parse_moment("2026-11-20T11:15")
    lowered = desk.do(cases.classify, case_no, desk.boss, priority="normal")
    assert lowered.next_due_at == extended == parse_moment("2026-12-01T17:00")
    assert [clock.counted_why for clock in lowered.clocks] == ["opened"]


def test_a_raised_case_that_keeps_its_earlier_promise_is_not_overdue_when_it_moves(desk: Any, tmp_path: Path) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    # Ten minutes before it is due the urgent limit would end later.
    assert raised(desk, "2026-11-23T16:50").next_due_at == parse_moment("2026-11-23T17:00")
    moved = desk.at("2026-11-23T16:52").do(cases.transfer, case_no, desk.boss, department=CIVIL, reason="属民政")
    assert (moved.next_due_at, moved.overdue) == (parse_moment("2026-11-23T17:00"), False)
    # The Monday turns out to be a day off: then the urgent limit is the earlier one.
    added = "days:\n  - {day: 2026-11-23, working: false, source: 测试}"
    desk.at("2026-11-23T16:55").apply_city(city_with(tmp_path, calendar=("days: []", added)))
    tasks.recompute_stale(desk.database, desk.clock.now())
    assert desk.detail(case_no).next_due_at == parse_moment("2026-11-23T17:05")


def test_a_department_with_its_own_urgent_limit_counts_it_from_the_danger(desk: Any, tmp_path: Path) -> None:
    names = f"target: first_response, priority: urgent, department: {POLICE}"
    desk.apply_city(policies_with(tmp_path, f"      - {{{names}, limit: 30, unit: minutes, source: 测试}}\n"))
    case_no = desk.open(conversation_id="c1").case_no
    raised(desk, "2026-11-20T15:00")
    moved = desk.at("2026-11-20T15:05").do(cases.transfer, case_no, desk.boss, department=POLICE, reason="交管")
    assert (moved.next_due_at, moved.overdue) == (parse_moment("2026-11-20T15:30"), False)


def test_a_case_that_first_gets_a_limit_by_danger_has_it_from_then_on(desk: Any, tmp_path: Path) -> None:
    rows = """  - name: 只管紧急
    rows:
      - {target: first_response, priority: urgent, limit: 15, unit: minutes, source: 测试}
    default: true
"""
    city = policies_with(tmp_path, rows)
    file = city / "policies.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("default: true", "default: false", 1), encoding="utf-8")
    desk.apply_city(city)
    assert desk.open(conversation_id="c1").clocks == []
    assert raised(desk, "2026-11-20T15:00").next_due_at == parse_moment("2026-11-20T15:15")


def test_a_limit_that_a_kind_does_not_have_comes_back_with_the_kind_that_has_it(desk: Any, tmp_path: Path) -> None:
    row = "      - {target: resolution, kind: complaint, limit: 10, unit: working_days, source: 测试}\n"
    desk.apply_city(policies_with(tmp_path, row))
    case_no = desk.open(conversation_id="c1", kind="complaint").case_no
    before = {clock.target: clock.due_at for clock in desk.detail(case_no).clocks}
    ask(desk, case_no)
    desk.at("2026-11-24T10:00").do(cases.resume, case_no, desk.li)
    desk.do(cases.classify, case_no, desk.li, kind="help")
    assert [target for target, _, _ in live(desk.detail(case_no))] == ["first_response"]
    again = desk.do(cases.classify, case_no, desk.li, kind="complaint")
    # Two working days were waited.
    assert before["resolution"] == parse_moment("2026-12-04T17:00")
    assert dict((target, due) for target, _, due in live(again))["resolution"] == parse_moment("2026-12-08T17:00")


def test_a_target_that_loses_its_limit_while_the_case_waits_was_not_missed(desk: Any, tmp_path: Path) -> None:
    """What a soak once took for a lost breach: the cancelled clock had kept its due moment of before the wait."""
    row = "      - {target: update, kind: complaint, limit: 2, unit: working_days, source: 测试}\n"
    desk.apply_city(policies_with(tmp_path, row))
    case_no = desk.open(conversation_id="c1", kind="complaint").case_no
    ask(desk, case_no)
    desk.at("2026-12-01T10:00").do(cases.classify, case_no, desk.li, kind="help")
    clocks = {clock.target: clock for clock in desk.detail(case_no).clocks if clock.state != "met"}
    assert clocks["update"].state == "cancelled"
    assert clocks["update"].due_at > desk.clock.now()
    assert (clocks["first_response"].state, desk.detail(case_no).status) == ("paused", "waiting")


def test_a_wait_ends_when_that_was_promised_although_nobody_looked(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    until = ask(desk, case_no).hold_until
    assert until == parse_moment("2026-12-04T17:00")
    # No worker ran; the answer comes on the second working day after. Twelve working hours were left of the limit.
    late = desk.at("2026-12-08T09:30").do(cases.reply, case_no, desk.li, text="已处理")
    assert [(clock.state, clock.due_at) for clock in late.clocks] == [("met", parse_moment("2026-12-08T16:00"))]
    assert desk.events(case_no)[-2:] == ["resumed", "replied"]
    other = desk.at("2026-11-20T10:00").open(conversation_id="c2").case_no
    ask(desk, other)
    missed = desk.at("2026-12-08T16:01").do(cases.reply, other, desk.li, text="已处理")
    assert [clock.state for clock in missed.clocks] == ["breached"]
    assert desk.events(other)[-3:] == ["resumed", "breached", "replied"]


@pytest.mark.parametrize(
    ("action", "arguments", "events"),
    [
        (cases.transfer, {"department": POLICE, "reason": "交管"}, ["resumed", "transferred"]),
        (cases.release, {"reason": "请假"}, ["resumed", "released"]),
        (cases.close, {"reason": "重复"}, ["resumed", "closed"]),
        (cases.reply, {"text": "好"}, ["resumed", "replied"]),
    ],
)
def test_whatever_ends_a_wait_says_so_in_one_order(
    desk: Any, action: Any, arguments: dict[str, str], events: list[str]
) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    ask(desk, case_no)
    done = desk.at("2026-11-24T10:00").do(action, case_no, desk.boss, **arguments)
    assert desk.events(case_no)[-2:] == events
    assert done.hold_until is None
    assert all(clock.state != "paused" for clock in done.clocks)


def test_the_earlier_promise_goes_on_when_the_case_that_takes_it_over_waits(desk: Any) -> None:
    waits = desk.open(conversation_id="c1", kind="help").case_no
    ask(desk, waits)
    asks = desk.at("2026-11-23T10:00").open(conversation_id="c2").case_no
    desk.do(cases.merge, asks, desk.boss, into=waits)
    shown = desk.detail(waits)
    assert live(shown) == [("first_response", "running", parse_moment("2026-11-24T17:00"))]
    assert (shown.status, shown.clocks[0].counted_why) == ("in_progress", "merged")
    assert desk.at("2026-11-24T17:01").sweep().raised == 2
    assert [event.type for event in desk.detail(waits).events][-4:] == ["resumed", "absorbed", "warned", "breached"]


def test_a_promise_that_was_taken_over_survives_moves_and_keeps_the_duplicates_own_wait(desk: Any) -> None:
    asks = desk.open(conversation_id="c1").case_no
    ask(desk, asks)
    desk.at("2026-11-20T11:00").do(cases.resume, asks, desk.li)
    due = desk.detail(asks).next_due_at
    assert due == parse_moment("2026-11-24T10:00")
    goes_on = desk.open(conversation_id="c2", kind="help").case_no
    desk.do(cases.merge, asks, desk.boss, into=goes_on)
    assert desk.detail(goes_on).next_due_at == due
    moved = desk.do(cases.transfer, goes_on, desk.boss, department=CIVIL, reason="属民政")
    assert moved.next_due_at == due


def test_a_duplicate_that_comes_after_the_answer_still_has_its_promise(desk: Any) -> None:
    answered = desk.open(conversation_id="c1").case_no
    desk.do(cases.reply, answered, desk.li, text="已安排")
    asks = desk.at("2026-11-20T11:00").open(conversation_id="c2").case_no
    desk.do(cases.merge, asks, desk.boss, into=answered)
    assert live(desk.detail(answered)) == [("first_response", "running", parse_moment("2026-11-23T17:00"))]
    replied = desk.do(cases.reply, answered, desk.li, text="两位都已处理")
    assert [clock.state for clock in replied.clocks] == ["met", "met"]


def heard(desk: Any, name: str) -> list[tuple[str, str, str | None]]:
    return [
        (event.case_no, event.conversation_id, event.through)
        for event in desk.recorder.heard
        if type(event).__name__ == name
    ]


def test_citizens_of_merged_cases_hear_what_becomes_of_them_under_their_own_number(desk: Any) -> None:
    first, second, third = (desk.open(conversation_id=f"c{number}").case_no for number in (1, 2, 3))
    desk.do(cases.merge, first, desk.boss, into=second)
    desk.do(cases.merge, second, desk.boss, into=third)
    everybody = [(third, "c3", None), (second, "c2", third), (first, "c1", third)]
    desk.do(cases.transfer, third, desk.boss, department=POLICE, reason="交管")
    assert heard(desk, "CaseTransferred") == everybody
    desk.do(cases.reply, third, desk.boss, text="已处理", resolve=True)
    assert heard(desk, "CaseReplied") == everybody
    assert heard(desk, "CaseResolved") == everybody
    # Whoever is not helped goes on alone, and hears no more of the other.
    citizen(desk, cases.citizen_reopens, first, "c1", reason="没有解决")
    desk.do(cases.close, third, desk.boss)
    assert heard(desk, "CaseClosed") == [(third, "c3", None), (second, "c2", third)]


def test_a_round_that_ended_in_time_without_an_answer_does_not_decide(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.at("2026-11-20T11:00").do(cases.close, case_no, desk.boss, reason="重复")
    desk.at("2026-11-24T10:00").do(cases.reopen, case_no, desk.boss, reason="不是重复")
    replied = desk.at("2026-11-24T11:00").do(cases.reply, case_no, desk.boss, text="已处理", resolve=True)
    assert [clock.state for clock in replied.clocks] == ["cancelled", "met"]
    overall = desk.report()["overall"]
    assert (overall["on_time_rate"], overall["on_time_rate_n"]) == (1.0, 1)
    assert overall["first_response_minutes"]["p50"] == 60
    assert overall["resolution_minutes"]["p50"] == 60


def test_a_round_in_which_the_limit_was_missed_decides(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.at("2026-11-24T11:00").do(cases.close, case_no, desk.boss, reason="无法联系")
    desk.at("2026-11-25T10:00").do(cases.reopen, case_no, desk.boss, reason="已联系上")
    desk.at("2026-11-25T11:00").do(cases.reply, case_no, desk.boss, text="已处理")
    overall = desk.report()["overall"]
    assert (overall["on_time_rate"], overall["on_time_rate_n"]) == (0.0, 1)
    assert overall["first_response_minutes"]["p50"] == 5 * 24 * 60 + 60


def test_a_miss_belongs_to_the_department_in_whose_hands_it_happened(desk: Any) -> None:
    late = desk.open(department=CIVIL).case_no
    in_time = desk.open(department=CIVIL).case_no
    for case_no, moment in ((in_time, "2026-11-23T15:00"), (late, "2026-11-24T09:00")):
        desk.at(moment).do(cases.transfer, case_no, desk.boss, department=POLICE, reason="交管")
    desk.at("2026-11-23T16:00").do(cases.reply, in_time, desk.boss, text="已处理")
    unanswered = {row["key"]: row for row in desk.at("2026-11-24T09:01").report(by="department")["rows"]}
    desk.at("2026-11-24T10:00").do(cases.reply, late, desk.boss, text="已处理")
    for rows in (unanswered, {row["key"]: row for row in desk.report(by="department")["rows"]}):
        assert (rows[CIVIL]["on_time_rate"], rows[CIVIL]["on_time_rate_n"]) == (0.0, 1)
        assert (rows[POLICE]["on_time_rate"], rows[POLICE]["on_time_rate_n"]) == (1.0, 1)
        assert (rows[CIVIL]["cases"], rows[POLICE]["cases"]) == (0, 2)
    hands = desk.detail(late).hands
    assert [(hand.department, hand.missed, hand.working_minutes) for hand in hands] == [
        (CIVIL, ["first_response"], 330 + 390),
        (POLICE, [], 60),
    ]
    assert [clock.department for clock in desk.detail(late).clocks] == [CIVIL]


def test_a_sweep_that_comes_late_gives_the_miss_to_whoever_had_the_case_then(desk: Any, tmp_path: Path) -> None:
    case_no = desk.open(department=CIVIL, kind="help").case_no
    desk.at("2026-11-26T10:00").do(cases.transfer, case_no, desk.boss, department=POLICE, reason="交管")
    # A day turns out to have been a working day, so it was due before it moved.
    added = (
        "days:\n  - {day: 2026-11-21, working: true, source: 测试}\n  - {day: 2026-11-22, working: true, source: 测试}"
    )
    desk.at("2026-11-26T11:00").apply_city(city_with(tmp_path, calendar=("days: []", added)))
    tasks.recompute_stale(desk.database, desk.clock.now())
    assert desk.sweep().raised == 2
    with desk.database.unit_of_work(read_only=True) as uow:
        assert uow.session.scalar(sa.select(sa.func.count()).select_from(CaseAlert)) == 2
    (clock,) = desk.detail(case_no).clocks
    assert (clock.due_at, clock.department) == (parse_moment("2026-11-25T17:00"), CIVIL)
    assert [hand.missed for hand in desk.detail(case_no).hands] == [["first_response"], []]


def test_the_desk_job_has_nothing_to_do_while_no_alert_level_was_ever_set(desk: Any) -> None:
    assert tasks.write_due_reports(desk.database, desk.clock.now()) == 0
    desk.run(lambda uow, secrets, now: cases.set_alert_level(uow, user=desk.boss, level=1, now=now))
    assert tasks.write_due_reports(desk.database, parse_moment("2026-11-20T17:01")) == 1
