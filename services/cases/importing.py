"""Past cases from a table (JSONL, CSV, XLSX), with their own times, under a chosen policy and kind.

A row: {case_no, citizen, title, text, created_at, reply, replied_at}; times without a zone are Asia/Shanghai. What a
file lacks, or has empty, takes nothing from a case that was imported before. One
reply sets first response and resolution (DESIGN, Time limits). Imported clocks never raise alerts: they are history.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator

from knowledge_base import ImportRejected
from knowledge_base.tables import Columns, Row, moment_of, plain, read_file, read_table
from services.cases import clockrows, clockwork, log, repository
from services.cases.clockwork import Terms
from services.cases.models import Case, CaseClock
from services.cases.opening import TITLE_LIMIT, month_of, number_text
from services.core.audit import record
from services.core.clock import SHANGHAI
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import BadRequest
from services.sla import service as sla
from services.sla.policies import Kind, Target

ACTOR = "import"
CHUNK = 200
COLUMNS = Columns(
    {
        "case_no": ("编号", "工单号", "诉求编号"),
        "title": ("标题", "主题"),
        "text": ("内容", "诉求内容"),
        "citizen": ("市民", "诉求人"),
        "created_at": ("提交时间", "受理时间", "留言时间"),
        "reply": ("答复", "答复内容", "回复内容"),
        "replied_at": ("答复时间", "回复时间"),
    },
    required=("case_no", "created_at"),
    keys=("case_no",),
)
_REASONS = {
    "string_too_short": "是空的",
    "string_too_long": "过长",
    "string_type": "应为文字",
}
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

    @field_validator("case_no", "citizen", "title", "text", "reply", mode="before")
    @classmethod
    def _as_text(cls, value: object, info: ValidationInfo) -> object:
        text = plain(value)
        if isinstance(text, int) and not isinstance(text, bool) and info.field_name in ("case_no", "citizen"):
            text = str(text)
        if text is None and info.field_name in ("title", "text"):
            return ""
        return text

    @field_validator("created_at", "replied_at", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        try:
            moment = moment_of(value)
            if moment is None:
                return None
            return (moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("不是有效的时间") from None

    @model_validator(mode="after")
    def _in_order(self) -> "PastCase":
        if self.replied_at is not None and self.replied_at < self.created_at:
            raise ValueError("答复时间早于提交时间")
        return self

    @property
    def answered(self) -> bool:
        return bool(self.reply and self.reply.strip()) or self.replied_at is not None


Told = dict[str, str | int | None]


@dataclass
class PastCasesReport:
    """What the import did; a row is numbered as the file counts it, with its sheet in a workbook."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Told] = field(default_factory=list)
    reported: list[Told] = field(default_factory=list)
    left_out: list[Told] = field(default_factory=list)


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
    good: list[tuple[int, PastCase]] = []
    seen: dict[str, Row] = {}
    try:
        table = read_table(path.name, read_file(path), COLUMNS)
        for row in table:
            try:
                good.append((row.number, _past_case(row, seen, now)))
            except ValueError as error:
                result.rejected.append({"row": row.number, "sheet": row.sheet, "reason": _reason(error)})
                continue
            notes = list(row.notes)
            if good[-1][1].replied_at is None:
                notes.append("有答复但没有时间，不算已答复" if good[-1][1].answered else "没有答复，仍未办结")
            result.reported.extend({"row": row.number, "sheet": row.sheet, "note": note} for note in notes)
    except ImportRejected as error:
        raise BadRequest(str(error)) from None
    result.reported.extend({"row": one.number, "sheet": one.sheet, "note": one.note} for one in table.remarks)
    result.left_out.extend({"sheet": one.sheet, "reason": one.reason} for one in table.skipped)
    return good


def _past_case(row: Row, seen: dict[str, Row], now: datetime) -> PastCase:
    """The case of a row; ValueError says why it is none."""
    if row.problem is not None:
        raise ValueError(row.problem)
    found = PastCase.model_validate({name: value for name, value in row.values.items() if name in COLUMNS.fields})
    if found.case_no in seen:
        first = seen[found.case_no]
        there = f"“{first.sheet}”" if first.sheet != row.sheet else ""
        raise ValueError(f"编号与{there}第 {first.number} 行重复")
    if (found.replied_at or found.created_at) > now:
        raise ValueError("提交时间或答复时间在将来")
    seen[found.case_no] = row
    return found


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    title = COLUMNS.title(str(first["loc"][0])) if first["loc"] else ""
    if first["type"] == "value_error":
        return title + str(first["ctx"]["error"])
    return (
        f"缺少{title}"
        if first["type"] in ("missing", "datetime_type")
        else title + _REASONS.get(first["type"], "不符合要求")
    )


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
