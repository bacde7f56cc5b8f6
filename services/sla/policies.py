"""Time-limit policies and which of them applies: the most specific one (DESIGN, Time limits)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from services.core.errors import BadRequest

Target = Literal["first_response", "update", "resolution"]
Unit = Literal["minutes", "working_minutes", "working_days"]
Kind = Literal["consultation", "help", "complaint", "report", "suggestion", "urgent"]
Priority = Literal["normal", "urgent"]

TARGETS: tuple[Target, ...] = get_args(Target)
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_NAMES: dict[Kind, str] = {
    "consultation": "咨询",
    "help": "求助",
    "complaint": "投诉",
    "report": "举报",
    "suggestion": "建议",
    "urgent": "紧急",
}

UNASSIGNED = "未分配"
# A case that several departments must answer together; a policy row may name it like a department.
SEVERAL_DEPARTMENTS = "多部门"


@dataclass(frozen=True)
class Limit:
    """An amount of time: wall-clock minutes, working minutes, or working days."""

    amount: int
    unit: Unit


@dataclass(frozen=True)
class Policy:
    """One row of a city's policy: a limit for a target, and for whom. None stands for "any"."""

    target: Target
    limit: Limit
    source: str
    kind: Kind | None = None
    department: str | None = None
    priority: Priority | None = None
    channel: str | None = None
    warning_share: float = 0.8
    id: int | None = None
    name: str = ""
    # The duty shift whose hours count; the office hours without one.
    calendar: str | None = None


def parse_kind(text: str) -> Kind:
    """A kind by its word or its Chinese name; raises BadRequest for anything else."""
    for kind, chinese in KIND_NAMES.items():
        if text in (kind, chinese):
            return kind
    raise BadRequest(f"事项类型应为 {'、'.join(KINDS)} 之一")


def effective_priority(kind: Kind, priority: Priority) -> Priority:
    """Danger to life is urgent, whatever else was said about it."""
    return "urgent" if kind == "urgent" else priority


def specificity(policy: Policy) -> int:
    """Larger is more specific: priority weighs more than department, department than kind, kind than channel.

    So the limit of an urgent case is never widened by what another row says about its department or kind.
    """
    named = (policy.priority, policy.department, policy.kind, policy.channel)
    return sum(weight for value, weight in zip(named, (8, 4, 2, 1), strict=True) if value is not None)


def applies(policy: Policy, *, kind: Kind, department: str, priority: Priority, channel: str | None) -> bool:
    return (
        policy.kind in (None, kind)
        and policy.department in (None, department)
        and policy.priority in (None, priority)
        and policy.channel in (None, channel)
    )


def choose(
    policies: Iterable[Policy],
    target: Target,
    *,
    kind: Kind,
    department: str = UNASSIGNED,
    priority: Priority = "normal",
    channel: str | None = None,
) -> Policy | None:
    """The most specific policy row for the target, or None when the target has no limit."""
    priority = effective_priority(kind, priority)
    fitting = [
        policy
        for policy in policies
        if policy.target == target
        and applies(policy, kind=kind, department=department, priority=priority, channel=channel)
    ]
    return max(fitting, key=specificity, default=None)
