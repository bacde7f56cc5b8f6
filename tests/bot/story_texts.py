"""Are the messages of the test stories decided, and do they fill the slots, as the stories say?

    cd bot && PYTHONPATH=. .venv/bin/python ../tests/bot/story_texts.py MODEL STORIES

`rasa test core` takes a message's intent from the story; with `--e2e` it reads the message, but without the
conversation before it, by which it is decided here. This reads every message in its conversation, without metadata.
Prints one line for each mistake, then how many messages were read; exit 1 after mistakes.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.shared.core.constants import ACTION_LISTEN_NAME, REQUESTED_SLOT
from rasa.shared.core.events import ActionExecuted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.core.training_data.structures import StoryStep
from rasa.utils.log_utils import configure_structlog


async def mistakes(agent: Agent, story: StoryStep) -> list[str]:
    """What of a story is not so, one line each."""
    domain, processor = agent.domain, agent.processor
    assert domain is not None
    assert processor is not None
    tracker = DialogueStateTracker.from_events(story.block_name or "", [], domain.slots)
    found: list[str] = []
    said, heard = "", False
    for event in story.events:
        if isinstance(event, UserUttered):
            said, heard = event.text or "", True
            tracker.update(ActionExecuted(ACTION_LISTEN_NAME))
            parsed = await processor.parse_message(UserMessage(said), tracker)
            intent = parsed["intent"]["name"]
            if intent != event.intent_name:
                found.append(f"{said}: {intent} {parsed['intent']['confidence']:.2f}, not {event.intent_name}")
            tracker.update(UserUttered(said, parsed["intent"], parsed["entities"], parsed))
            await processor.run_action_extract_slots(CollectingOutputChannel(), tracker)
            continue
        if isinstance(event, SlotSet) and event.key == REQUESTED_SLOT and event.value is not None:
            form = domain.required_slots_for_form(str(tracker.active_loop_name))
            first = next((slot for slot in form if tracker.get_slot(slot) is None), None)
            if first != event.value:
                found.append(f"{said}: {first} is missing first, not {event.value}")
        elif isinstance(event, SlotSet) and heard and tracker.get_slot(event.key) != event.value:
            found.append(f"{said}: {event.key} is {tracker.get_slot(event.key)}, not {event.value}")
        heard = heard and isinstance(event, SlotSet)
        tracker.update(event)
    return [f"{story.block_name}: {line}" for line in found]


async def check(model: Path, folder: Path) -> int:
    """Exit code for a model and the stories of a folder."""
    configure_structlog(logging.ERROR)
    agent = Agent.load(str(model))
    messages, wrong = 0, 0
    for path in sorted(folder.glob("test_*.yml")):
        for story in YAMLStoryReader(agent.domain).read_from_file(path):
            messages += sum(isinstance(event, UserUttered) for event in story.events)
            for line in await mistakes(agent, story):
                wrong += 1
                print(line)
    print(f"{messages} messages")
    return 1 if wrong or not messages else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(check(Path(sys.argv[1]), Path(sys.argv[2]))))
