"""Booking in the chat: service, hall, time and phone in any order, then a confirmation; moving, cancelling, waiting.

What has been said so far is the slot `appointment`: codes, days, hours and placeholders, never a number. Each
message goes through `answer` with it; who does not answer it (another question, another service) is answered
elsewhere and comes back (bot/components/booking.py).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time
from functools import partial
from typing import Any

import anyio.to_thread
from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet

from actions.appointment_wish import Wish, spread, wish_in
from actions.base import CitizenAction, Reply, text_payload
from services.appointments.citizens import CitizenDesk
from services.appointments.schemas import AppointmentOut, AppointmentsFile, Opening, Person
from services.appointments.service import Refused
from services.appointments.texts import day_of, hour_of, when
from services.core.clock import SHANGHAI, Clock
from services.core.crypto import Reference, Secrets
from services.core.errors import NotFound
from services.understanding.folding import bare
from services.understanding.phrases import says_yes

SLOT = "appointment"
NOT_OPEN = "这里还没有开通在线预约。您可以拨打 12345 政务服务便民热线预约，或由工作人员协助您办理。"
NONE_HERE = "没有找到您在这里约过的号。如果是在别处预约的，请联系办理大厅。"
CONFIRM, OTHER_TIME, STOP, WAIT, LEAVE = "确认预约", "换个时间", "不约了", "排队等候", "退出排队"
CONFIRM_MOVE, CONFIRM_CANCEL, KEEP = "确认改期", "确认取消", "不取消了"
REMIND = "开启预约提醒"
OFFERED = 6
PHONE = re.compile(r"【手机号\d+】")
NUMBER = re.compile(r"YY\d{8,12}")
CANCELLING = re.compile(r"取消|退号|退掉|不去了|去不了|不约了|不来了")
MOVING = re.compile(r"改到|改期|改约|改时间|改个时间|改一下|改预约|改成|改[到为]|换到|换个时间|换时间|推迟|提前到|延期")
LISTING = re.compile(
    r"我的预约|我约(的|了)|查(一下|下|看)?(我的)?预约|预约(状态|记录|情况|成功了?吗)|"
    r"约的(号|时间)?是?(几点|哪天|什么时候)"
)
AGREED = re.compile(r"(确认|确定|好的?|可以|行|是的?)(预约|改期|取消)[吧了啊呀]?|就这个|约吧")


@dataclass(frozen=True)
class Draft:
    """What has been said; `mode` is book, wait, move or cancel, `options` are the answers that were offered."""

    mode: str = "book"
    service: str = ""
    hall: str = ""
    days: tuple[str, str] | None = None
    hours: tuple[str, str] | None = None
    start: str = ""
    phone: str = ""
    no: str = ""
    step: str = ""
    options: tuple[str, ...] = field(default=())

    @property
    def wish(self) -> Wish:
        days = (date.fromisoformat(self.days[0]), date.fromisoformat(self.days[1])) if self.days else None
        hours = (time.fromisoformat(self.hours[0]), time.fromisoformat(self.hours[1])) if self.hours else None
        return Wish(days, hours)

    def wishing(self, wish: Wish) -> "Draft":
        days = (wish.days[0].isoformat(), wish.days[1].isoformat()) if wish.days else None
        hours = (wish.hours[0].isoformat("minutes"), wish.hours[1].isoformat("minutes")) if wish.hours else None
        return replace(self, days=days, hours=hours, start="" if wish != self.wish else self.start)


def read_draft(value: object) -> Draft | None:
    """The slot's content as an earlier turn left it."""
    if not isinstance(value, Mapping):
        return None
    known = {name: item for name, item in value.items() if name in Draft.__dataclass_fields__}
    for name in ("days", "hours", "options"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    return Draft(**known)


class BookAppointment(CitizenAction):
    name = "action_book_appointment"
    route = "book_appointment"
    slots = (SLOT,)

    def __init__(self, secrets: Secrets, clock: Clock, desk: CitizenDesk) -> None:
        super().__init__(secrets, clock)
        self._desk = desk

    def beside(self, tracker: Tracker) -> dict[str, Any]:
        return {"text": str((tracker.latest_message or {}).get("text") or "")}

    async def answer(self, reference: Reference, values: Mapping[str, Any]) -> Reply:
        # Short transactions in a worker thread: the action server's loop serves other citizens meanwhile.
        return await anyio.to_thread.run_sync(
            partial(self._answer, reference, str(values.get("text", "")), read_draft(values.get(SLOT)))
        )

    def _answer(self, reference: Reference, text: str, draft: Draft | None) -> Reply:
        rules = self._desk.rules()
        if rules is None:
            return Reply([text_payload(self.route, NOT_OPEN), {"type": "offer_human", "route": self.route}])
        turn = _Turn(self._desk, rules, reference, text, self._clock.now())
        try:
            said, left = turn.run(draft)
        except (Refused, NotFound) as refused:
            said, left = [turn.say(f"{refused.detail}。")], None
        events = [SlotSet(SLOT, asdict(left) if left else None)] if left or draft else []
        return Reply(said, events=events)


def _agrees(text: str) -> bool:
    return says_yes(text) or AGREED.fullmatch(bare(text)) is not None


class _Turn:
    """One message of the talk: what to say and what is left open."""

    def __init__(
        self, desk: CitizenDesk, rules: AppointmentsFile, reference: Reference, text: str, now: datetime
    ) -> None:
        self._desk = desk
        self._rules = rules
        self._id, self._seq = reference
        self._text = text
        self._now = now

    Said = tuple[list[dict[str, Any]], Draft | None]

    def say(self, text: str) -> dict[str, Any]:
        return text_payload(BookAppointment.route, text)

    def run(self, draft: Draft | None) -> Said:
        text = self._text
        offered = draft is not None and text in draft.options and text != STOP
        if not offered:
            if LISTING.search(text):
                return self._list()
            if text == LEAVE:
                left = self._desk.leave_waiting(self._id)
                return [self.say("已经退出排队。" if left else "您现在没有在排队。")], None
            if CANCELLING.search(text) and not MOVING.search(text):
                if text == STOP or (draft is not None and not re.search(r"预约|号", text)):
                    return [self.say("好的，不约了。需要时再说“预约”就行。")], None
                return self._own("cancel", Draft("cancel"))
            if MOVING.search(text) and (draft is None or draft.mode not in ("book", "wait")):
                return self._own("move", Draft("move") if draft is None else draft)
        draft = draft or Draft()
        if draft.mode in ("cancel", "move"):
            return self._own(draft.mode, draft)
        return self._book(draft)

    # -- booking ----------------------------------------------------------------------------------------------------

    def _book(self, draft: Draft) -> Said:
        draft = self._read(draft)
        if not draft.service:
            return self._ask(draft, "service", "请问要预约哪一项？", [one.name for one in self._rules.services])
        halls = self._rules.halls_for(draft.service)
        if not draft.hall and len(halls) == 1:
            draft = replace(draft, hall=halls[0].code)
        if not draft.hall:
            titles = [(f"{one.name}（{one.address}）" if one.address else one.name, one.name) for one in halls]
            return self._ask(draft, "hall", f"好的，预约{self._service(draft)}。请问在哪里办？", titles)
        if draft.mode == "wait":
            return self._wait(draft)
        chosen = self._choose(draft)
        if not isinstance(chosen, Opening):
            return chosen
        draft = replace(draft, start=chosen.start_at.isoformat())
        if not self._person(draft):
            return self._ask_phone(draft)
        if draft.step == "confirm" and _agrees(self._text):
            person = self._person(draft)
            if person is not None and self._desk.needs_code(self._id, person, draft.service):
                return self._verify(draft, CONFIRM)
            return self._confirmed(draft, chosen)
        text = "\n".join(
            [
                "请核对预约信息：",
                f"事项：{self._service(draft)}",
                f"时间：{when(chosen.start_at, chosen.end_at)}",
                f"地点：{self._hall(draft)}",
                f"手机号：{draft.phone}",
                "确认后为您预约。",
            ]
        )
        return self._ask(draft, "confirm", text, [CONFIRM, OTHER_TIME, STOP])

    def _confirmed(self, draft: Draft, chosen: Opening) -> Said:
        person = self._person(draft)
        assert person is not None
        try:
            made = self._desk.book(self._id, self._seq, person, draft.service, draft.hall, chosen.start_at)
        except Refused as refused:
            if refused.reason not in ("full", "late", "closed"):
                raise
            said, left = self._book(replace(draft, start="", hours=None, step="time"))
            return [self.say(f"很抱歉，{refused.detail}。"), *said], left
        return [self._told(made, "预约成功！")], None

    def _read(self, draft: Draft) -> Draft:
        """The draft with what this message says."""
        text = self._text
        if text == OTHER_TIME:
            return replace(draft, mode="book", days=None, hours=None, start="")
        if text == WAIT:
            return replace(draft, mode="wait")
        service = self._named(text, [(one.code, (one.name, *one.aliases)) for one in self._rules.services])
        if service and (not draft.service or draft.step == "service") and service != draft.service:
            draft = replace(draft, service=service, hall="", start="")
        halls = self._rules.halls_for(draft.service) if draft.service else ()
        hall = self._named(text, [(one.code, (one.name, *one.aliases)) for one in halls])
        if hall and hall != draft.hall:
            draft = replace(draft, hall=hall, start="")
        phone = PHONE.search(text)
        if phone:
            draft = replace(draft, phone=phone.group())
        return draft.wishing(wish_in(text, draft.wish, self._now))

    def _choose(self, draft: Draft) -> Opening | Said:
        """The hour that was chosen, or the question for it."""
        openings = self._desk.openings(draft.service, draft.hall)
        free = [one for one in openings if one.free > 0]
        if draft.start:
            kept = next((one for one in free if one.start_at == datetime.fromisoformat(draft.start)), None)
            if kept is not None:
                return kept
        wish = draft.wish
        fitting = [one for one in free if wish.fits(one)]
        precise = wish.hours is not None and wish.hours[0] == wish.hours[1]
        one_day = wish.days is not None and wish.days[0] == wish.days[1]
        if one_day and fitting and (precise or len(fitting) == 1):
            return fitting[0]
        if not free and not openings:
            return [self.say(f"{self._hall(draft)}近期没有可以预约的时间，请过几天再来看看。")], None
        if fitting:
            head = f"{self._hall(draft)}这些时间可以约，请选一个：" if wish.days else "什么时候方便？这些时间可以约："
            return self._ask_hour(draft, head, fitting)
        full = any(wish.fits(one) for one in openings)
        if wish.days is None:
            return self._ask_hour(replace(draft, hours=None), "这个时段没有空位了，这些时间可以约：", free)
        head = "这个时间已经约满了。" if full else "这个时间不能预约。"
        if wish.hours is not None and one_day:
            same_day = [one for one in free if Wish(wish.days).fits(one)]
            if same_day:
                return self._ask_hour(draft, f"{head}当天还有这些时间：", same_day, wait=full)
        later = [one for one in free if one.start_at.astimezone(SHANGHAI).date() > wish.days[0]] or free
        tail = "最近还有这些时间可以约：" if later else "可以排队等候，有人取消就按顺序给您约上。"
        return self._ask_hour(draft, head + tail, later, wait=full)

    def _ask_hour(self, draft: Draft, text: str, free: Sequence[Opening], *, wait: bool = False) -> Said:
        options: list[str | tuple[str, str]] = []
        for one in spread(free, OFFERED):
            local = one.start_at.astimezone(SHANGHAI)
            title = f"{day_of(one.start_at)}{hour_of(one.start_at, one.end_at)} 余{one.free}"
            options.append((title, f"{local.month}月{local.day}日{local.hour}:{local.minute:02d}"))
        if wait and draft.mode == "book":
            options.append((f"{WAIT}（{self._said_wish(draft)}）", WAIT))
        return self._ask(draft, "datetime", text, [*options, STOP])

    def _wait(self, draft: Draft) -> Said:
        span = draft.wish.span()
        if span is None:
            return self._book(replace(draft, mode="book"))
        person = self._person(draft)
        if person is None:
            return self._ask_phone(draft)
        if self._desk.needs_code(self._id, person, draft.service):
            return self._verify(draft, WAIT)
        waiting = self._desk.wait(self._id, self._seq, person, draft.service, draft.hall, *span)
        if waiting.appointment is not None:
            return [self._told(waiting.appointment, "正好有空位，已经为您约好！")], None
        text = (
            f"已经为您排队：{waiting.service_name}，{waiting.hall_name}，{self._said_wish(draft)}。"
            f"前面还有 {waiting.ahead} 位。有人取消就按顺序自动为您约上，并马上通知您；不想等了请回复“{LEAVE}”。"
        )
        return [self.say(text)], None

    def _person(self, draft: Draft) -> Person | None:
        return self._desk.person(self._id, draft.phone) if draft.phone else None

    def _ask_phone(self, draft: Draft) -> Said:
        text = "请发一下办理人的手机号，签到和通知时使用。"
        if draft.phone:
            text = "这个好像不是手机号，请发 11 位手机号。"
        return self._ask(replace(draft, phone=""), "phone", text, [STOP], identifier=True)

    def _verify(self, draft: Draft, then: str) -> Said:
        """The phone is verified by a code that never comes here; `then` is what the citizen is taken to say after."""
        payload = {"type": "verify_phone", "route": BookAppointment.route, "phone": draft.phone, "then": then}
        return [payload], draft

    # -- what was booked before -------------------------------------------------------------------------------------

    def _list(self) -> Said:
        mine, waiting = self._desk.mine(self._id), self._desk.my_waiting(self._id)
        said = [self._told(one, "您的预约：") for one in mine]
        for one in waiting:
            first = one.from_at.astimezone(SHANGHAI)
            said.append(
                self.say(f"正在排队：{one.service_name}，{one.hall_name}，{day_of(first)}，前面 {one.ahead} 位。")
            )
        return (said or [self.say(NONE_HERE)]), None

    def _own(self, mode: str, draft: Draft) -> Said:
        """Move or cancel one of the conversation's own appointments."""
        draft = replace(draft, mode=mode)
        mine = self._desk.mine(self._id)
        if mode == "cancel" and not mine and self._desk.my_waiting(self._id):
            self._desk.leave_waiting(self._id)
            return [self.say("已经退出排队。")], None
        named = NUMBER.search(self._text)
        if named:
            draft = replace(draft, no=named.group())
        about = [one for one in mine if one.no == draft.no] if draft.no else mine
        by_service = self._named(self._text, [(one.code, (one.name, *one.aliases)) for one in self._rules.services])
        if not draft.no and by_service:
            about = [one for one in mine if one.service == by_service] or mine
        if not about:
            return [self.say(NONE_HERE)], None
        draft = replace(draft.wishing(wish_in(self._text, draft.wish, self._now)), options=draft.options)
        if len(about) > 1:
            verb = "取消" if mode == "cancel" else "改期"
            options = [(f"{one.service_name} {when(one.start_at, one.end_at)}", f"{verb} {one.no}") for one in about]
            return self._ask(draft, "which", f"您有 {len(about)} 个预约，要{verb}哪一个？", options)
        one = about[0]
        draft = replace(draft, no=one.no, service=one.service, hall=one.hall)
        return self._cancel(draft, one) if mode == "cancel" else self._move(draft, one)

    def _cancel(self, draft: Draft, one: AppointmentOut) -> Said:
        if draft.step == "confirm":
            if self._text == KEEP or not (self._text == CONFIRM_CANCEL or _agrees(self._text)):
                return [self.say("好的，预约保留。")], None
            self._desk.cancel(self._id, self._seq, one.no)
            return [self.say(f"已经取消：{one.service_name}，{when(one.start_at, one.end_at)}。需要时可以再约。")], None
        lines = ["确定取消这个预约吗？", f"事项：{one.service_name}", f"时间：{when(one.start_at, one.end_at)}"]
        text = "\n".join([*lines, f"地点：{one.hall_name}"])
        return self._ask(draft, "confirm", text, [CONFIRM_CANCEL, KEEP])

    def _move(self, draft: Draft, one: AppointmentOut) -> Said:
        if self._text == OTHER_TIME:
            draft = replace(draft, days=None, hours=None, start="")
        chosen = self._choose(draft)
        if not isinstance(chosen, Opening):
            return chosen
        draft = replace(draft, start=chosen.start_at.isoformat())
        if draft.step == "confirm" and (self._text == CONFIRM_MOVE or _agrees(self._text)):
            return [self._told(self._desk.move(self._id, self._seq, one.no, chosen.start_at), "已经改好：")], None
        text = "\n".join(
            [
                f"把{one.service_name}的预约改到这个时间，可以吗？",
                f"原来：{when(one.start_at, one.end_at)}",
                f"改为：{when(chosen.start_at, chosen.end_at)}",
                f"地点：{one.hall_name}",
            ]
        )
        return self._ask(draft, "confirm", text, [CONFIRM_MOVE, OTHER_TIME, STOP])

    # -- wording ----------------------------------------------------------------------------------------------------

    def _told(self, one: AppointmentOut, head: str) -> dict[str, Any]:
        lines = [
            head,
            f"预约号：{one.no}",
            f"事项：{one.service_name}",
            f"时间：{when(one.start_at, one.end_at)}",
            f"地点：{one.hall_name}{f'（{one.address}）' if one.address else ''}",
            f"窗口：{one.windows}",
            f"签到码：{one.code}",
        ]
        if one.bring:
            lines.append(f"请带：{one.bring}")
        if one.displaced:
            lines.append("注意：这个时间已改为不对外办理，请改期或取消。")
        lines.append("到场请出示签到码或二维码。改时间请说“改预约时间”，不来请说“取消预约”。")
        picture = f"/api/v1/conversations/{self._id}/appointments/{one.no}/qr.svg"
        data = {"kind": "appointment", "no": one.no, "status": one.status, "qr": picture}
        told: dict[str, Any] = {
            "type": "lookup_result",
            "route": BookAppointment.route,
            "text": "\n".join(lines),
            "data": data,
        }
        if not self._desk.is_reminded(self._id):
            told["options"] = [{"title": "前一天提醒我", "payload": REMIND}]
        return told

    def _ask(
        self,
        draft: Draft,
        step: str,
        text: str,
        options: Sequence[str | tuple[str, str]],
        *,
        identifier: bool = False,
    ) -> Said:
        pairs = [(one, one) if isinstance(one, str) else one for one in options]
        payload = {
            "type": "ask",
            "route": BookAppointment.route,
            "slot": step,
            "identifier": identifier,
            "text": text,
            "options": [{"title": title, "payload": value} for title, value in pairs],
        }
        return [payload], replace(draft, step=step, options=tuple(value for _, value in pairs))

    def _said_wish(self, draft: Draft) -> str:
        span = draft.wish.span()
        if span is None:
            return "任意时间"
        first, last = span
        if draft.hours is None:
            return day_of(first) if first.date() == last.date() else f"{day_of(first)}至{day_of(last)}"
        return f"{day_of(first)}{hour_of(first, last)}"

    def _service(self, draft: Draft) -> str:
        found = self._rules.service(draft.service)
        return found.name if found else draft.service

    def _hall(self, draft: Draft) -> str:
        found = self._rules.hall(draft.hall)
        return found.name if found else draft.hall

    @staticmethod
    def _named(text: str, known: Sequence[tuple[str, Sequence[str]]]) -> str:
        """The code whose longest name stands in the text; empty when none does."""
        hits = [(len(name), code) for code, names in known for name in names if name in text]
        return max(hits)[1] if hits else ""
