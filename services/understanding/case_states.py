"""A case's states and their words: one table, for those who work on it and for its citizen. Standard library only.

The pages have the first column once more (services/web/static/js/format.js); a test compares them.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Status = Literal["new", "assigned", "in_progress", "waiting", "resolved", "closed", "reopened", "merged", "transferred"]


class Words(NamedTuple):
    """What a state is called on the desk, and what its citizen reads."""

    desk: str
    citizen: str


# Both say the same of a case: only what a citizen has to do, or could not know, is said in other words.
CASE_STATES: Final[dict[Status, Words]] = {
    "new": Words("待受理", "待受理"),
    "assigned": Words("已受理", "已受理"),
    "in_progress": Words("办理中", "办理中"),
    "waiting": Words("待市民补充", "等待您补充"),
    "resolved": Words("已办结", "已办结"),
    "closed": Words("已关闭", "已关闭"),
    "reopened": Words("重新办理", "重新办理"),
    "merged": Words("已合并", "已并入另一件工单办理"),
    "transferred": Words("已转办", "已转办，待受理"),
}


def told_as(status: str) -> str:
    """A state's word for its citizen; a state that a newer server sends is something being done."""
    return next((words.citizen for name, words in CASE_STATES.items() if name == status), "办理中")
