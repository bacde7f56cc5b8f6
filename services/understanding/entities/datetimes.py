"""Finds dates, hours and periods as citizens write them; `resolve` turns them into ISO 8601.

A mention is a run of parts from coarse to fine (year, month, day, part of day, clock). A time that
only says how often or how long ("每天晚上", "三个月了") is no date and is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.understanding.entities import latin_times
from services.understanding.entities.lunar import FESTIVALS
from services.understanding.entities.spans import Claims

_CN = "一二三四五六七八九十"
_N = rf"(?:\d{{1,2}}|[{_CN}廿两]{{1,3}})"
_N31 = (
    r"(?:(?<!\d)(?:3[01]|[12]\d|0?[1-9])(?!\d)|"
    rf"(?<![{_CN}])(?:三十一?|二?十[一二三四五六七八九]?|廿[一二三四五六七八九]?|[一二三四五六七八九]))"
)
_N24 = (
    r"(?:(?<!\d)(?:2[0-4]|1\d|0?\d)(?!\d)|"
    rf"(?<![{_CN}几第])(?:二十[一二三四]?|十[一二三四五六七八九]?|[一二两三四五六七八九]))"
)
_WEEK = "(?:周|星期|礼拜|(?<![礼崇参朝])拜(?=一(?![一二三下拜访个])|[二三四五六](?![一二三四五六拜访个])))"
_FESTIVAL = "|".join(sorted(FESTIVALS, key=len, reverse=True))
_NOT_PLACE = r"(?![东西南北中]?(?:路|街|大道|广场|大街|桥|村|小区|医院|商场|公园))"

# kind -> (rank, pattern). Parts join into one mention while their rank grows.
_PARTS: tuple[tuple[str, float, str], ...] = (
    (
        "heating",
        4,
        r"(?<!\d)(?:20)?\d\d[-~到至](?:20)?\d\d年?度?(?:采暖|供暖|供热|取暖)[季期]|"
        r"(?:上一?个?|这个?|本|去年)(?:采暖|供暖|供热|取暖)[季期]",
    ),
    ("iso", 4, r"(?<!\d)(?:19|20)\d\d[-/.](?:1[0-2]|0?[1-9])[-/.](?:3[01]|[12]\d|0?[1-9])(?!\d)"),
    ("eight", 4, r"(?<!\d)20[0-4]\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"),
    ("isomonth", 2, r"(?<!\d)(?:19|20)\d\d[-/.](?:1[0-2]|0?[1-9])(?![\d.])(?=月|[^\d]|$)"),
    ("slash", 4, r"(?<![\d/])(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])(?![\d/])"),
    (
        "offset",
        4.4,
        r"(?:的)?(?:前|后)(?:一|1)天|(?<=[节庆旦夕五明])(?:的)?(?:前|后)(?:两|二|三|[23])天|"
        r"(?:的)?第二天|(?<=[节庆旦夕五明午秋期])(?:过)?(?:以|之)?后(?:的|上班)?(?:第一|头一|首)个?(?:天|工作日)",
    ),
    (
        "span",
        4,
        rf"(?:过去|最近|近|前|这|过|未来|接下来)(?:{_N}|几|半|俩)(?:个)?(?:天|日|周|星期|礼拜|月|季度|年)(?:内|里)?|"
        r"上(?:两|二|三|几|[2-9])(?:个(?:月|季度|星期|礼拜)|周|季度|期)",
    ),
    (
        "ago",
        4,
        rf"(?<!第)(?:{_N}|半)个?(?:天|日|周|星期|礼拜|月|年|小时|钟头|(?<=个)钟|分钟)(?:之|以)?(?:后|前)(?!面|门|台|来|悔)",
    ),
    ("half", 2, r"(?:上|下)半年"),
    ("quarter", 2, r"(?:上上|上|这|本|下|当)(?:一)?个?季度|第?[一二三四1-4]季度?(?<=季度)"),
    ("period", 2, r"(?:这|上上|上|本|下|当|最近|近|最新|今|呢)(?:一)?期(?!间|待|望|货|房)"),
    ("yearpart", 2, r"年[初中底末尾](?!将)|岁末|岁尾"),
    ("yearseason", 2, r"(?<=年)(?:春|夏|秋|冬)(?:天|季)"),
    ("vague", 2, r"(?:(?<![\u4e00-\u9fff])|(?<=[想要在到约等改]))[年节][前后](?!夜)|[今去]冬(?!天)|[腊冬]月(?!初)"),
    (
        "year",
        1,
        r"(?<!\d)(?:19|20)\d\d年度?|(?<!\d)\d\d年(?=\d{1,2}月)|二[零〇一二三四五六七八九O]{3}年|"
        r"(?:今年|去年|大前年|前年|明年|后年|旧年)(?:全年|一整年|整年|同期)?|上一?年(?!级)|下一?年(?!级)|本年度?",
    ),
    (
        "monthpart",
        3,
        r"(?:这个|本|下个?|上个?)?月[初底末头尾](?!期)|(?<=月)(?:份)?(?:[初底末]|[上中下]旬|中(?=[，。,\s]|$))|(?<![\d一二三四五六七八九十个这本上下])月中(?=[，。,\s前后]|$)|(?<!月)(?<!月份)(?:本月|上月|上个月)?[上中下]旬",
    ),
    (
        "months",
        2,
        r"(?<!\d)(?:1[0-2]|0?[1-9])(?:月份?)?(?:到|至|-|~)(?:1[0-2]|0?[1-9])月份?|"
        r"[一二三四五六七八九十]{1,2}(?:到|至)[一二三四五六七八九十]{1,2}月份?|"
        r"(?:一二|二三|三四|四五|五六|六七|七八|八九)月份?(?!天|底)",
    ),
    ("relmonth", 2, r"(?:上上|下下|上|下|这|本|呢|今)一?个月(?:份)?(?!内|后|前)|上月|下月|本月|当月|[上下这]个?号头"),
    (
        "lunar",
        4,
        r"(?:农历|阴历|旧历)?(?:(?:[冬腊正]|(?<![一二三四五六七八九十])(?:十[一二]?|[二三四五六七八九]))月初[一二三四五六七八九十]|"
        r"[冬腊正]月(?:二?十[一二三四五六七八九]?|廿[一二三四五六七八九]?|三十))[号日]?|大年初[二三四五六七八九十]|"
        r"(?<![年月日号当最起高从])初(?:[四五六七八九十]|[一二三](?=[上下中后前]午|后晌|前晌|早|晚|约|那天))(?!中|级|步|班|年)",
    ),
    (
        "month",
        2,
        rf"(?:(?<!\d)(?:1[0-2]|0?[1-9])|(?<![{_CN}个几第])(?:十[一二]?|[一二三四五六七八九])|"
        rf"(?<![{_CN}])正)月(?:份)?(?!饼|亮|光|子|嫂|租|票|供|薪|结|卡|经|息)",
    ),
    (
        "day",
        4,
        rf"(?<!\d)(?:[二三]?十几|二十来|[12]\d几)[号日]|{_N31}[号日](?!线|楼|栋|门|院|机|路|店|馆|厅|窗|口|桥|码|房|地|常|夜|元|套|车|库|井|塔|"
        rf"台|球|台|桩|哨)(?:当天|当日)?|"
        r"(?<=月)(?:三十一?|二?十[一二三四五六七八九]|二十|廿[一二三四五六七八九])(?![一二三四五六七八九十个天多几月块元人号日点年件户])",
    ),
    (
        "relday",
        4,
        r"明后(?:两)?天|大*前天|大*后天(?!性)|昨天|今天|明天|今日|明日|昨日|前日|后日(?!本)|听日|"
        r"琴日|寻日|噚日|(?:今|明|昨)儿(?:个|天)?|(?<!证)(?:今|明|昨)个儿|后儿个?|(?<![跟目眼面])前儿个?|夜儿个|"
        r"今仔日|明仔[载日]|昨昏|今晡日|天光日|昨晡日|明朝(?!代|皇|历史|的|时期|那些)",
    ),
    (
        "relpart",
        4.5,
        r"(?:今|明|昨|听|琴|前|后)(?:早|晚|晨|夜)(?!餐|饭|点|会|婚|上|间|期)(?:上)?|(?:今|明|"
        r"昨)(?:早|晚|晨|夜)上|今朝|听朝",
    ),
    (
        "weekday",
        4,
        rf"(?:(?:上上|下下|上|下|这|本|今|呢)(?:一)?个?)?{_WEEK}[一二三四五六日天末1-7](?!次|岁|天|年|个|共|期|到\d)",
    ),
    ("weekend", 4, r"(?:(?:上上|下下|上|下|这|本)(?:一)?个?)?周末"),
    ("week", 4, rf"(?:上上|下下|上|下|这|本)(?:一)?个?{_WEEK}(?![一二三四五六日天末围边])"),
    (
        "festival",
        4,
        rf"(?:{_FESTIVAL}|十一(?=假期|黄金周|长假|期间|前后?|后)|寒假|"
        rf"暑假)(?:节)?{_NOT_PLACE}(?:黄金周|长假|假期|放假|期间|当天|当日)*",
    ),
    (
        "part",
        5,
        r"凌晨|清晨|清早|大清早|早上|早晨|上午|中午|正午|午后|下午|傍晚|晚上|夜里|夜晚|半夜|深夜|"
        r"朝早|朝头早|朝早|上昼|下昼|晏昼|晚黑|早间|晚间|一大?早(?!就|上)|大早上|前半?晌|头晌|后半?晌|过晌|晌午|下晡|"
        r"顶晡|暗时|上半[天日]|下半[天日]|擦黑|傍黑|夜头|(?<![最提赶])[早晚](?=(?:\d{1,2}|[六七八九十]{1,2})[点:])",
    ),
    (
        "clock",
        6,
        rf"(?<![\d.])(?:[01]?\d|2[0-4]):[0-5]\d(?!\d)|{_N24}点(?:钟|整|半|一刻|三刻|过(?=\d)|"
        rf"[零{_CN}\d]{{1,3}}分|[0-5]\d|[{_CN}]{{2,3}}|零?五)?(?:钟)?多?(?:左右)?(?<!左右)(?![\d.%]|"
        rf"几)|{_N24}时(?:[零{_CN}\d]{{1,3}}分|半|整)?(?!候|间|段|常|代|限|效|刻|不)",
    ),
    ("latin", 4, latin_times.PATTERN),
    ("now", 7, r"(?<=[到至])(?:现在|目前|今(?![天日年早晚晨朝儿]))"),
)
_MASTER = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, _, pattern in _PARTS))
_RANK = {kind: rank for kind, rank, _ in _PARTS}
_JOIN = re.compile(r"[\s,的]?|的?\s")
_RANGE = re.compile(r"\s*(?:到|至|-|~|—|--|——|～)\s*")
_RECURRING = re.compile(
    r"(?:每|每个|每到|天天|经常|一到|整|逢|从早到|每年|每月|每周|每天|每日|每晚|每逢|日日|成日)(?:的|都|在)?$"
)
_ELAPSED = re.compile(r"(?:等|排|拖|搞|闹|吵|忙|干|施工|营业|持续|响|唱|跳|一直)到(?:了)?$|直到$")
_BOOKING = re.compile(r"约|号|有空|名额|改到|换成|换到|取消|可以吗|行吗|行不|得唔得|好吗|^就|吧$|来得及")
_SMALL_TALK = re.compile(
    r"(?:你|我|的)?(?:天气)?(?:(?:可?真|好|太|这么)(?:冷|热|好|累|开心|高兴|暖和|舒服|无聊|烦)|天气|心情|愉快|快乐|会?不?会?下[雨雪]|"
    r"会?[冷热]不[冷热]|[是]?(?:几号|几月|星期几|周几|礼拜几|什么日子|啥日子)|过得|吃(?:什么|啥|了))"
)
_GREETING = re.compile(r"[好安](?![吗嘛么])")
_AGE = re.compile(r"(?:都|才|刚|已经)?(?:\d+|[一二三四五六七八九十]+)岁|(?:多大|几岁)")
_COUNTED = re.compile(r"\s*(?:建议|意见|要求|问题|原因|希望|诉求|疑问|想法|理由|半?水|也不)")


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a mention: its kind (a key of the grammar) and its folded text."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A found time expression; `until` holds the parts behind a range word ("到", "-")."""

    start: int
    end: int
    parts: tuple[Part, ...]
    until: tuple[Part, ...] = ()


def _runs(text: str) -> list[list[Part]]:
    runs: list[list[Part]] = []
    for match in _MASTER.finditer(text):
        kind = match.lastgroup
        if kind is None or not match.group():
            continue
        part = Part(kind, match.group(), match.start(), match.end())
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and _RANK[kind] > _RANK[last.kind]
            and _JOIN.fullmatch(text[last.end : part.start])
            and not (kind == "clock" and part.text.startswith("一点") and last.kind not in {"part", "relpart"})
        ):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _acceptable(run: list[Part], text: str, *, alone: bool, asked: bool) -> bool:
    first, last = run[0], run[-1]
    before, after = text[: first.start], text[last.end :]
    if _RECURRING.search(before[-6:]) or (last.kind == "clock" and _COUNTED.match(after)):
        return False
    kinds = {part.kind for part in run}
    if kinds <= {"offset", "now"}:
        return False
    if asked:
        return True
    if kinds == {"clock"}:
        word = first.text
        if re.search(r"[有快早晚差几这那哪多少大小近远高低好]$", before) and not word[0].isdigit():
            return False
        if word.startswith("一点") and not re.search(r"[约在到]$|下午$", before):
            return False
        if _ELAPSED.search(before[-6:]):
            return False
        return "时" not in word or ":" in word
    if kinds <= {"relday", "weekday", "weekend", "relpart", "part"} and _SMALL_TALK.match(after):
        return False
    if kinds == {"year"} and _AGE.match(after):
        return False
    if kinds == {"part"} and first.text in {"前晌", "后晌"}:
        return True
    if kinds == {"part"}:
        if _GREETING.match(after):
            return False
        return alone and (len(text) <= 4 or (len(text) <= 40 and _BOOKING.search(text) is not None))
    if kinds == {"slash"}:
        clause = re.search(r"(?:^|[\s，,。;；])$", before) and re.match(r"那天|当天|[\s，,。;；]|$", after)
        return clause is not None or re.search(r"约|号|日|截至|从", text) is not None
    return not (kinds == {"ago"} and re.search(r"[每了]$", before))


def find_mentions(text: str, *, asked: bool = False) -> list[Mention]:
    """All time expressions of a folded text, left to right, ranges joined.

    asked: a form wants a time, so an hour or "下午" on its own is one.
    """
    runs = _runs(text)
    mentions: list[Mention] = []
    index = 0
    while index < len(runs):
        run = runs[index]
        following = runs[index + 1] if index + 1 < len(runs) else None
        joined = following is not None and _RANGE.fullmatch(text[run[-1].end : following[0].start]) is not None
        if _acceptable(run, text, alone=not joined, asked=asked):
            if joined and following is not None:
                mentions.append(Mention(run[0].start, following[-1].end, tuple(run), tuple(following)))
                index += 2
                continue
            mentions.append(Mention(run[0].start, run[-1].end, tuple(run)))
        elif joined:
            index += 1
        index += 1
    return mentions


def find_datetimes(claims: Claims, *, asked: bool = False) -> list[Mention]:
    """Claim the time expressions of a message; returns the mentions that were claimed."""
    claimed = []
    for mention in find_mentions(claims.masked(), asked=asked):
        value = claims.folded[mention.start : mention.end]
        if claims.claim("datetime", mention.start, mention.end, value.replace(" ", "")):
            claimed.append(mention)
    return claimed
