"""What may cross a boundary: numbers, days, moments and texts that both databases and every calendar can hold.

`services.core.request_guard` looks through every request by `unstorable`, so that no endpoint needs to; the types below
bound what a field means. They say so in the OpenAPI document too.

    @router.post("/outbox/{row_id}/resend")
    def send_again(row_id: Id, ...): ...
"""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Never

from pydantic import AfterValidator, BeforeValidator, Field

from services.core.clock import day_in_reach, moment_in_reach

# A signed integer of eight bytes, and one of four: PostgreSQL's bigint and integer.
LARGEST = 2**63 - 1
LARGEST_SMALL = 2**31 - 1
DEEPEST = 32

NUL, LONE, TOO_LARGE, NO_NUMBER, TOO_DEEP = (
    "含有空字符（NUL）",
    "含有不成对的代理字符",
    "含有过大的数字",
    "含有不是数字的数值（NaN、Infinity）",
    "嵌套过深",
)


def unstorable(value: Any) -> str | None:
    """Why a JSON value cannot be kept, in Chinese and without repeating it; None when it can.

    NUL characters, lone surrogates, whole numbers beyond 63 bits, NaN and infinity, and more than 32 levels; in keys
    as in values.
    """
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        match one:
            case str():
                reason = _unstorable_text(one)
                if reason is not None:
                    return reason
            case bool() | None:
                pass
            case int():
                if abs(one) > LARGEST:
                    return TOO_LARGE
            case float():
                if not math.isfinite(one):
                    return NO_NUMBER
            case Mapping() | list() | tuple():
                if depth == DEEPEST:
                    return TOO_DEEP
                inner = [*one.keys(), *one.values()] if isinstance(one, Mapping) else one
                waiting += [(part, depth + 1) for part in inner]
    return None


class Unstorable(ValueError):
    """A JSON document that holds what cannot be kept; the message says what, in Chinese."""


def read_json(document: str | bytes) -> Any:
    """The value of a JSON document that can be kept. Raises ValueError, and its subclass Unstorable (`unstorable`)."""
    try:
        value = json.loads(document, parse_int=_whole_number, parse_constant=_no_number)
    except RecursionError:
        raise Unstorable(TOO_DEEP) from None
    reason = unstorable(value)
    if reason is not None:
        raise Unstorable(reason)
    return value


def unstorable_json(body: bytes) -> str | None:
    """Like `unstorable` for a JSON document. What is no JSON at all is not judged here: None."""
    try:
        read_json(body)
    except Unstorable as refused:
        return str(refused)
    except ValueError:
        pass
    return None


def whole(text: str, most: int = LARGEST_SMALL) -> int | None:
    """The whole number that a text of decimal digits means; None for any other text, and for a number beyond `most`.

    `str.isdigit` also takes what `int` refuses ("²"), and neither bounds the length.

    >>> whole("12"), whole("１２"), whole("²"), whole("-1"), whole("9" * 20)
    (12, 12, None, None, None)
    """
    if not (text.isdecimal() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if number <= most else None


def _whole_number(text: str) -> int:
    # Python itself raises a plain ValueError past 4,300 digits.
    if len(text) > len(str(LARGEST)) + 1:
        raise Unstorable(TOO_LARGE)
    return int(text)


def _no_number(text: str) -> Never:
    raise Unstorable(NO_NUMBER)


def _unstorable_text(text: str) -> str | None:
    if "\0" in text:
        return NUL
    try:
        text.encode()
    except UnicodeEncodeError:
        return LONE
    return None


def _text(text: str) -> str:
    reason = _unstorable_text(text)
    if reason is not None:
        raise ValueError(reason)
    return text


def _moment(value: object) -> datetime:
    """Numbers are refused: a date written as 20260930 would be a second of the year 1970."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("an ISO 8601 moment with its zone is expected")
    return moment_in_reach(value)


def _written_day(value: object) -> object:
    if isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("a day as 2026-09-30 is expected")


Text = Annotated[str, AfterValidator(_text)]
"""For what does not come as JSON, such as the fields of a form."""
Id = Annotated[int, Field(ge=1, le=LARGEST)]
"""Of a row with a bigint key."""
SmallId = Annotated[int, Field(ge=1, le=LARGEST_SMALL)]
"""Of a row with an integer key, and of a version."""
Seq = Annotated[int, Field(ge=0, le=LARGEST_SMALL)]
"""A message's place in its conversation; 0 is before the first."""
Offset = Annotated[int, Field(ge=0, le=1_000_000)]
"""Rows of a list that are left out before a page."""
Day = Annotated[date, BeforeValidator(_written_day), AfterValidator(day_in_reach)]
"""An ISO 8601 day of the years 1900 to 2199."""
Moment = Annotated[datetime, BeforeValidator(_moment)]
"""An ISO 8601 moment with its zone, in the years 1900 to 2199; UTC inside."""
