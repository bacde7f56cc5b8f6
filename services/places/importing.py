"""Reading service points from CSV or JSON Lines. Pure: text in, checked rows out.

Columns: id, name, kind, lat, lng; and address, phone, words (other words for the kind, by `|`), hours. Hours are, in
JSON Lines, a list of {days, opens, closes}; in both also a text such as `1-5 09:00-12:00; 1-5 13:30-17:00`, where a day
is 1 (Monday) to 7.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import ValidationError

from services.core.coordinates import wgs84_to_gcj02
from services.places.schemas import PlaceRow

MOST_ROWS = 1_000_000
Coordinates = Literal["gcj02", "wgs84"]
_SPAN = re.compile(r"([1-7])(?:\s*-\s*([1-7]))?\s+(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")


def read_points(
    text: str, *, json_lines: bool, coordinates: Coordinates
) -> tuple[list[PlaceRow], list[tuple[int, str]]]:
    """The points, positions in GCJ-02, and (line, what is wrong) of each row that is refused.

    Raises ValueError for a file that has no rows at all, or too many.
    """
    rows: list[PlaceRow] = []
    rejected: list[tuple[int, str]] = []
    for line, given in _json_lines(text) if json_lines else _csv(text):
        if len(rows) + len(rejected) >= MOST_ROWS:
            raise ValueError(f"more than {MOST_ROWS} rows")
        if isinstance(given, str):
            rejected.append((line, given))
            continue
        try:
            rows.append(_row(given, coordinates))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            rejected.append((line, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"))
        except ValueError as error:
            rejected.append((line, str(error)))
    if not rows and not rejected:
        raise ValueError("no rows")
    return rows, rejected


def _row(given: dict[str, Any], coordinates: Coordinates) -> PlaceRow:
    values = {name: value for name, value in given.items() if value not in (None, "")}
    for name in ("id", "phone"):
        if isinstance(values.get(name), int):
            values[name] = str(values[name])
    if isinstance(values.get("hours"), str):
        values["hours"] = hours_in(values["hours"])
    if isinstance(values.get("words"), str):
        values["words"] = [word.strip() for word in values["words"].split("|") if word.strip()]
    row = PlaceRow.model_validate(values)
    if coordinates == "wgs84":
        position = wgs84_to_gcj02(row.lat, row.lng)
        row = row.model_copy(update={"lat": round(position.lat, 6), "lng": round(position.lng, 6)})
    return row


def hours_in(text: str) -> list[dict[str, Any]]:
    """`1-5 09:00-12:00; 6 10:00-16:00` as spans; ValueError for anything else."""
    spans = []
    for part in text.replace("；", ";").split(";"):
        if not part.strip():
            continue
        found = _SPAN.fullmatch(part.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError("hours: write them as 1-5 09:00-12:00; 6 10:00-16:00")
        days = list(range(int(found[1]), int(found[2] or found[1]) + 1))
        spans.append({"days": days, "opens": found[3].zfill(5), "closes": found[4].zfill(5)})
    return spans


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in ("id", "name", "kind", "lat", "lng") if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the columns {', '.join(missing)} are missing")
    for row in reader:
        if None in row:
            yield reader.line_num, "more cells than columns"
        else:
            yield reader.line_num, dict(row)


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for line, content in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not content.strip():
            continue
        try:
            given = json.loads(content)
        except ValueError:
            yield line, "no JSON"
            continue
        yield line, given if isinstance(given, dict) else "no JSON object"
