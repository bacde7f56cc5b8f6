"""How a case's status follows from its events. Pure."""

from typing import Literal

from services.core.errors import Conflict
from services.understanding.case_states import CASE_STATES, Status

OPEN: tuple[Status, ...] = ("new", "assigned", "in_progress", "waiting", "reopened", "transferred")
EventType = Literal[
    "opened",
    "asked_again",
    "raised",
    "alarmed",
    "acknowledged",
    "reclassified",
    "recomputed",
    "assigned",
    "claimed",
    "released",
    "replied",
    "noted",
    "added",
    "pressed",
    "transferred",
    "returned",
    "held",
    "resumed",
    "extension_asked",
    "extension_refused",
    "extended",
    "access_changed",
    "retitled",
    "revealed",
    "resolved",
    "confirmed",
    "rated",
    "withdrawn",
    "closed",
    "reopened",
    "merged",
    "absorbed",
    "drafted",
    "warned",
    "breached",
    "escalated",
]

EVENT_NAMES: dict[EventType, str] = {
    "opened": "登记",
    "asked_again": "再次请求人工",
    "raised": "升为紧急",
    "alarmed": "无人应答，再次呼叫",
    "acknowledged": "已收到",
    "reclassified": "变更分类",
    "recomputed": "重算时限",
    "assigned": "分派",
    "claimed": "受理",
    "released": "退回队列",
    "replied": "答复",
    "noted": "备注",
    "added": "市民补充",
    "pressed": "催办",
    "transferred": "转办",
    "returned": "退回转办",
    "held": "等待市民补充",
    "resumed": "恢复办理",
    "extension_asked": "申请延期",
    "extension_refused": "不同意延期",
    "extended": "延期",
    "access_changed": "变更知悉范围",
    "retitled": "修改标题",
    "revealed": "查看身份信息",
    "resolved": "办结",
    "confirmed": "市民确认",
    "rated": "市民评价",
    "withdrawn": "市民撤回",
    "closed": "关闭",
    "reopened": "重新打开",
    "merged": "并入其他工单",
    "absorbed": "并入本工单",
    "drafted": "拟写知识草稿",
    "warned": "临期提醒",
    "breached": "超时催办",
    "escalated": "超时上报",
}


def next_status(status: Status | None, event: EventType) -> Status:
    """The status after `event`; raises Conflict for an event that does not fit the status."""
    match (status, event):
        case (None, "opened"):
            return "new"
        case ("new" | "transferred", "assigned" | "claimed"):
            return "assigned"
        case ("assigned" | "in_progress" | "waiting" | "reopened", "assigned" | "claimed"):
            return status
        case ("assigned" | "in_progress" | "waiting" | "reopened", "released"):
            return "new"
        case ("assigned" | "in_progress" | "waiting" | "reopened", "replied"):
            return "in_progress"
        case ("assigned" | "in_progress" | "reopened", "held"):
            return "waiting"
        case ("waiting", "resumed" | "raised" | "absorbed"):
            # Danger waits for nobody, and neither does the promise to the citizen of a duplicate.
            return "in_progress"
        case ("new" | "assigned" | "in_progress" | "waiting" | "reopened" | "transferred", "transferred" | "returned"):
            return "transferred"
        case ("assigned" | "in_progress" | "waiting" | "reopened", "resolved"):
            return "resolved"
        case ("new" | "assigned" | "in_progress" | "waiting" | "reopened" | "transferred", "merged"):
            return "merged"
        case ("new" | "assigned" | "in_progress" | "waiting" | "reopened" | "transferred", "withdrawn" | "closed"):
            return "closed"
        case ("resolved", "closed" | "confirmed"):
            return "closed"
        case ("resolved" | "closed" | "merged", "reopened"):
            return "reopened"
        case ("resolved" | "closed", "rated" | "drafted"):
            return status
        case (
            "new" | "assigned" | "in_progress" | "waiting" | "reopened" | "transferred",
            "asked_again"
            | "raised"
            | "alarmed"
            | "acknowledged"
            | "reclassified"
            | "recomputed"
            | "added"
            | "pressed"
            | "extension_asked"
            | "extension_refused"
            | "extended"
            | "revealed"
            | "absorbed"
            | "warned"
            | "breached"
            | "escalated",
        ):
            return status
        case (
            "new"
            | "assigned"
            | "in_progress"
            | "waiting"
            | "resolved"
            | "closed"
            | "reopened"
            | "merged"
            | "transferred",
            "noted" | "access_changed" | "retitled",
        ):
            return status
    now = CASE_STATES[status].desk if status is not None else "尚未登记"
    raise Conflict(f"工单当前状态为“{now}”，不能{EVENT_NAMES[event]}", case_status=status)
