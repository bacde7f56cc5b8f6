"""The senders of channels `wechat` and `wechat_template`: an official account of WeChat (公众号).

Customer-service messages (客服消息, /cgi-bin/message/custom/send) reach a citizen within 48 hours of their last word
and a few at a time; beyond that the platform answers 45015 or 45047, and the message waits for the next visit. A
template message (模板消息, /cgi-bin/message/template/send) may go out at any time; its client_msg_id lets the platform
drop a double within ten minutes. The access token is the account's stable one (/cgi-bin/stable_token).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import redis

from services.core.crypto import Secrets
from services.notifications.failures import Later, Refused, Undeliverable, WaitsForVisit
from services.notifications.models import OutboxRow
from services.notifications.schemas import TemplateIn
from services.notifications.service import Sender

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
# Fetched anew while the old token still works, so that no message meets an expired one.
REFRESH_BEFORE = 300
# A text of a customer-service message, in bytes of UTF-8; longer ones go out in pieces.
LONGEST = 1800
# errcodes of the platform's 全局返回码.
STALE_TOKEN = (40001, 40014, 42001)
WINDOW_IS_OVER, COUNT_IS_OVER = 45015, 45047
TOO_FAST = (45009, 45011, -1)
NEVER = (40003, 43004, 43019, 43101, 48001, 50002, 40037)


@dataclass(frozen=True)
class Account:
    appid: str
    secret: str


@dataclass(frozen=True)
class _Token:
    value: str
    until: float


class WeChat:
    """The platform's interface for our accounts. The token of an account is shared by all workers through Redis,
    encrypted; without Redis each keeps its own, which the stable token allows."""

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        store: redis.Redis,
        secrets: Secrets,
        account_of: Callable[[str], Account | None],
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._store = store
        self._secrets = secrets
        self._account_of = account_of
        self._seconds = seconds
        self._own: dict[str, _Token] = {}

    def call(self, account_key: str, path: str, body: Mapping[str, Any]) -> int:
        """Post to the platform as an account and return its errcode; a token no longer taken is replaced once."""
        account = self._account_of(account_key)
        if account is None:
            raise Refused("wechat: no such account")
        token = self._token(account)
        code = self._post(path, token.value, body)
        if code in STALE_TOKEN:
            code = self._post(path, self._token(account, stale=token.value).value, body)
        return code

    def _post(self, path: str, token: str, body: Mapping[str, Any]) -> int:
        answer = self._client.post(
            f"{self._url}{path}",
            params={"access_token": token},
            # The platform shows escapes as they are.
            content=json.dumps(body, ensure_ascii=False).encode(),
            headers={"content-type": "application/json"},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        return int(answer.json().get("errcode", 0))

    def _token(self, account: Account, *, stale: str | None = None) -> _Token:
        """The account's token, a fresh one when it ends soon or is `stale`."""
        known = self._shared(account) or self._own.get(account.appid)
        if known is not None and known.value != stale:
            left = known.until - self._seconds()
            # One worker fetches the next token, the others go on with the old one while it works.
            if left > REFRESH_BEFORE or (left > 0 and not self._may_fetch(account)):
                return known
        answer = self._client.post(
            f"{self._url}/cgi-bin/stable_token",
            json={
                "grant_type": "client_credential",
                "appid": account.appid,
                "secret": account.secret,
                "force_refresh": stale is not None,
            },
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        content = answer.json()
        if not content.get("access_token"):
            raise Refused(f"wechat token: {int(content.get('errcode', -1))}")
        fresh = _Token(str(content["access_token"]), self._seconds() + int(content.get("expires_in", 7200)))
        self._own[account.appid] = fresh
        self._share(account, fresh)
        return fresh

    def _shared(self, account: Account) -> _Token | None:
        try:
            sealed = self._store.get(_key(account))
            until, _, value = self._secrets.decrypt(str(sealed)).partition(" ") if sealed else ("", "", "")
        except (redis.RedisError, ValueError):
            return None
        return _Token(value, float(until)) if value else None

    def _share(self, account: Account, token: _Token) -> None:
        seconds = int(token.until - self._seconds())
        if seconds <= 0:
            return
        try:
            self._store.set(_key(account), self._secrets.encrypt(f"{token.until} {token.value}"), ex=seconds)
        except redis.RedisError:
            return

    def _may_fetch(self, account: Account) -> bool:
        try:
            return bool(self._store.set(f"{_key(account)}:fetching", "1", nx=True, ex=10))
        except redis.RedisError:
            return True


def _key(account: Account) -> str:
    return f"huiying:wechat:token:{account.appid}"


Address = tuple[str, str]


def customer_service(
    wechat: WeChat,
    *,
    address_of: Callable[[str], Address | None],
    texts_of: Callable[[OutboxRow], list[str]],
    has_template: Callable[[str], bool],
) -> Sender:
    """Sends the texts of a row to the citizen of its conversation; `address_of` gives (account, openid)."""

    def send(row: OutboxRow) -> None:
        account, openid = _found(address_of(row.recipient))
        everything = [piece for text in texts_of(row) for piece in pieces(text)]
        # What went out before the platform had enough does not go out again.
        for piece in everything[int(row.body.get("sent", 0)) :]:
            body = {"touser": openid, "msgtype": "text", "text": {"content": piece}}
            code = wechat.call(account, "/cgi-bin/message/custom/send", body)
            if code in (WINDOW_IS_OVER, COUNT_IS_OVER):
                raise WaitsForVisit(f"wechat: {code}", template=has_template(row.kind))
            _check(code)
            row.body = {**row.body, "sent": int(row.body.get("sent", 0)) + 1}

    return send


def template_messages(
    wechat: WeChat,
    *,
    address_of: Callable[[str], Address | None],
    template_of: Callable[[OutboxRow], TemplateIn | None],
) -> Sender:
    """Tells the citizen by a template message that there is news; what it is waits for them in the conversation."""

    def send(row: OutboxRow) -> None:
        account, openid = _found(address_of(row.recipient))
        template = template_of(row)
        if template is None:
            raise Undeliverable("wechat: no template")
        fields = {"case_no": str(row.body.get("case_no") or "")}
        code = wechat.call(
            account,
            "/cgi-bin/message/template/send",
            {
                "touser": openid,
                "template_id": template.template_id,
                "data": {name: {"value": text.format_map(fields)} for name, text in template.data.items()},
                "client_msg_id": f"huiying-{row.id}",
            },
        )
        _check(code)

    return send


def _found(address: Address | None) -> Address:
    if address is None:
        raise Undeliverable("wechat: no address")
    return address


def _check(code: int) -> None:
    if code in TOO_FAST:
        raise Later(f"wechat: {code}", 60)
    if code in NEVER:
        raise Undeliverable(f"wechat: {code}")
    if code != 0:
        raise Refused(f"wechat: {code}")


def pieces(text: str) -> Iterator[str]:
    """The text in pieces that a message takes, at ends of lines where there are any.

    >>> list(pieces("好的"))
    ['好的']
    """
    piece: str | None = None
    for line in text.split("\n"):
        longer = line if piece is None else f"{piece}\n{line}"
        if len(longer.encode()) <= LONGEST:
            piece = longer
            continue
        if piece is not None and piece.strip():
            yield piece
        while len(line.encode()) > LONGEST:
            fits = line.encode()[:LONGEST].decode(errors="ignore")
            yield fits
            line = line[len(fits) :]
        piece = line
    if piece is not None and piece.strip():
        yield piece
