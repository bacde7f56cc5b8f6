"""Reading service points from a table (JSON Lines, CSV, XLSX). Pure: a file's bytes in, checked rows out.

Columns: id, name, kind, lat, lng; and address, phone, words (other words for the kind, by `|`), hours; or their Chinese
names. Hours are, in JSON Lines, a list of {days, opens, closes}; everywhere also a text such as
`1-5 09:00-12:00; 1-5 13:30-17:00`, where a day is 1 (Monday) to 7.
"""

import re
from typing import Any, Literal

from pydantic import ValidationError

from knowledge_base.tables import Cell, Columns, Row, plain, read_table
from services.core.coordinates import wgs84_to_gcj02
from services.places.schemas import PlaceRow, PointsRead, RowProblem

Coordinates = Literal["gcj02", "wgs84"]
COLUMNS = Columns(
    {
        "id": ("编号", "序号"),
        "name": ("名称",),
        "kind": ("类别", "类型"),
        "lat": ("纬度",),
        "lng": ("经度",),
        "address": ("地址",),
        "phone": ("电话", "联系电话"),
        "hours": ("开放时间", "营业时间"),
        "words": ("别名", "其他说法"),
    },
    required=("id", "name", "kind", "lat", "lng"),
    keys=("id", "name"),
)
_EMPTY: dict[str, Any] = {"address": "", "phone": "", "hours": [], "words": []}
_SPAN = re.compile(r"([1-7])(?:\s*-\s*([1-7]))?\s+(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")
_REASONS = {
    "missing": "缺少",
    "float_parsing": "不是数字",
    "float_type": "不是数字",
    "greater_than_equal": "超出范围",
    "less_than_equal": "超出范围",
    "string_too_long": "过长",
    "string_type": "应为文字",
    "string_too_short": "是空的",
}


def read_points(name: str, data: bytes, *, coordinates: Coordinates) -> PointsRead:
    """The points, positions in GCJ-02, and each row that is refused or deserves a look. A field that was set in a row
    (`model_fields_set`) is one that the file speaks of.

    Raises ImportRejected for a file without rows, without the needed columns, or beyond a bound of the reader.
    """
    found = PointsRead()
    table = read_table(name, data, COLUMNS)
    seen: dict[str, Row] = {}
    for row in table:
        try:
            if row.problem is not None:
                raise ValueError(row.problem)
            point = _point(row.values, coordinates)
        except ValueError as error:
            found.rejected.append(RowProblem(row.number, _reason(error), row.sheet))
            continue
        first = seen.setdefault(point.id, row)
        if first is not row:
            there = f"“{first.sheet}”" if first.sheet != row.sheet else ""
            found.rejected.append(RowProblem(row.number, f"编号与{there}第 {first.number} 行重复", row.sheet))
            continue
        found.rows.append(point)
        found.origins.append((row.number, row.sheet))
        found.reported.extend(RowProblem(row.number, note, row.sheet) for note in row.notes)
    found.reported.extend(RowProblem(one.number, one.note, one.sheet) for one in table.remarks)
    found.left_out.extend((one.sheet, one.reason) for one in table.skipped)
    return found


def _point(given: dict[str, Any], coordinates: Coordinates) -> PlaceRow:
    values: dict[str, Any] = {}
    for name in COLUMNS.fields:
        if name not in given:
            continue
        value = _value(name, given[name])
        if value not in (None, ""):
            values[name] = value
        elif name in _EMPTY:
            values[name] = _EMPTY[name]
    row = PlaceRow.model_validate(values)
    if coordinates == "wgs84":
        position = wgs84_to_gcj02(row.lat, row.lng)
        row = row.model_copy(update={"lat": round(position.lat, 6), "lng": round(position.lng, 6)})
    return row


def _value(name: str, given: Any) -> Any:
    # A position has more digits than its column shows.
    if name in ("lat", "lng") and isinstance(given, Cell) and given.number is not None:
        return given.number
    value = plain(given)
    if isinstance(value, str):
        value = value.strip()
        if name == "hours":
            return hours_in(value)
        if name == "words":
            return [word.strip() for word in re.split("[|｜]", value) if word.strip()]
    elif isinstance(value, int) and not isinstance(value, bool) and name not in ("lat", "lng"):
        return str(value)
    return value


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    title = COLUMNS.title(str(first["loc"][0])) if first["loc"] else ""
    if first["type"] == "missing":
        return f"缺少{title}"
    return f"{title}{_REASONS.get(first['type'], '不符合要求')}"


def hours_in(text: str) -> list[dict[str, Any]]:
    """`1-5 09:00-12:00; 6 10:00-16:00` as spans; ValueError for anything else."""
    spans = []
    for part in text.replace("；", ";").split(";"):
        if not part.strip():
            continue
        found = _SPAN.fullmatch(part.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError("开放时间应写作 1-5 09:00-12:00; 6 10:00-16:00")
        days = list(range(int(found[1]), int(found[2] or found[1]) + 1))
        spans.append({"days": days, "opens": found[3].zfill(5), "closes": found[4].zfill(5)})
    return spans
