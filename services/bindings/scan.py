"""One look at a binding: what is asked of the departmental systems, and what of the answers a citizen is told.

Pure but for `ask`: an answer becomes findings, each with a mark that makes it one thing (docs/bindings.md).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.bindings.schemas import TYPES, Ask, Bound, SystemAway
from services.citizens.schemas import ReminderKind, ReminderRules
from services.core.clock import SHANGHAI, parse_moment
from services.core.wire import whole

# Which system knows of which reminders, by kind of binding. The kinds without a shape of their own answer with facts.
SOURCES: dict[str, dict[str, tuple[ReminderKind, ...]]] = {
    "plate": {"violation": ("violation",), "vehicle_status": ("inspection", "plate")},
    "licence": {"licence_status": ("licence", "points")},
    "household": {"bill": ("bill", "overdue"), "outage_notice": ("outage",)},
    "matter": {"progress": ("progress",)},
}
# Of these only what is new is told: what was there at the first look is set aside.
NEWS: frozenset[ReminderKind] = frozenset({"violation", "bill", "progress"})


@dataclass(frozen=True)
class Finding:
    """Something to tell of a binding, once: `mark` is the same for the same thing at every scan."""

    kind: ReminderKind
    mark: str
    text: str


@dataclass(frozen=True)
class Look:
    """What a look at one binding brought; `asked` are the kinds whose system answered, `failed` those whose did not."""

    findings: tuple[Finding, ...] = ()
    asked: frozenset[ReminderKind] = frozenset()
    failed: frozenset[ReminderKind] = frozenset()


async def look(
    bound: Bound, wanted: frozenset[ReminderKind], ask: Ask, rules: ReminderRules, today: date, more: Mapping[str, str]
) -> Look:
    """Ask for what the citizen wants to be reminded of; `more` are further parameters a system may ask for.

    A system that is away leaves its kinds for the next scan. `today` is the day in Asia/Shanghai.
    """
    findings: list[Finding] = []
    asked: set[ReminderKind] = set()
    failed: set[ReminderKind] = set()
    for system, kinds in SOURCES[bound.kind].items():
        open_kinds = wanted & set(kinds)
        if not open_kinds:
            continue
        try:
            answer = await ask(system, {**more, **bound.values})
        except SystemAway:
            failed |= open_kinds
            continue
        asked |= open_kinds
        found = _read(system, answer, bound, rules, today) if answer is not None else ()
        findings += [one for one in found if one.kind in open_kinds]
    return Look(tuple(findings), frozenset(asked), frozenset(failed))


def _read(system: str, answer: Mapping[str, Any], bound: Bound, rules: ReminderRules, today: date) -> Iterator[Finding]:
    name = f"{TYPES[bound.kind].title} {bound.masked}"
    match system:
        case "violation":
            yield from _violations(answer, name)
        case "vehicle_status":
            yield from _ends(answer, "inspection_due", "inspection", name, "检验有效期", rules.inspection_days, today)
            yield from _ends(answer, "plate_expires", "plate", name, "号牌有效期", rules.plate_days, today)
        case "licence_status":
            yield from _ends(answer, "licence_expires", "licence", name, "有效期", rules.licence_days, today)
            yield from _points(answer, name, rules.points_from)
        case "bill":
            yield from _bills(answer, name, bound.values.get("bill_kind", "账单"), today)
        case "outage_notice":
            for fact in answer.get("facts") or ():
                yield Finding("outage", _mark(fact["name"], fact["value"]), f"{name}：{fact['value']}")
        case "progress":
            text = f"{name}（{answer['title']}）：{answer['status']}。"
            yield Finding("progress", _mark(answer["status"]), text)


def _violations(answer: Mapping[str, Any], name: str) -> Iterator[Finding]:
    for one in answer["violations"]:
        if one["handled"]:
            continue
        day = parse_moment(str(one["at"])).astimezone(SHANGHAI).date()
        text = (
            f"{name}有新的交通违法记录：{day}，{one['place']}，{one['behaviour']}，"
            f"记 {one['points']} 分，罚款 {_yuan(one['fine'])} 元。想看详情请说“查违章”。"
        )
        yield Finding("violation", _mark(one["at"], one["place"], one["behaviour"]), text)


def _ends(
    answer: Mapping[str, Any], fact: str, kind: ReminderKind, name: str, what: str, days: int, today: date
) -> Iterator[Finding]:
    """Something that ends: told once when it comes near, and once more in its last week."""
    given = _fact(answer, fact)
    try:
        ends = date.fromisoformat(given) if given else None
    except ValueError:
        return
    if ends is None or ends - today > timedelta(days=days):
        return
    left = (ends - today).days
    if left < 0:
        yield Finding(kind, _mark(ends, "over"), f"{name}的{what}已于 {ends} 到期，请尽快办理。")
        return
    stage = "soon" if left > 7 else "week"
    yield Finding(kind, _mark(ends, stage), f"{name}的{what}至 {ends}，还有 {left} 天，请及时办理。")


def _points(answer: Mapping[str, Any], name: str, points_from: int) -> Iterator[Finding]:
    given, cycle = _fact(answer, "points"), _fact(answer, "points_cycle") or ""
    points = whole(given or "")
    if points is not None and points >= points_from:
        yield Finding("points", _mark(cycle, given), f"{name}本记分周期已记 {given} 分，记满 12 分需参加学习。")


def _bills(answer: Mapping[str, Any], name: str, title: str, today: date) -> Iterator[Finding]:
    for one in answer["periods"]:
        if one["paid"]:
            continue
        due = date.fromisoformat(str(one["due"])) if one.get("due") else None
        until = f"，请在 {due} 前缴纳" if due is not None else ""
        amount = f"{one['period']} {title} {_yuan(one['amount'])} 元"
        if due is not None and due < today:
            yield Finding("overdue", _mark(one["period"]), f"{name}：{amount}已过缴费期限（{due}），请尽快缴纳。")
        else:
            yield Finding("bill", _mark(one["period"]), f"{name}有新账单：{amount}{until}。")


def _fact(answer: Mapping[str, Any], name: str) -> str | None:
    return next((str(fact["value"]) for fact in answer.get("facts") or () if fact["name"] == name), None)


def _yuan(amount: object) -> str:
    return f"{Decimal(str(amount)):.2f}".removesuffix(".00")


def _mark(*parts: object) -> str:
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()[:32]
