"""The sentence that says what a matter is about: the citizen's first one that is no command. Pure.

A command only moves the talk ("转人工", "我要投诉", "在吗", "继续", "同意", "2", a bare number): it says nothing of the
matter.

>>> first("你好，我要投诉。小区门口的路灯坏了三天，晚上很黑！没人来修。")
'小区门口的路灯坏了三天，晚上很黑'
>>> first("转人工") is None
True
"""

import re

from services.conversations import case_words, feedback, texts
from services.menus import service as menus
from services.understanding import phrases
from services.understanding.folding import bare
from services.understanding.placeholders import PLACEHOLDER

# As long as a line of a list may be.
TITLE_LIMIT = 40
CUT = "…"

_SENTENCE = re.compile(r"[^。！？!?；;\n\r]+[？?]?")
_CLAUSE = re.compile(r"\s*([^，,、：:~～\s]+)[，,、：:~～\s]+(?=\S)")
_BEFORE = (
    r"(?:请问?|麻烦|劳驾|帮我|帮忙|给我|我现在|现在|我们?|想要?|需要|要|能不能|能否|能|可不可以|可以|你们?|您|快点?|直接|"
    r"再|还是|那就?|就|先)*"
)
_CORES = (
    r"(?:转|找|接|换|叫|要|联系)?(?:一?个|到|入)?(?:人工|真人|客服|工作人员|值班员?)(?:客服|服务|坐席|台)?",
    r"有人(?:在)?|有没有人|在|在不在|喂+|哈喽|嗨+|hi+|hello|[你您]们?好+|大家好|早上好|早|上午好|中午好|下午好|晚上好|打扰",
    r"谢+|多谢|感谢|辛苦|再见|拜+|没事|没有?|有|对|不对|不是|不用|不必|不需要|不知道|好|嗯+|哦+|噢+|啊+|ok(?:ay)?|收到|知道|明白",
    r"继续|接着|下一步|上一步|返回|后退|退出|取消|算|停|停止|结束|跳过|重来|重新开始|重新来|确认|确定|提交|发送|就这些|没有了",
    r"投诉|举报|投诉举报|反映|上报|反馈|报料|爆料|建议|提?(?:一?个|点)?(?:意见|建议)|咨询|求助|求救|帮助|救命|问|说|查|查询|办事|办理?",
    r"有?(?:一?个|点|件)?急?(?:问题|事情?|情况)",
)
_AFTER = (
    r"(?:一下|一声|一个|吧|啊|呀|呢|了|吗|嘛|么|的|哈|哦|谢谢|您|你|个|点|件|问题|事情?|情况|服务|好不好|可以|行|有人|在|"
    r"回答|回复|接待|解答|处理)*"
)
_COMMAND = re.compile(f"{_BEFORE}(?:{'|'.join(_CORES)}){_AFTER}")
_CASE_NO = re.compile(r"(?:工单|编号|号|是|:|：)*gd\d{13,16}")
# What stands around an identifier when nothing else is said.
_ABOUT_NUMBERS = re.compile(
    r"我|的|是|为|叫|这个|本人|车牌|号牌|号码|号|身份证|证件|驾驶证|驾照|档案|编号|手机|电话|联系|方式|联系人|户|水费|电费|"
    r"燃气|户号|[a-z]|\W|_"
)
# Figures, dates, a code: what a form asked for.
_FIGURES = re.compile(r"[\W\d_]*|(?=.*\d)[a-z\d\W_]{1,20}")


def is_command(text: str) -> bool:
    """Whether a whole message or sentence only moves the talk."""
    if text.startswith(texts.LOCATION_TEXT):
        return True
    folded = bare(text)
    if _FIGURES.fullmatch(folded) or folded in _LISTED or _COMMAND.fullmatch(folded) or _CASE_NO.fullmatch(folded):
        return True
    if PLACEHOLDER.search(text) and not _ABOUT_NUMBERS.sub("", PLACEHOLDER.sub("", bare(text))):
        return True
    if menus.read(text) is not None:
        return True
    word = case_words.read(text)
    return word is not None and word.what in case_words.IN_FORMS


def whole(text: str) -> str:
    """A message without the commands that it begins with; empty when there is nothing else in it.

    >>> whole("你好，转人工。路灯坏了三天。一直没人修。")
    '路灯坏了三天。一直没人修。'
    """
    for found in _SENTENCE.finditer(text):
        told = _without_commands(found[0])
        if told:
            return (told + text[found.end() :]).strip()
    return ""


def first(text: str) -> str | None:
    """The first sentence of a message that is no command, without the commands that it begins with; None without one.

    At most `TITLE_LIMIT` characters.
    """
    for found in _SENTENCE.finditer(text):
        told = _without_commands(found[0])
        if told:
            return short(told, TITLE_LIMIT)
    return None


def each(text: str) -> list[str]:
    """The sentences of a message."""
    return [found[0] for found in _SENTENCE.finditer(text)]


def short(text: str, limit: int) -> str:
    """A text on one line and of at most `limit` characters; one that was cut says so."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + CUT


def _without_commands(sentence: str) -> str:
    """Empty for a sentence of commands only."""
    while True:
        clause = _CLAUSE.match(sentence)
        if clause is None or not _moves_on(clause[1]):
            break
        sentence = sentence[clause.end() :]
    told = sentence.strip().strip("，,、：:")
    return "" if not told or _moves_on(told) else told


def _moves_on(text: str) -> bool:
    word = case_words.read(text)
    return is_command(text) or feedback.typed(text) is not None or (word is not None and word.what != "add")


_LISTED = frozenset(
    bare(word)
    for word in (
        *phrases.YES,
        *phrases.NO,
        *phrases.HUMAN,
        *texts.QUICK_REPLIES,
        "附近网点",
        "水电气账单",
        "办件进度",
        texts.REPORT,
    )
)
