"""Applying a city's files."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import services.sla.models  # noqa: F401
from services.core.clock import parse_moment
from services.core.database import Base, Database
from services.core.errors import BadRequest, Conflict, NotFound, Unprocessable
from services.sla import service

DEMO = Path(service.__file__).parents[1] / "demo_city"
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'city.db'}")
    Base.metadata.create_all(made.engine)
    return made


@pytest.fixture
def city(tmp_path: Path) -> Path:
    directory = tmp_path / "city"
    directory.mkdir()
    for name in ("policies.yaml", "calendar.yaml", "departments.yaml"):
        shutil.copy(DEMO / name, directory / name)
    return directory


def apply(database: Database, directory: Path) -> list[tuple[str, int, bool]]:
    with database.unit_of_work() as uow:
        applied = service.apply_city(uow, directory, NOW)
        uow.commit()
    return [(entry.name, entry.version, entry.changed) for entry in applied]


def test_applying_the_same_files_twice_makes_no_new_version(database: Database, city: Path) -> None:
    assert all(changed for _, _, changed in apply(database, city))
    text = (city / "policies.yaml").read_text()
    (city / "policies.yaml").write_text("# only a comment\n" + text)
    assert all((version, changed) == (1, False) for _, version, changed in apply(database, city))


def test_a_changed_limit_makes_a_new_version_and_the_old_row_stays(database: Database, city: Path) -> None:
    apply(database, city)
    with database.unit_of_work() as uow:
        before = service.load_policies(uow)
    file = city / "policies.yaml"
    file.write_text(file.read_text().replace("limit: 15\n        unit: minutes", "limit: 10\n        unit: minutes"))
    assert ("示范政策", 2, True) in apply(database, city)
    with database.unit_of_work() as uow:
        after = service.load_policies(uow)
        old = service.policies_by_id(uow, {row.id for row in before.rows if row.id is not None})
    assert (before.version, after.version) == (1, 2)
    assert next(row.limit.amount for row in after.rows if row.priority == "urgent") == 10
    assert {row.limit.amount for row in old.values() if row.priority == "urgent"} == {15}


def test_a_policy_that_left_the_file_is_not_found_any_more(database: Database, city: Path) -> None:
    apply(database, city)
    file = city / "policies.yaml"
    file.write_text(file.read_text().replace("name: 示范政策", "name: 新政策"))
    apply(database, city)
    with database.unit_of_work() as uow:
        assert service.load_policies(uow).name == "新政策"
        with pytest.raises(NotFound, match="新政策"):
            service.load_policies(uow, "示范政策")


def test_due_gives_each_limited_target_with_policy_and_source(database: Database, city: Path) -> None:
    apply(database, city)
    with database.unit_of_work() as uow:
        due = service.due(uow, at=parse_moment("2026-09-30T16:30"), kind="咨询")
    assert list(due) == ["first_response"]
    first = due["first_response"]
    assert first.due_at == parse_moment("2026-10-08T17:00")
    assert first.warning_at == parse_moment("2026-10-08T15:36")
    assert (first.provisional, first.policy) == (False, "示范政策 v1")
    assert "示范" in first.source


@pytest.mark.parametrize(
    ("case", "due"),
    [
        ({"kind": "urgent"}, "2026-11-20T18:15"),
        ({"kind": "consultation", "priority": "urgent"}, "2026-11-20T18:15"),
        ({"kind": "consultation"}, "2026-11-23T17:00"),
        ({"kind": "help"}, "2026-11-27T17:00"),
        ({"kind": "complaint", "department": "交警"}, "2026-11-27T17:00"),
        ({"kind": "suggestion"}, "2026-11-27T17:00"),
        ({"kind": "help", "department": "多部门"}, "2026-12-11T17:00"),
    ],
)
def test_the_demo_policy_holds_the_limits_of_the_design(
    database: Database, city: Path, case: dict[str, str], due: str
) -> None:
    apply(database, city)
    with database.unit_of_work() as uow:
        times = service.due(uow, at=parse_moment("2026-11-20T18:00"), **case)  # type: ignore[arg-type]
    assert times["first_response"].due_at == parse_moment(due)


def test_a_limit_beyond_the_announced_years_is_provisional_until_the_notice_is_applied(
    database: Database, city: Path
) -> None:
    apply(database, city)

    def times() -> service.DueTimes:
        with database.unit_of_work() as uow:
            return service.due(uow, at=parse_moment("2027-02-04T10:00"), kind="consultation")["first_response"]

    assert (times().due_at, times().provisional) == (parse_moment("2027-02-09T17:00"), True)
    file = city / "calendar.yaml"
    notice = "\n".join(f'  - {{day: 2027-02-{day:02d}, working: false, source: "测试通知"}}' for day in range(9, 12))
    text = file.read_text().replace("announced_years: []", "announced_years: [2027]")
    file.write_text(text.replace("days: []", f"days:\n{notice}"))
    apply(database, city)
    assert (times().due_at, times().provisional) == (parse_moment("2027-02-12T17:00"), False)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("policies.yaml", "limit: 15", "limit: 0", r"^policies\.yaml: policies\[0\]\.rows\[0\]\.limit: "),
        ("policies.yaml", "unit: minutes", "unit: fortnights", r"^policies\.yaml: policies\[0\]\.rows\[0\]\.unit: "),
        ("policies.yaml", "kind: help", "kind: consultation", r"^policies\.yaml: policies\[0\]: .*repeats"),
        ("policies.yaml", "priority: urgent", "prioriti: urgent", r"policies\[0\]\.rows\[0\]\.prioriti: "),
        ("policies.yaml", "department: 多部门", "department: 市外星局", r"rows\[6\]\.department: not in departments"),
        ("policies.yaml", "default: true", "default: false", r"exactly one policy"),
        ("policies.yaml", "policies:", "policies: [", r"^policies\.yaml: not valid YAML at line"),
        ("calendar.yaml", '"09:00"', "9:00", r"^calendar\.yaml: hours\[0\]\.start: .*quotes"),
        ("calendar.yaml", '"09:00"', '"12:30"', r"^calendar\.yaml: hours\[0\]: .*starts? before it ends"),
        ("departments.yaml", "duty: true", "duty: false", r"^departments\.yaml: .*duty"),
        ("departments.yaml", "name: 市司法局", "name: 市教育局", r"^departments\.yaml: .*listed twice"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_field(
    database: Database, city: Path, file: str, old: str, new: str, message: str
) -> None:
    path = city / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(Unprocessable, match=message) as caught:
        apply(database, city)
    assert "\n" not in caught.value.detail


def test_a_missing_file_is_named(database: Database, city: Path) -> None:
    (city / "calendar.yaml").unlink()
    with pytest.raises(Unprocessable, match=r"calendar\.yaml: missing"):
        apply(database, city)


def test_without_a_city_the_question_for_a_due_time_says_what_to_do(database: Database) -> None:
    with database.unit_of_work() as uow, pytest.raises(Conflict, match="city apply"):
        service.due(uow, at=NOW, kind="help")


def test_departments_are_found_by_name_short_name_and_alias(database: Database, city: Path) -> None:
    apply(database, city)
    with database.unit_of_work() as uow:
        names = [service.department_named(uow, text) for text in ("市公安局交通警察支队", "交警", "公安交管")]
        assert names == ["市公安局交通警察支队"] * 3
        assert service.department_named(uow, "未分配") == "未分配"
        assert service.duty_departments(uow) == ["市政务服务中心"]
        assert len(service.departments(uow)) == 23
        with pytest.raises(BadRequest):
            service.department_named(uow, "市外星局")


def test_times_of_application_are_kept_in_utc(database: Database, city: Path) -> None:
    apply(database, city)
    with database.unit_of_work() as uow:
        version = uow.session.query(service.CityVersion).first()
    assert version is not None
    assert version.applied_at == NOW
    assert version.applied_at.utcoffset() == timedelta(0)
