"""Service names ("社保卡换卡", "结婚登记"): lexicon with joined actions, only where one is asked for.

A service is an entity when the citizen books, looks for a place or follows an application. In a
complaint or a bill question the same words are topic, not slot.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from services.conversations.extraction.spans import Claims

_BEFORE = r"(?:换领|补领|申领|补办|补换|新办|首次申领|异地|临时|电子)?"
_AFTER = (
    r"(?:首次申领|到期换证|遗失补办|期满换证|换发|换领|换证|换卡|换本|补办|补换领|补换|补卡|补证|补领|申领|"
    r"续签|续期|签注|加注|登记|年审|年检|审验|过户|上牌|挂失|激活|转移|转入|转出|迁入|迁出|迁移|注销|变更|"
    r"认证|报名|备案|提取|报销|签发|开户|销户|考试|补贴|申请(?=[，,。!？?\s]|$)){0,2}"
)
_CONTEXT = re.compile(
    r"约|挂.{0,6}号|的号|个号|有号|放号|号源|名额|占.{0,3}位|空位|有位|排期|改期|取消|档期|改到|换到|时段|"
    r"附近|最近|就近|近点|哪里有|哪儿有|哪有|边度|边个|周边|怎么走|去哪|在哪|几远|网点|大厅|窗口|自助机|"
    r"进度|办到|走到哪|到哪|排到|轮到|公示|下来|批了|批没|审批|审核|初审|复审|办好|办完|办结|办理情况|制证|"
    r"好了没|好了吗|弄好|出来没|出来了|出证|到账|发了没|可以领|能领|能取|寄出|寄到|寄了|通过|"
    r"受理|结果|下文|状态|跟进|"
    r"^(?:我?[想要])?(?:去)?办(?!法)|(?:我|俺|给.{1,6})(?:想|要|来|去)办|预YUE|预月"
)
# Words of a grievance or of a lookup on fines: there a service name is only what the talk is about.
_ELSEWHERE = re.compile(
    r"投诉|举报|态度|效率|没人管|乱收|黄牛|退钱|跑路|太差|推诿|踢皮球|违章|违法|罚|扣分|几分|"
    r"的分"
)
_GENERAL = re.compile(
    r"吗.*什么|怎么|如何|什么|多久|多少|条件|材料|流程|政策|规定|电费|水费|气费|账单|为什么|没人|还没"
)
_ONLY = re.compile(r"(?:我?[想要]?(?:办|办理|是|就)?)?[的吧呀啊。.!~\s]*")
_OFFICE = re.compile(r"(?:管理|服务)?(?:分?局|所|厅(?!级)|科|站)(?!有)")
_BOOKING = re.compile(r"约(?!谈)|挂.{0,6}号|进度|办到|排到|公示|审核|审批|下来没|下来了")


@cache
def _pattern() -> re.Pattern[str]:
    lines = resources.files(__package__).joinpath("data/services.txt").read_text("utf-8").splitlines()
    names = sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")}, key=len, reverse=True)
    return re.compile(_BEFORE + "(?:" + "|".join(map(re.escape, names)) + ")" + _AFTER)


def find_services(claims: Claims, *, asked: bool = False) -> None:
    """Claim service names when the message books, looks for a place or asks for progress.

    asked: a form wants the service. A short message with a day or an hour books, too, and one that is
    nothing but a service name names it.
    """
    text = claims.folded
    if _ELSEWHERE.search(text) and not _BOOKING.search(text):
        return
    booked = claims.has("datetime") and len(text) <= 30 and not _GENERAL.search(text)
    if not (asked or booked or _CONTEXT.search(text) or _ONLY.fullmatch(_pattern().sub("", text, count=1))):
        return
    for match in _pattern().finditer(claims.masked()):
        # "身份证440..." is the label of a number, not a service
        if match.group() in {"身份证", "驾驶证", "驾照", "档案", "社保卡", "护照"} and _labels_number(
            claims, match.end()
        ):
            continue
        # "税务局" is where one goes, not what one wants done there
        if _OFFICE.match(text, match.end()):
            continue
        claims.claim("service", match.start(), match.end(), text[match.start() : match.end()])


def is_service_name(folded: str) -> bool:
    """True when the whole of a folded text is the name of a service ("年审", "护照换发")."""
    return _pattern().fullmatch(folded) is not None


def _labels_number(claims: Claims, end: int) -> bool:
    gap = re.match(r"[号码编是为:\s]*", claims.folded[end:])
    after = end + (gap.end() if gap else 0)
    return after < len(claims.text) and not claims.free(after, after + 1)
