"""A Redis tracker store whose conversations stay small.

Rasa replays every stored event for every message, so a long conversation grows slow. This store keeps
the last events of a conversation and, before them, one event for each thing that the dropped ones had
established: slots and the active form. A citizen's 1,000th message costs about what the 10th did.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import RedisTrackerStore
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

DEFAULT_MOST_EVENTS: Final = 60
_search_by_type = Event.resolve_by_type


@lru_cache(maxsize=256)
def resolve_by_type(type_name: str, default: type[Event] | None = None) -> type[Event] | None:
    """The class of a stored event. Rasa walks through all subclasses for every event of every stored conversation that
    it reads, some 15 % of a turn; the answer never changes. Raises ValueError for an unknown type."""
    return _search_by_type(type_name, default)


# Rasa imports this module when it makes the store, before it reads anything from it.
Event.resolve_by_type = staticmethod(resolve_by_type)


class BoundedRedisTrackerStore(RedisTrackerStore):
    """Redis store that keeps at most `max_events` events of a conversation.

    Host, port, password and database come from REDIS_HOST (127.0.0.1), REDIS_PORT (6379), REDIS_PASSWORD
    (none) and REDIS_DB (0). One conversation must have one writer at a time, as the service ensures:
    unlike Rasa's own store this one does not read and merge what is stored before it writes.
    """

    def __init__(
        self,
        domain: Domain,
        host: str | None = None,
        event_broker: EventBroker | None = None,
        record_exp: float | None = None,
        max_events: int = DEFAULT_MOST_EVENTS,
        **kwargs: Any,
    ) -> None:
        """Connect lazily; `record_exp` is the lifetime in seconds since the last message."""
        super().__init__(
            domain,
            host=host or os.environ.get("REDIS_HOST") or "127.0.0.1",
            port=int(os.environ.get("REDIS_PORT") or 6379),
            db=int(os.environ.get("REDIS_DB") or 0),
            password=os.environ.get("REDIS_PASSWORD") or None,
            event_broker=event_broker,
            record_exp=None if record_exp is None else int(record_exp),
            **kwargs,
        )
        self._most = max_events

    async def save(self, tracker: DialogueStateTracker, timeout: float | None = None) -> None:
        """Store the conversation, shortened when it has outgrown the limit."""
        await self.stream_events(tracker)
        events = bounded(list(tracker.events), self._most, self.domain)
        if len(events) < len(tracker.events):
            short = tracker.init_copy()
            short.update_with_events(events, domain=None, override_timestamp=False)
            tracker = short
        lifetime = timeout or self.record_exp
        self.red.set(self._get_key_prefix() + tracker.sender_id, self.serialise_tracker(tracker), ex=lifetime)


def bounded(events: Sequence[Event], most: int, domain: Domain) -> list[Event]:
    """At most about half of `most` events (plus the state before them) once there are more than `most`.

    Cut to half, not to the limit: the dropped part is replayed only once in many turns. The cut lies
    before a user's message, so no turn is torn; a single turn longer than the limit is kept whole.
    """
    if len(events) <= most:
        return list(events)
    starts = [
        i
        for i in range(1, len(events))
        if isinstance(events[i], UserUttered)
        and isinstance(events[i - 1], ActionExecuted)
        and events[i - 1].action_name == ACTION_LISTEN_NAME
    ]
    late = [i for i in starts if len(events) - i <= most // 2] or starts[-1:]
    if not late:
        return list(events)
    cut = late[0] - 1
    before = DialogueStateTracker.from_events("cut", list(events[:cut]), slots=domain.slots)
    moment = events[cut].timestamp
    head: list[Event] = [
        SlotSet(name, value, timestamp=moment)
        for name, value in before.current_slot_values().items()
        if value is not None and value != before.slots[name].initial_value
    ]
    if before.active_loop_name:
        head.append(ActiveLoop(before.active_loop_name, timestamp=moment))
    return [*head, *events[cut:]]
