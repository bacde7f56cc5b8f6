"""What people say to steer a talk: yes, no, stop, back, on, again, the same, and questions about a result.

Functions over a text, standard library only; what follows from them is decided where they are asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from services.understanding.folding import bare
from services.understanding.numerals import ordinal_in
from services.understanding.placeholders import normalise

# A word for yes, no or stop is one line here.
YES: Final = (
    "同意", "好", "好的", "可以", "行", "是", "是的", "对", "对的", "确认", "确定", "没问题", "ok",
)  # fmt: skip
NO: Final = ("不同意", "不", "不要", "不行", "不可以", "拒绝", "否")
STOP: Final = (
    "取消", "算了", "不查", "不办", "不弄", "不填", "不搞", "不绑", "不绑定", "别查", "返回", "退出", "停止", "结束",
    "放弃", "不用了", "不要了", "不需要了", "不想", "先不", "下次再", "以后再",
)  # fmt: skip
# Without the dialogue layer only these words reach a person.
HUMAN: Final = ("转人工", "人工客服", "人工服务", "找人工", "真人")
_YES: Final = re.compile("(?:" + "|".join(sorted(YES, key=len, reverse=True)) + "|嗯+)[吧了啊呀]?")
_STOP_BEGINS: Final = re.compile(
    "^(?:那|那就|好吧|哎|唉|我|还是)*(?:" + "|".join(STOP) + r")(?!.*(?:预约|我的号|约的号)).{0,10}$"
)
_STOP_WHOLE: Final = re.compile("(?:先)?(?:" + "|".join(STOP) + ")(?:了)?(?:吧)?")

_EDGE: Final = " 。.!！,，、~～?？"
_POLITE: Final = r"(?:那|那就|我|请|麻烦|帮我|我想|我要|还是|好的?|嗯|哎|唉|啊|，|,| )*"
_BACK: Final = re.compile(
    rf"^{_POLITE}(?:返回|后退|退回|回到|返回到)?(?:上一步|上一个问题|上一项|上一题|返回|后退|退回去?)(?:吧|一下|呢)?$"
)
_RESTART: Final = re.compile(
    rf"^{_POLITE}(?:重新开始|重新来(?:过|一遍|一次)?|重来(?:一遍|一次)?|从头(?:开始|再?来|填)|重新(?:填|查"
    rf"|办)(?:一遍|一下|吧)?|回到开头|全部重填)(?:吧)?$"
)
_RESUME: Final = re.compile(
    rf"^{_POLITE}(?:继续|接着|接着来|回到刚才|接回刚才)(?:刚才|之前|上次)?(?:的|那个)?(?:办|查|来|填|弄|说"
    rf"|吧|办理|查询|一下|下去|它|了)*"
)
_CORRECTING: Final = re.compile(
    r"(?<!对)不对(?!劲)|不是这个|[说写打输填发报弄搞记选给讲]错|错了|错啦|有误|更正|改成|改为|改一下|改下"
    r"|应该是|应为|不是.{0,12}[,，]?(?:是|应该)"
)
_CHANGING: Final = re.compile(r"换成|换为|换一?[个辆]|换[水电气]|再查|再看|再帮我查|另一[个辆]|另外[那一]")
_SAME: Final = re.compile(
    r"^(?:还是|就|用|就用|还用|跟|和|同|与|按)*(?:刚才|上次|刚刚|之前|上回|前面|上面)"
    r"(?:的|那|那个|那辆|这个|说的|用的|那辆车|填的|个|的那个|的那辆|的号|的号码|那个号|那个户号"
    r"|户号|车牌|车|号码|号|地址|位置|地方|一样|的户号|的车牌|的地址|的位置)*(?:就行|就可以|吧|呀|啊)?$"
    r"|^(?:还是)?(?:同一个|同一辆|一样的?|老样子|不变|没变)(?:户号|车|车牌|地址|位置)?$"
)
_AGAIN: Final = re.compile(
    r"^(?:那|请|麻烦|帮我|给我|，| )*(?:再查(?:一遍|一次|一下|一?下刚才的?)?|再看一?[遍次下]|再来一[次遍]"
    r"|重新查一?[遍次下]|刷新一?下?|还是刚才那个|再查一?下?(?:刚才|上次)(?:的|那个|那辆车?))(?:吧)?$"
)
_NO_ANSWER: Final = re.compile(
    r"^(?:跳过|略过|没有|没了|无|不知道|不清楚|不记得|记不清|忘了|不方便|不想[说留]|不留|不说|不用|不用留"
    r"|保密|没注意|说不清).{0,6}$"
)
_ENOUGH: Final = re.compile(
    r"^(?:就这些|就这样|就是这些|没有了|没了|说完了|完了|不用了|不用补充|没别的|可以了|行了|好了|提交).{0,6}$"
)
_ELLIPTIC: Final = re.compile(r"^(?:那|那么|还有|换成|换|改成|改|再查|再看|也查|还要查|另外)|呢[?？]?$")
_FILLER: Final = re.compile(
    r"那么|那|请问|请|这[个些笔条项]?|它们?|他|一共|总共|合计|现在|具体|大概|我|要|得|需要|该|应该|是|的"
    r"|了|呢|啊|呀|吗|嘛|多少|怎么样|怎样|什么|一下|下|看看|查查|查|会|有|没有|还|到底|再|人家"
    r"|[,，。.?？!！\s]"
)
_LONGEST_DETAIL: Final = 18

Details = Sequence[tuple[str, Sequence[str]]]
"""Each key with the patterns by which it is asked for."""


def _plain(text: str) -> str:
    return normalise(text).strip(_EDGE)


def says_yes(text: str) -> bool:
    """A whole message that agrees, and says nothing else.

    >>> says_yes("好的。"), says_yes("嗯嗯"), says_yes("好的那水费呢")
    (True, True, False)
    """
    return bool(_YES.fullmatch(bare(text)))


def says_no(text: str) -> bool:
    """A whole message that refuses, and says nothing else."""
    return bare(text) in NO


def wants_to_stop(text: str) -> bool:
    """What is being done is given up ("算了", "那不查了"); nothing of an appointment that was made."""
    return bool(_STOP_BEGINS.match(normalise(text)))


def says_stop(text: str) -> bool:
    """A whole message that gives up, and says nothing else."""
    return bool(_STOP_WHOLE.fullmatch(bare(text)))


def wants_back(text: str) -> bool:
    """One question back."""
    return bool(_BACK.match(_plain(text)))


def wants_restart(text: str) -> bool:
    """This form from its beginning."""
    return bool(_RESTART.match(_plain(text)))


def wants_on(text: str) -> bool:
    """The form that was left before ("继续", "接着查")."""
    plain = _plain(text)
    found = _RESUME.match(plain)
    return found is not None and len(plain) - found.end() <= 6 and not re.search(r"教育|缴费|缴纳", plain)


def corrects(text: str) -> bool:
    """Something said before was wrong."""
    return bool(_CORRECTING.search(_plain(text)))


def changes(text: str) -> bool:
    """The same with something else in its place: another car, another kind."""
    return bool(_CHANGING.search(_plain(text)))


def means_the_same(text: str) -> bool:
    """The value that was used before."""
    return bool(_SAME.match(_plain(text)))


def wants_again(text: str) -> bool:
    """The last lookup once more."""
    return bool(_AGAIN.match(_plain(text)))


def gives_nothing(text: str) -> bool:
    """An optional question that stays without an answer."""
    return bool(_NO_ANSWER.match(_plain(text)))


def has_said_enough(text: str) -> bool:
    """Nothing is to be added."""
    return bool(_ENOUGH.match(_plain(text)))


def is_elliptic(text: str) -> bool:
    """Short, and only complete together with what went before ("那电费呢", "换成燃气")."""
    plain = _plain(text)
    return len(plain) <= 14 and bool(_ELLIPTIC.search(plain))


def asked_detail(details: Details, text: str) -> str | None:
    """What of the last result a text asks about: a key of a form's `details`, or "nth:N"; None when it says more.

    Nothing but words for the detail and small words may be in it: "那罚款多少" is about the result, "闯红灯罚款多少"
    is a question of its own.
    """
    plain = _plain(text)
    if not details or len(plain) > _LONGEST_DETAIL:
        return None
    ordinal = ordinal_in(plain)
    if ordinal and not _FILLER.sub("", plain.replace(ordinal[1], "")):
        return f"nth:{ordinal[0]}"
    best: tuple[int, str] | None = None
    for key, words in details:
        for word in words:
            found = re.search(word, plain)
            if found is None or _FILLER.sub("", plain[: found.start()] + plain[found.end() :]):
                continue
            if best is None or len(found.group(0)) > best[0]:
                best = (len(found.group(0)), key)
    return best[1] if best else None
