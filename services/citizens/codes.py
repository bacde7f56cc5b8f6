"""One-time codes to a phone: sent through the outbox, kept as a keyed hash only, counted over all replicas.

The message with the code lies encrypted in its outbox row until it is sent (`services.notifications.sms`).
"""

import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from services.citizens import repository
from services.citizens.models import PhoneCode
from services.citizens.schemas import Checked, CodeRules, Purpose, SentCode, VerifiedPhone
from services.core import audit, tallies
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import TooManyRequests, Unprocessable
from services.core.sql import lock_hashes
from services.notifications import service as notifications
from services.understanding.masks import mask

DIGITS = 6
HOUR = timedelta(hours=1)

Draw = Callable[[int], int]
"""`draw(n)` is a number below n, unpredictable outside of tests (`secrets.randbelow`)."""


def phone_hash(secrets: Secrets, number: str) -> str:
    return secrets.keyed_hash(f"phone:{number}")


def is_mobile(number: str) -> bool:
    return len(number) == 11 and number.isascii() and number.isdigit() and number.startswith("1")


def send_code(
    uow: UnitOfWork,
    secrets: Secrets,
    rules: CodeRules,
    *,
    citizen: str,
    purpose: Purpose,
    number: str,
    city: str,
    draw: Draw,
    now: datetime,
    origin: str = "",
) -> SentCode:
    """Send a new code to a mobile number; earlier ones of this citizen and purpose no longer count.

    `origin` is where the citizen writes from, as a keyed hash; empty when nobody knows. Raises Unprocessable for no
    mobile number, TooManyRequests past the limits of the phone, of the citizen or of the origin.
    """
    if not is_mobile(number):
        raise Unprocessable("这个不是手机号，请发 11 位手机号")
    hashed = phone_hash(secrets, number)
    # Nobody counts the same citizen's or phone's sends meanwhile.
    lock_hashes(uow.session, hashed, secrets.keyed_hash(f"sends:{citizen}"))
    to_phone, by_citizen, newest = repository.sends(uow.session, since=now - HOUR, phone_hash=hashed, citizen=citizen)
    if to_phone >= rules.per_phone_hour or by_citizen >= rules.per_citizen_hour:
        raise TooManyRequests("验证码发送次数较多，请一小时后再试")
    if newest is not None and now - newest < timedelta(seconds=rules.again_seconds):
        raise TooManyRequests("验证码刚刚发送过，请稍等一分钟再试")
    if origin and not tallies.take(uow, what="codes", who=origin, limit=rules.per_address_hour, now=now):
        raise TooManyRequests("您所在的网络验证码发送次数较多，请一小时后再试")
    code = f"{draw(10**DIGITS):0{DIGITS}d}"
    lasts = timedelta(minutes=rules.minutes)
    row = PhoneCode(
        citizen=citizen,
        purpose=purpose,
        phone_hash=hashed,
        phone_encrypted=secrets.encrypt(number),
        phone_masked=mask("phone", number),
        code_hash="",
        tries=0,
        created_at=now,
        expires_at=now + lasts,
        used_at=None,
    )
    uow.session.add(row)
    uow.session.flush()
    row.code_hash = _hashed(secrets, row.id, code)
    text = f"【{city}】您的验证码是 {code}，{rules.minutes} 分钟内有效。工作人员不会向您索要验证码。"
    notifications.enqueue(
        uow,
        channel="sms",
        recipient=f"code:{row.id}",
        kind="phone.code",
        body={
            "sealed": secrets.encrypt(json.dumps({"phone": number, "text": text}, ensure_ascii=False)),
            "until": row.expires_at.isoformat(),
        },
        dedupe_key=f"phone-code:{row.id}",
        now=now,
    )
    audit.record(
        uow, actor=f"conversation:{citizen}", action="phone.send_code", subject=hashed, now=now,
        detail={"purpose": purpose},
    )  # fmt: skip
    return SentCode(row.phone_masked, lasts)


def check_code(
    uow: UnitOfWork, secrets: Secrets, rules: CodeRules, *, citizen: str, purpose: Purpose, code: str, now: datetime
) -> Checked:
    """Try a code; the phone is the citizen's from then on when it is right.

    Every try counts, also those at the same moment on several replicas. A code that was right is right again until
    it expires: a turn that runs twice ends the same way.
    """
    row = repository.newest_code(uow.session, citizen, purpose)
    if row is None or row.expires_at <= now:
        return "expired"
    is_right = hmac.compare_digest(row.code_hash, _hashed(secrets, row.id, code))
    if row.used_at is not None:
        return "right" if is_right else "expired"
    if row.tries >= rules.tries:
        return "spent"
    row.tries += 1
    if not is_right:
        audit.record(uow, actor=f"conversation:{citizen}", action="phone.wrong_code", subject=row.phone_hash, now=now)
        return "spent" if row.tries >= rules.tries else "wrong"
    row.used_at = now
    repository.keep_phone(
        uow.session,
        {
            "citizen": citizen,
            "phone_hash": row.phone_hash,
            "phone_encrypted": row.phone_encrypted,
            "phone_masked": row.phone_masked,
            "verified_at": now,
        },
    )
    audit.record(uow, actor=f"conversation:{citizen}", action="phone.verified", subject=row.phone_hash, now=now)
    return "right"


def verified_phone(
    uow: UnitOfWork, secrets: Secrets, rules: CodeRules, *, citizen: str, now: datetime, number: str | None = None
) -> VerifiedPhone | None:
    """The number this citizen verified last, or `number` if that was verified; None when it is too long ago."""
    since = now - timedelta(days=rules.trusted_days)
    wanted = phone_hash(secrets, number) if number is not None else None
    row = repository.newest_phone(uow.session, citizen, since, wanted)
    return VerifiedPhone(secrets.decrypt(row.phone_encrypted), row.phone_masked) if row else None


def _hashed(secrets: Secrets, row_id: int, code: str) -> str:
    return secrets.keyed_hash(f"code:{row_id}:{code}")
