"""Plain Rasa, to stand beside: projects written from the starter base, trained with the bot's runtime, served over the
stock REST channel.

`light` is the least that Rasa can do for a message: n-grams, a logistic regression, rules, fixed responses.
`selector` answers the starter base by itself: a retrieval intent with a response key for each entry, the
ResponseSelector with its stock settings, trained on every question and similar question.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from knowledge_base import Entry
from services.supervision.processes import Child, StartError, free_port
from services.supervision.rasa_model import BOT_PYTHON

# The ResponseSelector of the starter base took about an hour on two cores that did other work, too.
TRAIN_SECONDS = 3 * 60 * 60
QUIET = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "SANIC_WORKERS": "1", "OMP_NUM_THREADS": "1"}
# A Chinese sentence, which has no spaces, is one token here; the n-grams look into it.
FEATURES: list[dict[str, Any]] = [
    {"name": "WhitespaceTokenizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    {"name": "LogisticRegressionClassifier"},
]
RULES = [{"name": "RulePolicy"}]
GREETINGS = ["你好", "您好", "在吗", "早上好", "下午好", "有人吗", "谢谢", "再见", "好的谢谢", "辛苦了"]


def project(entries: Sequence[Entry], *, selector: bool) -> dict[str, Any]:
    """The files of a plain project by name."""
    questions = [(entry, [entry.question, *entry.similar_questions]) for entry in entries]
    greet = {"intent": "greet", "examples": _examples(GREETINGS)}
    rules = [{"rule": "greet", "steps": [{"intent": "greet"}, {"action": "utter_greet"}]}]
    rules.append({"rule": "faq", "steps": [{"intent": "faq"}, {"action": "utter_faq"}]})
    responses: dict[str, Any] = {"utter_greet": [{"text": "您好"}]}
    if selector:
        asked = [{"intent": f"faq/{entry.id}", "examples": _examples(texts)} for entry, texts in questions]
        responses |= {f"utter_faq/{entry.id}": [{"text": entry.answer}] for entry in entries}
        more = [{"name": "ResponseSelector", "retrieval_intent": "faq"}]
    else:
        asked = [{"intent": "faq", "examples": _examples([text for _, texts in questions for text in texts])}]
        responses["utter_faq"] = [{"text": "这是一个常见问题。"}]
        more = []
    version = {"version": "3.1"}
    return {
        "config.yml": {
            "recipe": "default.v1",
            "assistant_id": "plain",
            # For "zh" Rasa wants a tokenizer with a dictionary; the n-grams below need none.
            "language": "en",
            "pipeline": [*FEATURES, *more],
            "policies": RULES,
        },
        "domain.yml": version | {"intents": ["greet", "faq"], "responses": responses},
        "data/nlu.yml": version | {"nlu": [*asked, greet]},
        "data/rules.yml": version | {"rules": rules},
        "credentials.yml": {"rest": None},
    }


def _examples(texts: Sequence[str]) -> str:
    return "".join(f"- {' '.join(text.split())}\n" for text in texts)


class PlainRasa:
    """A plain Rasa server; `folder` keeps its trained model for the next run over the same sources."""

    def __init__(self, name: str, files: dict[str, Any], folder: Path) -> None:
        self.name = name
        self._files = {
            path: yaml.safe_dump(content, allow_unicode=True, sort_keys=False) for path, content in files.items()
        }
        digest = hashlib.sha256(json.dumps(self._files).encode()).hexdigest()[:16]
        self._folder = folder / f"{name}-{digest}"
        self._port = free_port()
        self.child: Child | None = None

    def train(self) -> None:
        """Train unless that is done already. Raises StartError."""
        if (self._folder / "models" / "plain.tar.gz").exists():
            return
        for path, content in self._files.items():
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / path).write_text(content, encoding="utf-8")
        command = [BOT_PYTHON, "-m", "rasa", "train", "--quiet", "--fixed-model-name", "plain"]
        with (self._folder / "train.log").open("wb") as log:
            try:
                done = subprocess.run(
                    [str(part) for part in command], cwd=self._folder, env={**os.environ, **QUIET}, stdout=log,
                    stderr=log, stdin=subprocess.DEVNULL, timeout=TRAIN_SECONDS,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise StartError(f"training plain Rasa ({self.name}) took too long") from None
        if done.returncode != 0:
            raise StartError(f"plain Rasa ({self.name}) could not be trained; see {self._folder / 'train.log'}")

    def start(self) -> Child:
        """Start the server, on the loopback address."""
        command = [
            BOT_PYTHON, "-m", "rasa", "run", "--interface", "127.0.0.1", "--port", self._port, "--model",
            self._folder / "models" / "plain.tar.gz", "--credentials", self._folder / "credentials.yml",
            "--endpoints", self._folder / "none.yml",
        ]  # fmt: skip
        log = self._folder / "run.log"
        self.child = Child(self.name, [str(part) for part in command], QUIET, log, self._folder)
        self.child.start()
        return self.child

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def is_ready(self, client: httpx.Client) -> bool:
        """Raises StartError when the server has ended."""
        if self.child is None or not self.child.is_alive():
            raise StartError(f"plain Rasa ({self.name}) ended while starting")
        try:
            return client.get(f"{self.url}/webhooks/rest/").is_success
        except httpx.TransportError:
            return False
