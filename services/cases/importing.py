"""Past cases from a JSONL file, with their own times, under a chosen policy and kind.

A row: {case_no, citizen, title, text, created_at, reply, replied_at}; times without a zone are Asia/Shanghai. One
reply sets first response and resolution (DESIGN, Time limits). Imported clocks never raise alerts: they are history.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from services.cases import clockrows, clockwork, log, repository
from services.cases.clockwork import Terms
from services.cases.models import Case, CaseClock
from services.cases.opening import TITLE_LIMIT, month_of, number_text
from services.core.audit import record
from services.core.clock import SHANGHAI, parse_moment
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import BadRequest
from services.sla import service as sla
from services.sla.policies import Kind, Target

ACTOR = "import"
CHUNK = 200
# Imported cases know one reply; there is nothing that an update target could be measured by.
TARGETS: tuple[Target, ...] = ("first_response", "resolution")


class PastCase(BaseModel):
    """One row. `replied_at` empty with a reply means that the time was not recorded."""

    case_no: str = Field(min_length=1, max_length=64)
    title: str = ""
    text: str = ""
    citizen: str | None = None
    created_at: datetime
    reply: str | None = None
    replied_at: datetime | None = None

    @field_validator("case_no", "citizen", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value

    @field_validator("created_at", "replied_at", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ValueError("expected an ISO 8601 time")
        return parse_moment(value)

    @model_validator(mode="after")
    def _in_order(self) -> "PastCase":
        if self.replied_at is not None and self.replied_at < self.created_at:
            raise ValueError("replied before it was written")
        return self

    @property
    def answered(self) -> bool:
        return bool(self.reply and self.reply.strip()) or self.replied_at is not None


@dataclass
class PastCasesReport:
    """What the import did; a row is the line number in the file."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[dict[str, str | int]] = field(default_factory=list)
    reported: list[dict[str, str | int]] = field(default_factory=list)


def import_past_cases(
    uow: UnitOfWork,
    secrets: Secrets,
    path: Path,
    *,
    kind: str = "consultation",
    policy: str | None = None,
    now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> PastCasesReport:
    """Import every good row of `path` in the caller's transaction; bad rows are reported and left out.

    A case that was imported before keeps its number; another kind or policy recomputes its clocks. `progress` is
    called with (rows done, rows). Raises BadRequest for an unreadable file or kind, NotFound for an unknown policy.
    """
    the_kind = sla.parse_kind(kind)
    terms = Terms(
        kind=the_kind,
        department=sla.UNASSIGNED,
        priority=sla.effective_priority(the_kind, "normal"),
        channel="import",
        current=sla.load_policies(uow, policy).rows,
        stored={},
        calendars=sla.load_calendars(uow),
    )
    result = PastCasesReport()
    good = _read(path, result, now)
    for start in range(0, len(good), CHUNK):
        _import_chunk(uow, secrets, [row for _, row in good[start : start + CHUNK]], terms, result, now)
        if progress is not None:
            progress(min(start + CHUNK, len(good)), len(good))
    detail = {"created": result.created, "updated": result.updated, "rejected": len(result.rejected)}
    record(uow, actor=ACTOR, action="cases.imported", subject=path.name, detail=detail, now=now)
    return result


def _read(path: Path, result: PastCasesReport, now: datetime) -> list[tuple[int, PastCase]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise BadRequest(f"找不到文件 {path.name}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"无法读取文件 {path.name}（{type(error).__name__}）") from None
    good: list[tuple[int, PastCase]] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = PastCase.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            result.rejected.append({"row": number, "reason": f"{place}: {first['msg']}" if place else first["msg"]})
            continue
        latest = row.replied_at or row.created_at
        if row.case_no in seen:
            result.rejected.append({"row": number, "reason": "case_no: listed twice in this file"})
        elif latest > now:
            result.rejected.append({"row": number, "reason": "created_at or replied_at lies in the future"})
        else:
            seen.add(row.case_no)
            good.append((number, row))
            if row.replied_at is None:
                note = "reply without its time: not counted as answered" if row.answered else "no reply: still open"
                result.reported.append({"row": number, "note": note})
    return good


def _import_chunk(
    uow: UnitOfWork,
    secrets: Secrets,
    rows: Sequence[PastCase],
    terms: Terms,
    result: PastCasesReport,
    now: datetime,
) -> None:
    cases = repository.cases_by_source(uow.session, [row.case_no for row in rows])
    fresh = [row for row in rows if row.case_no not in cases]
    days = [row.created_at.astimezone(SHANGHAI).strftime("%Y%m%d") for row in fresh]
    # In one order, so that two imports at once cannot wait for each other.
    counters = {day: repository.take_numbers(uow.session, day, count) for day, count in sorted(Counter(days).items())}
    for row, day in zip(fresh, days, strict=True):
        cases[row.case_no] = _new_case(secrets, row, number_text(day, counters[day]), terms.kind)
        counters[day] += 1
    uow.session.add_all(cases.values())
    uow.session.flush()
    clocks = {
        (clock.case_id, clock.target): clock
        for clock in repository.clocks_of(uow.session, [case.id for case in cases.values()])
        if clock.cycle == 1
    }
    new_numbers = {row.case_no for row in fresh}
    for row in rows:
        case = cases[row.case_no]
        is_new = row.case_no in new_numbers
        changed = _answer(uow, secrets, case, row, terms, is_new)
        changed |= case.kind != terms.kind
        case.kind = terms.kind
        changed |= _time(uow, case, row, clocks, terms)
        if is_new:
            result.created += 1
        elif changed:
            result.updated += 1
        else:
            result.unchanged += 1
    uow.session.flush()


def _new_case(secrets: Secrets, row: PastCase, case_no: str, kind: Kind) -> Case:
    return Case(
        case_no=case_no,
        kind=kind,
        department=sla.UNASSIGNED,
        priority=sla.effective_priority(kind, "normal"),
        status="new",
        channel="import",
        title_encrypted=secrets.encrypt(row.title.strip()[:TITLE_LIMIT]),
        citizen_id=secrets.keyed_hash(row.citizen) if row.citizen else None,
        source_no=row.case_no,
        confidential=kind == "report",
        created_at=row.created_at,
        counted_from=row.created_at,
        created_month=month_of(row.created_at),
        cycle=1,
        deciding_cycle=1,
        event_seq=0,
        reopened_count=0,
        reply_time_unknown=False,
    )


def _answer(uow: UnitOfWork, secrets: Secrets, case: Case, row: PastCase, terms: Terms, is_new: bool) -> bool:
    """Write what the row tells that the case does not know yet; True when there was something."""
    if is_new:
        log.append_past(uow, case, "opened", at=row.created_at, text=row.text, secrets=secrets)
    if not row.answered or case.first_response_at is not None or case.assignee is not None:
        return is_new
    if case.reply_time_unknown and row.replied_at is None:
        return is_new
    # The time of a reply without one is not invented: its event stands at the moment of opening and says so.
    at = row.replied_at or row.created_at
    data = {} if row.replied_at is not None else {"time_unknown": True}
    if case.status != "resolved":
        log.append_past(uow, case, "claimed", at=at, data=data)
        log.append_past(uow, case, "replied", at=at, text=row.reply or "", secrets=secrets, data=data)
        log.append_past(uow, case, "resolved", at=at, data=data)
    case.reply_time_unknown = row.replied_at is None
    if row.replied_at is not None:
        case.first_response_at = case.resolved_at = case.ended_at = row.replied_at
        assert terms.calendars is not None
        working = terms.calendars.office.minutes_between(row.created_at, row.replied_at)
        wall = (row.replied_at - row.created_at) / timedelta(minutes=1)
        case.first_response_minutes = case.resolution_minutes = wall
        case.first_response_working_minutes = case.resolution_working_minutes = working
    return True


def _time(
    uow: UnitOfWork,
    case: Case,
    row: PastCase,
    clocks: dict[tuple[int, str], CaseClock],
    terms: Terms,
) -> bool:
    """Set the clocks of the first cycle under the chosen policy; True when one changed."""
    changed = False
    for target in TARGETS:
        promise = clockwork.promised(terms, target, row.created_at, "opened")
        if promise is None:
            continue
        kept = clocks.get((case.id, target))
        stopped = case.first_response_at if target == "first_response" else case.resolved_at
        if kept is not None and kept.policy_id == promise.policy_id and kept.stopped_at == stopped:
            continue
        changed = True
        clock = clockwork.started(terms, target, [promise], round=1, cycle=1, at=row.created_at)
        if stopped is not None:
            clock = clockwork.stopped(clock, stopped, [(row.created_at, case.department)])
        elif case.reply_time_unknown:
            clock = replace(clock, state="cancelled")
        if kept is None:
            kept = CaseClock(case_id=case.id)
            uow.session.add(kept)
        clockrows.write(kept, clock)
        if clock.state == "running":
            due = clock.plan.due_at
            case.next_due_at = due if case.next_due_at is None else min(case.next_due_at, due)
    return changed
