"""What hashes passwords: a read, then the hash outside of any transaction and in a turn of its own, then a write."""

import math
from datetime import datetime, timedelta

from services.accounts import service
from services.accounts.brakes import NO_WAIT, Brakes
from services.accounts.passwords import Passwords, generated
from services.accounts.schemas import NewAccount, StaffUser, Visitor
from services.core.clock import Clock
from services.core.crypto import Secrets
from services.core.database import Database
from services.core.errors import BadRequest, TooManyRequests


class Logins:
    """Who comes in, and with which password; each call blocks its thread for as long as a hash and its turn take.

        found = logins.log_in(logins.visitor(name, address), password)

    Every call raises Unavailable when too many others are checked just now.
    """

    def __init__(
        self, database: Database, secrets: Secrets, clock: Clock, passwords: Passwords, brakes: Brakes
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._passwords = passwords
        self._brakes = brakes

    def visitor(self, name: str, address: str) -> Visitor:
        return Visitor(name, self._secrets.keyed_hash(f"login {name}"), address)

    def log_in(self, visitor: Visitor, password: str) -> tuple[str, StaffUser] | None:
        """A new token and its owner, or None when name or password is wrong, which counts against the visitor.

        The same is done for names that there are and names that there are not. Raises TooManyRequests, without a look
        at the password, while earlier mistakes make this visitor wait.
        """
        # Twice: whoever has to wait joins no line, and those in the line count each other's mistakes.
        with self._database.unit_of_work(read_only=True) as uow:
            known = service.has_entered(uow, visitor)
        self._must_not_wait(visitor, known)
        with self._passwords.turn(stranger=not known) as hashes:
            self._must_not_wait(visitor, known)
            stored = self._stored(visitor.name)
            fits = hashes.fit(stored, password)
            if stored is None or not fits:
                self._wrong(visitor, known)
                return None
            renewed = hashes.renewed(stored, password)
        now = self._clock.now()
        return self._database.write(lambda uow: service.enter(uow, visitor, checked=stored, renewed=renewed, now=now))

    def change_password(self, visitor: Visitor, *, old: str, new: str, token: str | None) -> None:
        """Change the password of somebody who has logged in; other sessions than that of `token` end.

        Raises BadRequest for a wrong old password (it counts like one at a login) and for a new one that is too weak,
        TooManyRequests as `log_in` does, Conflict when the password was changed meanwhile.
        """
        service.must_be_strong(visitor.name, old, new)
        self._must_not_wait(visitor, known=True)
        with self._passwords.turn() as hashes:
            self._must_not_wait(visitor, known=True)
            stored = self._stored(visitor.name)
            fits = hashes.fit(stored, old)
            if stored is None or not fits:
                self._wrong(visitor, known=True)
                raise BadRequest("原密码不正确")
            made = hashes.make(new)
        now = self._clock.now()
        self._database.write(
            lambda uow: service.change_password(
                uow, visitor.name, checked=stored, password_hash=made, token=token, now=now
            )
        )

    def reset(self, name: str, actor: str) -> tuple[str, int]:
        """A one-time password for an account, and how many sessions ended. Raises NotFound."""
        password = generated()
        made, owner, now = self._passwords.made(password), self.visitor(name, ""), self._clock.now()
        return password, self._database.write(lambda uow: service.reset(uow, owner, made, actor=actor, now=now))

    def create(self, new: NewAccount, actor: str) -> str:
        """A new account's password. Raises as `service.create_account`."""
        password = generated()
        made, now = self._passwords.made(password), self._clock.now()
        self._database.write(lambda uow: service.create_account(uow, new, made, actor=actor, now=now))
        return password

    def _stored(self, name: str) -> str | None:
        with self._database.unit_of_work(read_only=True) as uow:
            return service.password_to_try(uow, name, self._clock.now())

    def _wrong(self, visitor: Visitor, known: bool) -> None:
        now = self._clock.now()
        self._database.write(lambda uow: service.count_wrong_password(uow, visitor, now, known=known))

    def _must_not_wait(self, visitor: Visitor, known: bool) -> None:
        now: datetime = self._clock.now()
        with self._database.unit_of_work(read_only=True) as uow:
            wait = service.wait_before(uow, visitor, self._brakes, now, known=known)
        if wait > NO_WAIT:
            seconds = math.ceil(wait / timedelta(seconds=1))
            raise TooManyRequests(f"密码错误次数过多，请 {_spoken(seconds)}后再试", retry_after=seconds)


def _spoken(seconds: int) -> str:
    return f"{seconds} 秒" if seconds < 60 else f"{math.ceil(seconds / 60)} 分钟"
