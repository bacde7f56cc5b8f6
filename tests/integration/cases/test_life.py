"""Holds, extensions, reclassifying, merging, and what the citizen does, on both databases."""

from typing import Any

import pytest
import sqlalchemy as sa

from services.cases import service as cases
from services.cases import tasks
from services.cases.models import CaseClock
from services.core.clock import parse_moment
from services.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable

POLICE, CIVIL = "市公安局交通警察支队", "市民政局"


def citizen(desk: Any, action: Any, case_no: str, conversation_id: str = "c1", **values: Any) -> Any:
    return desk.run(action, case_no=case_no, conversation_id=conversation_id, **values)


def held(desk: Any) -> str:
    """A consultation of Friday 10:00, due Monday 17:00, that waits for the citizen since Friday 16:00."""
    case_no: str = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    desk.at("2026-11-20T16:00").do(cases.hold, case_no, desk.li, question="请补充地址")
    return case_no


def test_waiting_for_the_citizen_stops_the_clock_and_gives_back_what_was_left(desk: Any) -> None:
    case_no = held(desk)
    waiting = desk.detail(case_no)
    assert (waiting.status, waiting.next_due_at, waiting.overdue) == ("waiting", None, False)
    (clock,) = waiting.clocks
    assert (clock.state, clock.remaining_minutes) == ("paused", 60 + 390)
    # While it waits nothing is raised, on no day.
    assert desk.at("2026-11-25T09:00").sweep().due == 0
    assert desk.report()["overdue_cases"] == 0
    added = citizen(desk, cases.citizen_adds, case_no, text="幸福路 1 号")
    assert added.status == "in_progress"
    assert added.next_due_at == parse_moment("2026-11-26T10:00")
    assert desk.events(case_no) == ["opened", "claimed", "held", "added", "resumed"]
    assert desk.outbox() == [("case_added", "user:li")]
    assert desk.at("2026-11-26T10:00:01").sweep().raised == 2


def test_a_question_to_the_citizen_is_no_answer_and_an_answer_ends_the_wait(desk: Any) -> None:
    case_no = held(desk)
    assert desk.detail(case_no).first_response_at is None
    replied = desk.at("2026-11-24T09:00").do(cases.reply, case_no, desk.li, text="已办理")
    assert (replied.status, [clock.state for clock in replied.clocks]) == ("in_progress", ["met"])
    assert desk.events(case_no)[-2:] == ["resumed", "replied"]


def test_a_wait_that_lasted_long_enough_ends_by_itself_from_the_promised_moment(desk: Any) -> None:
    case_no = held(desk)
    until = desk.detail(case_no).hold_until
    assert until == parse_moment("2026-12-04T17:00")
    assert tasks.end_waits(desk.database, until) == 0
    # The worker was away for two days; the clock runs on from the moment itself.
    late = parse_moment("2026-12-08T09:30")
    assert tasks.end_waits(desk.database, late) == 1
    assert tasks.end_waits(desk.database, late) == 0
    assert desk.detail(case_no).next_due_at == parse_moment("2026-12-08T10:00")


def test_waiting_undoes_no_missed_limit_and_an_urgent_case_never_waits(desk: Any) -> None:
    late, urgent = desk.open().case_no, desk.open(kind="urgent").case_no
    with pytest.raises(Conflict, match="紧急"):
        desk.do(cases.hold, urgent, desk.li, question="在哪里")
    desk.do(cases.claim, late, desk.li)
    desk.at("2026-11-24T09:00").do(cases.hold, late, desk.li, question="请补充")
    shown = desk.at("2026-11-27T09:00").detail(late)
    assert [clock.state for clock in shown.clocks] == ["breached"]
    assert "breached" in desk.events(late)
    assert desk.do(cases.resume, late, desk.li).next_due_at == parse_moment("2026-11-23T17:00")
    with pytest.raises(Conflict, match="办理中"):
        desk.do(cases.resume, late, desk.li)


def test_more_time_needs_a_reason_and_a_supervisor_and_comes_once(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    with pytest.raises(Unprocessable):
        desk.do(cases.extend, case_no, desk.li, days=99, reason="长")
    desk.do(cases.extend, case_no, desk.li, days=3, reason="需要现场核实")
    assert desk.outbox() == [("case_extension_asked", "role:supervisor")]
    assert desk.detail(case_no).extension.reason == "需要现场核实"
    with pytest.raises(Conflict, match="等待审批"):
        desk.do(cases.extend, case_no, desk.li, days=1, reason="再来")
    with pytest.raises(Forbidden):
        desk.do(cases.decide_extension, case_no, desk.li, approve=True)
    granted = desk.do(cases.decide_extension, case_no, desk.boss, approve=True)
    assert granted.next_due_at == parse_moment("2026-11-26T17:00")
    (told,) = [event for event in desk.recorder.heard if type(event).__name__ == "CaseExtended"]
    assert (told.due_at, told.reason) == (granted.next_due_at, "需要现场核实")
    with pytest.raises(Conflict, match="最多延长 1 次"):
        desk.do(cases.extend, case_no, desk.boss, days=1, reason="又一次")
    assert desk.events(case_no) == ["opened", "claimed", "extension_asked", "extended"]


def test_a_refused_extension_changes_nothing_and_a_missed_limit_is_not_extended(desk: Any) -> None:
    case_no = desk.open().case_no
    due = desk.do(cases.claim, case_no, desk.li).next_due_at
    desk.do(cases.extend, case_no, desk.li, days=3, reason="忙")
    with pytest.raises(Unprocessable):
        desk.do(cases.decide_extension, case_no, desk.boss, approve=False)
    refused = desk.do(cases.decide_extension, case_no, desk.boss, approve=False, reason="理由不充分")
    assert refused.next_due_at == due
    desk.do(cases.extend, case_no, desk.li, days=3, reason="现场核实")
    desk.at("2026-11-23T17:01")
    for action, values in (
        (cases.decide_extension, {"approve": True}),
        (cases.decide_extension, {"approve": True}),
    ):
        with pytest.raises(Conflict, match="超过"):
            desk.do(action, case_no, desk.boss, **values)


def test_an_extended_clock_keeps_its_extension_when_it_is_paused_and_recomputed(desk: Any) -> None:
    case_no = desk.open(kind="help").case_no
    desk.do(cases.claim, case_no, desk.li)
    desk.do(cases.extend, case_no, desk.boss, days=2, reason="核实")
    assert desk.detail(case_no).next_due_at == parse_moment("2026-12-01T17:00")
    desk.at("2026-11-23T09:00").do(cases.hold, case_no, desk.li, question="请补充")
    desk.at("2026-11-24T09:00").do(cases.resume, case_no, desk.li)
    assert desk.detail(case_no).next_due_at == parse_moment("2026-12-02T17:00")
    moved = desk.do(cases.transfer, case_no, desk.li, department="多部门", reason="联合")
    # Fifteen days from Friday, two more, and the day that was waited.
    assert moved.next_due_at == parse_moment("2026-12-16T17:00")


def test_changing_kind_and_priority_recomputes_and_writes_down_what(desk: Any) -> None:
    case_no = desk.open(kind="help").case_no
    changed = desk.at("2026-11-23T09:00").do(cases.classify, case_no, desk.li, kind="consultation")
    assert (changed.kind, changed.next_due_at) == ("consultation", parse_moment("2026-11-23T17:00"))
    event = desk.detail(case_no).events[-1]
    assert event.type == "reclassified"
    assert event.data["kind"] == ["help", "consultation"]
    (clock,) = event.data["clocks"]
    assert clock["due_before"] == parse_moment("2026-11-27T17:00").isoformat()
    urgent = desk.do(cases.classify, case_no, desk.li, priority="urgent")
    assert (urgent.priority, urgent.next_due_at) == ("urgent", parse_moment("2026-11-23T09:15"))
    with pytest.raises(Forbidden):
        desk.do(cases.classify, case_no, desk.li, priority="normal")
    assert desk.do(cases.classify, case_no, desk.boss, priority="normal").next_due_at == changed.next_due_at
    with pytest.raises(BadRequest):
        desk.do(cases.classify, case_no, desk.boss, department="市外星局")


def test_a_missed_limit_is_not_undone_by_moving_the_case(desk: Any) -> None:
    case_no = desk.open().case_no
    moved = desk.at("2026-11-24T09:00").do(cases.transfer, case_no, desk.li, department="多部门", reason="联合办理")
    assert (moved.overdue, moved.next_due_at) == (True, parse_moment("2026-11-23T17:00"))
    # It was missed before it was moved, by whoever had it then.
    assert desk.events(case_no) == ["opened", "breached", "transferred"]


def test_a_transfer_is_returned_with_a_reason_within_the_limit_and_not_later(desk: Any) -> None:
    first, second = desk.open(department=CIVIL).case_no, desk.open(department=CIVIL).case_no
    for case_no in (first, second):
        with pytest.raises(Conflict, match="不是转办"):
            desk.do(cases.give_back, case_no, desk.boss, reason="x")
        desk.do(cases.transfer, case_no, desk.social, department=POLICE, reason="交管")
    back = desk.at("2026-11-23T16:00").do(cases.give_back, first, desk.officer, reason="不属于交管")
    assert (back.department, back.status) == (CIVIL, "transferred")
    event = desk.detail(first).events[-1]
    assert (event.type, event.text, event.data["to"]) == ("returned", "不属于交管", CIVIL)
    with pytest.raises(Conflict) as caught:
        desk.at("2026-11-23T17:01").do(cases.give_back, second, desk.officer, reason="晚了")
    assert caught.value.extra == {"return_until": parse_moment("2026-11-23T17:00").isoformat()}


def test_a_merged_duplicate_keeps_its_promise_and_its_citizen_reads_the_answer(desk: Any) -> None:
    early = desk.open(conversation_id="c1", kind="consultation").case_no
    other = desk.open(conversation_id="c2", kind="help").case_no
    merged = desk.do(cases.merge, early, desk.boss, into=other)
    assert (merged.status, merged.merged_into, [c.state for c in merged.clocks]) == ("merged", other, ["cancelled"])
    assert desk.detail(other).next_due_at == parse_moment("2026-11-23T17:00")
    desk.do(cases.reply, other, desk.li, text="已处理")
    told = [e.conversation_id for e in desk.recorder.heard if type(e).__name__ == "CaseReplied"]
    assert told == ["c2", "c1"]
    assert desk.at("2026-12-30T09:00").sweep().due == 0
    # The duplicate is no case of its own in the figures.
    assert desk.report()["overall"]["cases"] == 1
    with pytest.raises(Conflict, match="已合并"):
        desk.do(cases.reply, early, desk.boss, text="再答")


def test_a_limit_that_a_duplicate_missed_stays_missed_and_is_counted(desk: Any) -> None:
    late, other = desk.open().case_no, desk.open(kind="help").case_no
    desk.at("2026-11-24T09:00")
    assert [c.state for c in desk.do(cases.merge, late, desk.boss, into=other).clocks] == ["breached"]
    assert desk.detail(other).next_due_at == parse_moment("2026-11-27T17:00")
    assert desk.report()["overall"]["cases"] == 2
    for into in (late, other):
        with pytest.raises(Conflict):
            desk.do(cases.merge, other, desk.boss, into=into)


def test_the_citizen_withdraws_and_a_stranger_cannot(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    with pytest.raises(NotFound):
        citizen(desk, cases.citizen_withdraws, case_no, "c2")
    withdrawn = citizen(desk, cases.citizen_withdraws, case_no, reason="已解决")
    assert (withdrawn.status, [c.state for c in withdrawn.clocks]) == ("closed", ["cancelled"])
    with pytest.raises(Conflict):
        citizen(desk, cases.citizen_withdraws, case_no)
    assert desk.at("2026-12-01T09:00").sweep().due == 0


def test_the_citizen_presses_not_more_often_than_allowed(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    citizen(desk, cases.citizen_presses, case_no)
    assert desk.outbox() == [("case_pressed", "department:市政务服务中心"), ("case_pressed", "role:supervisor")]
    with pytest.raises(Conflict) as caught:
        citizen(desk.at("2026-11-20T10:59"), cases.citizen_presses, case_no)
    assert caught.value.extra == {"press_again_at": parse_moment("2026-11-20T11:00").isoformat()}
    citizen(desk.at("2026-11-20T11:00"), cases.citizen_presses, case_no)
    assert desk.events(case_no) == ["opened", "pressed", "pressed"]


def test_the_citizen_confirms_reopens_in_time_and_rates_once(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    with pytest.raises(Conflict):
        citizen(desk, cases.citizen_rates, case_no, score=5)
    desk.do(cases.reply, case_no, desk.li, text="好", resolve=True)
    assert citizen(desk, cases.citizen_rates, case_no, score=2, comment="慢").satisfaction == 2
    with pytest.raises(Conflict, match="已经评价"):
        citizen(desk, cases.citizen_rates, case_no, score=5)
    again = citizen(desk, cases.citizen_reopens, case_no, reason="还是不行")
    assert (again.status, again.assignee, again.reopened_count) == ("reopened", "li", 1)
    desk.do(cases.reply, case_no, desk.li, text="现在好了", resolve=True)
    assert citizen(desk, cases.citizen_confirms, case_no).status == "closed"
    figures = desk.report()["overall"]
    assert (figures["satisfaction"], figures["satisfaction_n"], figures["reopened"]) == (2.0, 1, 1)
    with pytest.raises(Conflict, match="期限"):
        citizen(desk.at("2026-12-30T09:00"), cases.citizen_reopens, case_no, reason="太晚")


def test_a_supervisor_presses_reassigns_and_answers_over_the_clerks_head(desk: Any) -> None:
    case_no = desk.open().case_no
    desk.do(cases.claim, case_no, desk.li)
    with pytest.raises(Forbidden):
        desk.do(cases.press, case_no, desk.li)
    desk.do(cases.press, case_no, desk.boss, text="请今天答复")
    assert desk.outbox() == [("case_pressed", "user:li")]
    answered = desk.do(cases.reply, case_no, desk.boss, text="主管答复")
    assert (answered.assignee, answered.first_response_at) == ("li", desk.clock.now())
    with pytest.raises(Conflict) as caught:
        desk.do(cases.reply, case_no, desk.wang, text="再来一个")
    assert caught.value.extra["first_replied_by"] == "boss"


def test_what_was_paused_is_stored_as_intervals(desk: Any) -> None:
    case_no = held(desk)
    desk.at("2026-11-23T09:00").do(cases.resume, case_no, desk.li)
    with desk.database.unit_of_work(read_only=True) as uow:
        ((promise,),) = uow.session.scalars(sa.select(CaseClock.promises)).all()
    assert promise["pauses"] == [["2026-11-20T08:00:00+00:00", "2026-11-23T01:00:00+00:00"]]
