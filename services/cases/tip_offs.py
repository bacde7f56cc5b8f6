"""Which tip-offs must be kept from everybody but named people (DESIGN, Systems to match: 廉洁广州, 中央纪委).

"举报" is said of a noisy neighbour as well; closed to all but named people, such a case would wait for an answer that
nobody may give. Confidential is what tells of people in office or of crimes whose witness is in danger, and what its
writer asks to be kept secret.
"""

import re

_OFFICE = re.compile(
    r"贪污|受贿|行贿|索贿|贿赂|好处费|回扣|吃拿卡要|公款|公车私用|滥用职权|以权谋私|权钱"
    r"|徇私|优亲厚友|玩忽职守|渎职|包庇|保护伞"
    r"|挪用|冒领|截留|套取|虚报|侵吞|买官|巨额财产|吃空饷|违规吃喝"
    r"|(?:书记|主任|局长|处长|科长|所长|院长|校长|领导|干部|公务员|民警|法官|检察官|城管|工作人员|办事员).{0,12}"
    r"(?:收.{0,8}(?:钱|红包|礼)|要.{0,3}(?:钱|红包|好处)|好处费|占为己有|捞|勾结)"
)
_DANGEROUS = re.compile(
    r"黑恶|涉黑|黑社会|恶势力|贩毒|吸毒|制毒|毒品|赌场|赌博窝点|卖淫|偷税|逃税|漏税|骗保|骗取医保|走私|间谍"
)
_ASKED = re.compile(
    r"匿名|保密|(?:不要|别|不能|勿).{0,4}(?:透露|泄露|公开|说是我|暴露)|怕.{0,4}报复|打击报复|保护举报人"
)


def is_confidential(text: str) -> bool:
    """Whether a tip-off in these words is for named people only.

    >>> is_confidential("举报某局科长收红包"), is_confidential("举报楼下烧烤店噪音扰民")
    (True, False)
    """
    return any(pattern.search(text) for pattern in (_OFFICE, _DANGEROUS, _ASKED))


_REPORTS = re.compile(r"举报|检举|揭发|告发|控告|实名反映|匿名反映")
# Who asks how one reports, or what becomes of it, reports nothing yet.
_ASKS = re.compile(
    r"(?:怎么|怎样|如何|哪里|哪儿|哪个|什么|能不能|能否|是否|可不可以|可以).{0,12}(?:举报|检举|揭发|告发|控告|反映)"
    r"|(?:举报|检举|揭发|告发|控告|反映)[^，。；！]{0,8}(?:电话|渠道|方式|流程|途径|奖励|奖金|邮箱|平台|网站|热线|材料|怎么|如何|吗)"
    r"|(?:怎么|怎样|如何|什么|多久|几年|哪里|吗|么|是不是|算不算)[^，。；！]{0,10}[?？]?\s*$"
)
_LONGEST_QUESTION = 40


def is_tip_off(text: str, *, telling: bool) -> bool:
    """Whether somebody reports, in these very words, what is for named people only. Pure, so that it can be asked when
    a message arrives, before anybody reads it.

    `telling`: the words go to people anyway (into an open case, to a clerk, as the answer to a form's question); there
    an accusation needs no "举报" to be one. A short question about reporting is none.

    >>> is_tip_off("我要举报科长收红包", telling=False), is_tip_off("村支书贪污低保款", telling=True)
    (True, True)
    >>> is_tip_off("怎么举报干部贪污", telling=True), is_tip_off("请尽快修好路灯", telling=True)
    (False, False)
    """
    if len(text) <= _LONGEST_QUESTION and _ASKS.search(text):
        return False
    if _REPORTS.search(text):
        return is_confidential(text)
    return telling and bool(_OFFICE.search(text) or _DANGEROUS.search(text))
