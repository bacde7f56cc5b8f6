"""Which general questions are "hard pairs": they sound like a service that the citizen could have asked for.

"违章多久能处理" asks how something works; "我的违章处理了吗" wants a lookup. Evaluation rows carry no such mark, so the
definition is a rule over the text: a row of route `faq` whose words name what a lookup, a booking, a place, a
person, a complaint or danger is asked for with (`SERVICE_WORDS`). Nothing that the dialogue decided takes part.
"""

from __future__ import annotations

import re
from typing import Final

from services.understanding.folding import fold

SERVICE_WORDS: Final = {
    "query_violation": r"违章|违法|违规|违停|罚单|罚款|扣分|扣几分|记分|几分|驾照分|闯红灯|超速",
    "book_appointment": r"预约|约号|取号|放号|挂号|号源|约了|改期|爽约",
    "query_bill": r"[水电气]费|燃气费|暖气费|取暖费|供暖费|户号|账单|欠费|缴费|交费",
    "query_progress": r"进度|受理号|受理编号|办件|工单|审核|审批|办结|批下来",
    "nearby_service": r"附近|最近的|就近|网点|离我",
    "human": r"人工|客服|真人",
    "complaint": r"投诉|举报|建议|反映",
    "urgent": r"着火|火灾|起火|煤气|燃气泄漏|漏气|溺水|触电|走失|走丢|报警|119|110|120|急救|自杀|家暴|中毒|救护车",
}
"""Route that a general question may be mistaken for -> words (patterns on Simplified text) that lead there."""

_WORDS: Final = re.compile("|".join(SERVICE_WORDS.values()))


def is_hard_pair(text: str, route: str) -> bool:
    """True for a general question that carries the words of another route.

    >>> is_hard_pair("违章多久能处理", "faq"), is_hard_pair("查违章", "query_violation")
    (True, False)
    """
    return route == "faq" and _WORDS.search(fold(text)) is not None
