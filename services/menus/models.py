"""Accounts of the platform in their versions, and the keyword replies that staff keep."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.core.database import Base, UtcDateTime


class AccountVersion(Base):
    """One applied version of an account; never changed but for `retired` and `is_default`, only superseded."""

    __tablename__ = "channel_accounts"
    __table_args__ = (sa.UniqueConstraint("key", "version"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(32))
    version: Mapped[int] = mapped_column(sa.Integer)
    name: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(64))
    is_default: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    retired: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    # Welcome, scope and menu as they stood in the file (schemas.AccountIn).
    content: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    applied_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeywordReply(Base):
    """What is answered to a keyword. `account` is empty when it holds for all accounts."""

    __tablename__ = "keyword_replies"
    __table_args__ = (sa.UniqueConstraint("account", "match", "folded"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    account: Mapped[str] = mapped_column(sa.String(32), default="")
    keyword: Mapped[str] = mapped_column(sa.String(30))
    # The keyword as messages are compared with it (`folding.bare`).
    folded: Mapped[str] = mapped_column(sa.String(120))
    match: Mapped[str] = mapped_column(sa.String(8))  # exact, contains
    text: Mapped[str | None] = mapped_column(sa.Text)
    entry_id: Mapped[str | None] = mapped_column(sa.String(128))
    enabled: Mapped[bool] = mapped_column(sa.Boolean, default=True)
    valid_from: Mapped[date | None] = mapped_column(sa.Date)
    valid_to: Mapped[date | None] = mapped_column(sa.Date)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(sa.String(64))
