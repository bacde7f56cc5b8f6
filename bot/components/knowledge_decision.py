"""Graph component: lets what the knowledge base found, and the pending form, correct the intent.

Reads `message.get("metadata")` (docs/architecture.md, "What goes to Rasa") and, from the conversation,
which form waits for what; sets `intent`, `entities` and `knowledge`. The thresholds are configuration
(config.yml).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.constants import REQUESTED_SLOT
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from components.danger import weigh_danger
from components.decision import Settings, decide
from components.turn import State, read_memory, read_turn

_EXTRACTOR: Final = "metadata"
_INVALID: Final = "invalid_slot"
_BETWEEN: Final = ("faq_", "chitchat", "continue_form", "abuse")
"""Intents (their beginnings) that neither answer a form nor fail to."""


@DefaultV1Recipe.register(
    [DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR],
    is_trainable=False,
)
class KnowledgeDecision(GraphComponent):
    """Turns the classifier's guess into the final intent."""

    def __init__(self, settings: Settings) -> None:
        """Take the thresholds."""
        self._settings = settings

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The defaults of `Settings`."""
        return {field.name: field.default for field in fields(Settings)}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> KnowledgeDecision:
        """Build it from config.yml."""
        return cls(Settings(**{field.name: config[field.name] for field in fields(Settings)}))

    def process(self, messages: list[Message], tracker: DialogueStateTracker) -> list[Message]:
        """Decide each message in place; Rasa hands in the conversation as it was before the message."""
        state = state_of(tracker)
        for message in messages:
            metadata = message.get("metadata")
            ranking = weigh_danger(message.get("intent_ranking") or [], metadata)
            turn = read_turn(message.get(TEXT) or "", ranking, metadata, state)
            decision = decide(turn, self._settings)
            message.set(INTENT, {"name": decision.intent, "confidence": decision.confidence}, add_to_output=True)
            message.set(
                ENTITIES,
                [
                    {"entity": e.type, "value": e.value, "start": e.start, "end": e.end, "extractor": _EXTRACTOR}
                    for e in decision.entities
                ],
                add_to_output=True,
            )
            message.set("knowledge", {"band": turn.band, "confidence": turn.confidence}, add_to_output=True)
            if isinstance(metadata, dict):
                # The same dictionary is stored with the conversation: the vector has done its work, and the
                # channel needs the route should every action fail.
                metadata.pop("embedding", None)
                metadata["route"] = decision.route
                metadata["before"] = list(decision.before)
        return messages


def state_of(tracker: DialogueStateTracker) -> State:
    """What the conversation says about itself before this message."""
    slot, failures = pending(tracker)
    filled = tracker.current_slot_values()
    return State(
        requested_slot=slot,
        failures=failures,
        filled=filled,
        # Opening a form reads the message once more, so the form itself may stand among the interrupted ones.
        paused=tuple(name for name in str(filled.get("paused") or "").split() if name != tracker.active_loop_name),
        parked=filled.get("parked"),
        memory=read_memory(filled.get("memory")),
    )


def pending(tracker: DialogueStateTracker) -> tuple[str | None, int]:
    """The slot that the active form waits for (None without one) and the unfit answers to it in a row."""
    if tracker.active_loop_name is None:
        return None, 0
    failures = 0
    for event in reversed(tracker.events):
        if not isinstance(event, UserUttered):
            continue
        intent = str(event.intent_name)
        if intent == _INVALID:
            failures += 1
        elif not intent.startswith(_BETWEEN):
            break
    return tracker.get_slot(REQUESTED_SLOT), failures
