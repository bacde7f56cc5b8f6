"""The audit trail: who did what to which thing, when. Rows go in with the change that they witness."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UnitOfWork, UtcDateTime

LONGEST_SUBJECT = 200


class AuditRow(Base):
    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(sa.String(100))
    action: Mapped[str] = mapped_column(sa.String(60))
    subject: Mapped[str] = mapped_column(sa.String(LONGEST_SUBJECT), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)


def record(
    uow: UnitOfWork, *, actor: str, action: str, subject: str, now: datetime, detail: dict[str, Any] | None = None
) -> None:
    """Add an audit row to the current transaction. `detail` holds no personal data; a subject past 200 characters (the
    name of a file, say) is cut."""
    row = AuditRow(at=now, actor=actor, action=action, subject=subject[:LONGEST_SUBJECT], detail=detail or {})
    uow.session.add(row)
