"""Typed words about a citizen's own case: the same as its buttons. Pure.

Only whole messages of these shapes count; anything longer is a message of its own. In an open form only words that
cannot be an answer to it do: what a form asks for stays an answer.

>>> read("催一下"), read("补充：路灯也坏了")
(CaseWord(what='press', case_no=None, text=''), CaseWord(what='add', case_no=None, text='路灯也坏了'))
>>> read("补充材料需要哪些") is None
True
"""

import re
from dataclasses import dataclass
from typing import Literal

from services.understanding.folding import bare

What = Literal["list", "press", "withdraw", "add", "confirm", "reopen"]

_NO = r"(?P<no>gd\d{13,16})?"
_PLEASE = r"(?:请|麻烦|您|你|帮我|帮忙|给我|再|我想|我要|我)*"
_CASE = r"(?:这个|那个|我的|一下|下)*(?:工单|办件|投诉)?(?:编号|号)?[:，,]?"
_END = r"(?:吧|呢|一下|了)?"
_SHAPES: tuple[tuple[What, re.Pattern[str]], ...] = (
    (
        "list",
        re.compile(r"(?:查看|看看|查一下|查查|查询|查|看|打开)?我的(?:全部|所有)?工单(?:列表|进度|情况)?|工单列表"),
    ),
    ("press", re.compile(f"{_PLEASE}(?:催办|催一催|催一下|催下|催促|催催)(?:一下)?{_CASE}{_NO}{_END}")),
    ("press", re.compile(f"工单?{_NO}{_PLEASE}(?:催办|催一下|催下){_END}")),
    (
        "withdraw",
        re.compile(f"{_PLEASE}(?:撤回|撤销|取消)(?:这个|那个|我的|一下)*(?:工单|投诉)(?:编号|号)?{_NO}{_END}"),
    ),
    ("withdraw", re.compile(f"{_PLEASE}(?:撤回|撤销){_NO}{_END}")),
    ("confirm", re.compile(f"(?:我)?(?:确认)?(?:工单)?{_NO}(?:问题|事情)?(?:都|已经|已)*解决了?")),
    ("reopen", re.compile(f"(?:工单)?{_NO}(?:问题|事情)?(?:还|仍然|仍|并)?(?:没有?|未)(?:得到|被|真正)?解决")),
    ("reopen", re.compile(f"{_PLEASE}重新办理(?:这个|我的)?(?:工单)?(?:编号|号)?{_NO}{_END}")),
)
_ADD = re.compile(
    r"\s*(?:我要|我想|再)?补充(?:一下|一点|说明|到工单|工单)?\s*(?P<no>[Gg][Dd]\d{13,16})?[\s:：，,]+(?P<text>.*\S)\s*",
    re.DOTALL,
)
_ASKS = re.compile(r"[?？]|(?:吗|呢|什么|怎么|哪些|哪里|多久)[。.]?\s*$")
# What no form asks for.
IN_FORMS: frozenset[What] = frozenset(["list", "press", "withdraw"])


@dataclass(frozen=True)
class CaseWord:
    """What is asked for, of which case (None: the one at hand), and what is added."""

    what: What
    case_no: str | None = None
    text: str = ""


def read(text: str, *, in_form: bool = False) -> CaseWord | None:
    """The case word that a message is, or None."""
    folded = bare(text)
    for what, shape in _SHAPES:
        match = shape.fullmatch(folded)
        if match:
            if in_form and (what not in IN_FORMS or folded == "撤回"):
                return None
            number = match.groupdict().get("no")
            return CaseWord(what, number.upper() if number else None)
    added = None if in_form else _ADD.fullmatch(text)
    if added and not _ASKS.search(added["text"]):
        return CaseWord("add", added["no"].upper() if added["no"] else None, added["text"])
    return None
