"""Resolves a found time expression against a given now, as ISO 8601 text (Asia/Shanghai wall time).

Forms: `2026-02`, `2026-02-18`, `2026-02-18T10:30`, an interval `A/B` (days inclusive; hours to the
end), or `T15:00` for an hour without a day. A day without a month means the coming one, because
citizens book ahead, unless `lean` says that the talk is of the past (bills, fines); a month without a
year is the nearest in that direction. Hours 1 to 6 without a part of day are in
the afternoon: no hall is open before seven.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta
from typing import Literal

from services.understanding.entities import latin_times
from services.understanding.entities.datetimes import Mention, Part, find_mentions
from services.understanding.entities.lunar import festival, lunar_day
from services.understanding.numerals import DIGITS, number

Lean = Literal["past", "nearest", "future"]

_PART_HOURS = (
    ("凌晨", 0, 6),
    ("半夜", 0, 6),
    ("深夜", 22, 24),
    ("清", 6, 9),
    ("早", 6, 12),
    ("晨", 6, 9),
    ("朝", 6, 12),
    ("上午", 6, 12),
    ("上昼", 6, 12),
    ("中午", 11, 14),
    ("正午", 11, 14),
    ("午后", 12, 18),
    ("下午", 12, 18),
    ("下昼", 12, 18),
    ("晏昼", 12, 18),
    ("傍晚", 17, 20),
    ("晚", 18, 24),
    ("头晌", 6, 12),
    ("前", 6, 12),
    ("顶晡", 6, 12),
    ("上半", 6, 12),
    ("晌午", 11, 14),
    ("晌", 12, 18),
    ("下", 12, 18),
    ("黑", 17, 21),
    ("暗", 18, 24),
    ("夜", 18, 24),
)
_DAYS = (("大前", -3), ("大后", 3), ("前", -2), ("昨", -1), ("琴", -1), ("寻", -1), ("噚", -1), ("夜", -1))
_DAYS_ON = (("今", 0), ("明", 1), ("听", 1), ("天光", 1), ("后", 2))


def _lead(text: str) -> int:
    match = re.search(r"\d+|[一二三四五六七八九十廿两零]+", text.replace("俩", "两"))
    return number(match.group()) if match else 1


def _add_months(year: int, month: int, months: int) -> tuple[int, int]:
    index = year * 12 + month - 1 + months
    return index // 12, index % 12 + 1


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _steps(text: str) -> int:
    for word, steps in (("上上", -2), ("下下", 2), ("上", -1), ("下", 1)):
        if text.startswith(word):
            return steps
    return 0


class _Reading:
    """Accumulates the parts of one mention, coarse to fine."""

    def __init__(self, today: date, lean: Lean) -> None:
        self.today = today
        self.lean = lean
        self.year: int | None = None
        self.month: int | None = None
        self.first: date | None = None
        self.last: date | None = None
        self.hours: tuple[int, int] | None = None
        self.clock: tuple[int, int] | None = None

    def days(self, first: date, last: date | None = None) -> None:
        self.first, self.last = first, last or first

    def read(self, part: Part) -> None:
        text = part.text
        match part.kind:
            case "year":
                self._year(text)
            case "month":
                self._month(_lead(text) if not text.startswith("正") else 1)
            case "relmonth":
                self.year, self.month = _add_months(self.today.year, self.today.month, _steps(text))
            case "isomonth":
                year, month = re.findall(r"\d+", text)
                self.year, self.month = int(year), int(month)
            case "months":
                self._months(text)
            case "monthpart" | "yearpart" | "half" | "quarter" | "period":
                self._stretch(part.kind, text)
            case "iso" | "eight":
                digits = re.findall(r"\d+", text) if part.kind == "iso" else [text[:4], text[4:6], text[6:]]
                self.days(date(*map(int, digits)))
            case "slash":
                month, day = map(int, text.split("/"))
                self._month(month)
                self.days(date(self.year or self.today.year, month, day))
            case "day":
                self._day(_lead(text))
            case "relday" if text.startswith("明后"):
                self.days(self.today + timedelta(days=1), self.today + timedelta(days=2))
            case "relday":
                self.days(self.today + timedelta(days=self._relative(text)))
            case "relpart":
                self.days(self.today + timedelta(days=self._relative(text)))
                self._part(text[1:])
            case "week" | "weekday" | "weekend":
                self._week(part.kind, text)
            case "festival":
                self._festival_days(text)
            case "offset" if re.search("第一|头一|首", text):
                # the day after a holiday depends on the year's notice: a form asks, nothing is guessed
                raise ValueError(text)
            case "offset":
                if self.first is not None:
                    step = -1 if "前" in text else 1
                    self.days(
                        (self.first if step < 0 else self.last or self.first) + timedelta(days=step * _lead(text[-2:]))
                    )
            case "span" | "ago":
                self._distance(part.kind, text)
            case "lunar":
                self.days(lunar_day(text, self.today, ahead=self.lean != "past"))
            case "yearseason":
                self._season(text)
            case "latin":
                for inner in find_mentions(latin_times.translate(text), asked=True):
                    for piece in inner.parts:
                        self.read(piece)
            case "now":
                self.days(self.today)
            case "part":
                self._part(text)
            case "clock":
                self._clock(text)

    def _year(self, text: str) -> None:
        for word, delta in (
            ("大前", -3),
            ("前", -2),
            ("去", -1),
            ("旧", -1),
            ("上", -1),
            ("今", 0),
            ("本", 0),
            ("明", 1),
            ("下", 1),
            ("后", 2),
        ):
            if text.startswith(word):
                self.year = self.today.year + delta
                return
        digits = re.sub(r"\D", "", "".join(str(DIGITS.get(char, char)) for char in text))
        self.year = int(digits) + (2000 if len(digits) == 2 else 0)

    def _month(self, month: int) -> None:
        self.month = month
        if self.year is None:
            distance = month - self.today.month
            if self.lean == "future":
                shift = int(distance < 0)
            elif self.lean == "past":
                shift = -int(distance > 0)
            else:
                shift = -1 if distance > 6 else int(distance < -6)
            self.year = self.today.year + shift

    def _months(self, text: str) -> None:
        halves = re.split("到|至|-|~", text, maxsplit=1)
        first, last = (_lead(half) for half in (halves if len(halves) == 2 else text[:2]))
        self._month(first)
        year = self.year or self.today.year
        until = year if last >= first else year + 1
        self.days(date(year, first, 1), _month_end(until, last))

    def _day(self, day: int) -> None:
        if self.month is not None and self.year is not None:
            self.days(date(self.year, self.month, day))
            return
        year, month = self.today.year, self.today.month
        back = self.lean == "past"
        for _ in range(13):
            if day <= calendar.monthrange(year, month)[1]:
                found = date(year, month, day)
                if found <= self.today if back else found >= self.today:
                    self.days(found)
                    return
            year, month = _add_months(year, month, -1 if back else 1)

    def _relative(self, text: str) -> int:
        far = max(text.count("大") - 1, 0)
        for word, delta in (*_DAYS, *_DAYS_ON):
            if text.lstrip("大" if far else "").startswith(word) or text.startswith(word):
                return delta + (far if delta > 0 else -far)
        return 0

    def _stretch(self, kind: str, text: str) -> None:
        year = self.year or self.today.year
        if kind == "half":
            self.days(date(year, 1, 1), date(year, 6, 30)) if text[0] == "上" else self.days(
                date(year, 7, 1), date(year, 12, 31)
            )
        elif kind == "yearpart":
            self.days(date(year, 1, 1), date(year, 2, 28)) if "初" in text else self.days(
                date(year, 12, 1), date(year, 12, 31)
            )
        elif kind == "quarter":
            named = re.search(r"([一二三四1-4])季度", text)
            if named and not text.startswith(("上", "下", "这", "本", "当")):
                quarter = number(named[1])
            else:
                index = year * 4 + (self.today.month - 1) // 3 + _steps(text)
                year, quarter = index // 4, index % 4 + 1
            if self.year is None and named and self.lean == "past" and date(year, quarter * 3 - 2, 1) > self.today:
                year -= 1
            self.days(date(year, quarter * 3 - 2, 1), _month_end(year, quarter * 3))
        elif kind == "period":
            self.year, self.month = _add_months(self.today.year, self.today.month, _steps(text))
        else:
            if self.month is None:
                self.year, self.month = _add_months(self.today.year, self.today.month, _steps(text))
            first, last = date(self.year or year, self.month, 1), _month_end(self.year or year, self.month)
            if "初" in text or "上旬" in text:
                self.days(first, first.replace(day=10))
            elif "中" in text:
                self.days(first.replace(day=11), first.replace(day=20))
            else:
                self.days(first.replace(day=21), last)

    def _season(self, text: str) -> None:
        year, month = self.year or self.today.year, 3 * "春夏秋冬".index(text[0]) + 3
        self.days(date(year, month, 1), _month_end(*_add_months(year, month, 2)))

    def _week(self, kind: str, text: str) -> None:
        monday = self.today - timedelta(days=self.today.weekday())
        steps = _steps(text)
        if kind == "week":
            self.days(monday + timedelta(weeks=steps), monday + timedelta(weeks=steps, days=6))
        elif kind == "weekend" or text.endswith("末"):
            self.days(monday + timedelta(weeks=steps, days=5), monday + timedelta(weeks=steps, days=6))
        else:
            day = monday + timedelta(weeks=steps, days=(DIGITS.get(text[-1]) or int(text[-1])) - 1)
            if steps == 0 and not text.startswith(("这", "本", "今", "呢")):
                if self.lean == "past":
                    day -= timedelta(weeks=int(day > self.today))
                else:
                    day += timedelta(weeks=int(day < self.today))
            self.days(day)

    def _festival_days(self, text: str) -> None:
        day = festival(text, self.year or self.today.year)
        if day is not None and self.year is None:
            years = {"future": (1,), "past": (-1,), "nearest": (-1, 1)}[self.lean]
            others = [found for step in years if (found := festival(text, self.today.year + step)) is not None]
            # "中秋" in autumn is this one even the day after; ahead means none that has gone by
            right = [found for found in (day, *others) if self.lean == "nearest" or self._ahead(found)]
            day = min(right or [day], key=lambda candidate: abs((candidate - self.today).days))
        if day is not None:
            self.days(day)

    def _ahead(self, day: date) -> bool:
        return day >= self.today if self.lean == "future" else day <= self.today

    def _distance(self, kind: str, text: str) -> None:
        if "几" in text or ("半" in text and "年" not in text):
            return
        count = 6 if "半年" in text else _lead(text)
        sign = (
            1
            if text.endswith("后") or (text.startswith(("未来", "接下来", "过")) and not text.startswith("过去"))
            else -1
        )
        if "小时" in text or "钟头" in text or "分钟" in text:
            return
        if "天" in text or "日" in text:
            target = self.today + timedelta(days=sign * count)
        elif "周" in text or "星期" in text or "礼拜" in text:
            target = self.today + timedelta(weeks=sign * count)
        else:
            months = count if "月" in text or "半年" in text else count * (3 if "季度" in text else 12)
            year, month = _add_months(self.today.year, self.today.month, sign * months)
            target = date(year, month, min(self.today.day, calendar.monthrange(year, month)[1]))
        if kind == "ago":
            self.days(target)
        else:
            self.days(*sorted((target, self.today)))

    def _part(self, text: str) -> None:
        for word, first, last in _PART_HOURS:
            if word in text:
                self.hours = (first, last)
                return

    def _clock(self, text: str) -> None:
        pieces = re.match(r"([^点时:]+)[点时:](.*)", text)
        if pieces is None:
            return
        hour, rest = number(pieces[1]), pieces[2].removesuffix("左右").strip("过钟整分")
        minute = {"半": 30, "一刻": 15, "三刻": 45, "": 0}.get(rest)
        if minute is None:
            minute = number(rest.lstrip("零") or "0")
        afternoon = (self.hours is not None and self.hours[0] >= 12) or (
            self.hours is None and 1 <= hour <= 6 and ":" not in text
        )
        if hour < 12 and (afternoon or (self.hours == (11, 14) and hour < 4)):
            hour += 12
        self.clock = (hour % 24, minute)

    def iso(self) -> str | None:
        if self.clock is not None:
            clock = f"T{self.clock[0]:02d}:{self.clock[1]:02d}"
            return f"{self.first.isoformat()}{clock}" if self.first else clock
        if self.hours is not None:
            first, last = self.hours
            end = f"T{last:02d}:00" if last < 24 else "T23:59"
            day = self.first.isoformat() if self.first else ""
            return f"{day}T{first:02d}:00/{day}{end}"
        if self.first is not None and self.last is not None:
            return self.first.isoformat() if self.first == self.last else f"{self.first}/{self.last}"
        if self.year is not None:
            return f"{self.year:04d}-{self.month:02d}" if self.month else f"{self.year:04d}"
        return None


def resolve(mention: Mention, now: datetime, lean: Lean = "nearest") -> str | None:
    """ISO 8601 text of a mention seen at `now` (aware); None when it names no definite time."""
    reading = _Reading(now.date(), lean)
    try:
        for part in mention.parts:
            reading.read(part)
        first = reading.iso()
        if not mention.until or first is None:
            return first
        until = _Reading(now.date(), lean)
        # "下周一上午九点到十点": what the second half leaves out it takes from the first
        if mention.until[0].kind in {"clock", "part"}:
            until.first, until.last, until.hours = reading.first, reading.last, reading.hours
        elif mention.until[0].kind in {"month", "day"}:
            until.year = reading.year
            until.month = reading.month if mention.until[0].kind == "day" else None
        for part in mention.until:
            until.read(part)
        last = until.iso()
        return f"{first}/{last}" if last else first
    except (ValueError, OverflowError, KeyError):
        # 2月30号 and the like: a form asks again, nothing is guessed
        return None
