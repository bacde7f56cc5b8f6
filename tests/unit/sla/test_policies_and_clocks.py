"""Which policy applies, and the moments of its clock."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.clock import SHANGHAI
from services.core.errors import BadRequest
from services.sla import clocks
from services.sla.calendar import Span, WorkingCalendar
from services.sla.policies import KINDS, TARGETS, Limit, Policy, applies, choose, parse_kind, specificity

CALENDAR = WorkingCalendar((Span(9 * 60, 12 * 60), Span(13 * 60 + 30, 17 * 60)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def row(amount: int, **conditions: str) -> Policy:
    return Policy("first_response", Limit(amount, "working_days"), "a source", **conditions)  # type: ignore[arg-type]


def chosen(policies: list[Policy], **case: str) -> int | None:
    found = choose(policies, "first_response", **case)  # type: ignore[arg-type]
    return found.limit.amount if found else None


def test_the_most_specific_row_wins() -> None:
    policies = [row(1), row(2, kind="help"), row(3, department="市民政局"), row(4, department="市民政局", kind="help")]
    assert chosen(policies, kind="complaint") == 1
    assert chosen(policies, kind="help") == 2
    assert chosen(policies, kind="complaint", department="市民政局") == 3
    assert chosen(policies, kind="help", department="市民政局") == 4


def test_an_urgent_case_never_gets_the_longer_limit_of_its_department_or_kind() -> None:
    policies = [row(1, priority="urgent"), row(9, kind="help", department="市民政局", channel="web")]
    case = {"kind": "help", "department": "市民政局", "channel": "web"}
    assert chosen(policies, **case) == 9
    assert chosen(policies, **case, priority="urgent") == 1


def test_the_kind_urgent_is_urgent_whatever_priority_was_said() -> None:
    assert chosen([row(1, priority="urgent"), row(5)], kind="urgent", priority="normal") == 1


def test_a_target_without_a_row_has_no_limit() -> None:
    assert choose([row(1)], "resolution", kind="help") is None
    assert chosen([row(1, kind="help")], kind="complaint") is None


conditions = st.fixed_dictionaries(
    {
        "kind": st.none() | st.sampled_from(KINDS),
        "department": st.none() | st.sampled_from(["a", "b"]),
        "priority": st.none() | st.sampled_from(["normal", "urgent"]),
        "channel": st.none() | st.sampled_from(["web", "wechat"]),
    }
)


@given(
    st.lists(st.builds(lambda c: row(1, **c), conditions), max_size=12),
    st.sampled_from(KINDS[:-1]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["normal", "urgent"]),
)
def test_the_chosen_row_applies_and_none_that_applies_is_more_specific(
    policies: list[Policy], kind: str, department: str, priority: str
) -> None:
    case = {"kind": kind, "department": department, "priority": priority, "channel": "web"}
    fitting = [policy for policy in policies if applies(policy, **case)]  # type: ignore[arg-type]
    found = choose(policies, "first_response", **case)  # type: ignore[arg-type]
    assert (found is None) == (not fitting)
    if found is not None:
        assert found in fitting
        assert specificity(found) == max(map(specificity, fitting))


def test_kinds_are_read_by_word_and_by_chinese_name() -> None:
    assert parse_kind("complaint") == parse_kind("投诉") == "complaint"
    with pytest.raises(BadRequest):
        parse_kind("whatever")


def test_an_urgent_limit_runs_by_the_wall_clock_also_at_night() -> None:
    policy = Policy("first_response", Limit(15, "minutes"), "s", priority="urgent")
    plan = clocks.plan(CALENDAR, policy, at("2026-11-22 03:00"))
    assert plan.due_at == at("2026-11-22 03:15")
    assert plan.warning_at == at("2026-11-22 03:12")
    assert plan.escalate_at == at("2026-11-22 03:30")
    assert not plan.provisional


def test_the_warning_of_a_working_limit_comes_at_its_share_of_working_time() -> None:
    plan = clocks.plan(CALENDAR, row(1), at("2026-11-20 10:00"))
    # 5.5 hours on Friday and 6.5 on Monday: 80 % of 12 hours are used up at 14:36 + lunch already passed.
    assert plan.warning_at == at("2026-11-23 14:36")
    assert plan.due_at == at("2026-11-23 17:00")
    assert plan.escalate_at == at("2026-11-24 17:00")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)).map(lambda moment: moment.replace(tzinfo=SHANGHAI)),
    st.integers(1, 400),
    st.sampled_from(["minutes", "working_minutes", "working_days"]),
    st.floats(0.05, 1),
)
def test_the_levels_of_every_plan_are_in_order(start: datetime, amount: int, unit: str, share: float) -> None:
    limit = Limit(amount if unit != "working_days" else amount % 20 + 1, unit)  # type: ignore[arg-type]
    plan = clocks.plan(CALENDAR, Policy("resolution", limit, "s", warning_share=share), start)
    assert start < plan.warning_at <= plan.due_at < plan.escalate_at
    reached = [clocks.levels_reached(plan, plan.at(level) + timedelta(seconds=1)) for level in clocks.LEVELS]
    assert reached[-1] == list(clocks.LEVELS)
    assert all(set(first) <= set(second) for first, second in pairwise(reached))
    assert clocks.levels_reached(plan, start) == []


def test_an_answer_at_the_due_moment_is_in_time_and_a_second_later_it_is_not() -> None:
    due = at("2026-11-23 17:00")
    assert clocks.in_time(due, due)
    assert not clocks.in_time(due, due + timedelta(seconds=1))


def test_an_unanswered_clock_past_its_due_moment_shows_as_breached() -> None:
    due = at("2026-11-23 17:00")
    assert clocks.state("running", due, due) == "running"
    assert clocks.state("running", due, due + timedelta(seconds=1)) == "breached"
    assert clocks.state("met", due, due + timedelta(days=1)) == "met"
    assert clocks.state("cancelled", due, due + timedelta(days=1)) == "cancelled"


def test_remaining_minutes_count_working_time_for_working_limits_and_go_below_zero() -> None:
    due = at("2026-11-23 17:00")
    assert clocks.remaining_minutes(CALENDAR, "working_days", due, at("2026-11-20 16:00")) == 60 + 390
    assert clocks.remaining_minutes(CALENDAR, "working_days", due, at("2026-11-24 09:30")) == -30
    assert clocks.remaining_minutes(CALENDAR, "minutes", due, at("2026-11-23 16:45")) == 15
    assert clocks.remaining_minutes(CALENDAR, "minutes", due, at("2026-11-23 17:10")) == -10


def test_every_target_is_a_known_word() -> None:
    assert TARGETS == ("first_response", "update", "resolution")
