"""The life of a case on both databases."""

from typing import Any

import pytest
import sqlalchemy as sa

from services.cases import service as cases
from services.cases.models import Case, CaseEvent
from services.core.audit import AuditRow
from services.core.clock import parse_moment
from services.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable

POLICE, CIVIL = "市公安局交通警察支队", "市民政局"


def test_a_case_gets_a_number_of_its_day_a_clock_and_an_event(desk: Any) -> None:
    first, second = desk.open(), desk.open(kind="complaint", department="交警")
    assert (first.case_no, second.case_no) == ("GD2026112000001", "GD2026112000002")
    assert (first.status, first.department, second.department) == ("new", "未分配", POLICE)
    (clock,) = first.clocks
    assert (clock.target, clock.state, clock.due_at) == ("first_response", "running", parse_moment("2026-11-23T17:00"))
    assert clock.remaining_minutes == 12 * 60
    assert "示范" in clock.source
    assert first.next_due_at == clock.due_at
    assert desk.recorder.names() == ["CaseOpened", "CaseOpened"]
    # In Shanghai the next day has begun.
    assert desk.at("2026-11-21T00:00:01").open().case_no == "GD2026112100001"


def test_a_rolled_back_opening_leaves_no_gap(desk: Any) -> None:
    with desk.database.unit_of_work() as uow:
        cases.open_case(uow, desk.secrets, cases.NewCase("help", "t", "web"), now=desk.clock.now())
    assert desk.open().case_no == "GD2026112000001"


def test_what_people_wrote_is_encrypted_at_rest(desk: Any) -> None:
    case = desk.open(title="我住在幸福路")
    desk.do(cases.reply, case.case_no, desk.li, text="您好，请带材料")
    with desk.database.unit_of_work(read_only=True) as uow:
        stored = [uow.session.scalars(sa.select(Case.title_encrypted)).one()]
        stored += uow.session.scalars(sa.select(CaseEvent.text_encrypted).where(CaseEvent.text_encrypted.is_not(None)))
    assert len(stored) == 2
    assert not any("幸福" in text or "材料" in text for text in stored)
    assert desk.detail(case.case_no).title == "我住在幸福路"


def test_a_second_request_of_a_conversation_gets_its_open_case_back(desk: Any) -> None:
    first = desk.open(conversation_id="c1", transcript_upto=4)
    second = desk.open(conversation_id="c1", transcript_upto=9, kind="complaint")
    assert (second.case_no, second.reused, first.reused) == (first.case_no, True, False)
    assert second.transcript_upto == 9
    assert desk.events(first.case_no) == ["opened", "asked_again"]
    desk.do(cases.reply, first.case_no, desk.li, text="好的", resolve=True)
    assert desk.open(conversation_id="c1").case_no != first.case_no


def test_an_unknown_department_never_loses_the_case(desk: Any) -> None:
    assert desk.open(department="市外星局").department == "未分配"


def test_without_any_policy_a_case_opens_without_a_clock(bare_desk: Any) -> None:
    desk = bare_desk
    case = desk.open()
    assert (case.clocks, case.next_due_at, case.overdue) == ([], None, False)
    assert desk.do(cases.reply, case.case_no, desk.li, text="好").first_response_at == desk.clock.now()


def test_an_urgent_case_alerts_the_supervisor_the_duty_department_and_the_first_on_duty(desk: Any) -> None:
    case = desk.open(kind="urgent")
    assert (case.priority, case.next_due_at) == ("urgent", parse_moment("2026-11-20T10:15"))
    told = ["role:supervisor", "department:市政务服务中心", "user:clerk"]
    assert desk.outbox() == [("case_urgent", who) for who in told]


def test_an_urgent_request_raises_the_open_case_and_shortens_its_clock(desk: Any) -> None:
    case = desk.open(conversation_id="c1")
    desk.do(cases.claim, case.case_no, desk.li)
    raised = desk.at("2026-11-20T11:00").open(conversation_id="c1", kind="urgent")
    assert (raised.case_no, raised.priority) == (case.case_no, "urgent")
    assert [clock.due_at for clock in raised.clocks] == [parse_moment("2026-11-20T11:15")]
    assert desk.events(case.case_no) == ["opened", "claimed", "raised"]
    told = {"role:supervisor", "department:市政务服务中心", "user:clerk", "user:li"}
    assert {who for _, who in desk.outbox()} == told


def test_raising_to_urgent_never_gives_more_time_than_was_left(desk: Any) -> None:
    case = desk.open(conversation_id="c1")
    raised = desk.at("2026-11-23T16:58").open(conversation_id="c1", kind="urgent")
    assert raised.next_due_at == case.next_due_at == parse_moment("2026-11-23T17:00")


def test_danger_after_the_first_answer_needs_a_new_first_response(desk: Any) -> None:
    case = desk.open(conversation_id="c1")
    desk.do(cases.reply, case.case_no, desk.li, text="请稍等")
    raised = desk.at("2026-11-20T11:00").open(conversation_id="c1", kind="urgent")
    assert [(clock.cycle, clock.state) for clock in raised.clocks] == [(1, "met"), (2, "running")]
    assert raised.next_due_at == parse_moment("2026-11-20T11:15")
    assert raised.first_response_at == parse_moment("2026-11-20T10:00")


def test_the_second_claimer_hears_who_holds_the_case(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    assert desk.do(cases.claim, case_no, desk.li).status == "assigned"
    with pytest.raises(Conflict, match="li") as caught:
        desk.do(cases.claim, case_no, desk.wang)
    assert caught.value.extra == {"held_by": "li"}
    again = desk.do(cases.claim, case_no, desk.li)
    assert again.assignee == "li"
    assert desk.events(case_no) == ["opened", "claimed"]
    # The conversation is told each time, because its own hold lapses.
    assert desk.recorder.names() == ["CaseOpened", "CaseClaimed", "CaseClaimed"]
    assert desk.do(cases.claim, case_no, desk.boss).assignee == "boss"


def test_the_first_reply_stops_the_clock_and_claims_an_unclaimed_case(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    replied = desk.at("2026-11-23T09:30").do(cases.reply, case_no, desk.li, text=" 您好 ")
    assert (replied.status, replied.assignee) == ("in_progress", "li")
    assert replied.first_response_at == parse_moment("2026-11-23T09:30")
    assert [(clock.state, clock.remaining_minutes) for clock in replied.clocks] == [("met", None)]
    assert (replied.next_due_at, replied.overdue) == (None, False)
    assert desk.recorder.names() == ["CaseOpened", "CaseClaimed", "CaseReplied"]
    told = desk.recorder.heard[-1]
    assert (told.text, told.clerk, told.conversation_id, told.seq) == ("您好", "li", "c1", 3)
    second = desk.at("2026-11-23T10:30").do(cases.reply, case_no, desk.li, text="补充一点")
    assert second.first_response_at == parse_moment("2026-11-23T09:30")


def test_a_second_clerks_reply_is_refused_and_shown_the_first(desk: Any) -> None:
    case_no = desk.open().case_no
    desk.do(cases.reply, case_no, desk.li, text="第一个答复")
    with pytest.raises(Conflict) as caught:
        desk.do(cases.reply, case_no, desk.wang, text="第二个答复")
    assert caught.value.extra == {
        "held_by": "li",
        "first_reply": "第一个答复",
        "first_replied_by": "li",
        "first_replied_at": "2026-11-20T02:00:00+00:00",
    }
    assert desk.events(case_no) == ["opened", "claimed", "replied"]


def test_a_late_reply_is_a_breach_also_between_two_sweeps(desk: Any) -> None:
    case_no = desk.open().case_no
    replied = desk.at("2026-11-23T17:01").do(cases.reply, case_no, desk.li, text="抱歉")
    assert [clock.state for clock in replied.clocks] == ["breached"]
    assert desk.outbox() == [("case_breach", "role:supervisor")]
    assert desk.events(case_no) == ["opened", "claimed", "breached", "replied"]
    assert desk.at("2026-12-23T17:01").sweep().raised == 0


def test_a_reply_at_the_due_moment_is_in_time(desk: Any) -> None:
    case_no = desk.open().case_no
    replied = desk.at("2026-11-23T17:00").do(cases.reply, case_no, desk.li, text="好")
    assert [clock.state for clock in replied.clocks] == ["met"]
    assert desk.outbox() == []


def test_a_case_without_an_answer_cannot_be_resolved(desk: Any) -> None:
    case_no = desk.open().case_no
    with pytest.raises(Conflict):
        desk.do(cases.resolve, case_no, desk.li)
    desk.do(cases.claim, case_no, desk.li)
    with pytest.raises(Conflict, match="还没有答复"):
        desk.do(cases.resolve, case_no, desk.li)
    desk.do(cases.reply, case_no, desk.li, text="好")
    resolved = desk.do(cases.resolve, case_no, desk.li)
    assert (resolved.status, resolved.resolved_at) == ("resolved", desk.clock.now())
    with pytest.raises(Conflict, match="已办结"):
        desk.do(cases.reply, case_no, desk.li, text="再说一句")
    assert desk.do(cases.close, case_no, desk.li).status == "closed"
    assert desk.recorder.names()[-2:] == ["CaseResolved", "CaseClosed"]


def test_only_a_supervisor_closes_an_open_case_and_says_why(desk: Any) -> None:
    in_time, late = desk.open().case_no, desk.open(kind="urgent").case_no
    with pytest.raises(Forbidden):
        desk.do(cases.close, in_time, desk.li, reason="重复")
    with pytest.raises(Unprocessable):
        desk.do(cases.close, in_time, desk.boss)
    desk.at("2026-11-20T12:00")
    closed = desk.do(cases.close, in_time, desk.boss, reason="重复")
    assert [clock.state for clock in closed.clocks] == ["cancelled"]
    # A missed limit is not wiped out by closing.
    assert [clock.state for clock in desk.do(cases.close, late, desk.boss, reason="误报").clocks] == ["breached"]
    assert desk.at("2026-12-20T12:00").sweep().due == 0


def test_a_reopened_case_starts_a_new_cycle_and_nothing_escalates_at_once(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.reply, case_no, desk.li, text="好", resolve=True)
    reopened = desk.at("2027-03-01T10:00").do(cases.reopen, case_no, desk.boss, reason="没有解决")
    assert (reopened.status, reopened.assignee, reopened.reopened_count) == ("reopened", "li", 1)
    assert reopened.resolved_at is None
    assert [(clock.cycle, clock.state) for clock in reopened.clocks] == [(1, "met"), (2, "running")]
    assert reopened.next_due_at == parse_moment("2027-03-02T17:00")
    assert desk.sweep().raised == 0
    answered = desk.do(cases.reply, case_no, desk.li, text="已经处理")
    assert [clock.state for clock in answered.clocks] == ["met", "met"]


def test_reopening_is_refused_while_the_conversation_has_another_open_case(desk: Any) -> None:
    first = desk.open(conversation_id="c1").case_no
    desk.do(cases.reply, first, desk.li, text="好", resolve=True)
    second = desk.open(conversation_id="c1").case_no
    with pytest.raises(Conflict) as caught:
        desk.do(cases.reopen, first, desk.li, reason="没有解决")
    assert caught.value.extra == {"open_case_no": second}


def test_an_open_case_cannot_be_reopened(desk: Any) -> None:
    case_no = desk.open().case_no
    with pytest.raises(Conflict, match="待受理"):
        desk.do(cases.reopen, case_no, desk.li, reason="x")


def test_a_transfer_returns_the_case_to_the_queue_of_the_other_department(desk: Any) -> None:
    case_no = desk.open().case_no
    before = desk.do(cases.claim, case_no, desk.li)
    with pytest.raises(BadRequest):
        desk.do(cases.transfer, case_no, desk.li, department="市外星局", reason="x")
    with pytest.raises(Conflict, match="li"):
        desk.do(cases.transfer, case_no, desk.wang, department="交警", reason="x")
    moved = desk.at("2026-11-23T09:00").do(cases.transfer, case_no, desk.li, department="交警", reason="属交管业务")
    assert (moved.department, moved.status, moved.assignee) == (POLICE, "transferred", None)
    assert moved.next_due_at == before.next_due_at
    assert desk.outbox() == [("case_transferred", f"department:{POLICE}")]
    event = desk.detail(case_no).events[-1]
    assert (event.text, event.data) == ("属交管业务", {"from": "未分配", "to": POLICE})
    with pytest.raises(Conflict):
        desk.do(cases.transfer, case_no, desk.li, department=POLICE, reason="x")


def test_a_department_with_its_own_limit_counts_it_from_the_start_of_the_clock(desk: Any) -> None:
    case_no = desk.open().case_no
    moved = desk.at("2026-11-23T09:00").do(cases.transfer, case_no, desk.li, department="多部门", reason="需联合办理")
    assert moved.next_due_at == parse_moment("2026-12-11T17:00")


def test_a_note_changes_nothing_and_tells_nobody(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    noted = desk.do(cases.note, case_no, desk.wang, text="已电话核实")
    assert (noted.status, noted.first_response_at) == ("new", None)
    assert desk.recorder.names() == ["CaseOpened"]
    with pytest.raises(Unprocessable):
        desk.do(cases.note, case_no, desk.wang, text="  ")


def test_clerks_see_their_own_department_and_what_nobody_has(desk: Any) -> None:
    police, free, civil = (desk.open(department=name).case_no for name in (POLICE, None, CIVIL))

    def seen(user: Any) -> set[str]:
        return {case.case_no for case in desk.run(cases.list_cases, user=user).cases}

    assert seen(desk.officer) == {police, free}
    assert seen(desk.social) == {civil, free}
    assert seen(desk.li) == seen(desk.boss) == {police, free, civil}
    for action in (cases.claim, cases.resolve):
        with pytest.raises(NotFound):
            desk.do(action, civil, desk.officer)
    with pytest.raises(NotFound):
        desk.detail(civil, desk.officer)
    with pytest.raises(NotFound):
        desk.detail("GD2026112099999")


def test_lists_filter_and_put_urgent_and_soonest_due_first(desk: Any) -> None:
    slow = desk.open(kind="help").case_no
    soon = desk.open().case_no
    done = desk.open().case_no
    desk.do(cases.reply, done, desk.li, text="好", resolve=True)
    urgent = desk.open(kind="urgent").case_no

    def listed(**filters: Any) -> list[str]:
        return [case.case_no for case in desk.run(cases.list_cases, user=desk.boss, **filters).cases]

    assert listed() == [urgent, soon, slow, done]
    assert listed(status=["new"]) == [urgent, soon, slow]
    desk.at("2026-11-20T10:16")
    assert listed(overdue=True) == [urgent]
    assert listed(overdue=False) == [soon, slow, done]
    assert listed(limit=2, offset=1) == [soon, slow]
    mine = desk.run(cases.list_cases, user=desk.li, mine=True, limit=1)
    assert ([case.case_no for case in mine.cases], mine.total) == ([done], 1)


def test_every_action_leaves_one_event_and_one_audit_row(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    desk.do(cases.note, case_no, desk.li, text="备注")
    desk.do(cases.reply, case_no, desk.li, text="好", resolve=True)
    desk.do(cases.reopen, case_no, desk.li, reason="还有问题")
    desk.do(cases.transfer, case_no, desk.li, department="民政", reason="转")
    desk.do(cases.close, case_no, desk.boss, reason="撤销")
    expected = ["opened", "claimed", "noted", "replied", "resolved", "reopened", "transferred", "closed"]
    assert desk.events(case_no) == expected
    assert [event.seq for event in desk.detail(case_no).events] == list(range(1, 9))
    with desk.database.unit_of_work(read_only=True) as uow:
        audit = uow.session.scalars(
            sa.select(AuditRow.action).where(AuditRow.subject == case_no).order_by(AuditRow.id)
        ).all()
    assert list(audit) == [f"case.{name}" for name in expected]


def test_a_citizen_sees_the_progress_of_the_own_conversations_case_only(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no
    assert desk.run(cases.case_of_citizen, case_no=case_no, conversation_id="c1").case_no == case_no
    assert desk.run(cases.case_of_citizen, case_no=case_no, conversation_id="c2") is None
    assert desk.run(cases.open_case_of, conversation_id="c1").case_no == case_no
    assert desk.run(cases.open_case_of, conversation_id="c2") is None


def test_whoever_has_a_case_hears_of_new_words_once_until_something_happens(desk: Any) -> None:
    case_no = desk.open(conversation_id="c1").case_no

    def write() -> int:
        now = desk.clock.now()
        desk.database.write(lambda uow: cases.citizen_wrote(uow, conversation_id="c1", now=now))
        return desk.outbox().count(("case_added", "user:li"))

    assert write() == 0
    desk.do(cases.claim, case_no, desk.li)
    assert (write(), write()) == (1, 1)
    desk.do(cases.reply, case_no, desk.li, text="好")
    assert write() == 2
