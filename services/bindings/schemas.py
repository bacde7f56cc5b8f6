"""What can be bound, and the values that pass between a talk about it and its surroundings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

from services.citizens.schemas import ReminderKind
from services.understanding.words import BILL_KINDS, PLATE_KINDS, Option

BindingKind = Literal["plate", "licence", "household", "matter"]
BINDING_KINDS: tuple[BindingKind, ...] = get_args(BindingKind)


@dataclass(frozen=True)
class Asked:
    """One value of a binding: the slot of the forms that it fills, and how it is asked for.

    `entity` is what extraction calls it; without one the value is one of `options`.
    """

    slot: str
    ask: str
    invalid: str
    entity: str | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class BindingType:
    """A kind of binding. `lookup` checks the values before they are kept; `identity` are the slots that name it."""

    title: str
    words: str
    asked: tuple[Asked, ...]
    identity: tuple[str, ...]
    lookup: str | None
    reminders: tuple[ReminderKind, ...]


TYPES: dict[BindingKind, BindingType] = {
    "plate": BindingType(
        title="车牌",
        words="车牌号码?|车牌|牌照|车辆|汽车|车",
        asked=(
            Asked("plate", "请发一下要绑定的车牌号。", "没认出车牌号，省份简称和字母都要写上。", entity="plate"),
            Asked("plate_kind", "请选一下号牌种类：", "没认出号牌种类，点下面的选项就可以。", options=PLATE_KINDS),
            Asked(
                "engine_tail",
                "请发一下发动机号的后六位（行驶证上有）。",
                "没认出发动机号，只要最后六位。",
                entity="engine_tail",
            ),
        ),
        identity=("plate",),
        lookup="violation",
        reminders=("violation", "inspection", "plate"),
    ),
    "licence": BindingType(
        title="驾驶证",
        words="驾驶证号?|驾驶证|驾照",
        asked=(
            Asked("id_card", "请发一下驾驶证号（也就是本人的身份证号）。", "这个号码好像不对。", entity="id_card"),
            Asked(
                "license_file_no",
                "再发一下驾驶证的档案编号（12位数字，在副页上）。",
                "档案编号是12位数字，请再核对一下。",
                entity="license_file_no",
            ),
        ),
        identity=("license_file_no",),
        lookup="violation",
        reminders=("licence", "points"),
    ),
    "household": BindingType(
        title="户号",
        words="水电气?户号|水费户号|电费户号|燃气户号|户号|水表|电表|气表|水电气?",
        asked=(
            Asked("bill_kind", "是哪一种户号？", "没认出是哪一种，点下面的选项就可以。", options=BILL_KINDS),
            Asked(
                "household_no", "请发一下户号（缴费单上有）。", "没认出户号，户号是一串数字。", entity="household_no"
            ),
        ),
        identity=("bill_kind", "household_no"),
        lookup="bill",
        reminders=("bill", "overdue", "outage"),
    ),
    "matter": BindingType(
        title="办件",
        words="办件编号|受理编号|办件|申请",
        asked=(
            Asked(
                "case_no", "请发一下受理编号（回执或短信上有）。", "没认出受理编号，请再核对一下。", entity="case_no"
            ),
        ),
        identity=("case_no",),
        lookup=None,
        reminders=("progress",),
    ),
}


@dataclass(frozen=True)
class Said:
    """A message as the talk reads it: identifiers are placeholders. `chosen` is an option's payload."""

    text: str
    entities: tuple[tuple[str, str], ...] = ()
    chosen: bool = False

    def entity(self, kind: str) -> str | None:
        return next((value for name, value in self.entities if name == kind), None)


@dataclass(frozen=True)
class Draft:
    """An open talk: placeholders and words, never a number. `then` is what goes on once a phone was
    verified, `consented` the moment (ISO 8601) at which the keeping of the numbers was agreed to."""

    kind: BindingKind | None
    step: str
    values: Mapping[str, str]
    at: datetime
    phone: str = ""
    misfits: int = 0
    checked: bool = False
    then: str = ""
    consented: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "step": self.step,
            "values": dict(self.values),
            "at": self.at.isoformat(),
            "phone": self.phone,
            "misfits": self.misfits,
            "checked": self.checked,
            "then": self.then,
            "consented": self.consented,
        }

    @staticmethod
    def of_json(content: Mapping[str, Any]) -> "Draft":
        return Draft(**{**content, "at": datetime.fromisoformat(content["at"])})


Does = Literal[
    "list", "start", "unbind", "reminders", "remind", "stop", "consent", "refuse", "value", "code", "again",
    "other_phone", "cancel", "misfit", "verify",
]  # fmt: skip


@dataclass(frozen=True)
class Intent:
    """What a message means for the talk. `values` are slots it fills; `number` is a binding or a typed code."""

    does: Does
    kind: BindingKind | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    number: str = ""
    reminders: tuple[ReminderKind, ...] = ()


@dataclass(frozen=True)
class Reply:
    """Something to say, with (title, payload) of what may be tapped."""

    text: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Check:
    """What the departmental system says of the values: `known`, or why not. `final` ends the talk."""

    known: bool
    text: str = ""
    final: bool = False


@dataclass(frozen=True)
class Hidden:
    """What a placeholder stands for, and how it is shown."""

    value: str
    masked: str


class Resolve(Protocol):
    def __call__(self, placeholder: str) -> Hidden | None: ...


@dataclass
class Answered:
    """What a turn of the talk says and leaves open. `consent` is what was just decided about the numbers."""

    replies: list[Reply]
    draft: Draft | None = None
    consent: bool | None = None


@dataclass(frozen=True)
class Bound:
    """A binding as its citizen sees it."""

    id: int
    kind: BindingKind
    masked: str
    values: Mapping[str, str]


class SystemAway(Exception):
    """A departmental system gave no usable answer."""


class Ask(Protocol):
    """Asks the departmental system of a kind; None when it knows nothing of these values, or there is no such system.

    The answer has the shape that `services.lookups.schemas` gives the kind. Raises SystemAway.
    """

    async def __call__(self, kind: str, parameters: Mapping[str, str]) -> dict[str, Any] | None: ...
