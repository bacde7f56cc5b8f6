"""How the status follows from events."""

from typing import get_args

import pytest

from services.cases.states import EVENT_NAMES, STATUS_NAMES, EventType, Status, next_status
from services.core.errors import Conflict

EXPECTED: dict[tuple[Status, EventType], Status] = {
    ("new", "claimed"): "assigned",
    ("assigned", "claimed"): "assigned",
    ("in_progress", "claimed"): "in_progress",
    ("assigned", "replied"): "in_progress",
    ("in_progress", "replied"): "in_progress",
    ("new", "transferred"): "new",
    ("assigned", "transferred"): "new",
    ("in_progress", "transferred"): "new",
    ("assigned", "resolved"): "resolved",
    ("in_progress", "resolved"): "resolved",
    ("new", "closed"): "closed",
    ("assigned", "closed"): "closed",
    ("in_progress", "closed"): "closed",
    ("resolved", "closed"): "closed",
    ("resolved", "reopened"): "assigned",
    ("closed", "reopened"): "assigned",
    **{(status, "noted"): status for status in get_args(Status)},
    **{
        (status, event): status
        for status in ("new", "assigned", "in_progress")
        for event in ("asked_again", "added", "raised", "warned", "breached", "escalated")
    },
}


@pytest.mark.parametrize("status", get_args(Status))
@pytest.mark.parametrize("event", get_args(EventType))
def test_every_pair_of_status_and_event_is_decided(status: Status, event: EventType) -> None:
    if (status, event) in EXPECTED:
        assert next_status(status, event) == EXPECTED[status, event]
    else:
        with pytest.raises(Conflict) as caught:
            next_status(status, event)
        assert STATUS_NAMES[status] in caught.value.detail
        assert EVENT_NAMES[event] in caught.value.detail


def test_a_case_begins_new_and_with_nothing_else() -> None:
    assert next_status(None, "opened") == "new"
    for event in get_args(EventType):
        if event != "opened":
            with pytest.raises(Conflict):
                next_status(None, event)


def test_every_status_and_event_has_a_chinese_name() -> None:
    assert set(STATUS_NAMES) == set(get_args(Status))
    assert set(EVENT_NAMES) == set(get_args(EventType))
