"""Reading and checking citizens.yaml of a city's directory; a mistake is one line with file and line number."""

import hashlib
import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from services.citizens import repository
from services.citizens.models import CitizenRules
from services.citizens.schemas import CitizensFile
from services.core import yaml_lines
from services.core.database import UnitOfWork
from services.core.errors import Unprocessable
from services.sla.schemas import AppliedDocument

FILE = "citizens.yaml"
DOCUMENT = "citizens"


def read_file(directory: Path) -> tuple[CitizensFile, str]:
    """The file and its content as JSON; the defaults when there is none.

    Raises Unprocessable with one line `citizens.yaml:LINE: field: what is wrong`.
    """
    path = directory / FILE
    if not path.exists():
        return CitizensFile(), "{}"
    try:
        document = yaml_lines.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Unprocessable(f"{FILE}: cannot be read ({type(error).__name__})") from None
    except yaml_lines.YamlMistake as mistake:
        raise Unprocessable(f"{FILE}:{mistake.line or 1}: not valid YAML ({mistake.problem})") from None
    content = document.content
    try:
        parsed = CitizensFile.model_validate(content if content is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        named = ": ".join([*([place] if place else []), first["msg"].removeprefix("Value error, ")])
        raise Unprocessable(f"{FILE}:{document.line_of(first['loc'])}: {named}") from None
    return parsed, json.dumps(content or {}, ensure_ascii=False, sort_keys=True)


def apply_city(uow: UnitOfWork, directory: Path, now: datetime) -> list[AppliedDocument]:
    """Make citizens.yaml of `directory` the current version. Raises Unprocessable."""
    _, content = read_file(directory)
    before = repository.newest_rules(uow.session)
    digest = hashlib.sha256(content.encode()).hexdigest()
    changed = before is None or before.digest != digest
    number = before.version if before is not None else 0
    if changed:
        number += 1
        uow.session.add(CitizenRules(version=number, digest=digest, content=content, applied_at=now))
        uow.session.flush()
    return [AppliedDocument(DOCUMENT, "default", number, changed=changed)]


def load_rules(uow: UnitOfWork) -> CitizensFile:
    """The rules of the moment; the defaults before any city was applied."""
    version = repository.newest_rules(uow.session)
    return _parsed(version.content) if version is not None else CitizensFile()


@lru_cache(maxsize=4)
def _parsed(content: str) -> CitizensFile:
    return CitizensFile.model_validate(json.loads(content))
