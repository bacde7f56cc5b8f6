"""A turn of the talk about bindings and reminders, in the transaction that finishes the citizen's turn.

Whatever it does (a code sent, a try counted, a binding made) is committed with what is said about it, once.
"""

import secrets as randomness
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.bindings import keeping
from services.bindings.schemas import (
    BINDING_KINDS,
    TYPES,
    Answered,
    Asked,
    BindingKind,
    Bound,
    Check,
    Draft,
    Hidden,
    Intent,
    Reply,
    Resolve,
)
from services.bindings.talk import (
    AGAIN,
    CANCEL,
    CODE,
    CONSENT,
    CONSENT_NO,
    CONSENT_YES,
    KIND,
    MISFITS,
    OTHER_PHONE,
    PHONE,
    UNBIND_CHOICE,
    after,
    is_open,
    next_step,
)
from services.citizens import service as citizens
from services.citizens.schemas import REMINDER_KINDS, REMINDER_TITLES, Checked, Purpose, ReminderKind
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import HuiyingError
from services.core.wire import LARGEST, whole
from services.understanding.masks import mask

CONSENT_TEXT = (
    "绑定后，查询时不用再填号码，也可以开启提醒。用途：仅用于为您查询和提醒；保存：加密存放，直到您解绑，"
    "{days} 天没有使用也会自动删除；随时回复“解绑”删除。需要用手机验证码核对。您是否同意？"
)
REFUSED = "好的，没有绑定，也没有保存您的号码。"
CANCELLED = "好的，不绑定了。"
NOTHING_BOUND = "您还没有绑定。可以绑定车牌、驾驶证、户号或办件，绑定后查询不用再填号码。"
WRONG = "验证码不对，请再核对一下（还可以点“重新发送”）。"
EXPIRED = "验证码已经失效，请点“重新发送”。"
SPENT = "验证码输错次数太多，这个验证码已经作废，请稍后重新绑定。"
GONE = "号码已经读不出来了，请重新绑定。"
NOT_THERE = "没有这个绑定。"
CODE_OPTIONS = ((AGAIN, AGAIN), (OTHER_PHONE, OTHER_PHONE), (CANCEL, "取消"))


class Talks:
    """Answers for every citizen. `draw` is the source of codes; `city` signs the messages."""

    def __init__(self, secrets: Secrets, city: str, draw: Callable[[int], int] = randomness.randbelow) -> None:
        self._secrets = secrets
        self._city = city
        self._draw = draw

    def answer(
        self,
        uow: UnitOfWork,
        citizen: str,
        draft: Draft | None,
        intent: Intent,
        *,
        resolve: Resolve,
        now: datetime,
        check: Check | None = None,
        origin: str = "",
    ) -> Answered:
        """What to say to `intent`. `check` is what the departmental system said of the values, if it was asked.

        `resolve` reads a placeholder of the conversation, `origin` is where it is written from. Never raises for what a
        citizen typed.
        """
        turn = _Turn(uow, self._secrets, self._city, self._draw, citizen, origin, resolve, now)
        return turn.answer(is_open(draft, now), intent, check)

    def check_phone(self, uow: UnitOfWork, citizen: str, code: str, now: datetime) -> Checked:
        """Try the code of a booking: the phone is the citizen's from then on when it is right."""
        rules = citizens.load_rules(uow).codes
        return citizens.check_code(
            uow, self._secrets, rules, citizen=citizen, purpose="appointment", code=code, now=now
        )


class _Turn:
    def __init__(
        self,
        uow: UnitOfWork,
        secrets: Secrets,
        city: str,
        draw: Callable[[int], int],
        citizen: str,
        origin: str,
        resolve: Resolve,
        now: datetime,
    ) -> None:
        self._uow = uow
        self._secrets = secrets
        self._city = city
        self._draw = draw
        self._citizen = citizen
        self._origin = origin
        self._resolve = resolve
        self._now = now
        self._rules = citizens.load_rules(uow)

    def answer(self, draft: Draft | None, intent: Intent, check: Check | None) -> Answered:
        match intent.does:
            case "list":
                return Answered([self._listed()], draft)
            case "reminders":
                return Answered([self._chosen()], draft)
            case "remind":
                return Answered([self._begin(intent.reminders)], draft)
            case "stop":
                return Answered([self._stop(intent.reminders)], draft)
            case "unbind":
                return Answered([self._unbind(intent)], draft)
            case "start":
                return self._start(intent)
            case "verify":
                return self._verify(intent)
            case "cancel":
                return Answered([Reply(CANCELLED)])
            case "refuse":
                return Answered([Reply(REFUSED)], consent=False)
        if draft is None:
            return Answered([Reply(CANCELLED)])
        match intent.does:
            case "consent":
                answered = self._go_on(replace(draft, consented=self._now.isoformat()), check)
                answered.consent = True
                return answered
            case "code":
                return self._code(draft, intent.number)
            case "again":
                return self._send(draft)
            case "other_phone":
                return self._ask(replace(draft, phone="", step=PHONE))
            case "misfit":
                return self._misfit(draft)
        if PHONE in intent.values:
            phone = intent.values[PHONE]
            # A booking goes on with the number that was verified.
            return self._send(replace(draft, phone=phone, then=phone if draft.then else ""))
        return self._go_on(after(draft, intent), check)

    # -- binding ----------------------------------------------------------------------------------------------------

    def _start(self, intent: Intent) -> Answered:
        draft = replace(after(None, intent), at=self._now)
        # Consent is for what is kept from now on: it is asked for each time something is to be bound.
        text = CONSENT_TEXT.format(days=self._rules.bindings.unused_days)
        return Answered([Reply(text, ((CONSENT_YES, CONSENT_YES), (CONSENT_NO, CONSENT_NO)))], draft)

    def _go_on(self, draft: Draft, check: Check | None) -> Answered:
        draft = replace(draft, at=self._now, misfits=0)
        before: list[Reply] = []
        if check is not None:
            if not check.known:
                before = [Reply(check.text)]
                if check.final or draft.kind is None:
                    return Answered([*before, Reply("这次没有绑定，可以稍后再试。")])
                draft = replace(draft, values={})
            else:
                draft = replace(draft, checked=True)
        step = next_step(draft)
        if step == PHONE and draft.kind is not None:
            known = citizens.verified_phone(
                self._uow, self._secrets, self._rules.codes, citizen=self._citizen, now=self._now
            )
            if known is not None:
                return self._bind(draft, known.number, f"已用您验证过的手机号 {known.masked} 核对。")
        answered = self._ask(replace(draft, step=step))
        answered.replies[:0] = before
        return answered

    def _ask(self, draft: Draft) -> Answered:
        draft = replace(draft, at=self._now)
        if draft.step == KIND:
            options = tuple((TYPES[kind].title, TYPES[kind].title) for kind in BINDING_KINDS)
            return Answered([Reply("请问要绑定哪一种？", options)], draft)
        if draft.step == PHONE:
            text = "请发一下您的手机号，我会发送一个验证码核对。"
            return Answered([Reply(text, (("取消", "取消"),))], draft)
        asked = self._asked(draft)
        if asked is None:
            return Answered([Reply(CANCELLED)])
        return Answered([_question(asked)], draft)

    def _asked(self, draft: Draft) -> Asked | None:
        if draft.kind is None:
            return None
        return next((one for one in TYPES[draft.kind].asked if one.slot == draft.step), None)

    def _misfit(self, draft: Draft) -> Answered:
        if draft.misfits + 1 >= MISFITS:
            return Answered([Reply("先不绑定了。想绑定时说“绑定车牌”“绑定户号”就行。")])
        draft = replace(draft, misfits=draft.misfits + 1, at=self._now)
        if draft.step == CODE:
            return Answered([Reply("请发一下短信里的 6 位验证码。", CODE_OPTIONS)], draft)
        if draft.step == PHONE:
            return Answered([Reply("没认出手机号，请发 11 位手机号。")], draft)
        if draft.step == CONSENT:
            return Answered([Reply("同意后才能绑定。", ((CONSENT_YES, CONSENT_YES), (CONSENT_NO, CONSENT_NO)))], draft)
        asked = self._asked(draft)
        if asked is None:
            return self._ask(draft)
        return Answered([replace(_question(asked), text=asked.invalid)], draft)

    def _send(self, draft: Draft) -> Answered:
        hidden = self._resolve(draft.phone) if draft.phone else None
        if hidden is None:
            return self._ask(replace(draft, phone="", step=PHONE))
        try:
            sent = citizens.send_code(
                self._uow,
                self._secrets,
                self._rules.codes,
                citizen=self._citizen,
                purpose=_purpose(draft),
                number=hidden.value,
                city=self._city,
                draw=self._draw,
                now=self._now,
                origin=self._origin,
            )
        except HuiyingError as refused:
            step = draft.step if draft.step == CODE else PHONE
            return Answered([Reply(f"{refused.detail}。")], replace(draft, step=step, at=self._now))
        minutes = int(sent.lasts.total_seconds() // 60)
        text = f"验证码已发送到 {sent.masked}，{minutes} 分钟内有效。请把 6 位验证码发到这里。"
        return Answered([Reply(text, CODE_OPTIONS)], replace(draft, step=CODE, misfits=0, at=self._now))

    def _code(self, draft: Draft, code: str) -> Answered:
        checked = citizens.check_code(
            self._uow,
            self._secrets,
            self._rules.codes,
            citizen=self._citizen,
            purpose=_purpose(draft),
            code=code,
            now=self._now,
        )
        if checked == "spent":
            return Answered([Reply(SPENT)])
        if checked != "right":
            text = WRONG if checked == "wrong" else EXPIRED
            return Answered([Reply(text, CODE_OPTIONS)], replace(draft, at=self._now))
        hidden = self._resolve(draft.phone)
        if hidden is None or draft.kind is None:
            return Answered([Reply(GONE)])
        return self._bind(draft, hidden.value, "验证成功。")

    def _bind(self, draft: Draft, number: str, head: str) -> Answered:
        assert draft.kind is not None
        values: dict[str, str] = {}
        shown: dict[str, str] = {}
        for asked in TYPES[draft.kind].asked:
            given = draft.values[asked.slot]
            hidden = self._resolve(given) if asked.entity and given.startswith("【") else Hidden(given, given)
            if hidden is None:
                return Answered([Reply(GONE)])
            values[asked.slot] = _kept(asked.slot, hidden.value)
            shown[asked.slot] = _shown(asked.slot, hidden)
        if draft.kind == "matter":
            # Progress is told to whoever knows the end of the phone number that the application was made with.
            values["phone_tail"] = number[-4:]
        name = " ".join(shown[slot] for slot in TYPES[draft.kind].identity)
        try:
            made = keeping.bind(
                self._uow,
                self._secrets,
                citizen=self._citizen,
                kind=draft.kind,
                values=values,
                masked=name,
                phone_hash=citizens.phone_hash(self._secrets, number),
                consent_at=datetime.fromisoformat(draft.consented),
                now=self._now,
            )
        except HuiyingError as refused:
            return Answered([Reply(f"{refused.detail}。")])
        title = TYPES[draft.kind].title
        told = f"已绑定{title} {name}。" if made is not None else f"{title} {name} 已经绑定过了。"
        kinds = TYPES[draft.kind].reminders
        offer = "以后查询不用再填。需要的话，可以开启提醒："
        options = tuple((f"开启{REMINDER_TITLES[kind]}提醒", f"开启{REMINDER_TITLES[kind]}提醒") for kind in kinds)
        return Answered([Reply(f"{head}{told}{offer}", (*options, ("我的绑定", "我的绑定")))])

    def _verify(self, intent: Intent) -> Answered:
        """A booking asks for its phone to be verified; `number` is what goes on after it."""
        draft = Draft(None, PHONE, {}, self._now, phone=intent.values.get(PHONE, ""), then=intent.number)
        answered = self._send(draft)
        if answered.draft is not None and answered.draft.step != CODE:
            answered.draft = None
        return answered

    # -- lists ------------------------------------------------------------------------------------------------------

    def _mine(self, kind: BindingKind | None = None) -> list[Bound]:
        mine = keeping.of_citizen(self._uow, self._secrets, self._citizen)
        return [one for one in mine if kind in (None, one.kind)]

    def _listed(self) -> Reply:
        mine = self._mine()
        start = tuple((f"绑定{TYPES[kind].title}", f"绑定{TYPES[kind].title}") for kind in BINDING_KINDS)
        if not mine:
            return Reply(NOTHING_BOUND, start)
        lines = [f"{number}. {TYPES[one.kind].title} {one.masked}" for number, one in enumerate(mine, 1)]
        removes = tuple((f"解绑 {one.masked}", f"{UNBIND_CHOICE}{one.id}") for one in mine[:6])
        text = "\n".join(["您绑定了：", *lines, "增加请说“绑定车牌”“绑定户号”，删除请说“解绑”。"])
        return Reply(text, (*removes, ("我的提醒", "我的提醒"), *start[:1]))

    def _unbind(self, intent: Intent) -> Reply:
        number = whole(intent.number, LARGEST)
        if number is not None:
            gone = self._remove(number)
            return Reply(f"已解绑{TYPES[gone.kind].title} {gone.masked}，保存的号码已经删除。" if gone else NOT_THERE)
        mine = self._mine(intent.kind)
        if not mine:
            return Reply("没有可以解绑的。" if intent.kind is None else f"您没有绑定{TYPES[intent.kind].title}。")
        if intent.number:
            for one in mine:
                self._remove(one.id)
            return Reply(f"已解绑全部 {len(mine)} 项，保存的号码已经删除。")
        if len(mine) == 1 and intent.kind is not None:
            self._remove(mine[0].id)
            return Reply(f"已解绑{TYPES[mine[0].kind].title} {mine[0].masked}，保存的号码已经删除。")
        options = tuple((f"{TYPES[one.kind].title} {one.masked}", f"{UNBIND_CHOICE}{one.id}") for one in mine)
        return Reply("要解绑哪一个？", (*options, ("全部解绑", "解绑全部")))

    def _remove(self, binding_id: int) -> Bound | None:
        return keeping.unbind(self._uow, citizen=self._citizen, binding_id=binding_id, now=self._now)

    # -- reminders --------------------------------------------------------------------------------------------------

    def _chosen(self) -> Reply:
        wanted = citizens.choices(self._uow, self._citizen)
        possible = self._possible()
        lines = [f"{REMINDER_TITLES[kind]}：{'已开启' if kind in wanted else '未开启'}" for kind in possible]
        options = [
            (f"关闭{REMINDER_TITLES[kind]}提醒" if kind in wanted else f"开启{REMINDER_TITLES[kind]}提醒",) * 2
            for kind in possible
        ]
        if wanted:
            options.append(("停止全部提醒", "停止提醒"))
        quiet = self._rules.reminders.quiet
        tail = f"{quiet.start} 至 {quiet.end} 不打扰。绑定后可以开启更多提醒。"
        return Reply("\n".join(["您的提醒：", *lines, tail]), tuple(options))

    def _possible(self) -> list[ReminderKind]:
        kinds = {kind for one in self._mine() for kind in TYPES[one.kind].reminders} | {"appointment"}
        return [kind for kind in REMINDER_KINDS if kind in kinds]

    def _begin(self, kinds: tuple[ReminderKind, ...]) -> Reply:
        possible = self._possible()
        begun = [kind for kind in kinds if kind in possible]
        if not begun:
            needed = next(title.title for title in TYPES.values() if set(kinds) & set(title.reminders))
            return Reply(f"这种提醒要先绑定{needed}。", ((f"绑定{needed}", f"绑定{needed}"),))
        citizens.choose(self._uow, self._citizen, begun, wanted=True, now=self._now)
        named = "、".join(REMINDER_TITLES[kind] for kind in begun)
        return Reply(f"已开启{named}提醒，有消息会发到这里。不想要了回复“停止提醒”。")

    def _stop(self, kinds: tuple[ReminderKind, ...]) -> Reply:
        citizens.choose(self._uow, self._citizen, kinds, wanted=False, now=self._now)
        keeping.look_anew(self._uow, self._citizen, kinds)
        if len(kinds) == len(REMINDER_KINDS):
            return Reply("已停止全部提醒，不会再发。想再开启请说“我的提醒”。")
        named = "、".join(REMINDER_TITLES[kind] for kind in kinds)
        return Reply(f"已停止{named}提醒。")


def _purpose(draft: Draft) -> Purpose:
    return "appointment" if draft.then else "bind"


def _question(asked: Asked) -> Reply:
    return Reply(asked.ask, tuple((title, title) for title in (one.title for one in asked.options if one.shown)))


def _kept(slot: str, value: str) -> str:
    """No more than a lookup needs: the last six of an engine number, the last four of an identity card."""
    return value[-6:] if slot == "engine_tail" else value[-4:] if slot == "id_card" else value


def _shown(slot: str, hidden: Hidden) -> str:
    if slot == "case_no":
        return mask(slot, hidden.value)
    return hidden.masked
