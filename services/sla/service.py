"""The city's policies, calendar and departments: applied from files, read as plain values."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict, NotFound
from services.sla import clocks, repository
from services.sla.calendar import DayOverride, Span, WorkingCalendar
from services.sla.city import digest, read_city
from services.sla.city import read as read_document
from services.sla.models import CalendarDayRow, CityVersion, DepartmentRow, PolicyRow
from services.sla.notices import RELEASE
from services.sla.policies import (
    SEVERAL_DEPARTMENTS,
    TARGETS,
    UNASSIGNED,
    Kind,
    Limit,
    Policy,
    Priority,
    Target,
    Unit,
    choose,
    effective_priority,
    parse_kind,
)
from services.sla.schemas import (
    AppliedDocument,
    CalendarFile,
    Calendars,
    Department,
    DepartmentsFile,
    DeskFile,
    DeskRules,
    DueTimes,
    LimitIn,
    PolicySetIn,
    QueueIn,
    RosterFile,
    SpanIn,
)

__all__ = [
    "SEVERAL_DEPARTMENTS",
    "TARGETS",
    "UNASSIGNED",
    "AppliedDocument",
    "Calendars",
    "DeskRules",
    "Kind",
    "PolicySet",
    "Priority",
    "QueueIn",
    "RosterFile",
    "Target",
    "apply_city",
    "apply_document",
    "calendar_version",
    "choose",
    "clocks",
    "department_named",
    "departments",
    "desk_rules",
    "document",
    "due",
    "duty_departments",
    "effective_priority",
    "find_department",
    "find_policies",
    "follow_notices",
    "has_new_notices",
    "load_calendar",
    "load_calendars",
    "load_policies",
    "parse_kind",
    "policies_by_id",
    "read_city",
    "read_document",
    "roster",
]

CALENDAR = "default"
ROSTER = "default"
DESK = "default"
DEPARTMENTS = "default"
NO_CITY = "还没有城市配置，请先运行 huiying city apply DIR"


@dataclass(frozen=True)
class PolicySet:
    """A named policy in one version, with its rows."""

    name: str
    version: int
    rows: tuple[Policy, ...]

    @property
    def label(self) -> str:
        return f"{self.name} v{self.version}"


def apply_city(uow: UnitOfWork, directory: Path, now: datetime) -> list[AppliedDocument]:
    """Make the files of `directory` the current versions; unchanged content makes no new version.

    Running clocks keep the policy row they started with. A policy that has left the file is retired: no new clock
    takes it. Raises Unprocessable with one line naming file and field.
    """
    files = read_city(directory)
    repository.lock_versions(uow.session)
    applied = [
        _apply(uow, "departments", DEPARTMENTS, files.departments, now),
        _apply(uow, "calendar", CALENDAR, files.calendar, now),
    ]
    applied += [_apply(uow, "policy", policy.name, policy, now) for policy in files.policies.policies]
    if files.roster is not None:
        applied.append(_apply(uow, "roster", ROSTER, files.roster, now))
    if files.desk is not None:
        applied.append(_apply(uow, "desk", DESK, files.desk, now))
    kept = {policy.name for policy in files.policies.policies}
    for version in repository.current_all(uow.session, "policy"):
        if version.name not in kept:
            version.retired = True
            version.is_default = False
    uow.session.flush()
    return applied


def apply_document(uow: UnitOfWork, document: str, content: BaseModel, now: datetime) -> AppliedDocument:
    """Make a document of another room the current version of what the city says about it."""
    repository.lock_versions(uow.session)
    return _apply(uow, document, "default", content, now)


def document(uow: UnitOfWork, name: str) -> CityVersion | None:
    """The current version of a document that another room had applied; its content is in `settings`."""
    return repository.current(uow.session, name, "default")


def load_calendar(uow: UnitOfWork) -> WorkingCalendar:
    """The city's office hours; raises Conflict when no city has been applied."""
    return load_calendars(uow).office


def calendar_version(uow: UnitOfWork) -> int:
    """The id of the calendar's current version, larger than that of every earlier one; 0 without a city."""
    version = repository.current(uow.session, "calendar", CALENDAR)
    return version.id if version is not None else 0


def follow_notices(uow: UnitOfWork, now: datetime) -> bool:
    """Make a new version of the calendar when this software knows of later notices than the one that made the current
    version; returns whether it did. Its content stays, and whoever follows the calendar's version follows the notices.

    A process of an older release (while a cluster is upgraded) never goes back.
    """
    repository.lock_versions(uow.session)
    before = repository.current(uow.session, "calendar", CALENDAR)
    if before is None or not _knows_more(before):
        return False
    version = CityVersion(
        document="calendar",
        name=CALENDAR,
        version=before.version + 1,
        digest=before.digest,
        is_default=before.is_default,
        retired=False,
        settings={**before.settings, "release": list(RELEASE)},
        applied_at=now,
    )
    uow.session.add(version)
    uow.session.flush()
    for row in repository.calendar_days(uow.session, before.id):
        uow.session.add(
            CalendarDayRow(version_id=version.id, day=row.day, working=row.working, hours=row.hours, source=row.source)
        )
    uow.session.flush()
    return True


def has_new_notices(uow: UnitOfWork) -> bool:
    """Whether `follow_notices` would make a new version."""
    version = repository.current(uow.session, "calendar", CALENDAR)
    return version is not None and _knows_more(version)


def _knows_more(version: CityVersion) -> bool:
    return tuple(version.settings.get("release", ())) < RELEASE


def load_calendars(uow: UnitOfWork) -> Calendars:
    """The city's office hours and duty shifts; raises Conflict when no city has been applied."""
    version = repository.current(uow.session, "calendar", CALENDAR)
    if version is None:
        raise Conflict(NO_CITY)
    overrides: dict[date, DayOverride] = {}
    for row in repository.calendar_days(uow.session, version.id):
        overrides[row.day] = DayOverride(row.working, _spans(row.hours) if row.hours else None)
    office = WorkingCalendar(
        hours=_spans(version.settings["hours"]),
        overrides=overrides,
        announced_years=frozenset(version.settings["announced_years"]),
    )
    shifts = version.settings.get("shifts", {})
    duty = {name: WorkingCalendar(hours=_spans(hours), every_day=True) for name, hours in shifts.items()}
    return Calendars(version.id, office, duty)


def roster(uow: UnitOfWork) -> RosterFile:
    """Who serves which queue; empty when the city has no roster."""
    version = repository.current(uow.session, "roster", ROSTER)
    return RosterFile.model_validate(version.settings) if version is not None else RosterFile()


def desk_rules(uow: UnitOfWork) -> DeskRules:
    """The city's rules of the case desk, or the defaults."""
    version = repository.current(uow.session, "desk", DESK)
    rules = DeskFile.model_validate(_with_times(version.settings)) if version is not None else DeskFile()
    return DeskRules(
        return_within=_limit(rules.return_within),
        hold_within=_limit(rules.hold_within),
        reopen_within=_limit(rules.reopen_within),
        press_every=_limit(rules.press_every),
        extensions=rules.extensions,
        extension_days=rules.extension_days,
        confidential_readers=tuple(rules.confidential_readers),
        confidential_supervisors=tuple(rules.confidential_supervisors),
        reveals_per_hour=rules.reveals_per_hour,
        report_minutes=tuple(sorted(set(rules.report_times))),
    )


def find_policies(uow: UnitOfWork, name: str | None = None) -> PolicySet | None:
    """The policy called `name` (the default one for None) in its current version, or None."""
    versions = repository.current_all(uow.session, "policy")
    for version in versions:
        if version.name == name or (name is None and version.is_default):
            rows = tuple(_policy(row, version) for row in repository.policy_rows(uow.session, version.id))
            return PolicySet(version.name, version.version, rows)
    return None


def load_policies(uow: UnitOfWork, name: str | None = None) -> PolicySet:
    """Like `find_policies`, but raises NotFound for an unknown name and Conflict when no city has been applied."""
    found = find_policies(uow, name)
    if found is not None:
        return found
    names = [version.name for version in repository.current_all(uow.session, "policy")]
    if not names:
        raise Conflict(NO_CITY)
    raise NotFound(f"没有这个时限规则；现有：{'、'.join(names)}")


def policies_by_id(uow: UnitOfWork, ids: set[int]) -> dict[int, Policy]:
    """Policy rows of any version, by id."""
    found: dict[int, Policy] = {}
    for row_id in ids:
        row = uow.session.get(PolicyRow, row_id)
        version = uow.session.get(CityVersion, row.version_id) if row is not None else None
        if row is not None and version is not None:
            found[row_id] = _policy(row, version)
    return found


def due(
    uow: UnitOfWork,
    *,
    at: datetime,
    kind: str,
    department: str | None = None,
    priority: str = "normal",
    channel: str | None = None,
    policy: str | None = None,
) -> dict[str, DueTimes]:
    """Per target that has a limit: when a case opened at `at` would be due. Times are in UTC.

    Raises BadRequest for an unknown kind, priority or department, NotFound for an unknown policy.
    """
    the_kind = parse_kind(kind)
    if priority not in ("normal", "urgent"):
        raise BadRequest("优先级应为 normal 或 urgent")
    chosen_department = department_named(uow, department) if department else UNASSIGNED
    calendars = load_calendars(uow)
    policies = load_policies(uow, policy)
    result: dict[str, DueTimes] = {}
    for target in TARGETS:
        row = choose(
            policies.rows,
            target,
            kind=the_kind,
            department=chosen_department,
            priority=cast(Priority, priority),
            channel=channel,
        )
        if row is not None:
            plan = clocks.plan(calendars.of(row.calendar), row, at)
            result[target] = DueTimes(plan.due_at, plan.warning_at, plan.provisional, policies.label, row.source)
    return result


def departments(uow: UnitOfWork) -> list[Department]:
    """The city's departments in the order of its file; empty when no city has been applied."""
    version = repository.current(uow.session, "departments", DEPARTMENTS)
    if version is None:
        return []
    return [
        Department(row.name, row.short_name, tuple(row.aliases), row.duty)
        for row in repository.department_rows(uow.session, version.id)
    ]


def find_department(uow: UnitOfWork, text: str) -> str | None:
    """The full name of a department given by its full name, short name or alias, or None.

    未分配 and 多部门 stand for themselves.
    """
    if text in (UNASSIGNED, SEVERAL_DEPARTMENTS):
        return text
    everything = departments(uow)
    # A full name wins over the same words as another's alias.
    full = next((entry.name for entry in everything if text == entry.name), None)
    return full or next((entry.name for entry in everything if text in (entry.short_name, *entry.aliases)), None)


def department_named(uow: UnitOfWork, text: str) -> str:
    """Like `find_department`, but raises BadRequest for an unknown name."""
    found = find_department(uow, text)
    if found is None:
        raise BadRequest("没有这个部门")
    return found


def duty_departments(uow: UnitOfWork) -> list[str]:
    """Names of the departments that hear of urgent and unassigned cases."""
    return [department.name for department in departments(uow) if department.duty]


def _apply(
    uow: UnitOfWork,
    document: str,
    name: str,
    content: BaseModel,
    now: datetime,
) -> AppliedDocument:
    mark = digest(content)
    is_default = content.default if isinstance(content, PolicySetIn) else True
    before = repository.current(uow.session, document, name)
    if before is not None and before.digest == mark:
        # A policy that had been taken out of the file and comes back is the same version again.
        before.retired, before.is_default = False, is_default
        uow.session.flush()
        return AppliedDocument(document, name, before.version, changed=False)
    version = CityVersion(
        document=document,
        name=name,
        version=before.version + 1 if before is not None else 1,
        digest=mark,
        is_default=is_default,
        retired=False,
        settings=_settings(content),
        applied_at=now,
    )
    uow.session.add(version)
    uow.session.flush()
    uow.session.add_all(_rows(content, version.id))
    uow.session.flush()
    return AppliedDocument(document, name, version.version, changed=True)


def _settings(content: BaseModel) -> dict[str, object]:
    if isinstance(content, CalendarFile):
        hours = [[span.start, span.end] for span in content.hours]
        shifts = {shift.name: [[span.start, span.end] for span in shift.hours] for shift in content.shifts}
        return {
            "hours": hours,
            "announced_years": content.announced_years,
            "source": content.source,
            "shifts": shifts,
            # Which notices the due times of this version rest on: those that this release of the package knows.
            "release": list(RELEASE),
        }
    if isinstance(content, DepartmentsFile | PolicySetIn):
        return {}
    return content.model_dump(mode="json")


def _rows(content: BaseModel, version_id: int) -> list[DepartmentRow] | list[CalendarDayRow] | list[PolicyRow]:
    match content:
        case DepartmentsFile():
            return [
                DepartmentRow(version_id=version_id, position=position, **department.model_dump())
                for position, department in enumerate(content.departments)
            ]
        case CalendarFile():
            return [
                CalendarDayRow(
                    version_id=version_id,
                    day=day.day,
                    working=day.working,
                    hours=_minutes(day.hours),
                    source=day.source,
                )
                for day in content.days
            ]
        case PolicySetIn():
            return [
                PolicyRow(version_id=version_id, amount=row.limit, **row.model_dump(exclude={"limit"}))
                for row in content.rows
            ]
        case _:
            # Read as a whole, so they live in the version's settings.
            return []


def _minutes(spans: list[SpanIn] | None) -> list[list[int]] | None:
    return [[span.start, span.end] for span in spans] if spans else None


def _spans(pairs: list[list[int]]) -> tuple[Span, ...]:
    return tuple(Span(start, end) for start, end in pairs)


def _policy(row: PolicyRow, version: CityVersion) -> Policy:
    return Policy(
        id=row.id,
        name=f"{version.name} v{version.version}",
        target=cast(Target, row.target),
        limit=Limit(row.amount, cast(Unit, row.unit)),
        source=row.source,
        kind=cast(Kind | None, row.kind),
        department=row.department,
        priority=cast(Priority | None, row.priority),
        channel=row.channel,
        warning_share=row.warning_share,
        calendar=row.calendar,
    )


def _limit(written: LimitIn) -> Limit:
    return Limit(written.limit, written.unit)


def _with_times(settings: dict[str, object]) -> dict[str, object]:
    """Stored minutes of the day as the file writes them."""
    times = settings.get("report_times")
    if not isinstance(times, list):
        return settings
    return {**settings, "report_times": [f"{int(minute) // 60:02d}:{int(minute) % 60:02d}" for minute in times]}
