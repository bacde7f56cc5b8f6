"""Reading and checking appointments.yaml of a city's directory; every mistake is one line with file and line number."""

import hashlib
import json
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path

import yaml
from pydantic import ValidationError

from services.appointments.schemas import AppointmentsFile
from services.core.errors import Unprocessable

FILE = "appointments.yaml"

Place = tuple[Hashable, ...]


def read_file(directory: Path, departments: Collection[str]) -> tuple[AppointmentsFile, str]:
    """The file, checked by itself and against the departments, and its content as JSON; empty when there is none.

    Raises Unprocessable with one line `appointments.yaml:LINE: field: what is wrong`.
    """
    path = directory / FILE
    if not path.exists():
        return AppointmentsFile(), "{}"
    lines: dict[Place, int] = {}
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise Unprocessable(f"{FILE}: cannot be read ({type(error).__name__})") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise _mistake(mark.line + 1 if mark is not None else 1, "not valid YAML") from None
    if not isinstance(root, yaml.MappingNode):
        raise _mistake(1, "rules, services and halls are needed")
    for line, problem in _walk(root, (), lines):
        raise _mistake(line, problem)
    try:
        parsed = AppointmentsFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise _mistake(_line_of(lines, first["loc"]), f"{_name(first['loc'])}{reason}{more}") from None
    for place, problem in problems(parsed, departments):
        raise _mistake(_line_of(lines, place), f"{_name(place)}{problem}")
    return parsed, json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)


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


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Iterator[tuple[int, str]]:
    """Note the line of every value by its place; yields keys that stand twice, of which YAML keeps only the last."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if (*place, key.value) in lines:
                yield line, f"{key.value} stands twice"
            lines[(*place, key.value)] = line
            yield from _walk(value, (*place, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, one in enumerate(node.value):
            lines[(*place, number)] = one.start_mark.line + 1
            yield from _walk(one, (*place, number), lines)


def _line_of(lines: dict[Place, int], place: Place) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _name(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return f"{text}: " if text else ""


def _mistake(line: int, problem: str) -> Unprocessable:
    return Unprocessable(f"{FILE}:{line}: {problem}")
