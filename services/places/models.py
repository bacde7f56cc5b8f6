"""Public service points of the city, with B-trees by kind and position (docs/benchmarks.md, Lookups, says why)."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


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
