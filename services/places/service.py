"""The nearest public service points of the city, from our own database.

found = nearest(database, Position(22.54, 114.05), "厕所", 5)
found.points[0].distance      # metres
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from services.core.coordinates import Position
from services.core.database import Database, UnitOfWork
from services.places import repository
from services.places.importing import COLUMNS as COLUMNS  # these two are what the command calls
from services.places.importing import read_points as read_points
from services.places.models import PlaceKind
from services.places.schemas import Imported, NearPoint, PlaceRow

EARTH_RADIUS = 6_371_000.0  # metres, the mean one
METRES_OF_A_DEGREE = EARTH_RADIUS * math.pi / 180
# Half the side of the box that is looked through, in metres; each is tried when the one before held too few.
REACHES = (500.0, 2_000.0, 8_000.0, 32_000.0, 100_000.0)
GAZETTEER_LOOKED_AT = 20
BATCH = 1000
MAP_LINK = "https://uri.amap.com/marker?position={lng},{lat}&name={name}"
_AROUND = re.compile(r"^(?:我?在|从)|(?:的?(?:附近|旁边|周边|周围|边上|一带|这里|那里|这边|那边))+$")

Progress = Callable[[int, int], None]


class Nearest(NamedTuple):
    """The nearest points, best first; `centre` is the point that a typed place was taken for."""

    points: list[NearPoint]
    centre: str | None


def any_places(database: Database) -> bool:
    """Whether the city has imported points."""
    with database.unit_of_work(read_only=True) as uow:
        return repository.any_place(uow.session)


def addresses(uow: UnitOfWork) -> dict[str, str]:
    """The address of each imported point that has one, by its name; a name that several points share is left out."""
    return repository.addresses(uow.session)


def nearest(database: Database, place: Position | str, what: str | None, limit: int) -> Nearest | None:
    """The nearest points of the kind that `what` names (None: of any kind).

    `place` is a position in GCJ-02, or words that are looked for in the names and addresses of the points. None when
    no point is called so; an empty list when there is nothing of this kind within a hundred kilometres.
    """
    with database.unit_of_work(read_only=True) as uow:
        centre = None
        if isinstance(place, str):
            located = _locate(uow, place)
            if located is None:
                return None
            place, centre = located
        kind_ids = _kinds_named(repository.kinds(uow.session), what)
        if kind_ids is None:
            return Nearest([], centre)
        return Nearest(_around(uow, place, kind_ids, limit), centre)


def metres(one: Position, other: Position) -> float:
    """Great-circle distance (haversine)."""
    lat, other_lat = math.radians(one.lat), math.radians(other.lat)
    half = math.sin((other_lat - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(other_lat) * math.sin(math.radians(other.lng - one.lng) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))


def import_points(
    database: Database, rows: Sequence[PlaceRow], *, replace: bool = False, progress: Progress | None = None
) -> Imported:
    """Store points by their id, in batches. Positions are GCJ-02.

    Of a point that is there already only the fields that were set in its row change; with `replace` the others become
    empty, and points that are not among the rows are removed afterwards.
    """
    created = updated = 0
    emptied: dict[str, list[str]] = {}
    for start in range(0, len(rows), BATCH):
        new, old, gone = database.write(_storing(rows[start : start + BATCH], replace=replace))
        created, updated = created + new, updated + old
        emptied |= gone
        if progress is not None:
            progress(min(start + BATCH, len(rows)), len(rows))
    removed = _remove_others(database, {row.id for row in rows}) if replace else 0
    return Imported(created, updated, removed, emptied)


def _around(uow: UnitOfWork, centre: Position, kind_ids: Sequence[int], limit: int) -> list[NearPoint]:
    narrowing = max(math.cos(math.radians(centre.lat)), 0.01)
    order = repository.order_by_distance(centre.lat, centre.lng, narrowing)
    found: list[NearPoint] = []
    for reach in REACHES:
        high = reach / METRES_OF_A_DEGREE
        wide = high / narrowing
        rows = repository.within(
            uow.session,
            south=centre.lat - high,
            north=centre.lat + high,
            west=centre.lng - wide,
            east=centre.lng + wide,
            kind_ids=kind_ids,
            order=order,
            limit=limit,
        )
        found = [
            NearPoint(
                name=row.name,
                kind=kind,
                address=row.address,
                phone=row.phone,
                lat=row.lat,
                lng=row.lng,
                distance=round(metres(centre, Position(row.lat, row.lng))),
                hours=row.hours,
            )
            for row, kind in rows
        ]
        # What lies in a corner of the box may be farther than what lies just outside of its sides.
        if len([point for point in found if point.distance <= reach]) >= limit:
            break
    return sorted(found, key=lambda point: point.distance)


def _kinds_named(kinds: Iterable[PlaceKind], what: str | None) -> list[int] | None:
    """Numbers of the kinds that the words name; [] is any kind, None says that there is no such kind."""
    if not what:
        return []
    exact = [kind.id for kind in kinds if what == kind.name]
    if exact:
        return exact
    named = [
        kind.id for kind in kinds if kind.name in what or what in kind.name or any(word in what for word in kind.words)
    ]
    return named or None


def _locate(uow: UnitOfWork, words: str) -> tuple[Position, str] | None:
    """The point that typed words speak of: by its name, else by its address; the middle one of several equally good."""
    plain = _AROUND.sub("", words.strip()) or words.strip()
    found = repository.named(uow.session, plain, GAZETTEER_LOOKED_AT)
    if not found:
        return None
    best = [point for point in found if _fit(point.name, plain) == _fit(found[0].name, plain)]
    lat, lng = sum(one.lat for one in best) / len(best), sum(one.lng for one in best) / len(best)
    middle = min(best, key=lambda one: metres(Position(lat, lng), Position(one.lat, one.lng)))
    name = middle.name if plain in middle.name else middle.address
    return Position(middle.lat, middle.lng), name


def _fit(name: str, words: str) -> int:
    return 0 if name == words else 1 if words in name else 2


_MAY_BE_EMPTY = ("address", "phone", "hours")


def _storing(
    rows: Sequence[PlaceRow], *, replace: bool
) -> Callable[[UnitOfWork], tuple[int, int, dict[str, list[str]]]]:
    def step(uow: UnitOfWork) -> tuple[int, int, dict[str, list[str]]]:
        words: dict[str, list[str]] = {}
        for row in rows:
            words.setdefault(row.kind, []).extend(word for word in row.words if word not in words.get(row.kind, []))
        kind_ids = repository.ensure_kinds(uow.session, words)
        # The last of several rows with one id wins.
        last = {row.id: row for row in rows}
        known = repository.by_code(uow.session, list(last))
        new, old = [], []
        emptied: dict[str, list[str]] = {}
        for code, row in last.items():
            values = _columns(row, kind_ids[row.kind])
            if code not in known:
                new.append(values)
                continue
            given = set(_MAY_BE_EMPTY) if replace else row.model_fields_set
            kept = [name for name in _MAY_BE_EMPTY if name not in given]
            old.append({name: value for name, value in values.items() if name not in kept} | {"id": known[code]["id"]})
            gone = [name for name in _MAY_BE_EMPTY if name in given and known[code][name] and not values[name]]
            if gone:
                emptied[code] = gone
        repository.store(uow.session, new, old)
        return len(new), len(old), emptied

    return step


def _columns(row: PlaceRow, kind_id: int) -> dict[str, Any]:
    return {
        "code": row.id,
        "kind_id": kind_id,
        "name": row.name,
        "address": row.address,
        "phone": row.phone,
        "lat": row.lat,
        "lng": row.lng,
        "hours": [span.model_dump() for span in row.hours],
    }


def _remove_others(database: Database, kept: set[str]) -> int:
    removed = last = 0

    def step(uow: UnitOfWork) -> tuple[int, int]:
        page = repository.after(uow.session, last, BATCH)
        gone = [place_id for place_id, code in page if code not in kept]
        if gone:
            repository.remove(uow.session, gone)
        if not page:
            repository.remove_unused_kinds(uow.session)
        return len(gone), page[-1][0] if page else 0

    while True:
        gone, reached = database.write(step)
        removed += gone
        if not reached:
            return removed
        last = reached
