"""Confidential cases, dealing out, supervision and changing cities, on both databases."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import services
from services.cases import service as cases
from services.cases import tasks
from services.cases.supervision import slots
from services.core.clock import SHANGHAI, parse_moment
from services.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable
from tests.support import employ

DEMO_CITY = Path(services.__file__).parent / "demo_city"
POLICE, CIVIL = "市公安局交通警察支队", "市民政局"


def city_of(office: Any, tmp_path: Path, /, **files: str) -> Path:
    """A copy of the demo city with other files, applied."""
    city = tmp_path / "city"
    shutil.copytree(DEMO_CITY, city, dirs_exist_ok=True)
    for name, text in files.items():
        (city / f"{name}.yaml").write_text(text, encoding="utf-8")
    office.apply_city(city)
    return city


def people(desk: Any, *names: str) -> None:
    with desk.database.unit_of_work() as uow:
        for name in names:
            employ(uow, name, "clerk", desk.clock.now())
        uow.commit()


def numbers(desk: Any, user: Any) -> set[str]:
    return {case.case_no for case in desk.run(cases.list_cases, user=user).cases}


def test_a_tip_off_exists_for_named_people_only_in_lists_figures_and_news(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, desk="confidential_readers: [wang]\n")
    people(desk, "wang")
    plain = desk.open().case_no
    secret = desk.open(kind="report", department=POLICE).case_no
    for user in (desk.li, desk.boss, desk.officer):
        assert numbers(desk, user) == {plain}
        with pytest.raises(NotFound):
            desk.do(cases.claim, secret, user)
        with pytest.raises(NotFound):
            desk.detail(secret, user)
        assert desk.report(reader=user)["overall"]["cases"] == 1
    assert numbers(desk, desk.wang) == {plain, secret}
    assert desk.report(reader=desk.wang, by="department")["overall"]["cases"] == 2
    assert desk.detail(secret, desk.wang).readers == ["wang"]
    desk.at("2026-12-31T09:00").sweep()
    about = [who for kind, who in desk.outbox() if who == "user:wang"]
    # That it is there, its warning being overtaken: its breach and escalation, and the plain case's own.
    assert len(about) == 4
    # The plain case's own breach and escalation are all that others hear.
    assert sorted(who for _, who in desk.outbox() if who != "user:wang") == [
        "department:市政务服务中心", "role:manager", "role:supervisor",
    ]  # fmt: skip


def test_a_tip_off_without_anybody_named_is_not_forgotten(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, desk="confidential_readers: []\n")
    case_no = desk.open(kind="report").case_no
    desk.at("2026-12-31T09:00").sweep()
    assert {who for _, who in desk.outbox()} == {"role:admin"}
    assert numbers(desk, desk.boss) == set()
    assert case_no.startswith("GD")


def test_a_case_that_turns_out_to_be_a_tip_off_leaves_its_clerk_and_is_granted_by_name(
    desk: Any, tmp_path: Path
) -> None:
    city_of(desk, tmp_path, desk="confidential_readers: [wang]\n")
    people(desk, "zhao")
    case_no = desk.open(conversation_id="c1").case_no
    desk.do(cases.claim, case_no, desk.li)
    turned = desk.do(cases.classify, case_no, desk.li, kind="report")
    assert (turned.confidential, turned.status, turned.assignee) == (True, "new", None)
    with pytest.raises(NotFound):
        desk.do(cases.note, case_no, desk.li, text="x")
    with pytest.raises(BadRequest, match="始终保密"):
        desk.do(cases.classify, case_no, desk.wang, confidential=False)
    handed = desk.do(cases.assign, case_no, desk.wang, assignee="zhao")
    assert handed.assignee == "zhao"
    assert desk.detail(case_no, desk.wang).readers == ["wang", "zhao"]
    with pytest.raises(Conflict):
        desk.do(cases.change_access, case_no, desk.wang, name="zhao", allowed=False)
    # A later case of the same conversation shows nothing of it to others.
    with desk.database.unit_of_work(read_only=True) as uow:
        hidden = cases.shade(uow, "c1", apart_from="GD0", user=desk.li)
        shown = cases.shade(uow, "c1", apart_from="GD0", user=desk.wang)
        kept = cases.shade(uow, "c1", apart_from="GD0")
    assert hidden.covers(desk.clock.now())
    assert not shown.covers(desk.clock.now(), case_no)
    # What is kept elsewhere (a title, a draft, a file) never holds anything of it, whoever asks.
    assert kept.covers(desk.clock.now())


ROSTER = """
queues:
  - department: 市民政局
    assign: round_robin
    members:
      - {name: a}
      - {name: b, capacity: 2}
      - {name: c, skills: [complaint]}
  - department: 未分配
    shift: 8-24
    members: [{name: a}]
"""
SHIFTS = """
source: 测试
hours: [{start: "09:00", end: "12:00"}, {start: "13:30", end: "17:00"}]
shifts:
  - {name: 8-24, hours: [{start: "08:00", end: "24:00"}]}
  - {name: 7x24, hours: [{start: "00:00", end: "24:00"}]}
"""


def test_cases_are_dealt_by_load_skill_turn_and_presence(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, roster=ROSTER, calendar=SHIFTS)

    def dealt(**values: Any) -> Any:
        return desk.open(department=CIVIL, **values).assignee

    assert [dealt() for _ in range(4)] == ["a", "b", "a", "b"]
    assert dealt() == "a"  # b has no room left
    assert dealt(kind="complaint") == "c"
    with desk.database.unit_of_work() as uow:
        end = parse_moment("2026-11-21T00:00")
        with pytest.raises(Forbidden):
            cases.set_absence(
                uow, user=desk.li, name="a", starts_at=desk.clock.now(), ends_at=end, now=desk.clock.now()
            )
        cases.set_absence(uow, user=desk.boss, name="a", starts_at=desk.clock.now(), ends_at=end, now=desk.clock.now())
        uow.commit()
    waiting = desk.open(department=CIVIL)
    assert (waiting.status, waiting.assignee) == ("new", None)
    # Nobody is on duty at the weekend; on Monday the queue is dealt out.
    assert tasks.deal_queues(desk.database, parse_moment("2026-11-21T10:00")) == 0
    assert tasks.deal_queues(desk.database, parse_moment("2026-11-23T09:00")) == 1
    assert desk.detail(waiting.case_no).assignee == "a"
    assert ("case_assigned", "user:a") in desk.outbox()


def test_an_urgent_case_alerts_whoever_is_on_duty_also_at_night(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, roster=ROSTER, calendar=SHIFTS)
    desk.at("2026-11-21T22:00").open(kind="urgent")
    assert ("case_urgent", "user:a") in desk.outbox()
    before = len(desk.outbox())
    desk.at("2026-11-22T03:00").open(kind="urgent")
    assert ("case_urgent", "user:a") not in desk.outbox()[before:]


def test_a_dealt_case_is_taken_by_its_clerk_and_handed_over_to_somebody_who_is_there(desk: Any, tmp_path: Path) -> None:
    city_of(desk, tmp_path, roster="queues: [{department: 市民政局, assign: round_robin, members: [{name: li}]}]\n")
    people(desk, "zhao")
    case_no = desk.open(department=CIVIL, conversation_id="c1").case_no
    assert desk.events(case_no) == ["opened", "assigned"]
    desk.do(cases.claim, case_no, desk.li)
    desk.do(cases.claim, case_no, desk.li)
    assert desk.events(case_no) == ["opened", "assigned", "claimed"]
    with pytest.raises(BadRequest):
        desk.do(cases.assign, case_no, desk.li, assignee="nobody")
    assert desk.do(cases.assign, case_no, desk.li, assignee="zhao", reason="休假").assignee == "zhao"
    with pytest.raises(Conflict, match="zhao"):
        desk.do(cases.assign, case_no, desk.li, assignee="wang")
    assert desk.recorder.names()[-1] == "CaseAssigned"


def test_an_alert_level_brings_its_reports_once_per_slot_and_in_order(desk: Any) -> None:
    with desk.database.unit_of_work() as uow:
        cases.set_alert_level(uow, user=desk.boss, level=1, now=desk.clock.now())
        uow.commit()
    desk.open(kind="urgent")
    desk.open(kind="report")
    assert tasks.write_due_reports(desk.database, parse_moment("2026-11-20T16:59")) == 0
    assert tasks.write_due_reports(desk.database, parse_moment("2026-11-22T10:00")) == 4
    assert tasks.write_due_reports(desk.database, parse_moment("2026-11-22T10:00")) == 0
    with desk.database.unit_of_work(read_only=True) as uow:
        written = cases.reports(uow)
    shown = [f"{one.slot_at.astimezone(SHANGHAI):%d %H:%M}" for one in written]
    assert shown == ["22 09:00", "21 17:00", "21 09:00", "20 17:00"]
    # The confidential case is in no figure.
    assert (written[-1].figures["open_cases"], written[-1].figures["overdue_cases"]) == (1, 1)
    assert [kind for kind, _ in desk.outbox()].count("supervision_report") == 8


def test_the_slots_of_each_level() -> None:
    since, until = parse_moment("2026-11-20T10:00"), parse_moment("2026-11-24T23:00")

    def shown(level: int) -> list[str]:
        return [f"{one.astimezone(SHANGHAI):%d %H}" for one in slots(level, since, until, (540, 1020))]

    assert shown(0) == []
    assert shown(1) == ["20 17", "21 09", "21 17", "22 09", "22 17", "23 09", "23 17", "24 09", "24 17"]
    assert shown(2) == ["21 09", "22 09", "23 09", "24 09"]
    assert shown(3) == ["22 09", "24 09"]


def test_a_provisional_limit_becomes_sure_when_the_notice_of_the_year_arrives(desk: Any, tmp_path: Path) -> None:
    case_no = desk.at("2026-12-31T10:00").open().case_no
    (clock,) = desk.detail(case_no).clocks
    # Without a notice only New Year's Day itself is known to be closed; 1 January 2027 is a Friday.
    assert (clock.due_at, clock.provisional) == (parse_moment("2027-01-04T17:00"), True)
    assert tasks.recompute_stale(desk.database, desk.clock.now()) == 0
    notice = (DEMO_CITY / "calendar.yaml").read_text(encoding="utf-8")
    notice = notice.replace("announced_years: []", "announced_years: [2027]").replace(
        "days: []", "days:\n  - {day: 2027-01-02, working: true, source: 测试通知}"
    )
    city_of(desk, tmp_path, calendar=notice)
    assert tasks.recompute_stale(desk.database, desk.clock.now()) == 1
    assert tasks.recompute_stale(desk.database, desk.clock.now()) == 0
    (clock,) = desk.detail(case_no).clocks
    assert (clock.due_at, clock.provisional) == (parse_moment("2027-01-02T17:00"), False)
    event = desk.detail(case_no).events[-1]
    assert (event.type, event.data["why"]) == ("recomputed", "calendar")
    assert event.data["clocks"][0]["due_before"] == parse_moment("2027-01-04T17:00").isoformat()


def test_policies_reach_running_clocks_only_on_purpose(desk: Any, tmp_path: Path) -> None:
    case = desk.open()
    policies = (DEMO_CITY / "policies.yaml").read_text(encoding="utf-8").replace("limit: 1\n", "limit: 3\n")
    city_of(desk, tmp_path, policies=policies)
    tasks.recompute_stale(desk.database, desk.clock.now())
    assert desk.detail(case.case_no).next_due_at == case.next_due_at
    assert cases.recompute_running(desk.database, desk.clock.now()) == 1
    assert desk.detail(case.case_no).next_due_at == parse_moment("2026-11-25T17:00")
    assert desk.events(case.case_no) == ["opened", "recomputed"]


UPDATE = """
      - target: update
        limit: 2
        unit: working_days
        source: 每两个工作日告知进展（测试）
      - target: resolution
        limit: 120
        unit: working_minutes
        kind: suggestion
        calendar: 8-24
        source: 值班时段两小时（测试）
"""


def with_update(desk: Any, tmp_path: Path) -> None:
    policies = (DEMO_CITY / "policies.yaml").read_text(encoding="utf-8")
    city_of(desk, tmp_path, policies=policies.rstrip() + UPDATE, calendar=SHIFTS)


def test_an_update_target_hides_no_first_response_and_begins_anew_with_each_news(desk: Any, tmp_path: Path) -> None:
    with_update(desk, tmp_path)
    case_no = desk.open().case_no
    assert desk.detail(case_no).next_due_at == parse_moment("2026-11-23T17:00")
    # Both limits raise their own levels, also on one day.
    desk.at("2026-11-24T18:00").sweep()
    assert desk.events(case_no).count("breached") == 2
    replied = desk.do(cases.reply, case_no, desk.li, text="正在核实")
    clocks = [(one.target, one.cycle, one.state) for one in replied.clocks]
    assert clocks == [("first_response", 1, "breached"), ("update", 1, "breached"), ("update", 2, "running")]
    assert replied.next_due_at == parse_moment("2026-11-26T17:00")
    assert not replied.overdue
    done = desk.at("2026-11-25T10:00").do(cases.reply, case_no, desk.li, text="办好了", resolve=True)
    assert [one.state for one in done.clocks if one.target == "update"] == ["breached", "met", "cancelled"]
    assert desk.at("2026-12-30T10:00").sweep().due == 0


def test_a_limit_in_duty_hours_runs_in_the_evening_and_on_holidays_and_stops_at_night(
    desk: Any, tmp_path: Path
) -> None:
    with_update(desk, tmp_path)
    case = desk.at("2026-10-03T23:00").open(kind="suggestion")
    due = {clock.target: clock for clock in case.clocks}["resolution"]
    assert due.due_at == parse_moment("2026-10-04T09:00")
    assert due.remaining_minutes == 120


def test_levels_are_no_matter_of_the_day_and_never_raised_in_closed_time(desk: Any) -> None:
    case_no = desk.open().case_no
    desk.at("2026-11-21T12:00").sweep()
    assert desk.events(case_no) == ["opened"]
    for day in range(24, 29):
        desk.at(f"2026-11-{day}T10:00").sweep()
        desk.at(f"2026-11-{day}T10:00").sweep()
    assert desk.events(case_no) == ["opened", "warned", "breached", "escalated"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("roster", "queues: [{department: 市外星局, members: [{name: a}]}]", r"roster\.yaml: queues\[0\]\.department"),
        ("roster", "queues: [{department: 未分配, shift: x, members: [{name: a}]}]", r"queues\[0\]\.shift"),
        ("desk", "extensions: -1", r"^desk\.yaml: extensions"),
        ("desk", 'report_times: ["25:00", "09:00"]', r"^desk\.yaml: report_times"),
    ],
)
def test_a_mistake_in_the_roster_or_the_rules_is_one_line(
    desk: Any, tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(Unprocessable, match=message) as caught:
        city_of(desk, tmp_path, **{name: text})
    assert "\n" not in caught.value.detail
