"""Reading and checking appointments.yaml of a city's directory; every mistake is one line with file and line number."""

import hashlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import ValidationError

from services.appointments.schemas import AppointmentsFile
from services.core import yaml_lines
from services.core.errors import Unprocessable
from services.core.yaml_lines import Place

FILE = "appointments.yaml"


def read_file(directory: Path, departments: Collection[str]) -> tuple[AppointmentsFile, str]:
    """The file, checked by itself and against the departments, and its content as JSON; empty when there is none.

    Raises Unprocessable with one line `appointments.yaml:LINE: field: what is wrong`.
    """
    path = directory / FILE
    if not path.exists():
        return AppointmentsFile(), "{}"
    try:
        document = yaml_lines.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Unprocessable(f"{FILE}: cannot be read ({type(error).__name__})") from None
    except yaml_lines.YamlMistake as mistake:
        raise _mistake(mistake.line or 1, f"not valid YAML ({mistake.problem})") from None
    if not isinstance(document.content, dict):
        raise _mistake(1, "rules, services and halls are needed")
    for line, key in document.repeated:
        raise _mistake(line, f"{key} stands twice")
    try:
        parsed = AppointmentsFile.model_validate(document.content)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise _mistake(document.line_of(first["loc"]), f"{_named(first['loc'])}{reason}{more}") from None
    for place, problem in problems(parsed, departments):
        raise _mistake(document.line_of(place), f"{_named(place)}{problem}")
    return parsed, json.dumps(document.content, ensure_ascii=False, sort_keys=True, default=str)


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def problems(parsed: AppointmentsFile, departments: Collection[str]) -> Iterator[tuple[Place, str]]:
    """What no field shows by itself: doubles, and names of things that are not there."""
    once = _Once()
    for number, service in enumerate(parsed.services):
        place: Place = ("services", number)
        yield from once.see("service", service.code, (*place, "code"))
        for name in (service.name, *service.aliases):
            yield from once.see("service name", name, (*place, "name"))
        if service.department is not None and service.department not in departments:
            yield (*place, "department"), "not in departments.yaml"
        if not parsed.halls_for(service.code):
            yield (*place, "code"), "no windows of any hall are for it"
    for number, hall in enumerate(parsed.halls):
        place = ("halls", number)
        yield from once.see("hall", hall.code, (*place, "code"))
        for name in (hall.name, *hall.aliases):
            yield from once.see("hall name", name, (*place, "name"))
        inside = _Once()
        for index, windows in enumerate(hall.windows):
            at = (*place, "windows", index)
            yield from inside.see("windows", windows.code, (*at, "code"))
            for code in windows.services:
                yield from inside.see("service of this hall", code, (*at, "services"))
                if parsed.service(code) is None:
                    yield (*at, "services"), f"{code} is not listed under services"


class _Once:
    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def see(self, what: str, value: str, place: Place) -> Iterator[tuple[Place, str]]:
        if (what, value) in self._seen:
            yield place, f"{what} {value} stands twice"
        self._seen.add((what, value))


def _named(place: Place) -> str:
    name = yaml_lines.name_of(place)
    return f"{name}: " if name else ""


def _mistake(line: int, problem: str) -> Unprocessable:
    return Unprocessable(f"{FILE}:{line}: {problem}")
