"""What a message means for binding and reminders. Pure: a message and the open draft in, an intent out.

Decided before the classifier, as menus and keyword replies are (docs/menus.md): only whole messages that say nothing
else are commands, and an open form of the dialogue is left as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.bindings.schemas import TYPES, Asked, BindingKind, Draft, Intent, Said
from services.citizens.schemas import REMINDER_KINDS, ReminderKind
from services.understanding.phrases import says_no, says_stop, says_yes
from services.understanding.placeholders import PLACEHOLDER
from services.understanding.words import named_option

OPEN_FOR = timedelta(minutes=30)
MISFITS = 3
CONSENT, KIND, PHONE, CODE = "consent", "kind", "phone", "code"
CONSENT_YES, CONSENT_NO, CANCEL, AGAIN, OTHER_PHONE = "同意绑定", "不同意", "取消绑定流程", "重新发送", "换个手机号"
UNBIND_CHOICE = "unbind:"

_CASE_NO = re.compile(r"[A-Za-z]{0,4}\d[\d-]{5,24}")
_EDGE = " 　。，！？!?,.~～"
_ASK = r"(?:请|请帮我|帮我|麻烦|麻烦帮我|我想|我要|我想要|我来)?"
_TAIL = r"(?:一下|下)?(?:吧|呢|了)?"
_LIST = re.compile(
    rf"{_ASK}(?:查看|看看|看|查|查询|打开)?(?:一下)?(?:我的|我)?(?:绑定|绑定列表|绑定信息|绑定记录|已绑定(?:的|信息)?|绑定管理)"
    r"(?:了什么|了哪些|有哪些|哪些)?"
)
_WORDS = "|".join(f"(?P<{kind}>{one.words})" for kind, one in TYPES.items())
_BIND = re.compile(
    rf"{_ASK}(?:新增|添加|增加|再)?(?:绑定|关注){_TAIL}(?:我的|我家的?|一?[个辆本])?(?:{_WORDS})?(?:号码|号)?"
    r"(?:是|为|:|：|,|，)?(?P<rest>.{0,60})"
)
_UNBIND = re.compile(
    rf"{_ASK}(?:解绑|解除绑定|取消绑定|删除绑定|取消关注){_TAIL}(?:我的|我家的?)?(?P<all>全部|所有|全部绑定)?"
    rf"(?:的)?(?:{_WORDS})?(?:号码|号)?(?P<rest>.{{0,40}})"
)
_SHOW = re.compile(
    rf"{_ASK}(?:查看|看看|看|查|打开|设置|修改)?(?:一下)?(?:我的)?(?:提醒|提醒设置|订阅|提醒管理|我的订阅|设置提醒)"
)
_REMINDERS: dict[ReminderKind, str] = {
    "inspection": "年检到期|年检|年审|检车|车检",
    "licence": "驾驶证换证|驾照换证|换证|驾驶证到期|驾照到期",
    "points": "驾驶证记分|记分|扣分",
    "violation": "新违章|违章|违法",
    "plate": "号牌到期|车牌到期|号牌|临牌到期",
    "appointment": "预约",
    "bill": "新账单|账单",
    "overdue": "欠费|逾期|缴费",
    "outage": "停水停电|停水|停电|停气",
    "progress": "办件进度|办件|进度",
}
_ALL = "全部|所有|一切"
_WHICH = f"(?P<all>{_ALL})|" + "|".join(f"(?P<{kind}>{words})" for kind, words in _REMINDERS.items())
_START = re.compile(rf"{_ASK}(?:开启|打开|开通|订阅|设置){_TAIL}(?:我的)?(?:{_WHICH})(?:的)?(?:提醒|通知|推送)?")
_STOP = re.compile(
    rf"{_ASK}(?:停止|关闭|取消|不要|退订|关掉|别再?){_TAIL}(?:我的)?(?:{_WHICH})?(?:的)?(?:提醒我?|通知|推送|订阅)?(?:了)?"
)
_STOP_WORDS = frozenset(["停止提醒", "退订", "TD", "T", "td", "关闭提醒", "取消提醒", "不要提醒", "别提醒", "别提醒我"])
_REMINDING = re.compile(r"提醒|通知|推送|退订|订阅")
_CODE = re.compile(r"(?:我的)?(?:验证码)?(?:是|为|:|：)?(\d{6})")
_RESEND = re.compile(
    r"(?:没收到|没有收到|收不到|还没收到|重发|重新发|重新发送|再发|再发送)(?:验证码)?(?:一次|一遍|一下)?(?:吧)?"
)
_OTHER_PHONE = re.compile(r"(?:换个?|换一个|改)(?:手机号|号码|手机|电话)")
_QUESTION = re.compile(r"[?？吗呢]|怎么|如何|什么|多少|为啥|为什么|哪")
_LONGEST_TRY = 24
# What was meant as a number, and is none: anything else goes on to the dialogue.
_TRY = re.compile(r"[0-9A-Za-z]{3,}")


def is_open(draft: Draft | None, now: datetime) -> Draft | None:
    """The draft while it is still open."""
    return draft if draft is not None and now - draft.at <= OPEN_FOR else None


def expected(draft: Draft | None) -> str | None:
    """What extraction should expect of a bare answer."""
    if draft is None:
        return None
    if draft.step in (PHONE, CODE):
        return "phone" if draft.step == PHONE else "one_time_code"
    asked = _asked(draft)
    return asked.entity if asked is not None else None


def understand(said: Said, draft: Draft | None, now: datetime) -> Intent | None:
    """What the message is for the talk; None when it is about something else."""
    draft = is_open(draft, now)
    text = said.text.strip(_EDGE)
    if said.chosen and text.startswith(UNBIND_CHOICE):
        return Intent("unbind", number=text.removeprefix(UNBIND_CHOICE))
    if draft is not None:
        if text == CANCEL or says_stop(text):
            return Intent("cancel")
        answer = _answer(said, text, draft)
        if answer is not None:
            return answer
    found = _command(said, text)
    if found is not None or draft is None:
        return found
    if len(text) <= _LONGEST_TRY and _TRY.search(text) and not _QUESTION.search(text) and not said.entities:
        return Intent("misfit")
    return None


def needs_check(draft: Draft | None, intent: Intent) -> tuple[str, dict[str, str]] | None:
    """(lookup, values) when this message completes what the departmental system should know; placeholders stay."""
    if intent.does in ("start", "consent", "value") and PHONE not in intent.values:
        known = after(draft, intent)
        if known.kind is None or known.checked or (known.step == CONSENT and intent.does != "consent"):
            return None
        wanted = TYPES[known.kind]
        if wanted.lookup is not None and all(asked.slot in known.values for asked in wanted.asked):
            if intent.does == "start":  # consent comes first
                return None
            return wanted.lookup, dict(known.values)
    return None


def after(draft: Draft | None, intent: Intent) -> Draft:
    """The draft with what the intent brings; a kind that is named later keeps the values that fit it."""
    if draft is None or intent.does == "start":
        draft = Draft(None, CONSENT, {}, datetime.min)
    kind = intent.kind or draft.kind
    return replace(draft, kind=kind, values={**draft.values, **intent.values})


def next_step(draft: Draft) -> str:
    """What is still missing, after consent: the kind, a slot, or the phone."""
    if draft.kind is None:
        return KIND
    return next((asked.slot for asked in TYPES[draft.kind].asked if asked.slot not in draft.values), PHONE)


def option_in(asked: Asked, text: str) -> str | None:
    """The option that a text names: by its number in the list, its title, or a word."""
    return named_option(asked.options, text, asked=True, only=True)


def _answer(said: Said, text: str, draft: Draft) -> Intent | None:
    """The answer to what was asked last."""
    if draft.step == CONSENT:
        if text == CONSENT_YES or says_yes(text):
            return Intent("consent")
        return Intent("refuse") if says_no(text) else None
    if draft.step == KIND:
        kind = _kind_named(text)
        return Intent("value", kind=kind) if kind else None
    if draft.step == CODE:
        code = _CODE.fullmatch(text.replace(" ", ""))
        if code:
            return Intent("code", number=code[1])
        if _RESEND.fullmatch(text):
            return Intent("again")
        if _OTHER_PHONE.fullmatch(text):
            return Intent("other_phone")
    if draft.step in (PHONE, CODE):
        phone = said.entity("phone")
        return Intent("value", values={PHONE: phone}) if phone else None
    values = _values(said, text, draft)
    return Intent("value", values=values) if values else None


def _values(said: Said, text: str, draft: Draft) -> dict[str, str]:
    """Every slot of the draft's kind that the message fills; an option only when it was asked for."""
    if draft.kind is None:
        return {}
    found: dict[str, str] = {}
    for asked in TYPES[draft.kind].asked:
        value = said.entity(asked.entity) if asked.entity else None
        if asked.options and asked.slot == draft.step:
            value = option_in(asked, text)
        if value is None and asked.slot == draft.step == "case_no" and _CASE_NO.fullmatch(text):
            value = text
        if value is not None:
            found[asked.slot] = value
    return found


def _asked(draft: Draft) -> Asked | None:
    return next((one for one in TYPES[draft.kind].asked if one.slot == draft.step), None) if draft.kind else None


def _command(said: Said, text: str) -> Intent | None:
    if text in _STOP_WORDS:
        return Intent("stop", reminders=REMINDER_KINDS)
    if _LIST.fullmatch(text):
        return Intent("list")
    if _SHOW.fullmatch(text):
        return Intent("reminders")
    found = _BIND.fullmatch(text)
    if found:
        return _start(said, found.groupdict())
    found = _UNBIND.fullmatch(text)
    if found:
        return _unbind(found.groupdict())
    if not _REMINDING.search(text):
        return None
    found = _STOP.fullmatch(text)
    if found:
        return Intent("stop", reminders=_named(found.groupdict()) or REMINDER_KINDS)
    found = _START.fullmatch(text)
    if found:
        return Intent("remind", reminders=_named(found.groupdict()))
    return None


def _start(said: Said, groups: Mapping[str, str | None]) -> Intent | None:
    rest = (groups["rest"] or "").strip(_EDGE)
    kind = next((kind for kind in TYPES if groups[kind]), None)
    values: dict[str, str] = {}
    for name, one in TYPES.items():
        own = {asked.slot: value for asked in one.asked if asked.entity and (value := said.entity(asked.entity))}
        if own and kind in (None, name):
            kind, values = name, own
            break
    beside = PLACEHOLDER.sub("", _CASE_NO.sub("", rest) if kind == "matter" else rest).strip(_EDGE)
    if kind is not None:
        for asked in TYPES[kind].asked:
            option = option_in(asked, beside) if asked.options and beside and not beside.isdigit() else None
            if option is not None:
                values[asked.slot] = option
                beside = ""
    if kind == "household" and "bill_kind" not in values:
        option = option_in(TYPES[kind].asked[0], groups["household"] or "")
        if option is not None:
            values["bill_kind"] = option
    # Anything more is a sentence about something: it is left to the dialogue.
    return None if beside else Intent("start", kind=kind, values=values)


def _unbind(groups: Mapping[str, str | None]) -> Intent | None:
    if (groups["rest"] or "").strip(_EDGE):
        return None
    return Intent("unbind", kind=next((kind for kind in TYPES if groups[kind]), None), number=groups["all"] or "")


def _kind_named(text: str) -> BindingKind | None:
    return next((kind for kind, one in TYPES.items() if text == one.title or re.fullmatch(one.words, text)), None)


def _named(groups: Mapping[str, str | None]) -> tuple[ReminderKind, ...]:
    if groups.get("all"):
        return REMINDER_KINDS
    return tuple(kind for kind in REMINDER_KINDS if groups.get(kind))
