"""All SQL of places."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.places.models import Place, PlaceKind


def any_place(session: Session) -> bool:
    return session.scalar(sa.select(sa.exists().where(Place.id.is_not(None)))) or False


def addresses(session: Session) -> dict[str, str]:
    """The address of each point by its name; of a name that stands several times, of none."""
    rows = session.execute(
        sa.select(Place.name, sa.func.min(Place.address))
        .where(Place.address != "")
        .group_by(Place.name)
        .having(sa.func.count() == 1)
    )
    return {name: address for name, address in rows}


def kinds(session: Session) -> list[PlaceKind]:
    return list(session.scalars(sa.select(PlaceKind).order_by(PlaceKind.id)))


def within(
    session: Session,
    *,
    south: float,
    north: float,
    west: float,
    east: float,
    kind_ids: Sequence[int],
    order: sa.ColumnElement[float],
    limit: int,
) -> list[tuple[Place, str]]:
    """Points of these kinds (none: of any) in a box of degrees, with the name of their kind."""
    wanted = (
        sa.select(Place, PlaceKind.name)
        .join(PlaceKind, PlaceKind.id == Place.kind_id)
        .where(Place.lat.between(south, north), Place.lng.between(west, east))
        .order_by(order, Place.id)
        .limit(limit)
    )
    if kind_ids:
        wanted = wanted.where(Place.kind_id.in_(kind_ids))
    return [(place, kind) for place, kind in session.execute(wanted).all()]


def named(session: Session, words: str, limit: int) -> list[Place]:
    """Points whose name or address holds these words, short names first."""
    pattern = f"%{words.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
    wanted = (
        sa.select(Place)
        .where(sa.or_(Place.name.like(pattern, escape="!"), Place.address.like(pattern, escape="!")))
        .order_by(sa.case((Place.name == words, 0), (Place.name.like(pattern, escape="!"), 1), else_=2))
        .order_by(sa.func.length(Place.name), Place.id)
        .limit(limit)
    )
    return list(session.scalars(wanted))


def ensure_kinds(session: Session, wanted: dict[str, list[str]]) -> dict[str, int]:
    """Number of each kind by name; new ones are made, new words added."""
    known = {one.name: one for one in kinds(session)}
    for name, words in wanted.items():
        if name not in known:
            known[name] = PlaceKind(name=name, words=words)
            session.add(known[name])
        elif words and set(words) - set(known[name].words):
            known[name].words = [*known[name].words, *(word for word in words if word not in known[name].words)]
    session.flush()
    return {name: one.id for name, one in known.items()}


def by_code(session: Session, codes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The points with these codes: id and everything that a point may be without."""
    wanted = sa.select(Place.code, Place.id, Place.address, Place.phone, Place.hours).where(Place.code.in_(codes))
    return {row.code: dict(row._mapping) for row in session.execute(wanted)}


def store(session: Session, new: Sequence[dict[str, Any]], old: Sequence[dict[str, Any]]) -> None:
    """Insert new points; update known ones, by id, in the columns that are given."""
    if new:
        session.execute(sa.insert(Place), new)
    if old:
        session.execute(sa.update(Place), old)


def after(session: Session, last_id: int, limit: int) -> list[tuple[int, str]]:
    """(id, code) of the points beyond `last_id`, in their order."""
    wanted = sa.select(Place.id, Place.code).where(Place.id > last_id).order_by(Place.id).limit(limit)
    return [(place_id, code) for place_id, code in session.execute(wanted)]


def remove(session: Session, ids: Sequence[int]) -> None:
    session.execute(sa.delete(Place).where(Place.id.in_(ids)))


def remove_unused_kinds(session: Session) -> None:
    session.execute(sa.delete(PlaceKind).where(PlaceKind.id.not_in(sa.select(Place.kind_id))))


def order_by_distance(lat: float, lng: float, narrowing: float) -> sa.ColumnElement[float]:
    """The squared distance on a plane; `narrowing` is how much shorter a degree of longitude is there."""
    north, east = Place.lat - lat, (Place.lng - lng) * narrowing
    return north * north + east * east
