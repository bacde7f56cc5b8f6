"""Who may do what: the one table of rights (docs/security.md prints it).

Whatever can be asked of the system is a right, and whoever asks is a role. A role is one row here and nothing else:
its name is what an account stores, its `may` is all that routes, pages, navigation, rules, notices and commands know of
it. Code asks `may(user, "cases.work")`; it never asks for a role by its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from services.core.errors import Forbidden

Permission = Literal[
    "pages.open",
    "api.describe",
    "operations.watch",
    "operations.figures",
    "appointments.offer",
    "conversations.open",
    "conversations.own",
    "account.enter",
    "account.own",
    "notices.read",
    "knowledge.read",
    "knowledge.edit",
    "knowledge.publish",
    "keywords.edit",
    "cases.read",
    "cases.read_everywhere",
    "cases.work",
    "cases.reveal",
    "cases.name_readers",
    "cases.take_over",
    "cases.close_unsettled",
    "cases.lower_priority",
    "cases.decide_extensions",
    "cases.press",
    "alarms.acknowledge",
    "absences.own",
    "absences.others",
    "appointments.read",
    "appointments.work",
    "statistics.read",
    "supervision.read",
    "supervision.set_level",
    "deliveries.mend",
    "hears.urgent",
    "hears.breaches",
    "hears.escalations",
    "hears.extension_requests",
    "hears.citizens",
    "hears.supervision",
    "hears.crowded_hours",
    "hears.unnamed_tip_offs",
    "cases.import",
    "classifier.train",
    "accounts.manage",
    "city.apply",
    "secrets.rotate",
    "system.run",
    "system.measure",
]


@dataclass(frozen=True)
class Right:
    """`what` it lets somebody do, for the documentation; `refusal` is what somebody without it reads."""

    what: str
    refusal: str = "您的角色不能进行此操作"


@dataclass(frozen=True)
class Role:
    """A row: `title` is what people read, `may` all that it may do beside what everybody may.

    `has_account`: staff that logs in; the others are known by what they hold (nothing, the token of a conversation, a
    shell on the machine). `post` is what citizens read of somebody whose account names no post of its own.
    """

    title: str
    may: frozenset[Permission]
    has_account: bool = True
    post: str = "工作人员"


class Person(Protocol):
    """Whoever is asked for: anything with the name of a role."""

    @property
    def role(self) -> str: ...


RIGHTS: Final[Mapping[Permission, Right]] = {
    "pages.open": Right("open the chat, the login page and their files"),
    "api.describe": Right("read the description of the API"),
    "operations.watch": Right("ask whether the service is alive and ready"),
    "operations.figures": Right("read the figures of operation"),
    "appointments.offer": Right("see what can be booked and what is free"),
    "conversations.open": Right("begin a conversation"),
    "conversations.own": Right("write, read, send files and act on cases, in one's own conversation only"),
    "account.enter": Right("log in and out"),
    "account.own": Right("see one's own account, change its password, and the first page of one's role"),
    "notices.read": Right("read what was told to oneself, one's role or department, and mark it read"),
    "knowledge.read": Right("search and read entries, versions and ratings"),
    "knowledge.edit": Right("write, import and delete entries, decide on drafts"),
    "knowledge.publish": Right("publish a version, go back to another"),
    "keywords.edit": Right("write keyword replies"),
    "cases.read": Right("list and open cases, with their files"),
    "cases.read_everywhere": Right("also cases of departments that are not one's own"),
    "cases.work": Right("claim, answer and settle cases, and be given them"),
    "cases.reveal": Right("see an identifier of the citizen in the clear, as the clerk in charge of an open case"),
    "cases.name_readers": Right("name who may know of a confidential case that one may know of"),
    "cases.take_over": Right("act on a case that is in somebody else's hands, assign it"),
    "cases.close_unsettled": Right("close a case that is not settled", "未办结的工单只有主管可以关闭"),
    "cases.lower_priority": Right("make an urgent case a normal one", "只有主管可以降低紧急程度"),
    "cases.decide_extensions": Right("grant more time, to oneself at once", "延期须由主管审批"),
    "cases.press": Right("press whoever has a case (催办)", "只有主管可以催办"),
    "alarms.acknowledge": Right("say 已收到 to danger in a case that one may see"),
    "absences.own": Right("see absences, note one's own"),
    "absences.others": Right("note the absence of anybody", "只有主管可以为他人登记"),
    "appointments.read": Right("see a hall's appointments and who waits"),
    "appointments.work": Right("book, move, cancel and check in at the counter"),
    "statistics.read": Right("see how timely and how good answers were"),
    "supervision.read": Right("see the alert level and its reports"),
    "supervision.set_level": Right("put an alert level in force"),
    "deliveries.mend": Right("see messages that could not be delivered, send them again"),
    "hears.urgent": Right("is told of danger to life"),
    "hears.breaches": Right("is told of a limit that was missed"),
    "hears.escalations": Right("is told of a limit that was missed for as long again"),
    "hears.extension_requests": Right("is told that somebody asks for more time"),
    "hears.citizens": Right("is told that a citizen presses, or opens a case again"),
    "hears.supervision": Right("is told of the alert level and its reports"),
    "hears.crowded_hours": Right("is told of hours with more appointments than places"),
    "hears.unnamed_tip_offs": Right("is told the number of a confidential case that nobody is named for"),
    "cases.import": Right("import past cases"),
    "classifier.train": Right("learn kinds and departments of cases"),
    "accounts.manage": Right("make accounts, disable and enable them, reset passwords, see and end sessions"),
    "city.apply": Right("put a city's files in force, compute running limits by them"),
    "secrets.rotate": Right("encrypt what is kept with a new key"),
    "system.run": Right("start, prepare, upgrade and examine the system"),
    "system.measure": Right("measure answers and speed"),
}

PUBLIC: Final = "public"
CITIZEN: Final = "citizen"
MONITOR: Final = "monitor"
OPERATOR: Final = "operator"

ROLES: Final[dict[str, Role]] = {
    PUBLIC: Role(
        "任何人",
        frozenset(
            [
                "pages.open",
                "api.describe",
                "operations.watch",
                "appointments.offer",
                "conversations.open",
                "account.enter",
            ]
        ),
        has_account=False,
    ),
    CITIZEN: Role("市民", frozenset(["conversations.own"]), has_account=False),
    # Whoever holds METRICS_TOKEN; without one, whoever asks from this machine itself.
    MONITOR: Role("监控", frozenset(["operations.figures"]), has_account=False),
    "clerk": Role(
        "经办人员",
        frozenset(
            [
                "account.own",
                "notices.read",
                "knowledge.read",
                "cases.read",
                "cases.work",
                "cases.reveal",
                "cases.name_readers",
                "alarms.acknowledge",
                "absences.own",
                "appointments.read",
                "appointments.work",
            ]
        ),
        post="值班员",
    ),
    "supervisor": Role(
        "主管",
        frozenset(
            [
                "account.own",
                "notices.read",
                "knowledge.read",
                "cases.read",
                "cases.read_everywhere",
                "cases.work",
                "cases.reveal",
                "cases.name_readers",
                "cases.take_over",
                "cases.close_unsettled",
                "cases.lower_priority",
                "cases.decide_extensions",
                "cases.press",
                "alarms.acknowledge",
                "absences.own",
                "absences.others",
                "appointments.read",
                "appointments.work",
                "statistics.read",
                "supervision.read",
                "supervision.set_level",
                "deliveries.mend",
                "hears.urgent",
                "hears.breaches",
                "hears.extension_requests",
                "hears.citizens",
                "hears.supervision",
                "hears.crowded_hours",
            ]
        ),
        post="值班主管",
    ),
    "manager": Role(
        "管理者",
        frozenset(
            [
                "account.own",
                "notices.read",
                "knowledge.read",
                "cases.read",
                "cases.read_everywhere",
                "cases.name_readers",
                "cases.press",
                "alarms.acknowledge",
                "appointments.read",
                "statistics.read",
                "supervision.read",
                "supervision.set_level",
                "deliveries.mend",
                "hears.escalations",
                "hears.supervision",
            ]
        ),
        post="负责人",
    ),
    "editor": Role(
        "编辑",
        frozenset(
            [
                "account.own",
                "notices.read",
                "knowledge.read",
                "knowledge.edit",
                "knowledge.publish",
                "keywords.edit",
            ]
        ),
    ),
    "reviewer": Role(
        "审核",
        frozenset(
            [
                "account.own",
                "notices.read",
                "knowledge.read",
                "knowledge.edit",
                "knowledge.publish",
                "keywords.edit",
            ]
        ),
    ),
    "admin": Role(
        "管理员",
        frozenset(
            [
                "account.own",
                "notices.read",
                "knowledge.read",
                "knowledge.edit",
                "knowledge.publish",
                "keywords.edit",
                "cases.read",
                "cases.read_everywhere",
                "cases.work",
                "cases.reveal",
                "cases.name_readers",
                "cases.take_over",
                "cases.close_unsettled",
                "cases.lower_priority",
                "cases.decide_extensions",
                "cases.press",
                "alarms.acknowledge",
                "absences.own",
                "absences.others",
                "appointments.read",
                "appointments.work",
                "statistics.read",
                "supervision.read",
                "supervision.set_level",
                "deliveries.mend",
                "hears.unnamed_tip_offs",
            ]
        ),
    ),
    OPERATOR: Role(
        "运维人员",
        frozenset(
            [
                "knowledge.read",
                "knowledge.edit",
                "knowledge.publish",
                "statistics.read",
                "cases.import",
                "classifier.train",
                "accounts.manage",
                "city.apply",
                "secrets.rotate",
                "system.run",
                "system.measure",
            ]
        ),
        has_account=False,
    ),
}


def role_may(role: str, permission: Permission) -> bool:
    """Whether a role has a right; a role that the table does not know has what everybody has."""
    row = ROLES.get(role)
    return permission in ROLES[PUBLIC].may or (row is not None and permission in row.may)


def role_must(role: str, permission: Permission) -> None:
    """Raises Forbidden, in the right's own words, for a role that has it not."""
    if not role_may(role, permission):
        raise Forbidden(RIGHTS[permission].refusal)


def may(user: Person, permission: Permission) -> bool:
    """Whether somebody has a right."""
    return role_may(user.role, permission)


def must(user: Person, permission: Permission) -> None:
    """Raises Forbidden, in the right's own words, for somebody who has it not."""
    role_must(user.role, permission)


def rights_of(user: Person) -> list[Permission]:
    """All that somebody may do, in the order of the table."""
    return [permission for permission in RIGHTS if may(user, permission)]


def roles_with(permission: Permission) -> list[str]:
    """The roles whose own row has a right, in the order of the table."""
    return [name for name, row in ROLES.items() if permission in row.may]


def account_roles() -> list[str]:
    """What an account can be, in the order of the table."""
    return [name for name, row in ROLES.items() if row.has_account]


def title_of(role: str) -> str:
    """What people call a role; its name when the table does not know it."""
    row = ROLES.get(role)
    return row.title if row is not None else role


def post_of(role: str) -> str:
    """The post that citizens read of a role, where the account says nothing else."""
    row = ROLES.get(role)
    return row.post if row is not None else Role.post


def known(permission: Permission) -> Permission:
    """The same permission. Raises ValueError for one that is not in the table, which no type checker may have seen."""
    if permission not in RIGHTS:
        raise ValueError(f"{permission!r} is not in the table of rights (services/core/permissions.py)")
    return permission


def as_markdown() -> str:
    """The table for docs/security.md: a line per right, a column per role."""
    lines = [
        f"| right | what it lets somebody do | {' | '.join(ROLES)} |",
        f"|---|---|{'---|' * len(ROLES)}",
    ]
    for permission, right in RIGHTS.items():
        marks = ("yes" if permission in row.may else "" for row in ROLES.values())
        lines.append(f"| `{permission}` | {right.what} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"
