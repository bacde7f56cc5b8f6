"""Which tip-offs must be kept from everybody but named people (DESIGN, Systems to match: 廉洁广州, 中央纪委).

"举报" is said of a noisy neighbour as well; closed to all but named people, such a case would wait for an answer that
nobody may give. Confidential is what tells of people in office or of crimes whose witness is in danger, and what its
writer asks to be kept secret.
"""

import re

_OFFICE = re.compile(
    r"贪污|受贿|行贿|索贿|贿赂|回扣|吃拿卡要|公款|公车私用|滥用职权|以权谋私|权钱"
    r"|徇私|优亲厚友|玩忽职守|渎职|包庇|保护伞"
    r"|挪用|冒领|截留|套取|虚报|侵吞|买官|巨额财产|吃空饷|违规吃喝"
    r"|(?:书记|主任|局长|处长|科长|所长|院长|校长|领导|干部|公务员|民警|法官|检察官|城管|工作人员|办事员).{0,12}"
    r"(?:收.{0,4}(?:钱|红包|礼)|要.{0,3}(?:钱|红包|好处)|好处费|占为己有|捞|勾结)"
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
