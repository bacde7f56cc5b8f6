"""Tables of what a city configures: versioned documents and their rows. Rows are never changed, only superseded."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime


class CityVersion(Base):
    """One applied version of a policy, a calendar or the list of departments."""

    __tablename__ = "city_versions"
    __table_args__ = (sa.UniqueConstraint("document", "name", "version"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    document: Mapped[str] = mapped_column(sa.String(16))  # policy, calendar, departments
    name: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int] = mapped_column(sa.Integer)
    digest: Mapped[str] = mapped_column(sa.String(64))
    is_default: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    retired: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    settings: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    applied_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PolicyRow(Base):
    __tablename__ = "sla_policies"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("city_versions.id"), index=True)
    target: Mapped[str] = mapped_column(sa.String(16))
    kind: Mapped[str | None] = mapped_column(sa.String(16))
    department: Mapped[str | None] = mapped_column(sa.String(64))
    priority: Mapped[str | None] = mapped_column(sa.String(16))
    channel: Mapped[str | None] = mapped_column(sa.String(32))
    amount: Mapped[int] = mapped_column(sa.Integer)
    unit: Mapped[str] = mapped_column(sa.String(16))
    warning_share: Mapped[float] = mapped_column(sa.Float)
    calendar: Mapped[str | None] = mapped_column(sa.String(64))
    source: Mapped[str] = mapped_column(sa.Text)


class CalendarDayRow(Base):
    """What the city says about one day; it wins over the announced and the statutory days."""

    __tablename__ = "calendar_days"
    __table_args__ = (sa.UniqueConstraint("version_id", "day"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("city_versions.id"))
    day: Mapped[date] = mapped_column(sa.Date)
    working: Mapped[bool] = mapped_column(sa.Boolean)
    hours: Mapped[list[list[int]] | None] = mapped_column(sa.JSON(none_as_null=True))
    source: Mapped[str] = mapped_column(sa.Text)


class DepartmentRow(Base):
    __tablename__ = "departments"
    __table_args__ = (sa.UniqueConstraint("version_id", "name"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("city_versions.id"))
    position: Mapped[int] = mapped_column(sa.Integer)
    name: Mapped[str] = mapped_column(sa.String(64))
    short_name: Mapped[str] = mapped_column(sa.String(32))
    aliases: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    duty: Mapped[bool] = mapped_column(sa.Boolean, default=False)
