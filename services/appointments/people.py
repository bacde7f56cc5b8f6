"""Persons at rest: a keyed hash to find them, the number encrypted, a mask for everybody's eyes."""

from typing import Any

from services.appointments.models import Appointment, WaitingEntry
from services.appointments.schemas import Person
from services.core.crypto import Secrets
from services.understanding.masks import mask


def person_hash(secrets: Secrets, person: Person) -> str:
    return secrets.keyed_hash(f"{person.kind}:{person.number}")


def columns(secrets: Secrets, person: Person) -> dict[str, Any]:
    """The columns of a row that is this person's."""
    return {
        "person_hash": person_hash(secrets, person),
        "person_encrypted": secrets.encrypt(person.number),
        "person_masked": mask(person.kind, person.number),
        "name_encrypted": secrets.encrypt(person.name) if person.name else None,
    }


def name_of(secrets: Secrets, row: Appointment | WaitingEntry) -> str | None:
    return secrets.decrypt(row.name_encrypted) if row.name_encrypted else None
