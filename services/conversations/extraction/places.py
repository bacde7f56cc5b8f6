"""Finds places: administrative names from a gazetteer, named things by their last word, anchors by context.

A message is cut into runs of Han characters, letters and digits. In each run components are found
(gazetteer names, "…路", "…小区", "128号"); neighbours are joined ("北环路" "金鼎公寓" "7楼"), crossings
too ("滨江路与红旗街交口"); a component that names nothing ("小区", "马路") is dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.conversations.extraction.gazetteer import Gazetteer, Words, load_gazetteer, load_words
from services.conversations.extraction.service_names import is_service_name
from services.conversations.extraction.spans import Claims

_RUN = re.compile(r"[0-9A-Z\u4e00-\u9fff]+")
_UNIT = (
    r"(?:之)?(?:\d{1,5}|[一二三四五六七八九十]{1,3}|[A-Z]\d{0,2})(?:-\d+)?"
    r"(?:号院|号楼|号线|号|弄|栋|幢|座|楼|单元|室|层|期|区|组|队|社|房|门|口|米)(?![点钟])"
)
_DETAIL = re.compile(rf"(?:{_UNIT})+(?:\d{{3,4}})?")
_CROSSING = re.compile(r"交叉路口|交叉口|交汇处|交会处|交界处|交接处|交界|交口|路口|十字路口|的?交叉处")
_JOIN = re.compile(r"[与和跟、到至]")
# "我住…", "我在…": what follows is a place even if no word list knows it
_ANCHOR_LEFT = re.compile(
    r"(?:我家?住在?|家住在?|家在|人在|我在|我们在|俺在|俺住|咱在|位于|地址是?|定位是?|住在|离|我喺|喺|在|从)"
)
_ANCHOR_RIGHT = re.compile(
    r"(?:这儿|那儿|这|那)?(?:附近|旁边|周边|周围|一带|这边|那边|这头|那头|边上|隔离|左近|最近|"
    r"近|这块|那块|这片|那片)"
)
_SEARCH = re.compile(
    r"附近|最近|就近|哪里|哪儿|哪有|边度|边有|旁边|周边|周围|怎么走|一带|几远|离|近|这边|那边|这头|那头"
)
_NOT_ANCHOR = re.compile(
    r"^(?:家|我家|公司|单位|小区|学校|这|那|我|你|外地|这里|那里|这儿|网上|线上|手机|微信|"
    r"外面|里面|本地|老家|国外|家里|哪|哪里|哪儿|"
    r"现|现在|上班|同城|厅|大厅|窗口|路上|.*(?:哪|什么|怎么|有没|是不|可以|需要|时候|多少|办|"
    r"吗|呢|想|要|了|过|着|没|不).*)$"
)
_SHORT_CLAUSE = 24
_SHORT_MESSAGE = 80
_DIRECTIONS = "东西南北中"
_ROAD_WORD = re.compile(r"^(?:[东西南北中前后]|[一二三四五六七八九十]{1,2})?(?:路|街|大道|大街|巷)$")


@dataclass(slots=True)
class _Component:
    start: int
    end: int
    kind: str


def find_locations(claims: Claims) -> None:
    """Claim every place of the message with boundaries trimmed to its name."""
    gazetteer, words = load_gazetteer(), load_words()
    text = claims.masked()
    for match in _RUN.finditer(text):
        run = match.group()
        for start, end in _in_run(run, text, match.start(), gazetteer, words):
            offset = match.start()
            claims.claim("location", offset + start, offset + end, run[start:end])
    if len(text) <= _SHORT_MESSAGE and _SEARCH.search(text):
        _find_anchored(claims, words)


def _in_run(run: str, text: str, offset: int, gazetteer: Gazetteer, words: Words) -> list[tuple[int, int]]:
    stops = words.stop_ends(run)
    components = _administrative(run, gazetteer, words)
    components = _named(run, components, stops, words)
    found = []
    for group in _groups(run, components):
        first, last = group[0], group[-1]
        start, end = first.start, last.end
        end = _extend(run, end, words)
        if len(group) == 1 and not _stands_alone(run, first, words):
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
        if length and kind == "short":
            before, after = run[:position], run[position + length :]
            preceded = (
                re.search(r"(?:在|到|去|住|从|来|回|离|位于|往|跑趟|跑了趟|过|搬到|搬去|喺)$", before) is not None
            )
            followed = re.match(r"(?:那边|这边|附近|那头|这头|那块|这块|一带|有|哪|的)", after) is not None or not after
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
        if begin - left > words.longest_name(match.group()):
            # nothing showed where the name starts: names are mostly two characters, but in a long
            # letter, or before a weak last word, this would be the tail of a sentence
            if len(run) > _SHORT_CLAUSE or match.group() not in words.strong:
                continue
            left = begin - (3 if run[begin - 1] in _DIRECTIONS else 2)
        kind = words.kind_of(match.group())
        adjoining = bool(components) and _extend_detail(run, components[-1].end) == left
        # "路口" after "天河路", "河边" after "李家村": the word points, it names nothing
        bare = begin == left and end - begin == 1 and not (adjoining and components[-1].kind != "named")
        if bare or (begin == left and not adjoining):
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
    after = re.match(r"边|里|旁|附近|岸|畔|上有|污|黑臭|水|中", run[end:]) is not None
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
    while True:
        further = _extend_detail(run, end)
        tail = words.tail.match(run, further)
        if tail and (tail.end() == len(run) or run[tail.end()] not in "罩"):
            further = tail.end()
        if further == end:
            return end
        end = further


def _stands_alone(run: str, component: _Component, words: Words) -> bool:
    text = run[component.start : component.end]
    if component.kind != "named":
        return True
    if text in words.generic or _ROAD_WORD.match(text) or text.endswith(words.never):
        return False
    name = words.last_suffix.sub("", text)
    return bool(name) and name not in words.generic and not words.only_common(text)


def _unknown_tail(run: str, component: _Component, words: Words) -> int:
    """ "龙岗坂田": a district followed by a short unknown name up to the end of the clause."""
    before = run[: component.start]
    rest = run[component.end :]
    if 2 <= len(rest) <= 4 and re.search(r"(?:住在?|在|位于|从|离|到|去)$", before) and not words.stop_ends(rest):
        return len(run)
    return component.end


def _find_anchored(claims: Claims, words: Words) -> None:
    """Places that only their context gives away: "X附近", "离X最近", "我住X"."""
    text = claims.masked()
    for match in _RUN.finditer(text):
        run, offset = match.group(), match.start()
        for right in _ANCHOR_RIGHT.finditer(run):
            stops = [stop for stop in words.stop_ends(run) if stop <= right.start()]
            left = max([0, *stops])
            name = run[left : right.start()]
            # "那边" points at anything ("年审那边说"), unless one is there or goes there
            pointed = right.group().startswith("那") and left and not re.search(r"[在到去从住回来]$", run[:left])
            pointed = pointed or is_service_name(name)
            # "就近", "最近": near to a place only in "离...近"
            pointed = pointed or (right.group() in {"近", "最近"} and not re.search(r"[离距]$", run[:left]))
            if 2 <= len(name) <= 8 and not pointed and not _NOT_ANCHOR.match(name) and name not in words.common_anchors:
                claims.claim("location", offset + left, offset + right.start(), name)
        left_anchor = re.search(
            r"(?:我家?住在?|家住在?|人在|我在|住在|我喺|俺在|俺住|我们在)([\u4e00-\u9fff]{2,8})$", run
        )
        if left_anchor:
            name = left_anchor[1]
            if not _NOT_ANCHOR.match(name) and not words.stop_ends(name) and name not in words.generic:
                claims.claim("location", offset + left_anchor.start(1), offset + left_anchor.end(1), name)
