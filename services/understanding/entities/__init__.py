"""Entities of a citizen's message, and the hiding of those that identify a person.

    extract(text, now=..., expected=...)      -> list[Entity]
    pseudonymise(text, numbering, ...)        -> Pseudonymised(text, entities, identifiers)
    mask(entity)                              -> what a clerk's console shows
    resolve_datetime(value, now)              -> ISO 8601 of one time expression

Pure: no database, no network, no clock of its own.
"""

from services.understanding.entities.entities import (
    ENTITY_TYPES,
    IDENTIFIER_TYPES,
    Entity,
    EntityType,
)
from services.understanding.entities.extractor import extract, resolve_datetime
from services.understanding.entities.pseudonyms import Pseudonymised, mask, pseudonymise

__all__ = [
    "ENTITY_TYPES",
    "IDENTIFIER_TYPES",
    "Entity",
    "EntityType",
    "Pseudonymised",
    "extract",
    "mask",
    "pseudonymise",
    "resolve_datetime",
]
