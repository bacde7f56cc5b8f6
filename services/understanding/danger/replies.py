"""What a citizen in danger reads at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from services.understanding.danger.detector import Urgency

_NAMES = {"110": "110（报警）", "119": "119（火警、救援）", "120": "120（急救）", "122": "122（交通事故）"}
_ADVICE = {
    "自杀": (
        "您现在的感受很重要，请先不要伤害自己，离开高处或危险物品，让身边的人陪着您。"
        "全国统一心理援助热线 12356 也可以随时拨打。"
    ),
    "暴力": "请先躲到能锁门的安全地方，保持安静，不要和对方争执。",
    "火灾": "请立即离开，不乘电梯；烟大时弯腰、用湿毛巾捂住口鼻，出不去就关好门、用湿布堵门缝，到窗边呼救。",
    "燃气": "请不要开关电器和灯，不要点火；尽量开窗、关闭阀门，马上到室外再打电话。",
    "溺水": "请不要贸然下水，向周围呼救，抛救生圈、绳子或长杆给落水的人。",
    "急症": "请让病人平躺、保持呼吸通畅，不要随意搬动；没有呼吸和心跳时，听从 120 的电话指导做胸外按压。",
    "车祸": "请到护栏外等安全处，打开双闪、放好警示牌；不要随意搬动伤者。",
    "触电": "请不要用手碰触电的人和电线，先断开电源，离断落的电线至少 8 米。",
    "坍塌洪水": "请离开危险的建筑和低洼处，到高处或空旷处；被困时保存体力和手机电量，敲击物品求救。",
    "拐骗传销": "请先保证自己安全，不方便说话可以发短信到 12110 报警，写清位置。",
    "走失": "请带上近照和当天的衣着特征，不用等 24 小时，马上报警。",
    "求救": "请先到安全的地方，让身边的人帮您一起打电话。",
}


def name_numbers(numbers: Iterable[str]) -> str:
    """Emergency numbers with what each is for: "119（火警、救援）、120（急救）"."""
    return "、".join(_NAMES[number] for number in numbers)


class Watch(Protocol):
    """Who looks after the citizen, as far as it is so: whether somebody on duty was called (`called`), and the
    department and post of who has said 已收到 (`who`). Without either nobody is on duty."""

    @property
    def called(self) -> bool: ...

    @property
    def who(self) -> str | None: ...


def emergency_reply(urgency: Urgency, watch: Watch) -> str:
    """The emergency text (Simplified Chinese, several lines): numbers first, advice, place, and who knows of it."""
    return (
        f"请立即拨打 {name_numbers(urgency.numbers)}。\n"
        f"{_ADVICE[urgency.category]}\n"
        "请告诉我您在哪里（路名、门牌、楼层或附近的标志），也可以直接发送位置。\n"
        f"{_who_knows(watch)}"
    )


def _who_knows(watch: Watch) -> str:
    if watch.who is not None:
        return f"{watch.who}已收到您的求助，您接着说的都看得到。我会一直在这里。"
    if watch.called:
        return "已经呼叫值班人员，有人收到后我马上在这里告诉您。请不要只等回复，我会一直在这里。"
    return "现在没有值班人员在岗，请不要等这里的回复，马上拨打上面的电话。您的话都会记下来，我会一直在这里。"
