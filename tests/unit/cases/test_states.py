"""How the status follows from events."""

from typing import get_args

import pytest

from services.cases.states import EVENT_NAMES, EventType, next_status
from services.core.errors import Conflict
from services.understanding.case_states import CASE_STATES, Status

OPEN: tuple[Status, ...] = ("new", "assigned", "in_progress", "waiting", "reopened", "transferred")
HELD: tuple[Status, ...] = ("assigned", "in_progress", "waiting", "reopened")
QUEUED: tuple[Status, ...] = ("new", "transferred")
TELLING: tuple[EventType, ...] = (
    "asked_again",
    "raised",
    "alarmed",
    "acknowledged",
    "reclassified",
    "recomputed",
    "added",
    "pressed",
    "extension_asked",
    "extension_refused",
    "extended",
    "revealed",
    "absorbed",
    "warned",
    "breached",
    "escalated",
)

EXPECTED: dict[tuple[Status, EventType], Status] = {
    **{(status, event): "assigned" for status in QUEUED for event in ("assigned", "claimed")},
    **{(status, event): status for status in HELD for event in ("assigned", "claimed")},
    **{(status, "released"): "new" for status in HELD},
    **{(status, "replied"): "in_progress" for status in HELD},
    **{(status, "resolved"): "resolved" for status in HELD},
    **{(status, "held"): "waiting" for status in HELD if status != "waiting"},
    ("waiting", "resumed"): "in_progress",
    **{(status, event): "transferred" for status in OPEN for event in ("transferred", "returned")},
    **{(status, "merged"): "merged" for status in OPEN},
    **{(status, event): "closed" for status in OPEN for event in ("closed", "withdrawn")},
    ("resolved", "closed"): "closed",
    ("resolved", "confirmed"): "closed",
    **{(status, "reopened"): "reopened" for status in ("resolved", "closed", "merged")},
    ("resolved", "rated"): "resolved",
    ("closed", "rated"): "closed",
    ("resolved", "drafted"): "resolved",
    ("closed", "drafted"): "closed",
    **{(status, event): status for status in get_args(Status) for event in ("noted", "access_changed", "retitled")},
    **{(status, event): status for status in OPEN for event in TELLING},
    # Danger, and the promise to another citizen, end a wait.
    **{("waiting", event): "in_progress" for event in ("raised", "absorbed")},
}  # type: ignore[dict-item]


@pytest.mark.parametrize("status", get_args(Status))
@pytest.mark.parametrize("event", get_args(EventType))
def test_every_pair_of_status_and_event_is_decided(status: Status, event: EventType) -> None:
    if (status, event) in EXPECTED:
        assert next_status(status, event) == EXPECTED[status, event]
    else:
        with pytest.raises(Conflict) as caught:
            next_status(status, event)
        assert CASE_STATES[status].desk in caught.value.detail
        assert EVENT_NAMES[event] in caught.value.detail


def test_a_case_begins_new_and_with_nothing_else() -> None:
    assert next_status(None, "opened") == "new"
    for event in get_args(EventType):
        if event != "opened":
            with pytest.raises(Conflict):
                next_status(None, event)


def test_every_status_and_event_has_a_chinese_name() -> None:
    assert set(CASE_STATES) == set(get_args(Status))
    assert set(EVENT_NAMES) == set(get_args(EventType))
