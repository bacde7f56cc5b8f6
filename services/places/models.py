"""Public service points of the city, with an index by position: an R*Tree on SQLite, a B-tree on PostgreSQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

BOXES = "place_boxes"
CREATE_BOXES = f"CREATE VIRTUAL TABLE {BOXES} USING rtree(id, min_lat, max_lat, min_lng, max_lng, min_kind, max_kind)"
"""SQLite only. The third dimension is the kind, so that six registries among 100,000 points are found as fast as
toilets."""


class PlaceKind(Base):
    """A kind of point, and the words by which citizens ask for it."""

    __tablename__ = "place_kinds"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    words: Mapped[list[str]] = mapped_column(sa.JSON, default=list)


class Place(Base):
    """A point; `lat` and `lng` are degrees, GCJ-02. `code` is its name in the file it came from."""

    __tablename__ = "places"
    __table_args__ = (sa.Index(None, "kind_id", "lat", "lng"), sa.Index(None, "lat", "lng"))

    id: Mapped[int] = mapped_column(_ID, primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(64), unique=True)
    kind_id: Mapped[int] = mapped_column(sa.ForeignKey("place_kinds.id"))
    name: Mapped[str] = mapped_column(sa.String(120))
    address: Mapped[str] = mapped_column(sa.String(200), default="")
    phone: Mapped[str] = mapped_column(sa.String(40), default="")
    lat: Mapped[float] = mapped_column(sa.Float)
    lng: Mapped[float] = mapped_column(sa.Float)
    hours: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)


# Tests and measurements make the tables from the models, installations by the migration.
sa.event.listen(Place.__table__, "after_create", sa.DDL(CREATE_BOXES).execute_if(dialect="sqlite"))
sa.event.listen(Place.__table__, "before_drop", sa.DDL(f"DROP TABLE IF EXISTS {BOXES}").execute_if(dialect="sqlite"))
