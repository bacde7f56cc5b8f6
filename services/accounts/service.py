"""Accounts, staff sessions, and what a wrong password costs. Nothing here hashes: a hash is not made in a transaction
(`services.accounts.tasks`)."""

from dataclasses import asdict
from datetime import datetime, timedelta

from services.accounts import repository
from services.accounts.brakes import FORGOTTEN_AFTER, NO_WAIT, Brakes
from services.accounts.models import StaffAccount, StaffSession
from services.accounts.repository import ANY
from services.accounts.schemas import Account, LiveSession, NewAccount, StaffUser, Visitor
from services.core import audit
from services.core.crypto import hash_token, new_token
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict, NotFound, Unauthorized
from services.core.permissions import Role, account_roles, post_of

SESSION_LENGTH = timedelta(hours=12)
ONE_TIME_LENGTH = timedelta(days=3)
# An address counts as somebody's own for so long after the last login from it, and so many of them do.
ADDRESS_KEPT = timedelta(days=180)
ADDRESSES_KEPT = 20
SHORTEST_PASSWORD = 10
WRONG_LOGIN = "账号或密码不正确"
# The department that citizens read of somebody who belongs to none.
HALL = "服务大厅"
POST_LIMIT = 20


def create_account(uow: UnitOfWork, new: NewAccount, password_hash: str, *, actor: str, now: datetime) -> StaffUser:
    """Raises BadRequest for an unknown role or an unfit name, department or post, Conflict when the name is taken."""
    roles = account_roles()
    if new.role not in roles:
        raise BadRequest(f"角色须为 {'、'.join(roles)} 之一")
    if not 1 <= len(new.name) <= 64:
        raise BadRequest("账号名为 1 至 64 个字符")
    if new.department is not None and not 1 <= len(new.department) <= 64:
        raise BadRequest("部门名称为 1 至 64 个字符")
    if new.post is not None and not _fits(new.post):
        raise BadRequest(f"岗位名称为 1 至 {POST_LIMIT} 个可见字符，两端没有空格")
    if repository.get(uow.session, new.name) is not None:
        raise Conflict("账号名已存在")
    uow.session.add(StaffAccount(**asdict(new), password_hash=password_hash, created_at=now))
    detail = {"role": new.role}
    audit.record(uow, actor=actor, action="account.create", subject=f"staff:{new.name}", now=now, detail=detail)
    return StaffUser(new.name, new.role, new.department)


def _fits(post: str) -> bool:
    return 1 <= len(post) <= POST_LIMIT and post.isprintable() and post == post.strip()


def has_accounts(uow: UnitOfWork) -> bool:
    return repository.count(uow.session) > 0


def find_user(uow: UnitOfWork, name: str) -> StaffUser | None:
    """The staff member of that name, or None when there is none or the account is disabled."""
    account = repository.get(uow.session, name)
    if account is None or account.disabled_at is not None:
        return None
    return _user(account)


def shown_to_citizens(uow: UnitOfWork, name: str) -> str:
    """Who a staff member is for citizens: department and post, `市民政局 · 值班员`, and never the login name.
    Somebody of no department belongs to the service hall; an account that is gone is its staff."""
    account = repository.get(uow.session, name)
    if account is None:
        return f"{HALL} · {Role.post}"
    return f"{account.department or HALL} · {account.post or post_of(account.role)}"


def accounts(uow: UnitOfWork, now: datetime) -> list[Account]:
    """Every account, by name."""
    return [
        Account(
            name=one.name,
            role=one.role,
            department=one.department,
            created_at=one.created_at,
            disabled_at=one.disabled_at,
            must_change_by=one.change_by,
            sessions=sessions,
            last_login_at=last,
        )
        for one, sessions, last in repository.all_accounts(uow.session, now)
    ]


def sessions_of(uow: UnitOfWork, name: str, now: datetime) -> list[LiveSession]:
    """The living sessions of an account, the newest first. Raises NotFound."""
    _account(uow, name)
    found = repository.living_sessions(uow.session, name, now)
    return [LiveSession(one.created_at, one.expires_at, one.address) for one in found]


def end_sessions(uow: UnitOfWork, name: str, *, actor: str, now: datetime) -> int:
    """End every session of an account with the commit; returns how many. Raises NotFound."""
    _account(uow, name)
    audit.record(uow, actor=actor, action="account.end_sessions", subject=f"staff:{name}", now=now)
    return repository.delete_sessions(uow.session, name)


def disable(uow: UnitOfWork, name: str, *, actor: str, now: datetime) -> int:
    """Let nobody in by this account any more; its sessions end with the commit. Returns how many. Raises NotFound."""
    account = _account(uow, name)
    if account.disabled_at is None:
        account.disabled_at = now
        audit.record(uow, actor=actor, action="account.disable", subject=f"staff:{name}", now=now)
    return repository.delete_sessions(uow.session, name)


def enable(uow: UnitOfWork, name: str, *, actor: str, now: datetime) -> None:
    """Let a disabled account in again, with the password that it had. Raises NotFound."""
    account = _account(uow, name)
    if account.disabled_at is not None:
        account.disabled_at = None
        audit.record(uow, actor=actor, action="account.enable", subject=f"staff:{name}", now=now)


def reset(uow: UnitOfWork, owner: Visitor, password_hash: str, *, actor: str, now: datetime) -> int:
    """Give an account a one-time password: it opens only the page that changes it, for three days.

    Sessions end, and wrong passwords of before make nobody wait. Returns how many sessions ended. Raises NotFound.
    """
    account = _account(uow, owner.name)
    account.password_hash, account.change_by = password_hash, now + ONE_TIME_LENGTH
    repository.forget_failures_of(uow.session, owner.name_hash)
    audit.record(uow, actor=actor, action="account.reset", subject=f"staff:{owner.name}", now=now)
    return repository.delete_sessions(uow.session, owner.name)


def has_entered(uow: UnitOfWork, visitor: Visitor) -> bool:
    """Whether somebody of this name has logged in from this address."""
    return repository.has_entered(uow.session, visitor.name, visitor.address)


def wait_before(uow: UnitOfWork, visitor: Visitor, brakes: Brakes, now: datetime, *, known: bool) -> timedelta:
    """How long until a password of this visitor is looked at, whether or not there is such an account.

    `known`: who belongs here, so that only the mistakes of this name at this address count.
    """
    pair, of_name, of_address = _keys(visitor)
    found = repository.failures(uow.session, [pair, of_name, of_address])
    counting = {pair: brakes.pair}
    if not known:
        counting |= {of_name: brakes.name, of_address: brakes.address}
    waits = (brake.wait(*found[key], now) for key, brake in counting.items() if key in found)
    return max(waits, default=NO_WAIT)


def password_to_try(uow: UnitOfWork, name: str, now: datetime) -> str | None:
    """The stored hash that a login is checked against; None when there is no account that would let anybody in."""
    account = repository.get(uow.session, name)
    if account is None or account.disabled_at is not None:
        return None
    return None if account.change_by is not None and account.change_by <= now else account.password_hash


def count_wrong_password(uow: UnitOfWork, visitor: Visitor, now: datetime, *, known: bool) -> None:
    """Let the next one wait longer. `known` as in `wait_before`."""
    session = uow.session
    pair, *others = _keys(visitor)
    repository.clear_failures(session, now - FORGOTTEN_AFTER)
    repository.count_failure(session, [pair] if known else [pair, *others], now, now - FORGOTTEN_AFTER)
    if repository.get(session, visitor.name) is not None:
        subject = f"staff:{visitor.name}"
        audit.record(uow, actor=subject, action="login.failed", subject=subject, now=now)


def enter(
    uow: UnitOfWork, visitor: Visitor, *, checked: str, renewed: str, now: datetime
) -> tuple[str, StaffUser] | None:
    """A session for whoever gave the password of the hash `checked`; `renewed` is kept in its place.

    A new token and its owner; None when the account was disabled or got another password while it was checked.
    """
    account = repository.get(uow.session, visitor.name, lock=True)
    if account is None or account.disabled_at is not None or account.password_hash != checked:
        return None
    account.password_hash = renewed
    # Only the own mistakes are forgotten: who guesses from elsewhere gets no new tries by this login.
    repository.forget_failures_of(uow.session, visitor.name_hash, visitor.address)
    token = open_session(uow, visitor.name, visitor.address, now)
    return token, _user(account)


def open_session(uow: UnitOfWork, name: str, address: str, now: datetime) -> str:
    """The token of a new session of an account, which has now logged in from this address."""
    token = new_token()
    repository.delete_expired_sessions(uow.session, now)
    uow.session.add(
        StaffSession(
            token_hash=hash_token(token), name=name, address=address, created_at=now, expires_at=now + SESSION_LENGTH
        )
    )
    repository.note_entered(uow.session, name, address, now)
    repository.forget_addresses(uow.session, name, now - ADDRESS_KEPT, ADDRESSES_KEPT)
    audit.record(uow, actor=f"staff:{name}", action="login", subject=f"staff:{name}", now=now)
    return token


def must_be_strong(name: str, old: str, new: str) -> None:
    """Raises BadRequest, with the reason, for a password that somebody must not choose."""
    if len(new) < SHORTEST_PASSWORD:
        raise BadRequest(f"新密码至少 {SHORTEST_PASSWORD} 个字符")
    if new == old:
        raise BadRequest("新密码不能与原密码相同")
    without_name = new.casefold().replace(name.casefold(), "")
    if len(without_name) < SHORTEST_PASSWORD // 2 or len(set(new)) < SHORTEST_PASSWORD // 2:
        raise BadRequest("新密码太容易猜到：不要只是账号名，也不要只用几个重复的字符")


def change_password(
    uow: UnitOfWork, name: str, *, checked: str, password_hash: str, token: str | None, now: datetime
) -> None:
    """Put a new hash in the place of the one that was `checked`; all sessions end but that of `token`.

    Raises Conflict when the password has changed since it was checked.
    """
    account = repository.get(uow.session, name, lock=True)
    if account is None or account.disabled_at is not None or account.password_hash != checked:
        raise Conflict("密码刚刚已被更改，请重新登录")
    account.password_hash, account.change_by = password_hash, None
    repository.delete_sessions(uow.session, name, but=hash_token(token) if token else None)
    audit.record(uow, actor=f"staff:{name}", action="account.password", subject=f"staff:{name}", now=now)


def user_of_token(uow: UnitOfWork, token: str, now: datetime) -> StaffUser:
    """Raises Unauthorized when no session of that token is alive."""
    account = repository.by_token_hash(uow.session, hash_token(token), now)
    if account is None:
        raise Unauthorized("登录已失效，请重新登录")
    return _user(account)


def log_out(uow: UnitOfWork, token: str) -> None:
    repository.delete_session(uow.session, hash_token(token))


def _user(account: StaffAccount) -> StaffUser:
    return StaffUser(account.name, account.role, account.department, must_change=account.change_by is not None)


def _account(uow: UnitOfWork, name: str) -> StaffAccount:
    account = repository.get(uow.session, name, lock=True)
    if account is None:
        raise NotFound("没有这个账号")
    return account


def _keys(visitor: Visitor) -> list[tuple[str, str]]:
    """What is counted: the name from this address, the name from anywhere, the address for any name."""
    return [(visitor.name_hash, visitor.address), (visitor.name_hash, ANY), (ANY, visitor.address)]
