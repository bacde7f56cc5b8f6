"""How a case's status follows from its events. Pure."""

from typing import Literal

from services.core.errors import Conflict

Status = Literal["new", "assigned", "in_progress", "resolved", "closed"]
EventType = Literal[
    "opened",
    "asked_again",
    "added",
    "raised",
    "claimed",
    "replied",
    "noted",
    "transferred",
    "resolved",
    "closed",
    "reopened",
    "warned",
    "breached",
    "escalated",
]

STATUS_NAMES: dict[Status, str] = {
    "new": "待受理",
    "assigned": "已受理",
    "in_progress": "办理中",
    "resolved": "已办结",
    "closed": "已关闭",
}
EVENT_NAMES: dict[EventType, str] = {
    "opened": "登记",
    "asked_again": "再次请求人工",
    "added": "市民补充",
    "raised": "升为紧急",
    "claimed": "受理",
    "replied": "答复",
    "noted": "备注",
    "transferred": "转办",
    "resolved": "办结",
    "closed": "关闭",
    "reopened": "重新打开",
    "warned": "临期提醒",
    "breached": "超时催办",
    "escalated": "超时上报",
}


def next_status(status: Status | None, event: EventType) -> Status:
    """The status after `event`; raises Conflict for an event that does not fit the status."""
    match (status, event):
        case (None, "opened"):
            return "new"
        case ("new", "claimed"):
            return "assigned"
        case ("assigned" | "in_progress", "claimed"):
            return status
        case ("assigned" | "in_progress", "replied"):
            return "in_progress"
        case ("new" | "assigned" | "in_progress", "transferred"):
            return "new"
        case ("assigned" | "in_progress", "resolved"):
            return "resolved"
        case ("new" | "assigned" | "in_progress" | "resolved", "closed"):
            return "closed"
        case ("resolved" | "closed", "reopened"):
            return "assigned"
        case ("new" | "assigned" | "in_progress", "asked_again" | "added" | "raised" | "warned" | "breached" | "escalated"):
            return status
        case ("new" | "assigned" | "in_progress" | "resolved" | "closed", "noted"):
            return status
    now = STATUS_NAMES[status] if status is not None else "尚未登记"
    raise Conflict(f"工单当前状态为“{now}”，不能{EVENT_NAMES[event]}", case_status=status)
