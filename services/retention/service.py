"""The city's rules of retention: applied from its folder, read by whoever tells a citizen of them."""

from datetime import datetime
from pathlib import Path

from services.core.database import UnitOfWork
from services.retention.schemas import Kept, RetentionFile
from services.sla import service as sla

DOCUMENT = "retention"
FILE = "retention.yaml"

__all__ = ["Kept", "RetentionFile", "apply_city", "load_rules"]


def apply_city(uow: UnitOfWork, directory: Path, now: datetime) -> list[sla.AppliedDocument]:
    """Make `retention.yaml` of a folder the current rules; without the file nothing changes. Raises Unprocessable with
    file and field."""
    path = directory / FILE
    if not path.exists():
        return []
    return [sla.apply_document(uow, DOCUMENT, sla.read_document(path, RetentionFile), now)]


def load_rules(uow: UnitOfWork) -> RetentionFile:
    """The rules of the moment; the defaults before a city said anything."""
    version = sla.document(uow, DOCUMENT)
    return RetentionFile.model_validate(version.settings) if version is not None else RetentionFile()
