"""Reading and checking a city's directory: policies.yaml, calendar.yaml, departments.yaml, roster.yaml, desk.yaml."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from services.core import yaml_lines
from services.core.errors import Unprocessable
from services.sla.policies import SEVERAL_DEPARTMENTS, UNASSIGNED
from services.sla.schemas import CalendarFile, DepartmentsFile, DeskFile, PoliciesFile, RosterFile

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class CityFiles:
    """What a city's directory says; a directory without roster.yaml or desk.yaml leaves these two as they were."""

    departments: DepartmentsFile
    calendar: CalendarFile
    policies: PoliciesFile
    roster: RosterFile | None
    desk: DeskFile | None


def read_city(directory: Path) -> CityFiles:
    """The files, each checked by itself and against the others.

    Raises Unprocessable with one line that names the file and the field.
    """
    departments = read(directory / "departments.yaml", DepartmentsFile)
    calendar = read(directory / "calendar.yaml", CalendarFile)
    policies = read(directory / "policies.yaml", PoliciesFile)
    roster = read(directory / "roster.yaml", RosterFile) if (directory / "roster.yaml").exists() else None
    desk = read(directory / "desk.yaml", DeskFile) if (directory / "desk.yaml").exists() else None
    shifts = {shift.name for shift in calendar.shifts}
    known = {department.name for department in departments.departments} | {UNASSIGNED, SEVERAL_DEPARTMENTS}
    for set_index, policy in enumerate(policies.policies):
        for row_index, row in enumerate(policy.rows):
            if row.department is not None and row.department not in known:
                field = f"policies[{set_index}].rows[{row_index}].department"
                raise Unprocessable(f"policies.yaml: {field}: not in departments.yaml")
            if row.calendar is not None and row.calendar not in shifts:
                field = f"policies[{set_index}].rows[{row_index}].calendar"
                raise Unprocessable(f"policies.yaml: {field}: no such shift in calendar.yaml")
    for index, queue in enumerate(roster.queues if roster else []):
        if queue.department not in known:
            raise Unprocessable(f"roster.yaml: queues[{index}].department: not in departments.yaml")
        if queue.shift is not None and queue.shift not in shifts:
            raise Unprocessable(f"roster.yaml: queues[{index}].shift: no such shift in calendar.yaml")
    return CityFiles(departments, calendar, policies, roster, desk)


def digest(content: BaseModel) -> str:
    """Equal for equal content, however it was written down."""
    text = json.dumps(content.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path, model: type[M]) -> M:
    """One file of a city, checked. Raises Unprocessable with one line that names the file and the field."""
    try:
        document = yaml_lines.read(path)
    except FileNotFoundError:
        raise Unprocessable(f"{path.name}: missing in the city directory") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unprocessable(f"{path.name}: cannot be read ({type(error).__name__})") from None
    except yaml_lines.YamlMistake as mistake:
        where = f" at line {mistake.line}, column {mistake.column}" if mistake.line is not None else ""
        raise Unprocessable(f"{path.name}: not valid YAML{where} ({mistake.problem})") from None
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        field = yaml_lines.name_of(first["loc"])
        raise Unprocessable(f"{path.name}: {field + ': ' if field else ''}{first['msg']}{more}") from None
