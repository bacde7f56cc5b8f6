"""Where the knowledge base and what can be booked say different things: a citizen reads the one and books the other.

appointments.yaml (with the calendar's hours, and the service points that were imported) is the one source of a hall's
address, its hours and what to bring; an entry may repeat it and must not contradict it. Pure: entries and what the city
says in, findings out. It reads plain statements only (an address behind a hall's name, a span of hours in the sentence
that names the hall, documents under a question for documents), so what it names is worth a look, and what it does not
name has not been proved right.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from knowledge_base import Entry
from knowledge_base.markup import plain
from services.appointments.schemas import AppointmentsFile, Hall, Service
from services.sla.calendar import Span, merged
from services.sla.schemas import SpanIn

KIND: Literal["contradicts_city"] = "contradicts_city"
# A shorter name of a hall stands in too many other words.
SHORTEST_NAME = 3
# How far behind a name its address may begin.
FARTHEST = 24
SENTENCE = re.compile(r"(?<=[。！？；\n])")
NUMBER = re.compile(r"(大道|大街|胡同|路|街|道|巷)\s*(\d+)\s*号")
OTHER_OFFICE = re.compile(r"中心|派出所|支队|[局处院所站厅]")
HOURS = re.compile(r"(\d{1,2})[:：](\d{2})\s*(?:至|到|[-—–~～])\s*(\d{1,2})[:：](\d{2})")
WEEKEND = re.compile(r"周末|双休日|[周星期]六|[周星期][日天]")
WEEKDAY = re.compile(r"工作日|周一|星期一|每天")
OTHER_HOURS = re.compile(r"自助|电话|热线|取号|网上|人工")
ASKS_WHAT_TO_BRING = re.compile(r"材料|带什么|带啥|带哪些|要带|什么手续|哪些手续|什么证件|哪些证件")
CLAUSE = re.compile(r"[，。；！\n]")
NOT_NEEDED = re.compile(r"不用|无需|无须|不必|不需|不再|免交|免带")
CONDITIONAL = re.compile(r"的[另还]?[须需]?带|未满|另见|如果|需要的|其中")
PHOTOS = re.compile(r"([一二两三四五六七八九十\d]+)\s*张[^，。；、]*?(?:照片|合影|相片)")
DIGITS = {"一": "1", "二": "2", "两": "2", "三": "3", "四": "4", "五": "5", "六": "6", "七": "7", "八": "8"}
DOCUMENTS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(words)
    for name, words in {
        "身份证": r"身份证(?!件)",
        "户口簿": r"户口[簿本]",
        "照片": r"照片|合影|相片",
        "结婚证": r"结婚证",
        "离婚证": r"离婚证",
        "驾驶证": r"驾驶证|驾照",
        "行驶证": r"行驶证",
        "不动产权证书": r"不动产权证|房产证",
        "社保卡": r"社保卡",
        "医保卡": r"医保卡",
        "居住证": r"居住证",
        "营业执照": r"营业执照",
        "购车发票": r"购车发票",
        "合格证": r"合格证",
    }.items()
}


@dataclass(frozen=True)
class CityFacts:
    """What the city's own files say; `hours` are the calendar's, `places` addresses by the name of the point."""

    rules: AppointmentsFile
    hours: tuple[Span, ...]
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contradiction:
    """`entries` are the ids concerned, `note` says in Chinese what each side says."""

    kind: Literal["contradicts_city"]
    entries: tuple[str, ...]
    note: str


class _Papers(NamedTuple):
    """Documents that a text asks for always, names at all, and says are not needed; how many photos."""

    always: set[str]
    named: set[str]
    not_needed: set[str]
    photos: set[str]


def contradictions(entries: Iterable[Entry], facts: CityFacts) -> list[Contradiction]:
    """Every pair of an entry and a hall, a service point or a service that do not agree, in the order of entries."""
    halls = {
        name: hall
        for hall in facts.rules.halls
        for name in (hall.name, *hall.aliases)
        if len(name) >= SHORTEST_NAME or name == hall.name
    }
    found = []
    for entry in entries:
        text = plain(entry.answer)
        notes = [
            note
            for sentence in SENTENCE.split(text)
            for note in (*_addresses(sentence, halls, facts.places), *_hours(sentence, halls, facts.hours))
        ]
        notes += _papers_differ(entry, text, facts.rules)
        found += [Contradiction(KIND, (entry.id,), note) for note in dict.fromkeys(notes)]
    return found


def _named(text: str, halls: Mapping[str, Hall]) -> Iterator[tuple[int, Hall]]:
    """Where a hall's name ends in the text, and which hall it is; of names within each other the longest."""
    if halls:
        pattern = "|".join(re.escape(name) for name in sorted(halls, key=len, reverse=True))
        yield from ((match.end(), halls[match.group()]) for match in re.finditer(pattern, text))


def _addresses(sentence: str, halls: Mapping[str, Hall], places: Mapping[str, str]) -> Iterator[str]:
    for match in NUMBER.finditer(sentence):
        before = sentence[: match.start()]
        about = [(end, hall.name, hall.address) for end, hall in _named(before, halls)]
        about += _places_in(before, places)
        end, name, address = max(about, default=(0, "", ""))
        gap = before[end:]
        if not address or len(gap) > FARTHEST or OTHER_OFFICE.search(gap):
            continue
        road, number = before + match.group(1), match.group(2)
        if not _is_at(address, road, number):
            said = f"{gap.lstrip('在位于是：:（( ，')}{match.group()}"
            yield f"条目说{name}在{said}，城市资料里是{address}"


def _places_in(text: str, places: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """The point whose name ends last in the text, the longest of them."""
    if not places:
        return []
    for end in range(len(text), max(len(text) - FARTHEST, 0), -1):
        for start in range(max(end - 40, 0), end - SHORTEST_NAME + 1):
            if text[start:end] in places:
                return [(end, text[start:end], places[text[start:end]])]
    return []


def _is_at(address: str, road: str, number: str) -> bool:
    """Whether the text in front of a number ends with the road of the address, and the number is the address's."""
    known = re.sub(r"\s", "", address)
    match = NUMBER.search(known)
    if match is None:
        return True
    street = re.split(r"[市区县镇]", known[: match.start()])[-1] + match.group(1)
    return re.sub(r"\s", "", road).endswith(street) and number == match.group(2)


def _hours(sentence: str, halls: Mapping[str, Hall], usual: tuple[Span, ...]) -> Iterator[str]:
    hall = next((hall for _, hall in _named(sentence, halls)), None)
    if hall is None:
        return
    said: list[Span] = []
    is_weekend, at = False, 0
    for match in HOURS.finditer(sentence):
        before, at = sentence[at : match.start()], match.end()
        if OTHER_HOURS.search(CLAUSE.split(before)[-1]):
            continue
        is_weekend = bool(WEEKEND.search(before)) or (is_weekend and not WEEKDAY.search(before))
        opening, closing = (int(match[first]) * 60 + int(match[first + 1]) for first in (1, 3))
        if not 0 <= opening < closing <= 24 * 60:
            continue
        if not is_weekend:
            said.append(Span(opening, closing))
        elif all(windows.days == "working_days" for windows in hall.windows):
            yield f"条目说{hall.name}周末{match.group()}办理，预约只开放工作日"
    offered = [_open(windows.hours, usual) for windows in hall.windows]
    if said and merged(tuple(said)) not in offered:
        listed = "、".join(dict.fromkeys(_clock(spans) for spans in offered))
        yield f"条目说{hall.name}的时间是{_clock(merged(tuple(said)))}，预约里是{listed}"


def _open(own: Iterable[SpanIn] | None, usual: tuple[Span, ...]) -> tuple[Span, ...]:
    return merged(usual if own is None else tuple(Span(span.start, span.end) for span in own))


def _clock(spans: tuple[Span, ...]) -> str:
    def at(minute: int) -> str:
        return f"{minute // 60}:{minute % 60:02d}"

    return "、".join(f"{at(span.start)}-{at(span.end)}" for span in spans)


def _papers_differ(entry: Entry, text: str, rules: AppointmentsFile) -> Iterator[str]:
    asked = [wording for wording in entry.wordings if ASKS_WHAT_TO_BRING.search(wording)]
    service, by_name = _service_of(asked, rules.services)
    said = _papers(text)
    if service is None or not said.named | said.not_needed:
        return
    bring = _papers(service.bring)
    for paper in sorted(bring.named & said.not_needed):
        yield f"条目说{service.name}不用带{paper}，预约里请带{paper}"
    # Behind another of its words stands a part of the service, which may need less or more.
    if by_name and bring.named:
        for paper in sorted(bring.always - said.named - said.not_needed):
            yield f"预约{service.name}请带{paper}，条目没有说"
        for paper in sorted(said.always - bring.named):
            yield f"条目说{service.name}要带{paper}，预约里没有说"
    if bring.photos and said.photos and bring.photos.isdisjoint(said.photos):
        yield f"条目说{'或'.join(sorted(said.photos))}张照片，预约{service.name}请带{'或'.join(sorted(bring.photos))}张"


def _service_of(wordings: Iterable[str], services: Iterable[Service]) -> tuple[Service | None, bool]:
    """The service that one of the wordings asks for (of several the one with the longest word), and whether by name."""
    hits = [
        (len(word), word == service.name, service.code, service)
        for wording in wordings
        for service in services
        for word in (service.name, *service.aliases)
        if word in wording
    ]
    if not hits:
        return None, False
    best = max(hits, key=lambda hit: hit[:3])
    return best[3], best[1]


def _papers(text: str) -> _Papers:
    found = _Papers(set(), set(), set(), set())
    for clause in CLAUSE.split(text):
        denied = NOT_NEEDED.search(clause)
        for name, words in DOCUMENTS.items():
            place = words.search(clause)
            if place is None:
                continue
            if denied is not None and denied.start() < place.start():
                found.not_needed.add(name)
                continue
            found.named.add(name)
            if not CONDITIONAL.search(clause):
                found.always.add(name)
        found.photos.update(DIGITS.get(match.group(1), match.group(1)) for match in PHOTOS.finditer(clause))
    return found
