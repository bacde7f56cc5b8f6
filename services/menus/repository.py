"""All SQL of accounts, menus and keyword replies."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.core.sql import is_postgresql
from services.menus.models import AccountVersion, KeywordReply

_DEFAULT = (
    sa.select(AccountVersion)
    .where(AccountVersion.is_default.is_(True), AccountVersion.retired.is_(False))
    .order_by(AccountVersion.id.desc())
    .limit(1)
)


def lock_versions(session: Session) -> None:
    """Two appliers at once would both take the next version number; the second waits here (SQLite has one writer)."""
    if is_postgresql(session):
        session.execute(sa.text("LOCK TABLE channel_accounts IN SHARE ROW EXCLUSIVE MODE"))


def newest(session: Session, key: str) -> AccountVersion | None:
    """The newest version of an account, also when it has been retired."""
    return session.scalar(
        sa.select(AccountVersion).where(AccountVersion.key == key).order_by(AccountVersion.version.desc()).limit(1)
    )


def current(session: Session) -> Sequence[AccountVersion]:
    """The newest version of every account in use, in the order of their first application."""
    last = (
        sa.select(AccountVersion.key, sa.func.max(AccountVersion.version).label("version"))
        .group_by(AccountVersion.key)
        .subquery()
    )
    return session.scalars(
        sa.select(AccountVersion)
        .join(last, sa.and_(AccountVersion.key == last.c.key, AccountVersion.version == last.c.version))
        .where(AccountVersion.retired.is_(False))
        .order_by(AccountVersion.id)
    ).all()


def default(session: Session) -> AccountVersion | None:
    return session.scalar(_DEFAULT)


def page(
    session: Session, account: str | None, text: str, limit: int, offset: int
) -> tuple[Sequence[KeywordReply], int]:
    """Newest changes first. `account` None: all; `text` is looked for in keywords and replies."""
    wanted = sa.select(KeywordReply)
    if account is not None:
        wanted = wanted.where(KeywordReply.account == account)
    if text:
        wanted = wanted.where(
            sa.or_(
                KeywordReply.keyword.contains(text, autoescape=True), KeywordReply.text.contains(text, autoescape=True)
            )
        )
    total = session.scalar(sa.select(sa.func.count()).select_from(wanted.subquery())) or 0
    ordered = wanted.order_by(KeywordReply.updated_at.desc(), KeywordReply.id.desc()).limit(limit).offset(offset)
    return session.scalars(ordered).all(), total


def keyword_reply(session: Session, reply_id: int, *, lock: bool = False) -> KeywordReply | None:
    wanted = sa.select(KeywordReply).where(KeywordReply.id == reply_id)
    return session.scalar(wanted.with_for_update() if lock else wanted)


def of_account(session: Session, account: str) -> Sequence[KeywordReply]:
    return session.scalars(sa.select(KeywordReply).where(KeywordReply.account == account)).all()


def count(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count(KeywordReply.id))) or 0


def matching(session: Session, account: str, folded: str, today: date, *, contained: bool) -> KeywordReply | None:
    """The best reply to a folded message: an exact keyword before a contained one, then the account's own, then the
    longest, then the oldest. `contained` False looks for exact ones only."""
    asked = {"account": account, "folded": folded, "today": today}
    return session.scalar(_MATCHING if contained else _EXACTLY_MATCHING, asked)


def _matching(*, contained: bool) -> sa.Select[KeywordReply]:
    account, folded = sa.bindparam("account", type_=sa.String), sa.bindparam("folded", type_=sa.String)
    today = sa.bindparam("today", type_=sa.Date)
    fits = sa.and_(KeywordReply.match == "exact", KeywordReply.folded == folded)
    if contained:
        # "Without the keyword it is another text" is "contains", the same on both databases and without wildcards.
        without = sa.func.replace(folded, KeywordReply.folded, "")
        fits = sa.or_(fits, sa.and_(KeywordReply.match == "contains", without != folded))
    return (
        sa.select(KeywordReply)
        .where(
            sa.or_(KeywordReply.account == "", KeywordReply.account == account),
            KeywordReply.enabled.is_(True),
            sa.or_(KeywordReply.valid_from.is_(None), KeywordReply.valid_from <= today),
            sa.or_(KeywordReply.valid_to.is_(None), KeywordReply.valid_to >= today),
            fits,
        )
        .order_by(
            sa.case((KeywordReply.match == "exact", 0), else_=1),
            sa.case((KeywordReply.account == account, 0), else_=1),
            sa.func.length(KeywordReply.folded).desc(),
            KeywordReply.id,
        )
        .limit(1)
    )


# Asked by nearly every message, so built once.
_MATCHING = _matching(contained=True)
_EXACTLY_MATCHING = _matching(contained=False)
