"""The dialogue's test stories (tests/bot/stories) with the model that the running system uses.

`rasa test core` takes intents as the stories give them and says whether the rules lead to their actions; that the
messages really are decided so, in their conversations, is checked beside it (tests/bot/story_texts.py).
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from knowledge_base import load_embedder
from services.core.settings import Settings
from services.supervision.rasa_model import BOT, BOT_PYTHON, ensure_model
from tests.e2e.conftest import PROJECT, share

STORIES = PROJECT / "tests" / "bot" / "stories"
SECONDS = 180

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model, the same that the conversations are led with."""
    var = tmp_path_factory.mktemp("var-stories")
    share(var)
    settings = Settings.model_validate({"HUIYING_VAR": var})
    return ensure_model(var, load_embedder(settings.embedding_model or None, models_directory=var / "models"))[0]


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    own = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(BOT)}
    return subprocess.run(
        [str(part) for part in (BOT_PYTHON, *arguments)],
        env={**os.environ, **own},
        cwd=BOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def predict(model: Path, stories: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    return run(
        *("-m", "rasa", "test", "core", "--stories", stories, "--model", model, "--out", out),
        "--fail-on-prediction-errors",
    )


def decide(model: Path, stories: Path) -> "subprocess.CompletedProcess[str]":
    return run(PROJECT / "tests" / "bot" / "story_texts.py", model, stories)


def told() -> list[dict[str, Any]]:
    return [
        story
        for path in sorted(STORIES.glob("test_*.yml"))
        for story in yaml.safe_load(path.read_text(encoding="utf-8"))["stories"]
    ]


def write(folder: Path, *steps: dict[str, Any]) -> Path:
    folder.mkdir()
    content = {"version": "3.1", "stories": [{"story": "one that is not so", "steps": list(steps)}]}
    (folder / "test_wrong.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def test_the_rules_lead_every_story_to_its_actions(model: Path, tmp_path: Path) -> None:
    done = predict(model, STORIES, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    counted = json.loads((tmp_path / "story_report.json").read_text(encoding="utf-8"))["conversation_accuracy"]
    # Rasa drops a story that it takes for a repetition of another one.
    assert counted["total"] == counted["correct"] == len(told()) >= 30


def test_a_story_with_a_wrong_action_fails_the_run(model: Path, tmp_path: Path) -> None:
    wrong = write(tmp_path / "wrong", {"user": "谢谢", "intent": "chitchat_thanks"}, {"action": "utter_chitchat_bye"})
    done = predict(model, wrong, tmp_path / "out")
    assert done.returncode == 1
    assert "Model predicted a wrong action" in done.stdout + done.stderr


def test_every_message_is_decided_as_its_story_says(model: Path) -> None:
    done = decide(model, STORIES)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    messages = sum("user" in step for story in told() for step in story["steps"])
    assert done.stdout.splitlines()[-1] == f"{messages} messages"


@pytest.mark.parametrize(
    ("steps", "mistake"),
    [
        ([{"user": "谢谢", "intent": "chitchat_bye"}], "chitchat_thanks"),
        (
            [{"user": "查一下电费", "intent": "query_bill"}, {"slot_was_set": [{"bill_kind": "水费"}]}],
            "bill_kind is 电费",
        ),
        (
            [
                {"user": "查一下电费", "intent": "query_bill"},
                {"action": "bill_form"},
                {"active_loop": "bill_form"},
                {"slot_was_set": [{"requested_slot": "bill_kind"}]},
            ],
            "household_no is missing first",
        ),
    ],
    ids=["intent", "slot", "question"],
)
def test_a_story_that_is_not_so_is_found(
    model: Path, tmp_path: Path, steps: list[dict[str, Any]], mistake: str
) -> None:
    done = decide(model, write(tmp_path / "wrong", *steps))
    assert done.returncode == 1
    assert mistake in done.stdout
