"""The city's notifications: applied from notifications.yaml as a version, read as one value."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.core.errors import Unprocessable
from services.core.permissions import account_roles
from services.notifications.schemas import CONFIDENTIAL, STAFF_KINDS, Channel, NotificationsFile, RouteIn, TemplateIn
from services.sla import service as sla

DOCUMENT = "notifications"
FILE = "notifications.yaml"
TARGETS = {"first_response": "首次答复", "update": "进展告知", "resolution": "办结"}
_READ: dict[str, NotificationsFile] = {}
CONFIDENTIAL_TEXT = "您有一件保密事项需要处理，请登录工单台查看。"


def apply_city(uow: UnitOfWork, directory: Path, now: datetime) -> list[sla.AppliedDocument]:
    """Make notifications.yaml of `directory` the current version; a directory without it leaves it as it was.

    Departments must have been applied before. Raises Unprocessable with one line naming file and field.
    """
    if not (directory / FILE).exists():
        return []
    content = sla.read_document(directory / FILE, NotificationsFile)
    known = {department.name for department in sla.departments(uow)}
    roles = account_roles()
    for number, route in enumerate(content.routes):
        for place, reader in enumerate(route.readers):
            what, _, name = reader.partition(":")
            if what == "role" and name not in roles:
                where = f"{FILE}: routes[{number}].readers[{place}]"
                raise Unprocessable(f"{where}: no role {name}; there are {', '.join(roles)}")
            if what == "department" and name not in known:
                raise Unprocessable(f"{FILE}: routes[{number}].readers[{place}]: {name} is not in departments.yaml")
        if unknown := [name for name in route.departments if name not in known]:
            raise Unprocessable(f"{FILE}: routes[{number}].departments: {unknown[0]} is not in departments.yaml")
    return [sla.apply_document(uow, DOCUMENT, content, now)]


def settings(uow: UnitOfWork) -> NotificationsFile:
    """The current version, or an empty one: everybody reads at the console, in the built-in words."""
    found = sla.document(uow, DOCUMENT)
    if found is None:
        return NotificationsFile()
    # Sweeps ask for every notice: what was read once of a version stays read.
    known = _READ.get(found.digest)
    if known is None:
        known = NotificationsFile.model_validate(found.settings)
        _READ.clear()
        _READ[found.digest] = known
    return known


def ways(uow: UnitOfWork, kind: str, reader: str, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(channel, name) of the ways that a staff notice takes beside the console.

    Of a confidential case only mail goes out, and only to people whom it names: who reads a group is not known, nor who
    has a phone of the shift in hand.
    """
    found: dict[tuple[str, str], None] = {}
    for route in settings(uow).routes:
        if not _takes(route, kind, reader, body):
            continue
        if route.mailbox is not None:
            found["mail", route.mailbox] = None
        elif body.get("confidential"):
            continue
        elif route.robot is not None:
            found["robot", route.robot] = None
        elif route.phone is not None:
            found["sms", route.phone] = None
    return list(found)


def _takes(route: RouteIn, kind: str, reader: str, body: Mapping[str, Any]) -> bool:
    if kind not in route.kinds or reader not in route.readers:
        return False
    if body.get("confidential"):
        return reader.startswith("user:")
    return not route.departments or body.get("department") in route.departments


def staff_words(uow: UnitOfWork, kind: str, channel: Channel, body: Mapping[str, Any]) -> tuple[str, str]:
    """(subject, text) of a staff notice. Of a confidential case neither says anything about it."""
    city = settings(uow)
    name = STAFF_KINDS.get(kind, kind)
    if body.get("confidential"):
        secret = city.template(CONFIDENTIAL, channel)
        return (secret.subject or "保密事项", secret.text) if secret else ("保密事项", CONFIDENTIAL_TEXT)
    fields = {"name": name, **_fields(body)}
    template = city.template(kind, channel)
    if template is None:
        lines = [f"工单：{fields['case_no']}"] if fields["case_no"] else []
        lines += [f"{label}：{fields[key]}" for label, key in (("部门", "department"), ("时限", "due")) if fields[key]]
        return name, "\n".join([name, *lines])
    return template.subject.format_map(fields) or name, template.text.format_map(fields)


def console_words(kind: str, body: Mapping[str, Any]) -> tuple[str, str]:
    """(title, text) of a staff notice at the console: what happened, and to what. Of a confidential case its number,
    to those who may know of it."""
    fields = _fields(body)
    told = [
        fields["case_no"] and f"工单 {fields['case_no']}",
        "保密" if body.get("confidential") else fields["department"],
        fields["target"] and fields["due"] and f"{fields['target']}时限 {fields['due']}",
        fields["by"] and f"由{fields['by']}",
        fields["level"],
        fields["slot"],
        fields["open_cases"] and f"在办 {fields['open_cases']} 件，超时 {fields['overdue_cases'] or 0} 件",
    ]
    return STAFF_KINDS.get(kind, kind), " · ".join(part for part in told if part)


def citizen_words(uow: UnitOfWork, kind: str, fields: Mapping[str, str]) -> str | None:
    """The city's words for what a citizen is told in the chat; None: the built-in ones."""
    template = settings(uow).template(kind, "chat")
    return template.text.format_map(dict(fields)) if template is not None else None


def template_message(uow: UnitOfWork, kind: str) -> TemplateIn | None:
    """The WeChat template message for a kind of message to citizens, or the one for any message."""
    city = settings(uow)
    return city.template(kind, "wechat") or city.template("conversation.message", "wechat")


def _fields(body: Mapping[str, Any]) -> dict[str, str]:
    """Every name of STAFF_FIELDS but `name`, as people read it; empty when the notice has none."""
    level = body.get("name", body.get("level"))
    return {
        "case_no": _text(body.get("case_no")),
        "department": _text(body.get("department")),
        "target": TARGETS.get(str(body.get("target")), ""),
        "due": _moment(body.get("due_at")),
        "by": "市民" if body.get("by") == "citizen" else _text(body.get("by")),
        "level": _text(level),
        "slot": _moment(body.get("slot_at")),
        "open_cases": _text(body.get("open_cases")),
        "overdue_cases": _text(body.get("overdue_cases")),
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _moment(value: object) -> str:
    if not isinstance(value, str):
        return ""
    local = datetime.fromisoformat(value).astimezone(SHANGHAI)
    return f"{local.month}月{local.day}日 {local:%H:%M}"
