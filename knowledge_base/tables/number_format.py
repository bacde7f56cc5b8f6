"""Numbers and dates of a workbook as its reader sees them.

ECMA-376 part 1, 18.8.30 and 18.8.31 (number formats), as far as tables use them: digits, thousands, percent, powers of
ten, literals, sections with their conditions, dates, times and elapsed times. Dates that follow the system's language
are written as a Chinese system writes them.

show(Decimal("7"), "000")                  # "007"
show(Decimal("0.125"), "0.0%")             # "12.5%"
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

from knowledge_base.tables.days import EPOCH

EPOCH_1904 = datetime(1904, 1, 1)
GENERAL = "General"
# Those without a code in the file; 14 and 22 follow the system's language, 27 to 58 are those of Chinese systems.
BUILTIN = {
    0: GENERAL, 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    14: "yyyy/m/d", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy/m/d h:mm", 27: 'yyyy"年"m"月"', 28: 'm"月"d"日"', 29: 'm"月"d"日"', 30: "m-d-yy",
    31: 'yyyy"年"m"月"d"日"', 32: 'h"时"mm"分"', 33: 'h"时"mm"分"ss"秒"', 36: 'yyyy"年"m"月"', 37: "#,##0;-#,##0",
    38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0", 49: "@", 50: 'yyyy"年"m"月"', 51: 'm"月"d"日"', 52: 'yyyy"年"m"月"', 53: 'm"月"d"日"',
    54: 'm"月"d"日"', 57: 'yyyy"年"m"月"', 58: 'm"月"d"日"',
}  # fmt: skip
LONGEST_CODE = 255  # a limit of the format
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*)\]|(?P<meridiem>AM/PM|A/P|上午/下午)'
    r"|(?P<general>General|G/通用格式)|(?P<power>E[+-](?=[0#?]))|(?P<second>s+\.0+|s+)|(?P<date>y+|m+|d+|h+|e+|aaaa?)"
    r"|(?P<digit>[0#?])|(?P<mark>[.,%])|(?P<text>@)|(?P<slash>/)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)")
_COMPARE: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_COLOUR = re.compile(r"(?:black|blue|cyan|green|magenta|red|white|yellow|color ?\d+|颜色\d+)", re.IGNORECASE)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHINESE_DAYS = "一二三四五六日"

Token = tuple[str, str]


def show(value: Decimal, code: str, epoch: datetime = EPOCH) -> str | None:
    """`value` under the format `code`; None where the format says something that this module does not know."""
    if len(code) > LONGEST_CODE:
        return None
    sections = _sections(code)
    if sections is None:
        return None
    tokens, sign = _section_for(value, sections)
    kinds = {kind for kind, _ in tokens}
    if "unknown" in kinds or not tokens:
        return None if tokens else ""
    if kinds & {"date", "second", "elapsed", "meridiem"}:
        return None if value < 0 else _date(value, tokens, epoch)
    shown = _number(abs(value), tokens)
    return None if shown is None else sign + shown


@lru_cache(maxsize=512)
def is_date(code: str) -> bool:
    """Whether the format shows a day: a number under it is one."""
    sections = _sections(code) if len(code) <= LONGEST_CODE else None
    tokens = sections[0][1] if sections else ()
    return any(kind == "date" and text[0].lower() in "yde" for kind, text in tokens)


def general(value: Decimal) -> str:
    """A number without a format: all its digits, never a power of ten."""
    return format(value.normalize(), "f") if value else "0"


Condition = tuple[str, Decimal] | None


@lru_cache(maxsize=512)
def _sections(code: str) -> tuple[tuple[Condition, tuple[Token, ...]], ...] | None:
    sections: list[tuple[Condition, tuple[Token, ...]]] = []
    tokens: list[Token] = []
    condition: Condition = None
    for found in _TOKEN.finditer(code):
        kind = found.lastgroup or "space"
        text = found[kind] if found.lastgroup else ""
        if kind == "other" and text == ";":
            sections.append((condition, tuple(tokens)))
            tokens, condition = [], None
        elif kind == "bracket":
            compared = _CONDITION.fullmatch(text.strip())
            if compared is not None:
                condition = (compared[1], Decimal(compared[2]))
            elif _ELAPSED.fullmatch(text):
                tokens.append(("elapsed", text.lower()))
            elif text.startswith("$"):
                tokens.append(("literal", text[1:].partition("-")[0]))
            elif not _COLOUR.fullmatch(text.strip()):
                tokens.append(("unknown", text))
        elif kind in ("quoted", "escaped"):
            tokens.append(("literal", text))
        elif kind == "other":
            tokens.append(("unknown" if text == '"' else "literal", text))
        elif kind != "space":
            tokens.append((kind, text))
    sections.append((condition, tuple(tokens)))
    return tuple(sections)


def _section_for(
    value: Decimal, sections: Sequence[tuple[Condition, tuple[Token, ...]]]
) -> tuple[tuple[Token, ...], str]:
    """The tokens that a number is shown with, and the sign before it."""
    minus = "-" if value < 0 else ""
    if any(condition for condition, _ in sections):
        for condition, tokens in sections:
            if condition is None or _COMPARE[condition[0]](value, condition[1]):
                return tokens, minus
        return (("unknown", ""),), ""
    numeric = [tokens for _, tokens in sections][:3]
    if len(numeric) == 1 or value > 0:
        return numeric[0], minus
    if value < 0:
        return numeric[1], ""
    return numeric[2] if len(numeric) == 3 else numeric[0], ""


def _number(value: Decimal, tokens: Sequence[Token]) -> str | None:
    """A number that is not negative."""
    places = [index for index, (kind, _) in enumerate(tokens) if kind == "digit"]
    if not places:
        return "".join(general(value) if kind in ("general", "text") else text for kind, text in tokens)
    first, last = places[0], places[-1]
    inside = tokens[first : last + 1]
    if any(kind in ("slash", "general") for kind, _ in inside):
        return None
    point = next((i for i, token in enumerate(tokens) if token == ("mark", ".")), None)
    whole_end = point if point is not None else len(tokens)
    power = next((i for i, (kind, _) in enumerate(tokens) if kind == "power"), None)
    if power is not None:
        return _scientific(value, tokens, whole_end, power)
    value *= Decimal(100) ** sum(token == ("mark", "%") for token in tokens)
    whole_places = [i for i in places if i < whole_end]
    scaled_from = whole_places[-1] if whole_places else -1
    thousands = any(token == ("mark", ",") and i < scaled_from for i, token in enumerate(tokens[:whole_end]))
    scale = _commas_from(tokens, scaled_from + 1) + (_commas_from(tokens, last + 1) if last != scaled_from else 0)
    decimals = [i for i in places if i > whole_end]
    value = _rounded(value / Decimal(1000) ** scale, len(decimals))
    whole, _, fraction = format(value, "f").partition(".")
    shown_fraction = iter(_trimmed(fraction, [tokens[i][1] for i in decimals]))
    shown: list[str] = []
    digits = _filled("" if whole == "0" else whole, tokens, whole_places, thousands=thousands)
    for index, (kind, text) in enumerate(tokens):
        if index in digits:
            shown.append(digits[index])
        elif kind == "digit":
            shown.append(next(shown_fraction))
        elif (kind, text) != ("mark", ","):
            shown.append(text)
    return "".join(shown)


def _commas_from(tokens: Sequence[Token], start: int) -> int:
    """How many commas stand there: after the digits each divides by a thousand."""
    count = 0
    while tokens[start + count : start + count + 1] == (("mark", ","),):
        count += 1
    return count


def _filled(whole: str, tokens: Sequence[Token], places: Sequence[int], *, thousands: bool) -> dict[int, str]:
    """The digits under each place before the point, right to left; the leftmost takes all that remain."""
    shown: dict[int, str] = {}
    left, done = whole, 0
    for index in reversed(places):
        taken = left if index == places[0] else left[-1:]
        left = left[: len(left) - len(taken)]
        if not taken and tokens[index][1] == "0":
            taken = "0"
        grouped = ""
        for digit in reversed(taken):
            grouped = digit + ("," if thousands and done and done % 3 == 0 else "") + grouped
            done += 1
        shown[index] = grouped
    return shown


def _trimmed(fraction: str, places: Sequence[str]) -> list[str]:
    """The decimals under each place; `#` and `?` at the end show no zero."""
    digits = list(fraction.ljust(len(places), "0"))
    for index in range(len(places) - 1, -1, -1):
        if places[index] == "0" or digits[index] != "0":
            break
        digits[index] = ""
    return digits


def _rounded(value: Decimal, decimals: int) -> Decimal:
    try:
        return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    except InvalidOperation:
        return value


def _scientific(value: Decimal, tokens: Sequence[Token], whole_end: int, power: int) -> str | None:
    places = [i for i, (kind, _) in enumerate(tokens) if kind == "digit"]
    if sum(i < min(whole_end, power) for i in places) != 1:
        return None
    decimals = sum(whole_end < i < power for i in places)
    exponent = value.adjusted() if value else 0
    mantissa = _rounded(value.scaleb(-exponent), decimals)
    if mantissa >= 10:
        exponent, mantissa = exponent + 1, _rounded(mantissa / 10, decimals)
    sign = "-" if exponent < 0 else "+" if tokens[power][1][1] == "+" else ""
    width = sum(i > power for i in places)
    return f"{format(mantissa, 'f')}E{sign}{abs(exponent):0{width}d}"


def _date(value: Decimal, tokens: Sequence[Token], epoch: datetime) -> str | None:
    decimals = max((len(text.partition(".")[2]) for kind, text in tokens if kind == "second"), default=0)
    quantum = Decimal(1).scaleb(-min(decimals, 3))
    seconds = (value * 86_400).quantize(quantum, ROUND_HALF_UP)
    try:
        moment = epoch + timedelta(seconds=float(seconds))
    except OverflowError:
        return None
    # The calendar of 1900 has a 29th of February that never was (ECMA-376 part 1, 18.17.4.1).
    if epoch == EPOCH and value < 61 and any(kind == "date" and text[0] not in "hHmM" for kind, text in tokens):
        return None
    halves = any(kind == "meridiem" for kind, _ in tokens)
    shown: list[str] = []
    for index, (kind, text) in enumerate(tokens):
        if kind == "date":
            is_minute = text[0] in "mM" and len(text) <= 2 and _beside_time(tokens, index)
            shown.append(f"{moment.minute:0{len(text)}d}" if is_minute else _part(moment, text.lower(), halves))
        elif kind == "second":
            whole, _, fraction = text.partition(".")
            part = f"{moment.second:0{min(len(whole), 2)}d}"
            shown.append(part + (f".{moment.microsecond:06d}"[: len(fraction) + 1] if fraction else ""))
        elif kind == "elapsed":
            unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
            shown.append(f"{int(seconds) // unit:0{len(text)}d}")
        elif kind == "meridiem":
            names = text.split("/")
            shown.append(names[moment.hour >= 12])
        elif kind in ("digit", "general", "text", "power"):
            return None
        else:
            shown.append(text)
    return "".join(shown)


def _beside_time(tokens: Sequence[Token], index: int) -> bool:
    """Whether an m stands for minutes: after an hour, or before seconds (ECMA-376 part 1, 18.8.31)."""
    timely = {"date", "second", "elapsed"}
    before = next((token for token in reversed(tokens[:index]) if token[0] in timely), ("", ""))
    after = next((token for token in tokens[index + 1 :] if token[0] in timely), ("", ""))
    return before[1][:1].lower() == "h" or after[0] == "second" or after[1][:1] == "s"


def _part(moment: datetime, text: str, halves: bool) -> str:
    letter, length = text[0], len(text)
    if letter == "y":
        return f"{moment.year % 100:02d}" if length <= 2 else f"{moment.year:04d}"
    if letter == "e":
        return str(moment.year)
    if letter == "m":
        name = _MONTHS[moment.month - 1]
        return f"{moment.month:0{length}d}" if length <= 2 else {3: name[:3], 5: name[0]}.get(length, name)
    if letter == "d":
        name = _DAYS[moment.weekday()]
        return f"{moment.day:0{length}d}" if length <= 2 else name[:3] if length == 3 else name
    if letter == "h":
        hour = (moment.hour % 12 or 12) if halves else moment.hour
        return f"{hour:0{min(length, 2)}d}"
    day = _CHINESE_DAYS[moment.weekday()]
    return day if length == 3 else f"星期{day}"
