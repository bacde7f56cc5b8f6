"""The scan over bindings: what citizens are told, once each, by day, and only when they asked for it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.bindings import service as bindings
from services.bindings.models import Binding, Scan
from services.bindings.tasks import remove_unused
from services.citizens import service as citizens
from services.citizens.models import ReminderSent
from services.core.audit import AuditRow
from services.core.clock import parse_moment
from tests.integration.bindings.conftest import bill, violation


def facts(**named: str) -> dict[str, Any]:
    return {"facts": [{"name": name, "value": value} for name, value in named.items()]}


def test_only_a_new_violation_is_told_and_only_once(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "plate", "violation")
    town.systems.answers["violation"] = {"violations": [violation("2026-11-01")]}
    assert town.scan().finished
    assert town.told(citizen) == []
    town.systems.answers["violation"]["violations"].append(violation("2026-11-15"))
    assert town.again(7).told == 1
    assert town.again(24).told == 0
    (text,) = town.told(citizen)
    assert "2026-11-15" in text
    assert "粤B7**92" in text
    assert "停止提醒" in text
    assert len(town.reminders()) == 1


def test_a_violation_shortly_after_midnight_is_told_with_the_day_of_the_city(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "plate", "violation")
    town.systems.answers["violation"] = {"violations": []}
    assert town.scan().finished
    # Half past midnight of the 15th in the city; its systems' answers are kept in UTC.
    shortly = {**violation("2026-11-14"), "at": "2026-11-14T16:30:00Z"}
    town.systems.answers["violation"]["violations"].append(shortly)
    assert town.again(7).told == 1
    assert "2026-11-15" in town.told(citizen)[0]


def test_who_did_not_ask_is_neither_told_nor_looked_up(town: Any) -> None:
    town.bind(town.citizen(), "plate")
    town.systems.answers["violation"] = {"violations": [violation("2026-11-15")]}
    assert town.scan().looked == 1
    assert town.systems.asked == []


def test_who_stops_while_the_system_is_asked_is_not_told(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "licence", "points")
    town.systems.answers["licence_status"] = facts(points="9", points_cycle="2026")
    town.systems.after_asking = lambda: town.database.write(
        lambda uow: citizens.choose(uow, citizen, citizens.REMINDER_KINDS, wanted=False, now=town.clock.now())
    )
    assert town.scan().told == 0
    assert town.told(citizen) == []


def test_what_is_unbound_while_the_system_is_asked_is_not_told(town: Any) -> None:
    citizen = town.citizen()
    made = town.bind(citizen, "licence", "points")
    town.systems.answers["licence_status"] = facts(points="9", points_cycle="2026")
    town.systems.after_asking = lambda: town.database.write(
        lambda uow: bindings.unbind(uow, citizen=citizen, binding_id=made, now=town.clock.now())
    )
    assert town.scan().told == 0
    assert town.told(citizen) == []


@pytest.mark.parametrize(
    ("kind", "reminder", "system", "answer", "word"),
    [
        ("plate", "inspection", "vehicle_status", facts(inspection_due="2026-12-10"), "检验有效期至 2026-12-10"),
        ("plate", "inspection", "vehicle_status", facts(inspection_due="2026-11-10"), "已于 2026-11-10 到期"),
        ("plate", "plate", "vehicle_status", facts(plate_expires="2026-11-30"), "号牌有效期"),
        ("licence", "licence", "licence_status", facts(licence_expires="2027-01-10"), "还有 55 天"),
        ("licence", "points", "licence_status", facts(points="11", points_cycle="2026"), "已记 11 分"),
        ("household", "overdue", "bill", {"periods": [bill("2026-09", "2026-10-25")]}, "已过缴费期限"),
        ("household", "outage", "outage_notice", facts(TD1="11月18日停水"), "11月18日停水"),
    ],
)
def test_what_is_near_or_over_is_told_at_the_first_look(
    town: Any, kind: Any, reminder: Any, system: str, answer: dict[str, Any], word: str
) -> None:
    citizen = town.citizen()
    town.bind(citizen, kind, reminder)
    town.systems.answers[system] = answer
    assert town.scan().told == 1
    assert word in town.told(citizen)[0]
    assert town.again(7).told == 0


def test_what_is_far_is_told_when_it_comes_near_and_once_more_in_its_last_week(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "plate", "inspection")
    town.systems.answers["vehicle_status"] = facts(inspection_due="2026-12-26")
    assert town.scan().told == 0
    town.clock.set(parse_moment("2026-11-27T10:00"))
    assert town.scan().told == 1
    town.clock.set(parse_moment("2026-12-10T10:00"))
    assert town.scan().told == 0
    town.clock.set(parse_moment("2026-12-20T10:00"))
    assert town.scan().told == 1


def test_a_new_bill_is_told_and_later_that_it_is_overdue(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "household", "bill", "overdue")
    town.systems.answers["bill"] = {"periods": [bill("2026-09", "2026-10-25", paid=True)]}
    assert town.scan().told == 0
    town.systems.answers["bill"]["periods"].append(bill("2026-10", "2026-11-25"))
    assert town.again(7).told == 1
    town.clock.set(parse_moment("2026-11-26T10:00"))
    assert town.scan().told == 1
    assert ["新账单提醒" in text or "欠费提醒" in text for text in town.told(citizen)] == [True, True]


def test_a_step_of_an_application_is_told_when_it_changes(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "matter", "progress")
    town.systems.answers["progress"] = {"title": "不动产登记", "status": "正在审核", "stages": []}
    assert town.scan().told == 0
    town.systems.answers["progress"]["status"] = "已办结"
    assert town.again(7).told == 1
    assert "已办结" in town.told(citizen)[0]


def test_a_system_that_is_away_leaves_the_binding_for_the_next_scan(town: Any) -> None:
    citizen = town.citizen()
    made = town.bind(citizen, "plate", "violation", "inspection")
    town.systems.answers |= {"violation": {"violations": []}, "vehicle_status": facts(inspection_due="2026-11-20")}
    town.systems.away = {"vehicle_status"}
    first = town.scan()
    assert (first.finished, first.failed, first.told) == (True, 1, 0)
    assert town.binding(made).scanned_at is None
    assert town.binding(made).seen == ["violation"]
    town.systems.away = set()
    assert town.again(7).told == 1
    assert town.binding(made).scanned_at is not None


def test_nothing_is_sent_at_night_and_the_scan_goes_on_in_the_morning(town: Any) -> None:
    town.clock.set(parse_moment("2026-11-16T21:00"))
    citizen = town.citizen()
    town.bind(citizen, "licence", "points")
    town.systems.answers["licence_status"] = facts(points="10", points_cycle="2026")
    assert town.scan().looked == 0
    town.clock.set(parse_moment("2026-11-17T07:59"))
    assert town.scan().looked == 0
    town.clock.set(parse_moment("2026-11-17T08:00"))
    assert town.scan().told == 1


def test_a_night_that_falls_during_a_batch_keeps_it_for_the_morning(town: Any) -> None:
    town.clock.set(parse_moment("2026-11-16T20:59"))
    citizen = town.citizen()
    town.bind(citizen, "licence", "points")
    town.systems.answers["licence_status"] = facts(points="10", points_cycle="2026")
    town.systems.after_asking = lambda: town.clock.set(parse_moment("2026-11-16T21:01"))
    assert town.scan().told == 0
    town.systems.after_asking = None
    town.clock.set(parse_moment("2026-11-17T08:00"))
    assert town.scan("another").told == 1


def test_the_quiet_hours_and_the_pace_are_the_citys(town: Any, tmp_path: Path) -> None:
    rules = 'reminders: {quiet: {start: "12:00", end: "12:00"}, scan_hours: 1}'
    (tmp_path / "citizens.yaml").write_text(rules, encoding="utf-8")
    town.database.write(lambda uow: citizens.apply_city(uow, tmp_path, town.clock.now()))
    town.bind(town.citizen(), "licence", "points")
    town.clock.set(parse_moment("2026-11-17T03:00"))
    assert town.scan().finished
    assert not town.again(0.9).finished
    assert town.again(0.2).finished


def test_unbinding_forgets_what_was_told(town: Any) -> None:
    citizen = town.citizen()
    made = town.bind(citizen, "licence", "points")
    town.systems.answers["licence_status"] = facts(points="10", points_cycle="2026")
    town.scan()
    assert len(town.rows(ReminderSent)) == 1
    town.database.write(lambda uow: bindings.unbind(uow, citizen=citizen, binding_id=made, now=town.clock.now()))
    assert town.rows(ReminderSent) == []
    assert town.rows(Binding) == []


def test_a_binding_that_nobody_uses_is_removed_after_the_citys_days(town: Any) -> None:
    town.bind(town.citizen(), "plate")
    town.clock.advance(timedelta(days=729))
    town.bind(town.citizen(), "plate")
    assert remove_unused(town.database, town.clock.now()) == 0
    town.clock.advance(timedelta(days=2))
    assert remove_unused(town.database, town.clock.now()) == 1
    assert len(town.rows(Binding)) == 1


def test_reminders_hold_no_number_in_the_clear(town: Any) -> None:
    town.bind(town.citizen(), "plate", "violation")
    town.systems.answers["violation"] = {"violations": []}
    town.scan()
    town.systems.answers["violation"] = {"violations": [violation("2026-11-15")]}
    town.again(7)
    (row,) = town.reminders()
    assert "7K392" not in f"{row.text_encrypted} {row.extra} {row.dedupe_key}"


def test_each_access_to_a_departmental_system_leaves_an_audit_row(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "plate", "violation", "inspection")
    town.bind(town.citizen(), "plate")
    town.systems.answers["violation"] = {"violations": []}
    town.systems.away = {"vehicle_status"}
    town.scan()
    (row,) = [row for row in town.rows(AuditRow) if row.action == "lookup.reminder"]
    assert row.actor == f"reminders for conversation:{citizen}"
    assert row.detail == {"reminders": ["inspection", "violation"], "failed": ["inspection"]}
    assert "7K392" not in f"{row.actor} {row.subject} {row.detail}"


def test_what_happened_while_reminders_were_stopped_is_not_told_afterwards(town: Any) -> None:
    citizen = town.citizen()
    town.bind(citizen, "plate", "violation")
    town.systems.answers["violation"] = {"violations": []}
    town.scan()
    talks = bindings.Talks(town.secrets, "示范市")
    for text, added in (("停止提醒", violation("2026-11-15")), ("开启新违章提醒", None)):
        intent = bindings.understand(bindings.Said(text), None, town.clock.now())
        assert intent is not None
        town.database.write(
            lambda uow, intent=intent: talks.answer(
                uow, citizen, None, intent, resolve=lambda placeholder: None, now=town.clock.now()
            )
        )
        if added is not None:
            town.systems.answers["violation"]["violations"].append(added)
            assert town.again(24).told == 0
    assert town.again(24).told == 0
    town.systems.answers["violation"]["violations"].append(violation("2026-11-17"))
    assert town.again(24).told == 1


def test_a_scan_begins_where_the_last_batch_was_stored(town: Any) -> None:
    for number in range(7):
        town.bind(town.citizen(), "licence", "points", license_file_no=f"44030012345{number}")
    town.systems.answers["licence_status"] = facts(points="10", points_cycle="2026")
    calls = iter([True, False])
    assert town.scan(go_on=lambda: next(calls)).looked == 3
    assert town.rows(Scan)[0].after_id > 0
    rest = town.scan()
    assert (rest.looked, rest.told, rest.finished) == (4, 4, True)
    assert len(town.reminders()) == 7
