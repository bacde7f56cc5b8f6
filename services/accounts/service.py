"""Accounts, passwords and staff sessions."""

from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from services.accounts import repository
from services.accounts.models import StaffAccount, StaffSession
from services.accounts.schemas import StaffUser
from services.core import audit
from services.core.crypto import hash_token, new_token
from services.core.database import UnitOfWork
from services.core.errors import BadRequest, Conflict, TooManyRequests, Unauthorized
from services.core.permissions import Role, account_roles, post_of

SESSION_LENGTH = timedelta(hours=12)
FAILURES_ALLOWED = 10
FAILURE_WINDOW = timedelta(minutes=15)
WRONG_LOGIN = "账号或密码不正确"
# The department that citizens read of somebody who belongs to none.
HALL = "服务大厅"
POST_LIMIT = 20

_hasher = PasswordHasher()
# Checked for names that do not exist, so that the answer takes as long as for one that does.
_NOBODY = _hasher.hash("nobody has this password")


def create_account(
    uow: UnitOfWork,
    *,
    name: str,
    role: str,
    department: str | None,
    password: str,
    actor: str,
    now: datetime,
    post: str | None = None,
) -> StaffUser:
    """`post` is what citizens read of this person beside the department; None: the post of the role.

    Raises BadRequest for an unknown role, an unfit post or a weak password, Conflict when the name is taken.
    """
    roles = account_roles()
    if role not in roles:
        raise BadRequest(f"角色须为 {'、'.join(roles)} 之一")
    if not 1 <= len(name) <= 64 or len(password) < 10:
        raise BadRequest("账号名为 1 至 64 个字符，密码至少 10 个字符")
    if department is not None and not 1 <= len(department) <= 64:
        raise BadRequest("部门名称为 1 至 64 个字符")
    if post is not None and not (1 <= len(post) <= POST_LIMIT and post.isprintable() and post == post.strip()):
        raise BadRequest(f"岗位名称为 1 至 {POST_LIMIT} 个可见字符，两端没有空格")
    if repository.get(uow.session, name) is not None:
        raise Conflict("账号名已存在")
    uow.session.add(
        StaffAccount(
            name=name,
            role=role,
            department=department,
            post=post,
            password_hash=_hasher.hash(password),
            created_at=now,
        )
    )
    audit.record(uow, actor=actor, action="account.create", subject=f"staff:{name}", now=now, detail={"role": role})
    return StaffUser(name, role, department)


def has_accounts(uow: UnitOfWork) -> bool:
    return repository.count(uow.session) > 0


def find_user(uow: UnitOfWork, name: str) -> StaffUser | None:
    """The staff member of that name, or None when there is none or the account is disabled."""
    account = repository.get(uow.session, name)
    if account is None or account.disabled_at is not None:
        return None
    return StaffUser(account.name, account.role, account.department)


def shown_to_citizens(uow: UnitOfWork, name: str) -> str:
    """Who a staff member is for citizens: department and post, `市民政局 · 值班员`, and never the login name.
    Somebody of no department belongs to the service hall; an account that is gone is its staff."""
    account = repository.get(uow.session, name)
    if account is None:
        return f"{HALL} · {Role.post}"
    return f"{account.department or HALL} · {account.post or post_of(account.role)}"


def log_in(uow: UnitOfWork, *, name: str, password: str, now: datetime) -> tuple[str, StaffUser] | None:
    """Check a password; a new token and its owner, or None when name or password is wrong.

    The caller commits in both cases, so that failures are counted. Raises TooManyRequests after ten failures
    within a quarter of an hour.
    """
    account = repository.get(uow.session, name, lock=True)
    if account is None or account.disabled_at is not None:
        _matches(_NOBODY, password)
        return None
    recent = account.last_failed_at is not None and now - account.last_failed_at < FAILURE_WINDOW
    if recent and account.failed_logins >= FAILURES_ALLOWED:
        raise TooManyRequests("密码错误次数过多，请 15 分钟后再试")
    if not _matches(account.password_hash, password):
        account.failed_logins = account.failed_logins + 1 if recent else 1
        account.last_failed_at = now
        audit.record(uow, actor=f"staff:{name}", action="login.failed", subject=f"staff:{name}", now=now)
        return None
    account.failed_logins = 0
    token = new_token()
    repository.delete_expired_sessions(uow.session, now)
    uow.session.add(
        StaffSession(token_hash=hash_token(token), name=name, created_at=now, expires_at=now + SESSION_LENGTH)
    )
    audit.record(uow, actor=f"staff:{name}", action="login", subject=f"staff:{name}", now=now)
    return token, StaffUser(account.name, account.role, account.department)


def user_of_token(uow: UnitOfWork, token: str, now: datetime) -> StaffUser:
    """Raises Unauthorized when no session of that token is alive."""
    account = repository.by_token_hash(uow.session, hash_token(token), now)
    if account is None:
        raise Unauthorized("登录已失效，请重新登录")
    return StaffUser(account.name, account.role, account.department)


def log_out(uow: UnitOfWork, token: str) -> None:
    repository.delete_session(uow.session, hash_token(token))


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False
