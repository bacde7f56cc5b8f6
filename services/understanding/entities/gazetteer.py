"""The word lists of the address matcher: administrative names (GB/T 2260) and our own place words.

Names of provinces, cities and counties come with python-stdnum, which needs them to check resident
ids and refreshes them with each release; nothing is copied.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from services.understanding.entities.word_tree import alternatives

PlaceKind = Literal["full", "city", "short", ""]

_NAMES = re.compile(r'(\d\d(?:\d\d)?) (province|county)="([^"]*)"')
_YEARS = re.compile(r"\[[^\]]*\]")
_GROUPS = (
    r"(?:各族|壮族|回族|满族|苗族|土家族|彝族|藏族|蒙古族?|维吾尔|侗族|瑶族|傣族|哈尼族|白族|"
    r"傈僳族|畲族|黎族|羌族|布依族|"
    r"哈萨克族?|朝鲜族|土族|撒拉族|仡佬族|水族|景颇族|佤族|拉祜族|纳西族|东乡族|保安族|裕固族|"
    r"达斡尔族?|锡伯|柯尔克孜|塔吉克|"
    r"独龙族|怒族|普米族|布朗族|仫佬族|毛南族|鄂温克族|鄂伦春)+"
)
_LEVEL = re.compile(
    rf"(?:{_GROUPS})?(?:特别行政区|自治区|自治州|自治县|自治旗|联合旗|地区|新区|林区|特区|省|市|区|县|盟|旗)$"
)
# "市一中": these follow the short name of a school
_SCHOOL = "(?=$|[门附旁对那这校的北南东西周边后前放初高])"
_SKIPPED = {
    "市辖区",
    "县",
    "市区",
    "郊区",
    "矿区",
    "城区",
    "省直辖县级行政区划",
    "自治区直辖县级行政区划",
    "新区",
    "特区",
    "东区",
    "西区",
    "南区",
    "北区",
    "中区",
}


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Administrative names by surface form; `longest` reads one at a position."""

    names: dict[str, PlaceKind]
    lengths: tuple[int, ...]

    def longest(self, text: str, position: int) -> tuple[int, PlaceKind]:
        """Length and kind of the longest name starting at `position`; (0, "") when none does."""
        for length in self.lengths:
            kind = self.names.get(text[position : position + length])
            if kind and position + length <= len(text):
                return length, kind
        return 0, ""


@dataclass(frozen=True, slots=True)
class Words:
    """Our own place words, compiled (data/places.toml)."""

    suffix: re.Pattern[str]
    last_suffix: re.Pattern[str]
    stops: re.Pattern[str]
    kept: re.Pattern[str]
    tail: re.Pattern[str]
    strong: frozenset[str]
    never: tuple[str, ...]
    generic: frozenset[str]
    heads: re.Pattern[str]
    common_anchors: frozenset[str]
    ambiguous: frozenset[str]
    roads: frozenset[str]
    waters: frozenset[str]
    whole: frozenset[str]
    not_before: dict[str, str]

    def kind_of(self, suffix: str) -> str:
        """Family of a suffix: "water" needs more evidence than "named"."""
        return "water" if suffix in self.waters else "named"

    def longest_name(self, suffix: str) -> int:
        """Characters a name may have before its suffix when no boundary was seen."""
        return 5 if suffix in self.roads or len(suffix) == 1 else 6

    def stop_ends(self, run: str) -> list[int]:
        """Offsets behind each word that no place name continues across."""
        kept = [match.span() for match in self.kept.finditer(run)]
        return [
            match.end()
            for match in self.stops.finditer(run)
            if not any(start <= match.start() < end for start, end in kept)
        ]

    def only_common(self, text: str) -> bool:
        """True when the component is a general word behind common ones ("老旧小区", "24小时自助图书馆")."""
        return any(
            text.endswith(word) and self.heads.fullmatch(text[: -len(word)]) is not None
            for word in self.generic
            if len(word) < len(text)
        )

    def followed_by_more(self, suffix: str, following: str) -> bool:
        """True when the next character makes another word of a last word ("路" before "灯")."""
        return following != "" and following in self.not_before.get(suffix, "")


@cache
def load_gazetteer() -> Gazetteer:
    """Provinces, cities and counties of the installed python-stdnum, with their short forms."""
    names: dict[str, PlaceKind] = {}
    ambiguous = load_words().ambiguous
    data = resources.files("stdnum.cn").joinpath("loc.dat").read_text("utf-8")
    for code, level, value in _NAMES.findall(data):
        top = level == "province" or code.endswith("00")
        for name in _YEARS.sub("", value).split(","):
            if name in _SKIPPED or len(name) < 2:
                continue
            names[name] = "full"
            short = _LEVEL.sub("", name)
            if len(short) >= 2 and short not in ambiguous and (top or short not in names):
                names[short] = "city" if top else "short"
            if name.endswith("市") and top and short not in ambiguous and len(short) >= 2:
                names[short] = "city"
    for word in ambiguous:
        if names.get(word) != "full":
            names.pop(word, None)
    return Gazetteer(names, tuple(sorted({len(name) for name in names}, reverse=True)))


@cache
def load_words() -> Words:
    """The place words of data/places.toml, compiled once."""
    raw = tomllib.loads(resources.files(__package__).joinpath("data/places.toml").read_text("utf-8"))
    suffixes = [word for family in ("roads", "areas", "estates", "facilities", "waters") for word in raw[family]]
    return Words(
        suffix=re.compile(rf"{alternatives(suffixes)}|[一二三四五六七八]中{_SCHOOL}"),
        last_suffix=re.compile(f"(?:{alternatives(suffixes)})$"),
        stops=re.compile(alternatives(raw["stops"])),
        kept=re.compile(alternatives(raw["kept"])),
        strong=frozenset(raw["strong"]),
        never=tuple(raw["never"]),
        tail=re.compile(alternatives(raw["tails"])),
        generic=frozenset(raw["generic"]),
        heads=re.compile(rf"(?:\d+|的|{alternatives(raw['common_heads'])})+"),
        common_anchors=frozenset(raw["generic"]) - {"火车站", "高铁站", "汽车站", "客运站", "机场", "口岸", "码头"},
        ambiguous=frozenset(raw["ambiguous"]),
        roads=frozenset(raw["roads"]),
        waters=frozenset(raw["waters"]),
        whole=frozenset(raw["whole"]),
        not_before=raw["not_before"],
    )
