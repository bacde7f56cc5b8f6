"""Two sessions at one case at once, on PostgreSQL."""

from functools import partial
from pathlib import Path
from typing import Any

from services.cases import service as cases
from services.cases import tasks
from services.core.clock import parse_moment
from services.core.errors import Conflict
from tests.support import outcomes

ROSTER = "queues: [{department: 市民政局, assign: round_robin, members: [{name: a}, {name: b}, {name: c}]}]\n"


def test_cases_opened_at_once_are_dealt_evenly(postgres_desk: Any, tmp_path: Path) -> None:
    desk = postgres_desk
    for source in (Path(cases.__file__).parents[1] / "demo_city").glob("*.yaml"):
        (tmp_path / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "roster.yaml").write_text(ROSTER, encoding="utf-8")
    desk.apply_city(tmp_path)
    opened = outcomes(*[partial(desk.open, department="市民政局")] * 9)
    dealt = [case.assignee for case in opened]
    assert sorted(dealt.count(name) for name in "abc") == [3, 3, 3]


def test_a_citizen_who_rates_twice_at_once_is_counted_once(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.reply, case_no, desk.li, text="好", resolve=True)
    rate = partial(desk.run, cases.citizen_rates, case_no=case_no, conversation_id="c1")
    results = outcomes(partial(rate, score=5), partial(rate, score=1))
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert desk.events(case_no).count("rated") == 1


def test_an_extension_approved_twice_at_once_is_granted_once(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open().case_no
    desk.do(cases.claim, case_no, desk.li)
    desk.do(cases.extend, case_no, desk.li, days=2, reason="核实")
    approve = partial(desk.do, cases.decide_extension, case_no, desk.boss, approve=True)
    assert sum(isinstance(result, Conflict) for result in outcomes(approve, approve)) == 1
    assert desk.detail(case_no).next_due_at == parse_moment("2026-11-25T17:00")


def test_two_who_merge_crosswise_leave_one_open_case(postgres_desk: Any) -> None:
    desk = postgres_desk
    first, second = desk.open().case_no, desk.open().case_no
    results = outcomes(
        partial(desk.do, cases.merge, first, desk.boss, into=second),
        partial(desk.do, cases.merge, second, desk.boss, into=first),
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert sorted(desk.detail(case_no).status for case_no in (first, second)) == ["merged", "new"]


def test_a_wait_that_ends_in_two_workers_and_by_the_citizen_at_once_ends_once(postgres_desk: Any) -> None:
    desk = postgres_desk
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    desk.do(cases.hold, case_no, desk.li, question="请补充")
    desk.at("2027-01-20T10:00")
    end = partial(tasks.end_waits, desk.database, desk.clock.now())
    add = partial(desk.run, cases.citizen_adds, case_no=case_no, conversation_id="c1", text="补充")
    outcomes(end, end, add)
    assert desk.events(case_no).count("resumed") == 1


def test_a_slots_report_is_written_once_by_many_workers(postgres_desk: Any) -> None:
    desk = postgres_desk
    with desk.database.unit_of_work() as uow:
        cases.set_alert_level(uow, user=desk.boss, level=1, now=desk.clock.now())
        uow.commit()
    later = parse_moment("2026-11-21T10:00")
    written = outcomes(*[partial(tasks.write_due_reports, desk.database, later)] * 3)
    assert sum(written) == 2
    assert [kind for kind, _ in desk.outbox()].count("supervision_report") == 4
