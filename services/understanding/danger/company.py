"""Keeps a citizen company between an urgent report and the clerk who takes over.

    following(text, kinds, place=...)           -> what the message is about, or None: ordinary business
    company_reply(following, urgency, case_no, watch)  -> what the citizen reads

While the case waits, "还有人吗" must not meet a missed FAQ, and a place must reach the duty officer. Whatever is
plainly other business (a bill, a question about a procedure) goes its ordinary way. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import timedelta
from typing import Literal

from services.understanding.danger.detector import Urgency
from services.understanding.danger.lexicon import prepare
from services.understanding.danger.replies import Watch, name_numbers

Following = Literal["place", "safe", "unreachable", "waiting", "afraid", "more"]

LASTS = timedelta(hours=2)
"""How long after the report messages are read this way."""
_UNKNOWN_DANGER = ("110", "119", "120")
_SHORT = 40

_BUSINESS = re.compile(
    r"违章|违法|罚|扣分|驾照|驾驶证|预约|挂号|改期|[水电气]费|燃气费|暖气|账单|进度|办件|工单|办(?:理|证|事|卡)|证明|"
    r"身份证|护照|社保|医保|公积金|户口|户籍|居住证|营业执照|结婚|离婚|材料|流程|补贴|退休|上班|下班|"
    r"附近|最近的|怎么走|政策|条件|多少钱|收费|取消|返回|菜单|报销|申请"
)
_PLACE = re.compile(
    r"\d+(?:号|栋|幢|楼|层|单元|室|弄|座|组|队|米|公里)|[一二三四五六七八九十]+(?:号楼|楼|层|栋|单元|组|队)|"
    r"路口|门口|对面|旁边|隔壁|后面|楼上|楼下|楼顶|高速|出口|桥|小区|村|广场|公园|学校|医院|商场|超市|车站|地铁|"
    r"^(?:我们?|人|他|她)?(?:现在|就|都)?在(?!吗|么|不在|线|等|哪)"
)
_SAFE = re.compile(
    r"没事了|安全了|脱险|得救|虚惊|误会|误报|搞错|不用来|不用(?:了|管)|解决了|灭了|扑灭|救(?:上|出|下)来|找到了|回来了|"
    r"(?:已经|都|刚)(?:送|到)?医院|(?:救护车|消防|警察|民警|120|119|110)(?:已经|都)?(?:来|到)了|醒(?:了|过来)|好了"
)
_UNREACHABLE = re.compile(
    r"打不(?:通|进|出)|占线|没人接|无人接|忙音|不接|不敢(?:打|说|出声)|不能(?:打|说)|没(?:有)?信号"
)
_WAITING = re.compile(
    r"有(?:没有)?人(?:吗|么|在|没|不|管|理)|有人(?:吗|么)?$|人呢|在吗|在不在|还在(?:吗|不)|在么|听(?:到|得到|见)|看到(?:吗|没|了吗)|"
    r"怎么还|还要?(?:多久|等)|多久|几分钟|什么时候(?:来|到)|啥时候|快(?:点|来|些)|赶紧|赶快|催|没人(?:理|回|来|管)|"
    r"派人|来人|到哪|出发|人工|客服|真人|工作人员|理(?:我|一下)|回(?:我|话|复|一下)|^[喂?？!！.。]+$"
)
_AFRAID = re.compile(
    r"怕|慌|怎么办|咋办|怎么弄|疼|痛|冷|撑|哭|难受|受不了|坚持|不行了|紧张|急|抖|救|求|陪|孤单|绝望|没用|难过|累|崩溃"
)
_ONLY_DIGITS = re.compile(r"^[\d\s]*$")


def following(text: str, kinds: Collection[str] = (), *, place: bool = False) -> Following | None:
    """What a message after an urgent report is about; None when it is other business.

    kinds: types of the entities found in it. place: True for a shared position.

    >>> following("还有人吗"), following("电费多少")
    ('waiting', None)
    """
    if place:
        return "place"
    said = prepare(text)
    if _SAFE.search(said) and not re.search(r"(?:没|不|吗)(?:好|安全)|吗$", said):
        return "safe"
    if _BUSINESS.search(said) or (_ONLY_DIGITS.match(said) and "phone" not in kinds):
        return None
    if _UNREACHABLE.search(said):
        return "unreachable"
    if _WAITING.search(said):
        return "waiting"
    if "location" in kinds or _PLACE.search(said):
        return "place"
    if _AFRAID.search(said):
        return "afraid"
    return "more" if len(said) <= _SHORT else None


def company_reply(about: Following, urgency: Urgency | None, case_no: str, watch: Watch) -> str:
    """What the citizen reads (Simplified Chinese). urgency: the danger of the report, None when unknown; watch: who
    knows of it, so that nobody is promised who is not there."""
    numbers = name_numbers(urgency.numbers if urgency else _UNKNOWN_DANGER)
    if watch.who is not None:
        sees, called, will = f"{watch.who}看得到", f"{watch.who}已收到您的求助", "会直接在这里回您"
    elif watch.called:
        sees, called, will = "值班人员看得到", "已经呼叫值班人员，还没有人应答", "有人收到我马上告诉您"
    else:
        sees, called, will = "但现在没有值班人员在岗", "现在没有值班人员在岗", "请不要等这里的回复"
    if about == "place":
        return (
            f"收到您的位置，已经记入工单 {case_no}，{sees}。打 {numbers} 时也请说这个位置。"
            "请先待在安全的地方，有变化随时告诉我。"
        )
    if about == "safe":
        return (
            f"听到平安就好。工单 {case_no} 会保留，工作人员仍会和您核实。"
            f"情况再变坏请马上拨打 {numbers}；其他需要帮忙的事可以打 12345，也可以在这里告诉我。"
        )
    if about == "unreachable":
        return (
            f"请隔十几秒再拨一次 {numbers}，或请身边的人一起拨；不方便说话可以发短信到 12110，写清位置和情况。"
            f"{called}（工单 {case_no}），您也可以直接把位置发在这里。"
        )
    if about == "waiting":
        return (
            f"我在，您的每一条消息都记在工单 {case_no} 里。{called}。"
            f"请不要只等回复：现在最快的是拨打 {numbers}。还没说位置的话，请发位置或附近的标志。"
        )
    if about == "afraid":
        return (
            f"我在这里陪着您。先让自己待在安全的地方，慢慢呼吸，能叫到身边的人就叫一声。"
            f"请马上拨打 {numbers}；{called}（工单 {case_no}），{will}。"
        )
    return (
        f"都记下了（工单 {case_no}），{sees}。我一直在，您可以接着说：在哪里、有几个人、现在怎么样。"
        f"情况紧急请马上拨打 {numbers}。"
    )
