"""A long conversation stays small and forgets nothing that matters."""

import asyncio

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from tracker_store import BoundedRedisTrackerStore, bounded

DOMAIN = Domain.from_yaml(
    """
    version: "3.1"
    intents: [inform]
    slots:
      plate: {type: text, mappings: [{type: custom}]}
      kind: {type: text, mappings: [{type: custom}]}
    """
)


class FakeRedis:
    """The two calls that the store makes."""

    def __init__(self):
        self.values, self.lifetimes = {}, {}

    def set(self, key, value, ex=None):
        self.values[key], self.lifetimes[key] = value, ex

    def get(self, key):
        return self.values.get(key)


def exchange(number):
    return [
        UserUttered(f"第{number}句", intent={"name": "inform"}),
        ActionExecuted("utter"),
        BotUttered("好"),
        ActionExecuted("action_listen"),
    ]


def store(limit=20):
    made = BoundedRedisTrackerStore(DOMAIN, record_exp=60, max_events=limit)
    made.red = FakeRedis()
    return made


def replay(events):
    return DialogueStateTracker.from_events("c", events, slots=DOMAIN.slots)


def test_a_short_conversation_is_left_as_it_is():
    events = [ActionExecuted("action_listen"), *exchange(1)]
    assert bounded(events, 20, DOMAIN) == events


def test_the_cut_keeps_slots_the_open_form_and_whole_turns():
    events = [
        ActionExecuted("action_listen"),
        SlotSet("plate", "【车牌1】"),
        SlotSet("kind", "x"),
        SlotSet("kind", None),
    ]
    events += [ActiveLoop("violation_form")]
    for number in range(10):
        events += exchange(number)
    kept = bounded(events, 20, DOMAIN)
    assert len(kept) <= 10 + 3
    after = replay(kept)
    assert after.get_slot("plate") == "【车牌1】"
    assert after.get_slot("kind") is None
    assert after.active_loop_name == "violation_form"
    assert after.latest_message.text == "第9句"
    first = next(i for i, event in enumerate(kept) if isinstance(event, UserUttered))
    assert kept[first - 1].action_name == "action_listen"


def test_the_thousandth_message_is_stored_as_small_as_the_tenth():
    kept = store()

    async def talk():
        sizes = []
        for number in range(1000):
            tracker = await kept.retrieve("c") or replay(
                [ActionExecuted("action_listen"), SlotSet("plate", "【车牌1】")]
            )
            tracker.update_with_events(exchange(number), DOMAIN)
            await kept.save(tracker)
            sizes.append(len((await kept.retrieve("c")).events))
        return sizes, await kept.retrieve("c")

    sizes, last = asyncio.run(talk())
    assert max(sizes) <= 20
    assert last.get_slot("plate") == "【车牌1】"
    assert last.latest_message.text == "第999句"


def test_every_stored_event_is_read_back_as_what_it_was_and_an_unknown_type_is_refused():
    tracker = replay([*exchange(1), SlotSet("plate", "【车牌1】"), ActiveLoop("violation_form")])
    kept = store()

    async def again():
        await kept.save(tracker)
        return await kept.retrieve("c")

    assert [type(event) for event in asyncio.run(again()).events] == [type(event) for event in tracker.events]
    for _ in range(2):
        with pytest.raises(ValueError, match="nonsense"):
            Event.resolve_by_type("nonsense")


def test_a_stored_conversation_expires():
    kept = store()
    asyncio.run(kept.save(replay([ActionExecuted("action_listen"), *exchange(1)])))
    assert set(kept.red.lifetimes.values()) == {60}
