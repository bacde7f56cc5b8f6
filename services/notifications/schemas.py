"""notifications.yaml of a city: who is told of what, by which way, in which words."""

import re
import string
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Channel = Literal["chat", "robot", "mail", "sms", "wechat"]

# What staff are told of, by its name in a subject line.
STAFF_KINDS: Mapping[str, str] = {
    "case_warning": "临期提醒",
    "case_breach": "超时催办",
    "case_escalation": "超时上报",
    "case_urgent": "紧急工单",
    "case_unheard": "紧急无人应答",
    "case_acknowledged": "紧急已收到",
    "case_assigned": "工单分派",
    "case_transferred": "工单转办",
    "case_returned": "转办退回",
    "case_released": "工单退回队列",
    "case_added": "市民补充",
    "case_pressed": "催办",
    "case_withdrawn": "市民撤回",
    "case_reopened": "重新办理",
    "case_resumed": "恢复办理",
    "case_confidential": "保密工单",
    "case_extension_asked": "延期申请",
    "case_extension_refused": "延期未获批准",
    "case_extended": "延期",
    "alert_level": "预警级别",
    "supervision_report": "督办报告",
    "appointments_crowded": "预约超量",
}
# What rings, and stands on the screen of who has another window before it.
LOUD_KINDS = frozenset(["case_urgent", "case_unheard"])
CONFIDENTIAL = "confidential"
STAFF_FIELDS = frozenset(
    ["name", "case_no", "department", "target", "due", "by", "level", "slot", "open_cases", "overdue_cases"]
)
# What citizens are told about their case, with what may be named in it.
CITIZEN_KINDS: Mapping[str, frozenset[str]] = {
    "case.acknowledged": frozenset(["case_no", "who"]),
    "case.claimed": frozenset(["case_no", "clerk"]),
    "case.resolved": frozenset(["case_no"]),
    "case.closed": frozenset(["case_no"]),
    "case.resolved_merged": frozenset(["case_no", "into"]),
    "case.closed_merged": frozenset(["case_no", "into"]),
    "case.withdrawn": frozenset(["case_no"]),
    "case.confirmed": frozenset(["case_no"]),
    "case.assigned": frozenset(["case_no", "department"]),
    "case.held": frozenset(["case_no", "until"]),
    "case.extended": frozenset(["case_no", "due", "reason"]),
    "case.merged": frozenset(["case_no", "into"]),
    "case.transferred": frozenset(["case_no", "department"]),
    "case.reopened": frozenset(["case_no"]),
}
# Kinds whose text is the clerk's own; only a template message about them has words of the city.
SPOKEN_KINDS = frozenset(["case.reply", "case.question", "conversation.message"])

_READER = re.compile(r"(?:role|user|department):\S.{0,100}")
_MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def placeholders(text: str) -> set[str]:
    """The names in braces. Raises ValueError for anything but plain names."""
    names = set()
    for _, name, format_spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or format_spec or conversion:
            raise ValueError(f"only plain names in braces, not {{{name}}}")
        names.add(name)
    return names


def _reader(text: str) -> str:
    if not _READER.fullmatch(text):
        raise ValueError("a reader is role:NAME, user:NAME or department:NAME")
    return text


def _address(text: str) -> str:
    if not _MAIL.fullmatch(text):
        raise ValueError("not an e-mail address")
    return text


Name = Annotated[str, Field(min_length=1, max_length=64)]
Reader = Annotated[str, AfterValidator(_reader)]
SecretName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]


class Written(BaseModel):
    """A part of the file: an unknown field is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class RobotIn(Written):
    """A group robot of enterprise WeChat; `secret` names the secret that is its webhook key."""

    name: Name
    secret: SecretName


class MailboxIn(Written):
    name: Name
    address: Annotated[str, Field(max_length=200), AfterValidator(_address)]


class PhoneIn(Written):
    """A mobile of somebody on duty; `secret` names the secret that is its number."""

    name: Name
    secret: SecretName


class WechatIn(Written):
    """An official account: the key of the platform's account (menus.yaml), its appid, and the name of its secret."""

    account: Annotated[str, Field(min_length=1, max_length=32)]
    appid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
    secret: SecretName


class RouteIn(Written):
    """`kinds` that reach one of `readers` at their console go out by this way too; without departments of all."""

    kinds: list[str] = Field(min_length=1)
    readers: list[Reader] = Field(min_length=1)
    departments: list[Name] = []
    robot: Name | None = None
    mailbox: Name | None = None
    phone: Name | None = None

    @model_validator(mode="after")
    def _sound(self) -> "RouteIn":
        unknown = [kind for kind in self.kinds if kind not in STAFF_KINDS]
        if unknown:
            raise ValueError(f"unknown kind {unknown[0]}")
        if sum(way is not None for way in (self.robot, self.mailbox, self.phone)) != 1:
            raise ValueError("exactly one of robot, mailbox and phone")
        return self


class TemplateIn(Written):
    """The words for a kind on a channel; `template_id` and `data` are those of a WeChat template message."""

    kind: str
    channel: Channel
    text: Annotated[str, Field(max_length=2000)] = ""
    subject: Annotated[str, Field(max_length=120)] = ""
    template_id: Annotated[str, Field(max_length=64)] = ""
    data: dict[str, Annotated[str, Field(max_length=200)]] = {}

    @model_validator(mode="after")
    def _sound(self) -> "TemplateIn":
        if self.channel == "wechat":
            if not self.template_id or not self.data:
                raise ValueError("a template message needs template_id and data")
        elif not self.text:
            raise ValueError("text is missing")
        known = self._known()
        if known is None:
            raise ValueError(f"nothing of kind {self.kind} goes out on channel {self.channel}")
        for part in (self.text, self.subject, *self.data.values()):
            unknown = placeholders(part) - known
            if unknown:
                raise ValueError(f"unknown name {{{min(unknown)}}}; known are {', '.join(sorted(known)) or 'none'}")
        return self

    def _known(self) -> frozenset[str] | None:
        match self.channel:
            case "chat":
                return CITIZEN_KINDS.get(self.kind)
            case "wechat":
                return frozenset(["case_no"]) if self.kind in CITIZEN_KINDS or self.kind in SPOKEN_KINDS else None
            case "robot" | "mail" | "sms":
                if self.kind == CONFIDENTIAL:
                    return frozenset()
                return STAFF_FIELDS if self.kind in STAFF_KINDS else None


class NotificationsFile(Written):
    source: str = Field("系统默认", min_length=2)
    robots: list[RobotIn] = []
    mailboxes: list[MailboxIn] = []
    phones: list[PhoneIn] = []
    wechat: list[WechatIn] = []
    routes: list[RouteIn] = []
    templates: list[TemplateIn] = []

    @model_validator(mode="after")
    def _consistent(self) -> "NotificationsFile":
        for what, names in (
            ("robot", [robot.name for robot in self.robots]),
            ("mailbox", [mailbox.name for mailbox in self.mailboxes]),
            ("phone", [phone.name for phone in self.phones]),
            ("account", [account.account for account in self.wechat]),
            ("template", [f"{template.kind} on {template.channel}" for template in self.templates]),
        ):
            twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
            if twice is not None:
                raise ValueError(f"two {what}s are called {twice}")
        robots, mailboxes = {one.name for one in self.robots}, {one.name for one in self.mailboxes}
        phones = {one.name for one in self.phones}
        for number, route in enumerate(self.routes):
            if route.robot is not None and route.robot not in robots:
                raise ValueError(f"routes[{number}].robot: no such robot")
            if route.mailbox is not None and route.mailbox not in mailboxes:
                raise ValueError(f"routes[{number}].mailbox: no such mailbox")
            if route.phone is not None and route.phone not in phones:
                raise ValueError(f"routes[{number}].phone: no such phone")
        return self

    def template(self, kind: str, channel: Channel) -> TemplateIn | None:
        return next((one for one in self.templates if (one.kind, one.channel) == (kind, channel)), None)
