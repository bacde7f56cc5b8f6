"""Every lookup, whatever its kind: the form files say which slots it takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import CitizenAction, Reply
from actions.forms import LookupForm
from services.core.clock import Clock
from services.core.crypto import Reference, Secrets
from services.lookups.service import LookupService

WITHOUT_RESULT = ("not_found", "mismatch")
OTHER_NUMBER = "这是用刚才的号码查的。如果号码不一样，直接发过来，我再查一次。"
NO_LOOKUP = "刚才没有查询过，想查什么请直接告诉我。"


class Lookup(CitizenAction):
    """The lookup of one or more forms (several ways to one result), and what is remembered of it.

    The slot `memory` keeps the form and the values that it was asked with, placeholders for identifiers; the result
    is asked for again when it is needed.
    """

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        lookups: LookupService,
        forms: Sequence[LookupForm],
        titles: Mapping[str, str],
    ) -> None:
        super().__init__(secrets, clock)
        self._lookups = lookups
        self._forms = forms
        self._titles = titles
        self.name = forms[0].action
        self.route = forms[0].route
        asked = dict.fromkeys(slot for form in forms for slot in form.parameters)
        self.slots = (*asked, "paused", "carried")

    async def answer(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        ways = [one for one in self._forms if not one.completes]
        form = next((one for one in ways if all(slot in values for slot in one.parameters)), ways[0])
        given = {slot: value for slot, value in values.items() if any(slot in one.parameters for one in self._forms)}
        names = {slot: name for one in self._forms for slot, name in one.parameters.items()}
        parameters = {names[slot]: value for slot, value in given.items()}
        result = await self._lookups.query(form.kind, reference.conversation_id, reference.message_seq, parameters)
        slots = result.data.get("slots")
        check = next((one for one in self._forms if one.completes and slots == list(one.parameters.values())), None)
        if result.data.get("reason") == "incomplete" and check is not None:
            # The system wants a check besides: a form of its own asks for it, what is known already stays.
            return Reply([], (*given, "paused"), [FollowupAction(check.name)])
        data = {"kind": form.kind, "state": result.state, **result.data}
        payloads: list[dict[str, Any]] = [
            {"type": "lookup_result", "route": form.route, "text": result.text, "data": data}
        ]
        carried = values.get("carried", "").split()
        if carried and result.state in WITHOUT_RESULT:
            # The number was taken over from an earlier lookup and is none of this one: another one, sent as it is,
            # goes on with the rest (Rasa fills a form that is opened in the same turn with the same number again).
            kept = tuple(slot for slot in form.parameters if slot not in carried)
            payloads.append({"type": "text", "route": form.route, "text": OTHER_NUMBER})
            return Reply(payloads, (*kept, "paused"), [SlotSet("parked", form.name)])
        events: list[dict[str, Any]] = []
        own = [form, *(one for one in self._forms if one.completes)]
        mine = {slot: given[slot] for one in own for slot in one.parameters if slot in given}
        if result.state in ("done", "stale", "pending", *WITHOUT_RESULT):
            events.append(SlotSet("memory", {"form": form.name, "values": mine}))
        # Opening a form reads the message once more, so a form may stand in the list that it was taken from.
        these = {one.name for one in self._forms}
        *below, back = [name for name in str(values.get("paused", "")).split() if name not in these] or [""]
        if not back:
            return Reply(payloads, (), events)
        payloads.append({"type": "text", "route": form.route, "text": f"我们接着刚才的{self._titles.get(back, '')}："})
        return Reply(payloads, (), [*events, SlotSet("paused", " ".join(below) or None), FollowupAction(back)])


class LookupDetail(CitizenAction):
    """Answers a question about the last result ("那罚款多少", "上一个呢"); the result comes from the lookup's job."""

    name = "action_lookup_detail"
    route = "chitchat"
    slots = ("memory", "about")

    def __init__(self, secrets: Secrets, clock: Clock, lookups: LookupService, forms: Sequence[LookupForm]) -> None:
        super().__init__(secrets, clock)
        self._lookups = lookups
        self._forms = {form.name: form for form in forms}

    async def answer(self, reference: Reference, values: Mapping[str, Any]) -> Reply:
        memory = values.get("memory")
        form = self._forms.get(memory.get("form", "")) if isinstance(memory, Mapping) else None
        if form is None or not isinstance(memory, Mapping):
            return Reply([{"type": "text", "route": self.route, "text": NO_LOOKUP}])
        parameters = {form.parameters.get(slot, slot): str(value) for slot, value in memory["values"].items()}
        detail = await self._lookups.detail(
            form.kind,
            reference.conversation_id,
            reference.message_seq,
            parameters,
            about=str(values.get("about", "")),
            at=int(memory.get("at", 0)),
        )
        payload = {"type": "text", "route": form.route, "text": detail.text}
        return Reply([payload], ("memory",), [SlotSet("memory", {**memory, "at": detail.at})])
