"""Questions that only say the rest: after an answer, "那需要什么材料呢" is about what was answered. Pure."""

import re

LONGEST = 16
_ASKED = re.compile(
    r"什么材料|哪些材料|材料|什么证件|哪些证件|证件|什么手续|手续|流程|步骤|什么条件|条件|费用|多少钱|收费|收不收钱|要钱|免费|"
    r"多久|几天|多长时间|多少天|什么时候|在哪里?|去哪里?|到哪里?|哪里|哪儿|地点|地址|电话|网上|线上|手机上|代办|别人|"
    r"上班|下班|周末|期限|有效期|入口|带什么|准备什么|提前|本人|加急"
)
_SMALL = re.compile(
    r"那么|那|请问|请|这个|这|它|还|也|可以|可不可以|能不能|能|要不要|需要|需|要|得|必须|必要|应该|一定|是不是|是|的|了|呢|啊|呀|吗|嘛|么|"
    r"办理?|弄|做|申请|提交|交|领|拿|取|查|去|到|带|准备|拿到|出来|完|好|下来|我|让|帮|替|亲自|自己|什么|怎么|哪些|些|开门|处理|有|没有|具体|一般|大概|提前|吧|几点|[，,。.？?！!\s]"
)


def continues(text: str) -> bool:
    """Whether a message asks about a topic without naming one.

    >>> continues("那需要什么材料呢"), continues("护照需要什么材料")
    (True, False)
    """
    plain = text.strip()
    if len(plain) > LONGEST or not _ASKED.search(plain):
        return False
    return not _SMALL.sub("", _ASKED.sub("", plain))
