"""What every action shares: the signed reference, the slots, the payload, and never an error for the citizen."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import structlog
from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from services.core.clock import Clock
from services.core.crypto import Reference, Secrets
from services.core.errors import Forbidden
from services.lookups.schemas import ROUTES
from services.lookups.service import LookupService

log = structlog.get_logger(__name__)

UNVERIFIED = "这次会话的凭据已失效，请重新发送您的问题。"
BROKEN = "抱歉，这次没有查成，请稍后再试，或回复“转人工”由工作人员协助。"


class Reply(NamedTuple):
    """Payloads to send, in order; slots are reset afterwards but for those in `keep`."""

    payloads: list[dict[str, Any]]
    keep: tuple[str, ...] = ()


class CitizenAction:
    """An action on behalf of the citizen that the message's signed reference names.

    Subclasses say `name`, `route` and the `slots` they read, and implement `answer`.
    """

    name: ClassVar[str]
    route: ClassVar[str]
    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    async def answer(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        """What to say; `values` holds the filled slots."""
        raise NotImplementedError

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Called by rasa-sdk; returns events."""
        reference = self._verified(tracker)
        if reference is None:
            dispatcher.utter_message(json_message=text_payload(self.route, UNVERIFIED))
            return []
        given = {name: tracker.get_slot(name) for name in self.slots}
        values = {name: str(value) for name, value in given.items() if value is not None}
        try:
            reply = await self.answer(reference, values)
        except Exception as error:
            # The kind only: a message could repeat what the citizen typed.
            log.error("action failed", action=self.name, error=type(error).__name__)
            reply = Reply([text_payload(self.route, BROKEN), {"type": "offer_human", "route": self.route}])
        for payload in reply.payloads:
            dispatcher.utter_message(json_message=payload)
        # Only filled ones: Rasa validates every event of the answer, some three milliseconds each.
        return [SlotSet(name, None) for name in values if name not in reply.keep]

    def _verified(self, tracker: Tracker) -> Reference | None:
        metadata = (tracker.latest_message or {}).get("metadata") or {}
        try:
            reference = self._secrets.verify_reference(str(metadata.get("ref", "")), self._clock.now())
        except Forbidden:
            log.warning("action call without a valid reference", action=self.name)
            return None
        if reference.conversation_id != tracker.sender_id:
            log.warning("action call with the reference of another conversation", action=self.name)
            return None
        return reference


class LookupAction(CitizenAction):
    """A lookup of the `kind`, by default with the slots as its parameters."""

    kind: ClassVar[str]

    def __init__(self, secrets: Secrets, clock: Clock, lookups: LookupService) -> None:
        super().__init__(secrets, clock)
        self._lookups = lookups

    def __init_subclass__(cls) -> None:
        cls.route = ROUTES[cls.kind]

    async def answer(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        return await self.look_up(reference, values)

    async def look_up(self, reference: Reference, values: Mapping[str, str]) -> Reply:
        result = await self._lookups.query(self.kind, reference.conversation_id, reference.message_seq, values)
        data = {"kind": self.kind, "state": result.state, **result.data}
        return Reply([{"type": "lookup_result", "route": self.route, "text": result.text, "data": data}])

    def ask(self, text: str, slot: str, options: Mapping[str, str], keep: tuple[str, ...]) -> Reply:
        """Ask for what is missing; choosing an option (title: payload) starts the lookup again with `keep` filled."""
        buttons = [{"title": title, "payload": payload} for title, payload in options.items()]
        payload = {"type": "ask", "route": self.route, "slot": slot, "identifier": False, "text": text}
        return Reply([payload | {"options": buttons}], keep)


def text_payload(route: str, text: str) -> dict[str, Any]:
    return {"type": "text", "route": route, "text": text}
