"""Bindings as rows: kept after a check and with consent, listed, removed."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import cast

from services.bindings import repository
from services.bindings.models import Binding
from services.bindings.schemas import TYPES, BindingKind, Bound
from services.citizens import service as citizens
from services.core import audit
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import Conflict

TOUCHED_EVERY = timedelta(days=1)


def bind(
    uow: UnitOfWork,
    secrets: Secrets,
    *,
    citizen: str,
    kind: BindingKind,
    values: Mapping[str, str],
    masked: str,
    phone_hash: str,
    consent_at: datetime,
    now: datetime,
) -> Bound | None:
    """Keep what was checked and consented to; None when this citizen has it already.

    `values` are the canonical values of all slots of the kind. Raises Conflict when there are too many.
    """
    if len(repository.of_citizen(uow.session, citizen)) >= citizens.load_rules(uow).bindings.most:
        raise Conflict("绑定的数量已经到上限，请先解绑不需要的")
    hashed = identifier_hash(secrets, kind, values)
    made = repository.insert_binding(
        uow.session,
        {
            "citizen": citizen,
            "kind": kind,
            "identifier_hash": hashed,
            "values_encrypted": secrets.encrypt(json.dumps(dict(values), ensure_ascii=False)),
            "masked": masked,
            "phone_hash": phone_hash,
            "consent_at": consent_at,
            "created_at": now,
            "used_at": now,
            "seen": [],
            "scanned_at": None,
        },
    )
    if made is None:
        return None
    _record(uow, "binding.add", citizen, hashed, kind, now)
    return Bound(made, kind, masked, dict(values))


def unbind(uow: UnitOfWork, *, citizen: str, binding_id: int, now: datetime, actor: str = "citizen") -> Bound | None:
    """Delete a binding of this citizen and what was noted about it; None when there is none."""
    row = repository.delete_binding(uow.session, citizen, binding_id)
    if row is None:
        return None
    citizens.forget(uow, citizen, row.identifier_hash)
    _record(uow, "binding.remove", citizen, row.identifier_hash, row.kind, now, actor)
    return Bound(row.id, cast(BindingKind, row.kind), row.masked, {})


def of_citizen(uow: UnitOfWork, secrets: Secrets, citizen: str) -> list[Bound]:
    """What this citizen has bound, in the order of binding."""
    return [bound_of(secrets, row) for row in repository.of_citizen(uow.session, citizen)]


def visit(uow: UnitOfWork, secrets: Secrets, citizen: str, now: datetime) -> list[Bound]:
    """As `of_citizen`, and note that the citizen is there; at most once a day, for the retention counts in days."""
    rows = repository.of_citizen(uow.session, citizen)
    if any(now - row.used_at > TOUCHED_EVERY for row in rows):
        repository.touch(uow.session, citizen, now)
    return [bound_of(secrets, row) for row in rows]


def look_anew(uow: UnitOfWork, citizen: str, kinds: Iterable[str]) -> None:
    """What happens while reminders are stopped is not told when they begin again: the next look is a first one."""
    stopped = set(kinds)
    for row in repository.of_citizen(uow.session, citizen):
        if stopped & set(row.seen):
            row.seen = sorted(set(row.seen) - stopped)


def bound_of(secrets: Secrets, row: Binding) -> Bound:
    values = json.loads(secrets.decrypt(row.values_encrypted))
    return Bound(row.id, cast(BindingKind, row.kind), row.masked, values)


def identifier_hash(secrets: Secrets, kind: BindingKind, values: Mapping[str, str]) -> str:
    named = ":".join(values[slot] for slot in TYPES[kind].identity)
    return secrets.keyed_hash(f"binding:{kind}:{named}")


def _record(
    uow: UnitOfWork, action: str, citizen: str, hashed: str, kind: str, now: datetime, actor: str | None = None
) -> None:
    who = f"conversation:{citizen}" if actor in (None, "citizen") else str(actor)
    audit.record(uow, actor=who, action=action, subject=hashed, now=now, detail={"kind": kind})
