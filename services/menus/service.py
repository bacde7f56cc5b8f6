"""Accounts of the platform with their menus, and the keyword replies that staff edit."""

import hashlib
import json
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from services.core import audit
from services.core.database import UnitOfWork
from services.core.errors import Conflict, NotFound, Unprocessable
from services.knowledge import service as knowledge
from services.menus import repository
from services.menus.city import read_menus
from services.menus.models import AccountVersion, KeywordReply
from services.menus.schemas import (
    FOLDED_LIMIT,
    Account,
    AccountIn,
    AccountView,
    AppliedAccount,
    ItemIn,
    KeywordEdit,
    KeywordIn,
    KeywordPage,
    KeywordView,
    Reply,
)
from services.menus.tree import Chosen, Command, Item, Menu, Place, Shown, place_from, place_text, read, step
from services.understanding.folding import bare

__all__ = [
    "Account",
    "Chosen",
    "Command",
    "Item",
    "Menu",
    "Place",
    "Reply",
    "Shown",
    "accounts",
    "apply_menus",
    "create_reply",
    "delete_reply",
    "find_account",
    "find_replies",
    "place_from",
    "place_text",
    "read",
    "reply_to",
    "step",
    "update_reply",
]

FROM_FILE = "城市配置文件"
CONTAINS_WITHIN = 20
"""Characters that a message may have at most for a keyword that is only contained in it: longer ones say more."""
REPLIES_LIMIT = 2000


# -- accounts -------------------------------------------------------------------------------------------------------


def apply_menus(uow: UnitOfWork, directory: Path, now: datetime) -> list[AppliedAccount]:
    """Make menus.yaml of `directory` the current accounts; unchanged content makes no new version.

    An account that has left the file is retired: its conversations go on with the default account. Keyword replies of
    the file are added or brought up to date, those that staff have changed are left alone. Without the file nothing
    changes. Raises Unprocessable with one line naming file, line and field.
    """
    file = read_menus(directory)
    if file is None:
        return []
    repository.lock_versions(uow.session)
    applied = [_apply(uow, account, now) for account in file.accounts]
    kept = {account.key for account in file.accounts}
    for version in repository.current(uow.session):
        if version.key not in kept:
            version.retired, version.is_default = True, False
    uow.session.flush()
    return applied


def _apply(uow: UnitOfWork, account: AccountIn, now: datetime) -> AppliedAccount:
    content = account.model_dump(mode="json", exclude={"keywords", "default"}, exclude_none=True)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    before = repository.newest(uow.session, account.key)
    changed = before is None or before.digest != digest or before.retired
    if before is None or changed:
        if before is not None:
            before.is_default = False
        row = AccountVersion(
            key=account.key,
            version=before.version + 1 if before else 1,
            name=account.name,
            digest=digest,
            is_default=account.default,
            retired=False,
            content=content,
            applied_at=now,
        )
        uow.session.add(row)
    else:
        row = before
        row.is_default = account.default
    uow.session.flush()
    return AppliedAccount(row.key, row.version, changed, _apply_keywords(uow, account, now))


def _apply_keywords(uow: UnitOfWork, account: AccountIn, now: datetime) -> int:
    """Returns how many rows of the file were added or changed."""
    known = {(row.match, row.folded): row for row in repository.of_account(uow.session, account.key)}
    wanted = {(row.match, bare(row.keyword)): row for row in account.keywords}
    changes = 0
    for place, row in known.items():
        if place not in wanted and row.updated_by == FROM_FILE:
            uow.session.delete(row)
            changes += 1
    for place, keyword in wanted.items():
        found = known.get(place)
        if found is None:
            found = KeywordReply(account=account.key)
            uow.session.add(found)
        elif found.updated_by != FROM_FILE or _same(found, keyword):
            continue
        _fill(found, keyword, FROM_FILE, now)
        changes += 1
    return changes


def accounts(uow: UnitOfWork) -> list[AccountView]:
    return [AccountView(key=row.key, name=row.name, default=row.is_default) for row in repository.current(uow.session)]


def find_account(uow: UnitOfWork, key: str | None) -> Account | None:
    """The account in its current version; the default one for None and for an account that was retired.

    None when the key was never an account, or when no accounts have been applied.
    """
    row = repository.newest(uow.session, key) if key else None
    if key and row is None:
        return None
    if row is None or row.retired:
        row = repository.default(uow.session)
    return _account(row.version, json.dumps(row.content)) if row else None


@lru_cache(maxsize=512)
def _account(version: int, content: str) -> Account:
    """A version never changes, so its menu is built once."""
    written = json.loads(content)
    scope = written.get("scope") or {}
    return Account(
        key=written["key"],
        name=written["name"],
        version=version,
        welcome=written["welcome"],
        menu=Menu(tuple(ItemIn.model_validate(item).item() for item in written.get("menu") or ())),
        department=scope.get("department"),
        region=scope.get("region"),
    )


# -- keyword replies ------------------------------------------------------------------------------------------------


def reply_to(uow: UnitOfWork, account: str, text: str, today: date, *, whole: bool = False) -> Reply | None:
    """The reply to a message by its keyword, or None.

    `whole` looks for the exact keyword only (a message with an identifier is about more than a word in it).
    """
    folded = bare(text)
    if not folded or len(folded) > FOLDED_LIMIT:
        return None
    row = repository.matching(
        uow.session, account, folded, today, contained=not whole and len(folded) <= CONTAINS_WITHIN
    )
    return Reply(row.text, row.entry_id) if row else None


def find_replies(uow: UnitOfWork, account: str | None, text: str, limit: int, offset: int) -> KeywordPage:
    rows, total = repository.page(uow.session, account, text, limit, offset)
    return KeywordPage(replies=[_view(row) for row in rows], total=total)


def create_reply(uow: UnitOfWork, edit: KeywordEdit, *, actor: str, now: datetime) -> KeywordView:
    """Raises Unprocessable for an unknown account or entry, Conflict when the keyword has a reply already."""
    if repository.count(uow.session) >= REPLIES_LIMIT:
        raise Conflict(f"关键词回复最多 {REPLIES_LIMIT} 条，请先删除不用的")
    row = KeywordReply()
    uow.session.add(row)
    return _save(uow, row, edit, "keyword.create", actor, now)


def update_reply(uow: UnitOfWork, reply_id: int, edit: KeywordEdit, *, actor: str, now: datetime) -> KeywordView:
    """Raises NotFound, and what `create_reply` raises."""
    return _save(uow, _reply(uow, reply_id), edit, "keyword.update", actor, now)


def delete_reply(uow: UnitOfWork, reply_id: int, *, actor: str, now: datetime) -> None:
    """Raises NotFound."""
    row = _reply(uow, reply_id)
    uow.session.delete(row)
    audit.record(uow, actor=actor, action="keyword.delete", subject=f"keyword:{reply_id}", now=now, detail=_what(row))


def _save(uow: UnitOfWork, row: KeywordReply, edit: KeywordEdit, action: str, actor: str, now: datetime) -> KeywordView:
    with uow.session.no_autoflush:
        if edit.account and edit.account not in {account.key for account in accounts(uow)}:
            raise Unprocessable("没有这个账号")
        if edit.entry_id is not None:
            try:
                knowledge.get_entry(uow, edit.entry_id)
            except NotFound:
                raise Unprocessable("知识库里没有这个编号的条目") from None
    row.account = edit.account
    _fill(row, edit, actor, now)
    try:
        uow.session.flush()
    except IntegrityError:
        raise Conflict("这个账号已有相同的关键词，请编辑它") from None
    audit.record(uow, actor=actor, action=action, subject=f"keyword:{row.id}", now=now, detail=_what(row))
    return _view(row)


def _reply(uow: UnitOfWork, reply_id: int) -> KeywordReply:
    row = repository.keyword_reply(uow.session, reply_id, lock=True) if 0 < reply_id < 2**31 else None
    if row is None:
        raise NotFound("没有这条关键词回复")
    return row


def _fill(row: KeywordReply, edit: KeywordIn, actor: str, now: datetime) -> None:
    for name in KeywordIn.model_fields:
        setattr(row, name, getattr(edit, name))
    row.folded = bare(edit.keyword)
    row.updated_at, row.updated_by = now, actor


def _same(row: KeywordReply, edit: KeywordIn) -> bool:
    return all(getattr(row, name) == getattr(edit, name) for name in KeywordIn.model_fields)


def _what(row: KeywordReply) -> dict[str, Any]:
    return {"account": row.account, "keyword": row.keyword, "match": row.match, "enabled": row.enabled}


def _view(row: KeywordReply) -> KeywordView:
    return KeywordView.model_validate({name: getattr(row, name) for name in KeywordView.model_fields})
