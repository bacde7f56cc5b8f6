"""Danger that somebody must say 已收到 to: who is called when, each step once, on both databases."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import services
from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases import tasks, urgent
from services.cases.events import CaseAcknowledged
from services.cases.models import UrgentAlarm, UrgentStep
from services.core.clock import parse_moment
from services.core.errors import Conflict, NotFound
from services.notifications import service as notifications
from services.notifications.models import OutboxRow
from tests.support import employ, outcomes

DEMO_CITY = Path(services.__file__).parent / "demo_city"
CIVIL = "市民政局"
ROSTER = """
queues:
  - department: 市政务服务中心
    shift: 7x24
    members: [{name: zhao}, {name: qian}, {name: sun}]
alarm: {acknowledge_within: 5, steps: 3, source: 测试}
"""
OFFICE_HOURS = """
queues:
  - department: 市政务服务中心
    members: [{name: zhao}]
alarm: {acknowledge_within: 5, steps: 2, source: 测试}
"""
ROUTES = """
source: 测试
robots: [{name: 群, secret: robot}]
phones: [{name: 值班手机, secret: phone}]
routes:
  - {kinds: [case_unheard], readers: [role:supervisor], robot: 群}
  - {kinds: [case_unheard], readers: [user:qian, user:sun], phone: 值班手机}
"""


def city(office: Any, tmp_path: Path, /, **files: str) -> None:
    target = tmp_path / "city"
    shutil.copytree(DEMO_CITY, target, dirs_exist_ok=True)
    for name, text in files.items():
        (target / f"{name}.yaml").write_text(text, encoding="utf-8")
    office.apply_city(target)
    office.database.write(lambda uow: notifications.apply_city(uow, target, office.clock.now()))


@pytest.fixture
def watched(desk: Any, tmp_path: Path) -> Any:
    """A city with three people on duty day and night."""
    city(desk, tmp_path, roster=ROSTER)
    return desk


def call(desk: Any, moment: str) -> int:
    desk.at(f"2026-11-20T{moment}")
    return tasks.call_next(desk.database, desk.clock.now())


def told(desk: Any, kind: str) -> list[str]:
    return [who for what, who in desk.outbox() if what == kind]


def ringing(desk: Any, user: StaffUser) -> list[str]:
    with desk.database.unit_of_work(read_only=True) as uow:
        return [alarm.case_no for alarm in cases.ringing_for(uow, user)]


def watch(desk: Any, case_no: str) -> Any:
    with desk.database.unit_of_work(read_only=True) as uow:
        return cases.watch_over(uow, case_no)


def test_one_after_the_other_on_duty_is_called_until_the_steps_are_used_up(watched: Any) -> None:
    case_no = watched.at("2026-11-20T10:00").open(kind="urgent").case_no
    assert told(watched, "case_urgent") == ["role:supervisor", "department:市政务服务中心", "user:zhao"]
    assert call(watched, "10:04:59") == 0
    assert call(watched, "10:05") == 1
    assert call(watched, "10:05") == 0
    assert told(watched, "case_unheard") == ["user:qian", "role:supervisor"]
    assert call(watched, "10:10") == 1
    assert call(watched, "10:15") == 1
    later = ["user:sun", "role:supervisor", "user:zhao", "role:supervisor", "role:manager"]
    assert told(watched, "case_unheard")[2:] == later
    assert call(watched, "23:00") == 0
    steps = [event for event in watched.detail(case_no).events if event.type == "alarmed"]
    assert [(event.data["step"], event.data["to"]) for event in steps] == [(1, "qian"), (2, "sun"), (3, "zhao")]
    # It goes on ringing for everybody who was told, and for nobody else.
    assert ringing(watched, watched.boss) == [case_no]
    assert ringing(watched, StaffUser("qian", "clerk", None)) == [case_no]
    assert ringing(watched, watched.li) == []


def test_a_worker_that_was_away_calls_one_after_the_other_and_not_all_at_once(watched: Any) -> None:
    watched.at("2026-11-20T10:00").open(kind="urgent")
    assert call(watched, "18:00") == 1
    assert call(watched, "18:04") == 0
    assert call(watched, "18:05") == 1


def test_whoever_says_received_stops_it_and_is_named_to_colleagues_and_by_post_to_the_citizen(watched: Any) -> None:
    case_no = watched.at("2026-11-20T10:00").open(kind="urgent", conversation_id="c1").case_no
    call(watched, "10:05")
    qian = StaffUser("qian", "clerk", None)
    watched.database.write(lambda uow: employ(uow, "qian", "clerk", watched.clock.now(), post="值班长"))
    watched.at("2026-11-20T10:06").do(cases.acknowledge, case_no, qian)
    assert watched.do(cases.acknowledge, case_no, qian).case_no == case_no
    assert call(watched, "10:30") == 0
    (news,) = [event for event in watched.recorder.heard if isinstance(event, CaseAcknowledged)]
    assert (news.who, news.conversation_id) == ("服务大厅 · 值班长", "c1")
    with pytest.raises(Conflict, match=r"qian 已于 10:06 收到") as refused:
        watched.do(cases.acknowledge, case_no, watched.boss)
    assert refused.value.extra["acknowledged_by"] == "qian"
    last = watched.detail(case_no).events[-1]
    assert (last.type, last.actor, last.data) == ("acknowledged", "qian", {"seconds": 360})
    assert last.at == parse_moment("2026-11-20T10:06")
    everybody = ["role:supervisor", "department:市政务服务中心", "user:zhao", "user:qian"]
    assert told(watched, "case_acknowledged") == everybody
    assert ringing(watched, watched.boss) == []
    assert watch(watched, case_no).who == "服务大厅 · 值班长"


def test_claiming_or_answering_is_having_received(watched: Any) -> None:
    claimed, answered = (watched.open(kind="urgent").case_no for _ in range(2))
    watched.do(cases.claim, claimed, watched.li)
    watched.do(cases.reply, answered, watched.boss, text="马上到")
    assert watched.events(claimed) == ["opened", "acknowledged", "claimed"]
    assert watched.events(answered)[:2] == ["opened", "acknowledged"]
    assert call(watched, "12:00") == 0
    assert "CaseAcknowledged" not in watched.recorder.names()


def test_danger_told_again_rings_on_and_after_received_is_told_without_a_new_alarm(watched: Any) -> None:
    case_no = watched.open(kind="urgent", conversation_id="c1").case_no
    watched.open(kind="urgent", conversation_id="c1")
    assert watched.count(UrgentAlarm) == 1
    watched.do(cases.acknowledge, case_no, watched.boss)
    watched.open(kind="urgent", conversation_id="c1")
    assert watched.count(UrgentAlarm) == 1
    assert told(watched, "case_urgent").count("user:zhao") == 3
    assert ringing(watched, watched.boss) == []


def test_an_alarm_ends_with_its_case_and_the_next_danger_of_it_rings_anew(watched: Any) -> None:
    case_no = watched.open(kind="urgent", conversation_id="c1").case_no
    watched.run(cases.citizen_withdraws, case_no=case_no, conversation_id="c1")
    assert ringing(watched, watched.boss) == []
    assert call(watched, "10:05") == 0
    with pytest.raises(Conflict, match="没有等待接收的警报"):
        watched.do(cases.acknowledge, case_no, watched.boss)
    watched.do(cases.reopen, case_no, watched.boss, reason="又来电")
    watched.open(kind="urgent", conversation_id="c1")
    assert ringing(watched, watched.boss) == [case_no]
    # Made a normal one it rings no more, and raised again it does.
    watched.do(cases.classify, case_no, watched.boss, kind="help", priority="normal")
    assert ringing(watched, watched.boss) == []
    watched.open(kind="urgent", conversation_id="c1")
    assert ringing(watched, watched.boss) == [case_no]
    assert call(watched, "10:15") == 1


def test_with_nobody_on_duty_nobody_is_called_and_the_supervisors_hear_of_it(desk: Any, tmp_path: Path) -> None:
    city(desk, tmp_path, roster=OFFICE_HOURS)
    case_no = desk.at("2026-11-20T22:00").open(kind="urgent").case_no
    assert told(desk, "case_urgent") == ["role:supervisor", "department:市政务服务中心"]
    assert (watch(desk, case_no).called, watch(desk, case_no).who) == (False, None)
    assert call(desk, "22:05") == 1
    assert told(desk, "case_unheard") == ["role:supervisor"]
    by_day = desk.at("2026-11-20T11:00").open(kind="urgent").case_no
    assert watch(desk, by_day).called is True


def test_who_is_away_is_not_called(watched: Any) -> None:
    end = parse_moment("2026-11-21T00:00")
    now = watched.at("2026-11-20T10:00").clock.now()
    for name in ("zhao", "qian"):
        watched.database.write(
            partial(cases.set_absence, user=watched.boss, name=name, starts_at=now, ends_at=end, now=now)
        )
    watched.open(kind="urgent")
    assert told(watched, "case_urgent")[-1] == "user:sun"


def test_a_step_goes_out_by_robot_and_phone_once_each(desk: Any, tmp_path: Path) -> None:
    city(desk, tmp_path, roster=ROSTER, notifications=ROUTES)
    desk.at("2026-11-20T10:00").open(kind="urgent")
    for moment in ("10:05", "10:05", "10:10", "10:10"):
        call(desk, moment)
    with desk.database.unit_of_work(read_only=True) as uow:
        sent = uow.session.execute(sa.select(OutboxRow.channel, OutboxRow.recipient).order_by(OutboxRow.id)).all()
    assert sorted(tuple(row) for row in sent) == [("robot", "群")] * 2 + [("sms", "值班手机")] * 2


def test_a_tip_off_with_danger_in_it_is_told_to_its_readers_and_to_those_on_duty_only(
    desk: Any, tmp_path: Path
) -> None:
    city(desk, tmp_path, roster=ROSTER, notifications=ROUTES, desk="confidential_readers: [wang]\n")
    desk.database.write(lambda uow: employ(uow, "wang", "clerk", desk.clock.now()))
    case_no = desk.at("2026-11-20T10:00").open(kind="report", priority="urgent").case_no
    assert call(desk, "10:05") == 1
    assert {who for _, who in desk.outbox()} == {"user:wang", "user:zhao", "user:qian", "user:sun"}
    assert ringing(desk, desk.wang) == [case_no]
    assert ringing(desk, desk.boss) == []
    with pytest.raises(NotFound):
        desk.do(cases.acknowledge, case_no, desk.boss)
    assert desk.count(OutboxRow) == 0


def test_two_workers_take_each_step_once(postgres_desk: Any, tmp_path: Path) -> None:
    desk = postgres_desk
    city(desk, tmp_path, roster=ROSTER)
    numbers = [desk.at("2026-11-20T10:00").open(kind="urgent").case_no for _ in range(4)]
    for moment in ("10:05", "10:10", "10:15", "10:20"):
        now = desk.at(f"2026-11-20T{moment}").clock.now()
        outcomes(*[partial(tasks.call_next, desk.database, now)] * 3)
        # A case that another worker had locked is left for the next round.
        tasks.call_next(desk.database, now)
    assert desk.count(UrgentStep) == 4 * len(numbers)
    assert told(desk, "case_unheard").count("role:supervisor") == 3 * len(numbers)
    for case_no in numbers:
        assert desk.events(case_no) == ["opened", "alarmed", "alarmed", "alarmed"]


def test_received_and_the_next_step_at_once_leave_one_of_the_two_orders(postgres_desk: Any, tmp_path: Path) -> None:
    desk = postgres_desk
    city(desk, tmp_path, roster=ROSTER)
    for _ in range(6):
        case_no = desk.at("2026-11-20T10:00").open(kind="urgent").case_no
        now = desk.at("2026-11-20T10:05").clock.now()
        outcomes(
            partial(tasks.call_next, desk.database, now),
            partial(desk.do, cases.acknowledge, case_no, desk.boss),
        )
        assert desk.events(case_no) in (["opened", "acknowledged"], ["opened", "alarmed", "acknowledged"])
        assert tasks.call_next(desk.database, parse_moment("2026-11-20T12:00")) == 0


def test_two_who_say_received_at_once_are_one_and_a_colleague_who_hears_of_it(postgres_desk: Any) -> None:
    desk = postgres_desk
    for _ in range(6):
        case_no = desk.open(kind="urgent").case_no
        results = outcomes(
            partial(desk.do, cases.acknowledge, case_no, desk.boss),
            partial(desk.do, cases.acknowledge, case_no, desk.li),
        )
        assert len([one for one in results if isinstance(one, Conflict)]) == 1
        assert desk.events(case_no) == ["opened", "acknowledged"]


def test_the_database_takes_a_step_once_whoever_looked_before(watched: Any) -> None:
    case_no = watched.at("2026-11-20T10:00").open(kind="urgent").case_no
    now = watched.at("2026-11-20T10:05").clock.now()
    values = {"step": 1, "at": now, "called": None, "told": []}
    with watched.database.unit_of_work() as uow:
        alarm = urgent.stored.newest_alarm(uow.session, 1)
        assert alarm is not None
        assert urgent.stored.insert_step(uow.session, {"alarm_id": alarm.id, **values})
        assert not urgent.stored.insert_step(uow.session, {"alarm_id": alarm.id, **values})
        uow.commit()
    assert watched.events(case_no) == ["opened"]
