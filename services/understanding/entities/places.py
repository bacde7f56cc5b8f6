"""Finds places: administrative names from a gazetteer, named things by their last word, anchors by context.

A message is cut into runs of Han characters, letters and digits. In each run components are found
(gazetteer names, "…路", "…小区", "128号"); neighbours are joined ("北环路" "金鼎公寓" "7楼"), crossings
too ("滨江路与红旗街交口"); a component that names nothing ("小区", "马路") is dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.understanding.entities.anchors import ON, SEARCH, find_anchored
from services.understanding.entities.gazetteer import Gazetteer, Words, load_gazetteer, load_words
from services.understanding.entities.latin_places import find_latin_places
from services.understanding.entities.service_names import is_service_name
from services.understanding.entities.spans import Claims

_RUN = re.compile(r"[0-9A-Z\u4e00-\u9fff]+")
_UNIT = (
    r"(?:之)?(?:\d{1,5}|[一二三四五六七八九十]{1,3}|[A-Z]\d{0,2})(?:-\d+)?"
    r"(?:号院|号楼|号线|号|弄|栋|幢|座|楼|单元|室|层|期|区|组|队|社|房|门|口|米)(?![点钟])|T\d(?!\d)"
)
_DETAIL = re.compile(rf"(?:{_UNIT})+(?:\d{{3,4}})?")
_CROSSING = re.compile(
    r"交叉路口|交叉口|岔路?口|桥洞|交汇处|交会处|交界处|交接处|交界|交口|路口|十字路口|的?交叉处|(?<=[路街巷村])口(?![岸子味])|(?<=隧道)口"
)
_JOIN = re.compile(r"[与和跟、到至]")
_SHORT_CLAUSE = 24
_SHORT_MESSAGE = 80
_DIRECTIONS = "东西南北中"
_COMPASS_ROAD = re.compile(r"^[东西南北中](?:路|街|大道|大街)$")
_NAMED_ROAD = re.compile(
    r"(?:花园|公园|学院|大学|机场|水厂|电厂|广场|车站|码头|口岸)[东西南北中]?[一二三四]?(?:路|街|大道)"
)
# Last words that may follow another one: "新桥" + "镇", "文化街" + "站"
_CARRIED_ON = frozenset("镇乡村站路街巷")
_ZONE = re.compile(r"高新区?|经开区?|自贸区|新区")
_BUS = re.compile(r"^(?:公交车?)?\d+路$")
_DAO = re.compile(r"路灯|\d+号|附近|路口|交口|[与和].{1,6}[路道街]")
_TO_CITY = re.compile(r"(?:在|到|去|住|从|来|回|离|距|位于|往|至|跑了?趟|飞|抵|途经|经过|路过|喺|返|人|开往|搬到)$")
_OF_CITY = re.compile(r"(?:那边|这边|那头|这头|附近|市区|市内|境内|这儿|那儿|那里|的违|违章|有违|那回|本地)")
_HIGHWAY = re.compile(
    r"[GSX]\d{1,4}[\u4e00-\u9fff]{1,6}?(?:高速公路|高速|线)"
    r"(?:[\u4e00-\u9fff]{1,4}段|[\u4e00-\u9fff]{2,3}(?:出口|入口|收费站|服务区|互通))?|"
    r"(?:机场|绕城|环城|[东南西北内外中]环|[沿滨][江海河湖])高速(?:公路)?(?!路?费)|"
    r"(?:[国省县]道[GSX]?\d{1,4}(?:线)?|[GSX]?\d{3}(?:国道|省道|县道))(?:[\u4e00-\u9fff]{1,3}段(?![时间路]))?"
)
_SECTION = re.compile(r"[^一这那了有某整每前后堵的到往在两几个是段]{1,3}段(?![时间位子落])")
# "博物馆北门" is one place, though any museum has a gate.
_GATED = re.compile(r"(?:馆|医院|公园|广场|车站|火车站|高铁站|市场|学院|大学)$")
_GATE = re.compile(r"[东南西北](?:门|口|出口|广场)")
_ROAD_WORD = re.compile(r"^(?:[东西南北中前后]|[一二三四五六七八九十]{1,2})?(?:路|街|大道|大街|巷)$")


@dataclass(slots=True)
class _Component:
    start: int
    end: int
    kind: str


def find_locations(claims: Claims) -> None:
    """Claim every place of the message with boundaries trimmed to its name."""
    gazetteer, words = load_gazetteer(), load_words()
    find_latin_places(claims)
    text = claims.masked()
    searched = len(text) <= _SHORT_MESSAGE and SEARCH.search(text) is not None
    for match in _RUN.finditer(text):
        run, offset = match.group(), match.start()
        stops = words.stop_ends(run)
        spans = _in_run(run, stops, gazetteer, words)
        anchored = find_anchored(run, spans, stops, words, searched=searched)
        spans += [(start, _extend(run, end, words)) for start, end in anchored]
        # longest first: "滨湖区云谷" covers "滨湖区"
        for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
            claims.claim("location", offset + start, offset + end, run[start:end])


def _in_run(run: str, stops: list[int], gazetteer: Gazetteer, words: Words) -> list[tuple[int, int]]:
    components = _administrative(run, gazetteer, words)
    components = _named(run, components, stops, words)
    found = [(match.start(), _extend(run, match.end(), words)) for match in _HIGHWAY.finditer(run)]
    components = [item for item in components if not any(item.start < end and start < item.end for start, end in found)]
    for group in _groups(run, components):
        first, last = group[0], group[-1]
        start, end = first.start, last.end
        end = _extend(run, end, words)
        if len(group) == 1 and not _stands_alone(run, first, end, words):
            continue
        if {item.kind for item in group} == {"city"} and not _gone_to(run, start, end, stops):
            continue
        if len(group) == 1 and first.kind == "short" and end == first.end:
            end = _unknown_tail(run, first, words)
        found.append((start, end))
    return found


def _administrative(run: str, gazetteer: Gazetteer, words: Words) -> list[_Component]:
    """Gazetteer names; a short county name ("天河") only where a place is being spoken of."""
    components: list[_Component] = []
    position = 0
    while position < len(run) - 1:
        length, kind = gazetteer.longest(run, position)
        if length and (zone := _ZONE.match(run, position + length)):
            length, kind = zone.end() - position, "full"
        if length and kind == "short":
            before, after = run[:position], run[position + length :]
            preceded = (
                re.search(r"(?:在|到|去|住|从|来|回|离|位于|往|跑趟|跑了趟|过|搬到|搬去|喺)$", before) is not None
            )
            followed = (
                re.match(r"(?:那边|这边|[嗰呢]边|附近|那头|这头|那块|这块|一带|有|哪|的)", after) is not None
                or not after
            )
            beside = bool(components) and components[-1].end == position
            if not (preceded or beside or (not before and followed)):
                length = 0
        if length and kind == "city" and not _city_here(run, position, length, words):
            length = 0
        if length:
            components.append(_Component(position, position + length, kind))
            position += length
        else:
            position += 1
    return components


def _city_here(run: str, position: int, length: int, words: Words) -> bool:
    """A city's name inside another name ("上海路", "长沙湾") is left to that name."""
    after = run[position + length :]
    return re.match(rf"[{_DIRECTIONS}]?(?:路|街|大道|巷|湾|银行|牌|话|菜|人(?!民)|籍|户口|户籍)", after) is None


def _named(run: str, known: list[_Component], stops: list[int], words: Words) -> list[_Component]:
    components: list[_Component] = []
    pending = sorted(known, key=lambda component: component.start)
    floor = 0
    for match in words.suffix.finditer(run):
        begin, end = match.start(), match.end()
        suffix = match.group()
        if words.followed_by_more(suffix, run[end : end + 1]) or (suffix == "道" and not _DAO.match(run, end)):
            continue
        while pending and pending[0].end <= begin:
            item = pending.pop(0)
            if item.start >= floor:
                components.append(item)
                floor = item.end
        # a gazetteer name holds its own letters: the 山 of 南山区 is no hill
        if end <= floor or (pending and pending[0].start < end <= pending[0].end):
            continue
        pending = [item for item in pending if item.start >= end]
        left = max([floor, begin - 8, *(stop for stop in stops if stop <= begin)])
        left = _skip_detail(run, left, begin)
        if begin - left > words.longest_name(suffix):
            # nothing showed where the name starts: names are mostly two characters, but in a long
            # letter, or before a weak last word, this would be the tail of a sentence
            if len(run) > _SHORT_CLAUSE or suffix not in words.strong:
                continue
            left = begin - (3 if run[begin - 1] in _DIRECTIONS else 2)
        kind = words.kind_of(suffix)
        adjoining = bool(components) and _extend_detail(run, components[-1].end) == left
        # "路口" after "天河路", "河边" after "李家村": the word points, it names nothing
        last = components[-1] if components else None
        if (
            begin == left
            and last
            and last.end == begin
            and last.kind == "named"
            and suffix in _CARRIED_ON
            and not run.startswith("口", end)
        ):
            last.end = floor = end
            continue
        bare = begin == left and end - begin == 1 and not (adjoining and components[-1].kind != "named")
        gated = _GATED.search(suffix) is not None and _GATE.match(run, end) is not None
        if (bare or (begin == left and not adjoining)) and suffix not in words.whole and not gated:
            continue
        if run[left:end].endswith(words.never):
            continue
        if kind == "water" and (words.suffix.match(run, end) or not (adjoining or _water_here(run, left, end))):
            continue
        if adjoining and begin - left > 1 and run[left] in "与和跟及":
            left += 1
        components.append(_Component(left, end, "named"))
        floor = end
    components += [item for item in pending if item.start >= floor]
    return components


def _skip_detail(run: str, left: int, begin: int) -> int:
    """ "128号附近学校": a house number in front belongs to what came before it."""
    detail = _DETAIL.match(run, left, begin)
    return detail.end() if detail else left


def _water_here(run: str, left: int, end: int) -> bool:
    after = (
        re.match(r"边|里|旁|附近|岸|畔|上有|污|黑臭|水|中|[漂飘][了着浮满]|[发变]臭|[发变]黑|涨水", run[end:])
        is not None
    )
    before = re.search(r"(?:在|离|去|到|跳进|掉进|掉到|落水)$", run[:left]) is not None
    return end - left >= 3 and (after or before)


def _groups(run: str, components: list[_Component]) -> list[list[_Component]]:
    groups: list[list[_Component]] = []
    for component in components:
        if groups:
            gap_start = _extend_detail(run, groups[-1][-1].end)
            gap = run[gap_start : component.start]
            crossing = _CROSSING.match(run, component.end)
            if not gap or (gap_start == component.start) or (_JOIN.fullmatch(gap) and crossing):
                groups[-1].append(component)
                continue
        groups.append([component])
    return groups


def _extend_detail(run: str, end: int) -> int:
    detail = _DETAIL.match(run, end)
    return detail.end() if detail else end


def _extend(run: str, end: int, words: Words) -> int:
    crossing = _CROSSING.match(run, end)
    if crossing:
        return crossing.end()
    section = _SECTION.match(run, end) if run[:end].endswith(("高速", "公路", "大道", "高架", "快速路")) else None
    if section:
        return section.end()
    if run.startswith("段", end) and re.search("高速|公路|大道|路", run[max(0, end - 8) : end]):
        return end + 1
    while True:
        further = _extend_detail(run, end)
        tail = words.tail.match(run, further)
        if tail and (tail.end() == len(run) or run[tail.end()] not in "罩"):
            further = tail.end()
        if further == end:
            return end
        end = further


def _stands_alone(run: str, component: _Component, end: int, words: Words) -> bool:
    text = run[component.start : component.end]
    if component.kind != "named" or text in words.whole:
        return True
    if _COMPASS_ROAD.match(text):
        return end > component.end and run[component.end].isdigit()
    if _GATED.search(text) and _GATE.match(run, component.end):
        return True
    if text in words.generic or _ROAD_WORD.match(text) or _BUS.match(text):
        return False
    name = words.last_suffix.sub("", text)
    if _NAMED_ROAD.fullmatch(text):
        return True
    return bool(name) and name not in words.generic and not words.only_common(text) and not is_service_name(name)


def _gone_to(run: str, start: int, end: int, stops: list[int]) -> bool:
    """A city or province on its own is a place where one is or goes to, not "西安冷不冷"."""
    before, after = run[:start], run[end:]
    return (
        (not before and not after)
        or _TO_CITY.search(before) is not None
        or (
            # "临江门附近" is not near 江门
            (not before or start in stops) and _OF_CITY.match(after) is not None
        )
    )


def _unknown_tail(run: str, component: _Component, words: Words) -> int:
    """ "龙岗坂田": a district followed by a short unknown name up to the end of the clause."""
    before = run[: component.start]
    rest = run[component.end :]
    if 2 <= len(rest) <= 4 and re.search(r"(?:住在?|在|位于|从|离|到|去)$", before) and not words.stop_ends(rest):
        return component.end + len(ON.sub("", rest))
    return component.end
