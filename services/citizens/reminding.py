"""Reminders: asked for one kind at a time, sent once each, never at night."""

from collections.abc import Collection, Iterable
from datetime import datetime

from services.citizens import repository
from services.citizens.events import ReminderDue
from services.citizens.schemas import REMINDER_KINDS, REMINDER_TITLES, Quiet, ReminderKind
from services.core import audit
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork

STOP_HINT = "回复“停止提醒”可退订。"


def is_quiet(quiet: Quiet, now: datetime) -> bool:
    """Whether nothing may be sent at this moment."""
    return quiet.holds(now.astimezone(SHANGHAI).time())


def choices(uow: UnitOfWork, citizen: str) -> set[ReminderKind]:
    """The kinds of reminder that this citizen wants."""
    return choices_of(uow, [citizen]).get(citizen, set())


def choices_of(uow: UnitOfWork, citizens: Collection[str]) -> dict[str, set[ReminderKind]]:
    wanted: dict[str, set[ReminderKind]] = {}
    for citizen, kind in repository.choices(uow.session, citizens):
        for known in REMINDER_KINDS:
            if known == kind:
                wanted.setdefault(citizen, set()).add(known)
    return wanted


def choose(uow: UnitOfWork, citizen: str, kinds: Iterable[ReminderKind], *, wanted: bool, now: datetime) -> None:
    """Begin or stop kinds of reminder."""
    changed = sorted(kinds)
    for kind in changed:
        repository.choose(uow.session, citizen, kind, wanted, now)
    audit.record(
        uow,
        actor=f"conversation:{citizen}",
        action="reminder.start" if wanted else "reminder.stop",
        subject=f"conversation:{citizen}",
        now=now,
        detail={"kinds": changed},
    )


def remind(
    uow: UnitOfWork, *, citizen: str, kind: ReminderKind, subject: str, mark: str, text: str, now: datetime
) -> bool:
    """Tell the citizen once; False when this has been told (or set aside) before.

    `subject` is a keyed hash of what it is about, `mark` says which one of it. The caller has looked whether the
    citizen wants it and whether it is night. What was stopped between that look and this transaction is not sent.
    """
    if kind not in choices(uow, citizen):
        return False
    noted = {"citizen": citizen, "subject": subject, "kind": kind, "mark": mark, "told": True, "at": now}
    if not repository.note_sent(uow.session, noted):
        return False
    dedupe = f"reminder:{citizen}:{kind}:{subject[:24]}:{mark}"
    uow.collect(ReminderDue(citizen, kind, f"【{REMINDER_TITLES[kind]}提醒】{text}\n{STOP_HINT}", dedupe, now))
    return True


def set_aside(uow: UnitOfWork, *, citizen: str, kind: ReminderKind, subject: str, mark: str, now: datetime) -> None:
    """Note what was there already when the citizen asked for reminders: only what is new is told."""
    noted = {"citizen": citizen, "subject": subject, "kind": kind, "mark": mark, "told": False, "at": now}
    repository.note_sent(uow.session, noted)


def forget(uow: UnitOfWork, citizen: str, subject: str) -> None:
    """Forget what was told about something that is no longer bound."""
    repository.forget_subject(uow.session, citizen, subject)
