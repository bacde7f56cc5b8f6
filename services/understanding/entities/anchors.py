"""Places that only their context gives away: "X附近", "离X最近", "我住X", "X3栋402", "X那个大厅"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.understanding.entities.gazetteer import Words
from services.understanding.entities.service_names import is_service_name

_Span = tuple[int, int]

# "我住…", "我在…": what follows is a place even if no word list knows it
_LEFT = re.compile(
    r"(?:我家?住在?|家住在?|家在|人在|我在|住在|我喺|俺在|俺住|我们在|咱在|咱住|定位在?|地点在?|位置在?|位于|地址是?)([\u4e00-\u9fff]{2,8})$"
)
_RIGHT = re.compile(
    r"(?:这儿|那儿|这|那)?(?:附近|旁边|周边|周围|一带|这边|那边|这头|那头|边边上|边边|边上|隔离|左近|最近(?=[的嘅])|最近|"
    r"楼下|(?<!面)对面|近|这块|那块|这片|那片|跟前|这儿|那一圈|这一圈|一圈|这一片|那一片)"
)
# A search for something nearby
SEARCH = re.compile(
    r"附近|最近|就近|哪里|哪儿|哪有|边度|边有|旁边|周边|周围|怎么走|一带|几远|离|近|这边|那边|这头|那头|边上|跟前|边边|这块|"
    r"那块|有没有|有冇|有没得|想找|找个|找一?家|搵"
)
_NOT_PLACE = re.compile(
    r"^(?:家|我家|公司|单位|小区|学校|这|那|我|你|外地|这里|那里|这儿|网上|线上|手机|微信|"
    r"外面|里面|本地|老家|国外|家里|哪|哪里|哪儿|上次|"
    r"现|现在|上班|同城|厅|大厅|窗口|路上|就|离家|旁|门|门口|楼下|楼上|路|河|山|湖|.*(?:哪|什么|怎么|有没|是不|可以|需要|时候|多少|办|"
    r"吗|呢|想|要|了|过|着|没|不|最).*)$"
)
# What is looked for, not where: "派出所最近的是哪个"
_SOUGHT = re.compile(
    r"(?:局|院|所|厅|馆|店|场|厕|处|中心|机|桩|柜|超市|银行|药房|站|点|网点|室|大厅|窗口|医生|公司|号)$"
)
# Hills, temples, islets: with "这儿" or after "在" these are names in any message
_LANDFORM = "湖岭坪碑坡岗崖寺庙塘滩洲港屯庄寨堡堰坝沟湾山峰岛"
# a clause of its own in a search: "最近的药店 新街口"
_ALONE = re.compile(
    r"(?!.*(?:门口|路口|里面|这里|那里|哪里|[出入进]口|窗口))[\u4e00-\u9fff]{1,3}[口门坪湾岭庄屯集嘴坝铺]"
)
# What stands behind a name and is not part of it: "凤凰岭脚下"
ON = re.compile(r"(?:脚下|脚底下|上面|下面|里面|里头|外面|[上下里])$")
_NAME_END = "铺坪嘴坝垭塘店集口岭湾里营坊庄门"
_LAND_RIGHT = re.compile(
    rf"(?:(?<![\u4e00-\u9fff])|(?<=[在到去住]))([\u4e00-\u9fff]{{1,3}}[{_LANDFORM}])(?=脚下|脚底|这儿|那儿|这边|那边|那一[圈片带]|这一[圈片带]|一带|附近)"
)
_LAND_LEFT = re.compile(
    rf"(?:在|位于|困在)([\u4e00-\u9fff]{{2,3}}[{_LANDFORM}])(?=后山|山上|山里|上(?!班|学)|这|那|附近|里|顶|脚下|$)"
)
_BUILDING = re.compile(
    r"[\u4e00-\u9fff]{2,6}(?=(?:\d{1,3}|[A-Z])(?:栋|幢|号楼|号院|座)(?!的?[别房])|\d期(?=\d)|[一二三四五六]期(?![间货限]))"
)
_NO_BUILDING = re.compile(
    r"^(?:[上下前后东西南北中里外]|.*(?:小区|公寓|大厦|家|楼|我们|社区|单元|宿舍|这|那|第|号|共|了|一|项目|工程|房|线))$"
)
_HALL = re.compile(
    r"(?:(?<![\u4e00-\u9fff])|(?<=[去到在]))([\u4e00-\u9fff]{2,4})那个(?:大厅|窗口|网点|办事处|办事点|点|厅)"
)
_HALL_NAME = re.compile(
    r".*(?:[区镇乡城县村]|街道)|[\u4e00-\u9fff]?[东西南北][\u4e00-\u9fff]?|[江河湖海城滨][东西南北]"
)


def find_anchored(
    run: str, found: Sequence[_Span], stops: Sequence[int], words: Words, *, searched: bool
) -> list[_Span]:
    """Further places of a run of characters, given those `found` by their own words.

    stops: offsets in the run behind which a name may begin. searched: the message looks for something (`SEARCH`), so
    "附近" and the like count.
    A name that touches one already found is returned joined to it ("滨湖区" + "云谷").
    """
    spans = [*_landforms(run, words), *_buildings(run, found, stops, words), *_halls(run)]
    if searched:
        spans += [*_left_of(run, found, stops, words), *_right_of(run, words)]
        if _ALONE.fullmatch(run) and run not in words.generic and not _NOT_PLACE.match(run):
            spans.append((0, len(run)))
    return spans


def _landforms(run: str, words: Words) -> list[_Span]:
    matches = [*_LAND_RIGHT.finditer(run), *_LAND_LEFT.finditer(run)]
    return [
        match.span(1)
        for match in matches
        if match[1] not in words.generic and not words.stop_ends(match[1]) and not _NOT_PLACE.match(match[1])
    ]


def _buildings(run: str, found: Sequence[_Span], stops: Sequence[int], words: Words) -> list[_Span]:
    spans = []
    for match in _BUILDING.finditer(run):
        left = max([match.start(), *(stop for stop in stops if stop <= match.end())])
        name = run[left : match.end()]
        inside = any(start < match.end() and left < end for start, end in found)
        if len(name) >= 2 and not inside and name not in words.generic and not _NO_BUILDING.match(name):
            spans.append((left, match.end()))
    return spans


def _halls(run: str) -> list[_Span]:
    return [match.span(1) for match in _HALL.finditer(run) if _HALL_NAME.fullmatch(match[1])]


def _left_of(run: str, found: Sequence[_Span], stops: Sequence[int], words: Words) -> list[_Span]:
    spans = []
    for right in _RIGHT.finditer(run):
        floor = max([0, *(stop for stop in stops if stop <= right.start())])
        if any(start < right.start() <= end for start, end in found):
            continue
        joined = next(((start, end) for start, end in found if end < right.start() and end >= floor), None)
        left = joined[1] if joined else floor
        name = run[left : right.start()]
        if joined and not (2 <= len(name) <= 4 or (len(name) == 1 and name in _NAME_END)):
            continue
        pointed = not joined and _only_points(run, left, right)
        kind = name in words.common_anchors or words.only_common(name) or name.isdigit() or is_service_name(name)
        if (joined or 2 <= len(name) <= 8) and not (pointed or kind or _NOT_PLACE.match(name)):
            spans.append((joined[0] if joined else left, right.start()))
    return spans


def _only_points(run: str, left: int, right: re.Match[str]) -> bool:
    """True when the word behind a name shows no place: "年审那边说", "就近", "派出所最近的是哪个"."""
    word, name = right.group(), run[left : right.start()]
    if word in {"那边", "这边"} and left == 0 and _SOUGHT.search(name):
        return True
    if word.startswith("那"):
        return left > 0 and re.search(r"[在到去从住回来]$", run[:left]) is None
    if word not in {"近", "最近"} or re.search(r"[离距]$", run[:left]):
        return False
    # "X最近的邮局": X at the beginning, and nothing that is looked for itself
    named = left == 0 and len(name) <= 5 and _SOUGHT.search(name) is None
    return not (named and word == "最近" and re.match("[的嘅].", run[right.end() :]))


def _right_of(run: str, words: Words) -> list[_Span]:
    anchor = _LEFT.search(run)
    if anchor is None:
        return []
    name = ON.sub("", anchor[1])
    known = not _NOT_PLACE.match(name) and not words.stop_ends(name) and name not in words.generic
    return [(anchor.start(1), anchor.start(1) + len(name))] if known and len(name) > 1 else []
