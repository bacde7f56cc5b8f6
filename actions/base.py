"""What every action shares: the signed reference, the slots, the payload, and never an error for the citizen."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from services.core.clock import Clock
from services.core.crypto import Reference, Secrets
from services.core.errors import Forbidden

log = structlog.get_logger(__name__)

UNVERIFIED = "这次会话的凭据已失效，请重新发送您的问题。"
BROKEN = "抱歉，这次没有查成，请稍后再试，或回复“转人工”由工作人员协助。"


class Reply(NamedTuple):
    """Payloads to send, in order; slots are reset afterwards but for those in `keep`, then come `events`."""

    payloads: list[dict[str, Any]]
    keep: tuple[str, ...] = ()
    events: Sequence[dict[str, Any]] = ()


class CitizenAction:
    """An action on behalf of the citizen that the message's signed reference names.

    Subclasses say `name`, `route` and the `slots` they read, and implement `answer`.
    """

    name: str
    route: str
    slots: tuple[str, ...] = ()

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    async def answer(self, reference: Reference, values: Mapping[str, Any]) -> Reply:
        """What to say; `values` holds the filled slots."""
        raise NotImplementedError

    def beside(self, tracker: Tracker) -> dict[str, Any]:
        """What an action reads of the conversation besides its slots."""
        return {}

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Called by rasa-sdk; returns events."""
        reference = self._verified(tracker)
        if reference is None:
            dispatcher.utter_message(json_message=text_payload(self.route, UNVERIFIED))
            return []
        given = {name: tracker.get_slot(name) for name in self.slots}
        filled = {name: value for name, value in given.items() if value is not None}
        values = {**filled, **self.beside(tracker)}
        try:
            reply = await self.answer(reference, values)
        except Exception as error:
            # The kind only: a message could repeat what the citizen typed.
            log.error("action failed", action=self.name, error=type(error).__name__)
            reply = Reply([text_payload(self.route, BROKEN), {"type": "offer_human", "route": self.route}])
        for payload in reply.payloads:
            dispatcher.utter_message(json_message=payload)
        # Only filled ones: Rasa validates every event of the answer, some three milliseconds each.
        set_anew = {event["name"] for event in reply.events if event["event"] == "slot"}
        emptied = [SlotSet(name, None) for name in filled if name not in reply.keep and name not in set_anew]
        return [*emptied, *reply.events]

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


def text_payload(route: str, text: str) -> dict[str, Any]:
    return {"type": "text", "route": route, "text": text}
