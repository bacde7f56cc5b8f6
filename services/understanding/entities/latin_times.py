"""Times in Latin letters: English ("next Monday", "tomorrow morning") and pinyin ("xia zhou wu", "6yue18").

`PATTERN` finds one in a folded text (upper case); `translate` gives its Chinese words, which the rest understands.
"""

from __future__ import annotations

import re

_WEEKDAYS = {
    "MONDAY": "一", "TUESDAY": "二", "WEDNESDAY": "三", "THURSDAY": "四", "FRIDAY": "五", "SATURDAY": "六",
    "SUNDAY": "日",
}  # fmt: skip
_MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER",
    "DECEMBER",
)  # fmt: skip
_WORDS = {
    "THE DAY AFTER TOMORROW": "后天", "DAY AFTER TOMORROW": "后天", "TOMORROW": "明天", "TODAY": "今天",
    "TONIGHT": "今晚", "YESTERDAY": "昨天", "NEXT": "下个", "THIS": "这个", "LAST": "上个", "WEEKEND": "周末",
    "WEEK": "星期", "MONTH": "月", "MORNING": "上午", "AFTERNOON": "下午", "EVENING": "晚上", "NIGHT": "晚上",
    "NOON": "中午",
}  # fmt: skip
_SYLLABLES = {
    "XIA": "下", "SHANG": "上", "ZHE": "这", "BEN": "本", "ZHOU": "周", "XINGQI": "星期", "LIBAI": "礼拜", "YI": "一",
    "ER": "二", "SAN": "三", "SI": "四", "WU": "五", "LIU": "六", "RI": "日", "TIAN": "天", "MING": "明", "HOU": "后",
    "JIN": "今", "ZUO": "昨", "QIAN": "前", "ZAO": "早", "WAN": "晚", "YUE": "月", "HAO": "号", "GE": "个",
}  # fmt: skip
_HALF = r"(?:SHANG|XIA) ?WU|(?:ZAO|WAN) ?SHANG"
_PINYIN = (
    r"(?:(?:XIA|SHANG|ZHE|BEN) ?(?:GE ?)?)?(?:ZHOU|XINGQI|LIBAI) ?(?:YI|ER|SAN|SI|WU|LIU|RI|TIAN)"
    rf"(?: ?(?:{_HALF}))?|(?:MING|HOU|JIN|ZUO|QIAN) ?TIAN(?: ?(?:{_HALF}))?|"
    r"(?:XIA|SHANG|ZHE|BEN) ?(?:GE ?)?(?:ZHOU|YUE)|\d{1,2} ?YUE ?\d{1,2}(?: ?(?:HAO|RI))?|\d{1,2} ?YUE|\d{1,2} ?HAO"
)
_DAY = "|".join(_WEEKDAYS)
_CLOCK = r"(?P<hour>1[0-2]|0?[1-9])(?::(?P<minute>[0-5]\d))? ?(?P<half>[AP])M"
_PART = rf"(?: (?:MORNING|AFTERNOON|EVENING|NIGHT|NOON))?(?: (?:AT )?{re.sub('[?]P<[a-z]+>', '?:', _CLOCK)})?"
_ENGLISH = (
    rf"(?:(?:NEXT|THIS|LAST) )?(?:{_DAY}){_PART}|(?:NEXT|THIS|LAST) (?:WEEKEND|WEEK|MONTH)|"
    rf"(?:(?:THE )?DAY AFTER TOMORROW|TOMORROW|TODAY|YESTERDAY){_PART}|TONIGHT|THIS (?:MORNING|AFTERNOON|EVENING)|"
    rf"(?:{'|'.join(month for month in _MONTHS if month not in {'MAY', 'MARCH'})}|(?:MAY|MARCH)(?= \d))"
    r"(?: \d{1,2}(?:ST|ND|RD|TH)?)?"
)
PATTERN = rf"(?<![A-Z\d])(?:{_ENGLISH}|{_PINYIN})(?![A-Z])"
_TOKEN = re.compile(
    "|".join(sorted([*_WORDS, *_WEEKDAYS, *_MONTHS, *_SYLLABLES], key=len, reverse=True)) + r"|\d+|[A-Z ]"
)


def translate(folded: str) -> str:
    """The Chinese words of a found time.

    >>> translate("NEXT MONDAY 9AM"), translate("TOMORROW MORNING"), translate("6YUE18")
    ('下个星期一上午9点', '明天上午', '6月18号')
    """
    clock = re.search(rf" (?:AT )?{_CLOCK}$", folded)
    if clock:
        half = "上午" if clock["half"] == "A" else "下午"
        day = re.sub("上午|下午|晚上|中午", "", translate(folded[: clock.start()]))
        return f"{day}{half}{clock['hour']}点" + (f"{clock['minute']}分" if clock["minute"] else "")
    month = re.fullmatch(rf"({'|'.join(_MONTHS)})(?: (\d+).*)?", folded)
    if month:
        return f"{_MONTHS.index(month[1]) + 1}月" + (f"{month[2]}号" if month[2] else "")
    words = []
    for token in _TOKEN.findall(folded):
        if token in _WEEKDAYS:
            words.append(f"星期{_WEEKDAYS[token]}")
        else:
            words.append(_WORDS.get(token) or _SYLLABLES.get(token) or (token if token.isdigit() else ""))
    text = "".join(words).replace("这个今", "今").replace("这个上午", "今天上午").replace("这个下午", "今天下午")
    text = text.replace("这个晚上", "今天晚上").replace("上五", "上午").replace("下五", "下午")
    return re.sub(r"月(\d+)(?!\d|号|日)", r"月\1号", text)
