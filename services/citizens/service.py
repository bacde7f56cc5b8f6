"""Citizens: phones they proved to have at hand, and the reminders they asked for.

    service.send_code(uow, secrets, rules.codes, citizen=conversation_id, purpose="bind", number=..., ...)
    service.check_code(uow, secrets, rules.codes, citizen=conversation_id, purpose="bind", code="483920", now=now)

Never commits.
"""

from services.citizens.city import apply_city, load_rules
from services.citizens.codes import Draw, check_code, is_mobile, phone_hash, send_code, verified_phone
from services.citizens.reminding import choices, choices_of, choose, forget, is_quiet, remind, set_aside
from services.citizens.schemas import (
    REMINDER_KINDS,
    REMINDER_TITLES,
    Checked,
    CitizensFile,
    Purpose,
    ReminderKind,
    SentCode,
    VerifiedPhone,
)

__all__ = [
    "REMINDER_KINDS",
    "REMINDER_TITLES",
    "Checked",
    "CitizensFile",
    "Draw",
    "Purpose",
    "ReminderKind",
    "SentCode",
    "VerifiedPhone",
    "apply_city",
    "check_code",
    "choices",
    "choices_of",
    "choose",
    "forget",
    "is_mobile",
    "is_quiet",
    "load_rules",
    "phone_hash",
    "remind",
    "send_code",
    "set_aside",
    "verified_phone",
]
