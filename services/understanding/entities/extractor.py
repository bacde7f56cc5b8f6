"""Puts the finders in their order of precedence and returns the entities of one message."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from services.understanding.entities.datetimes import Mention, find_datetimes
from services.understanding.entities.entities import Entity
from services.understanding.entities.numbers import (
    find_case_numbers,
    find_engine_tails,
    find_expected,
    find_ids,
    find_labelled_numbers,
    find_leftover_numbers,
    find_phones,
)
from services.understanding.entities.places import find_locations
from services.understanding.entities.plates import find_bare_plate, find_plates
from services.understanding.entities.resolving import Lean, resolve
from services.understanding.entities.service_names import find_services
from services.understanding.entities.spans import Claims
from services.understanding.folding import fold

_PAST = re.compile(
    r"[水电气]费|燃气|暖气|账单|违章|违法|罚|被拍|抄牌|闯红灯|贴条|违停|超速|拍了|交了|投诉过|反映过|用电量|用水量"
)
_AHEAD = re.compile(r"约|改到|改期|名额|有号|的号|空位|有空|可以吗|行吗|办理?$|以后|之后|前能|能拿到")

SHANGHAI = ZoneInfo("Asia/Shanghai")


def extract(text: str, *, now: datetime | None = None, expected: str | None = None) -> list[Entity]:
    """Entities of one message, in order of their offsets, never overlapping.

    text: what the citizen wrote. now: aware; with it datetimes are normalised to ISO 8601 in
    Asia/Shanghai. expected: the slot a form is asking for (plate, engine_tail, license_file_no,
    household_no, case_no, phone, phone_tail, id_card, service, datetime; others change nothing): a bare answer is
    taken as that type.
    Raises ValueError when `now` is naive.

    >>> [(e.type, e.value) for e in extract("粤b·7k392 前天有违章吗")]
    [('plate', '粤b·7k392'), ('datetime', '前天')]
    """
    if now is not None and now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    claims = Claims(text, fold(text))
    find_plates(claims)
    if expected == "plate" and not claims.has("plate"):
        find_bare_plate(claims)
    if expected == "phone_tail":
        # Of a whole number, also one that is called so, only the end is wanted.
        find_expected(claims, expected)
    find_labelled_numbers(claims)
    find_ids(claims)
    if expected is not None:
        find_expected(claims, expected)
    find_case_numbers(claims)
    find_phones(claims)
    find_engine_tails(claims)
    find_leftover_numbers(claims)
    find_locations(claims)
    mentions = find_datetimes(claims, asked=expected == "datetime")
    find_services(claims, asked=expected == "service")
    entities = sorted(claims.entities, key=lambda entity: entity.start)
    return (
        entities
        if now is None
        else _dated(entities, mentions, now.astimezone(SHANGHAI), lean_of(claims.folded, expected))
    )


def lean_of(folded: str, expected: str | None) -> Lean:
    """Whether a message speaks of the past (bills, fines) or ahead (bookings): days without a year need it."""
    if expected == "datetime" or _AHEAD.search(folded):
        return "future"
    return "past" if _PAST.search(folded) else "nearest"


def resolve_datetime(value: str, now: datetime, lean: Lean = "future") -> str | None:
    """ISO 8601 of a time expression on its own ("下周一上午"); None when it holds none.

    now: aware. lean: where a day without month or year is looked for. Forms: see
    `services.understanding.entities.resolving`.
    """
    claims = Claims(value, fold(value))
    mentions = find_datetimes(claims, asked=True)
    return resolve(mentions[0], now.astimezone(SHANGHAI), lean) if mentions else None


def _dated(entities: list[Entity], mentions: list[Mention], now: datetime, lean: Lean) -> list[Entity]:
    by_start = {mention.start: mention for mention in mentions}
    result = []
    for entity in entities:
        mention = by_start.get(entity.start) if entity.type == "datetime" else None
        iso = resolve(mention, now, lean) if mention else None
        result.append(replace(entity, normalised=iso) if iso else entity)
    return result
