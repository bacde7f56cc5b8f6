"""Intent classifier: character n-grams and, where there is one, the sentence embedding.

The service has embedded the text already for the knowledge search and sends the vector along
(`metadata.embedding`), so Rasa loads no model of its own. For training the service writes the vectors
of all NLU examples to an .npz file (`texts`, `vectors`) named by HUIYING_NLU_EMBEDDINGS. Without the
file, or for a message without a vector, the n-gram head decides alone.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from components.features import terms
from components.routes import FAMILY_OF_INTENT
from services.understanding.classifier.fitting import Question, Recipe, fit
from services.understanding.classifier.model import Classifier

logger = logging.getLogger(__name__)

EMBEDDINGS_VARIABLE: Final = "HUIYING_NLU_EMBEDDINGS"
HEAD: Final = "intent"
_FILE: Final = "intents.npz"
_RANKED: Final = 5
_GRAM_PASSES: Final = 150
_NETWORKS: Final = 2

Vector = npt.NDArray[np.float32]


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=True)
class CitizenIntentClassifier(GraphComponent):
    """Sets `intent` and `intent_ranking` of a message."""

    def __init__(
        self, config: dict[str, Any], storage: ModelStorage, resource: Resource, model: Classifier | None = None
    ) -> None:
        """Keep the configuration; the model comes from `train` or `load`."""
        self._config = config
        self._storage = storage
        self._resource = resource
        self._model = model

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Defaults of what config.yml may set; see `recipe_of`."""
        return {
            "ngram_strength": 20.0,
            "embedding_units": 256,
            "embedding_penalty": 1.0,
            "embedding_rounds": 40,
            "embedding_share": 0.4,
        }

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> CitizenIntentClassifier:
        """An untrained component."""
        return cls(config, model_storage, resource)

    def train(self, training_data: TrainingData) -> Resource:
        """Fit on the NLU examples and persist."""
        examples = [e for e in training_data.intent_examples if e.get(TEXT)]
        texts = [str(e.get(TEXT)) for e in examples]
        labels = [str(e.get(INTENT)) for e in examples]
        self._model = learn(texts, labels, _training_embeddings(texts), recipe_of(self._config))
        with self._storage.write_to(self._resource) as folder:
            (folder / _FILE).write_bytes(self._model.to_bytes())
        return self._resource

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> CitizenIntentClassifier:
        """A trained component."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, Classifier.from_bytes((folder / _FILE).read_bytes(), terms))

    def process(self, messages: list[Message]) -> list[Message]:
        """Classify each message; one that Rasa already gave an intent (a `/intent` text) is classified anew."""
        if self._model is None:
            raise RuntimeError("the intent classifier is not trained")
        for message in messages:
            metadata = message.get("metadata") or {}
            vector = decode_embedding(metadata.get("embedding"), self._model.dimension)
            shares = self._model.log_shares(message.get(TEXT) or "", vector)[HEAD]
            ranking = ranked(self._model.heads[HEAD].labels, np.exp(shares))
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages


def recipe_of(config: Mapping[str, Any]) -> Recipe:
    """How intents are learned, with the numbers of config.yml.

    Not balanced: a general question (faq, most of the examples) is what most messages are, and an unsure one is safest
    there. Pooled as a geometric mean: an intent must please both parts, one alone cannot carry it.
    """
    return Recipe(
        gram_strengths=(float(config["ngram_strength"]),),
        vector_strengths=(float(config["embedding_penalty"]),),
        shares=(float(config["embedding_share"]),),
        units=int(config["embedding_units"]),
        networks=_NETWORKS,
        passes=int(config["embedding_rounds"]),
        gram_passes=_GRAM_PASSES,
    )


def learn(texts: Sequence[str], intents: Sequence[str], vectors: Vector | None, recipe: Recipe) -> Classifier:
    """A classifier of the examples; `vectors` [texts, dimension] or None: n-grams alone."""
    return fit(terms, texts, [Question(HEAD, intents)], vectors, recipe)[0]


def ranked(intents: Sequence[str], probabilities: Vector) -> list[dict[str, Any]]:
    """The best intents as Rasa writes them, one of each family, with the probability of its whole family.

    "Good night" may be small talk or a farewell: together they are more likely than what none of them alone beats.
    """
    families: dict[str, dict[str, Any]] = {}
    for place in np.argsort(-probabilities):
        intent, probability = intents[place], float(probabilities[place])
        family = families.setdefault(FAMILY_OF_INTENT.get(intent, intent), {"name": intent, "confidence": 0.0})
        family["confidence"] += probability
    return sorted(families.values(), key=lambda family: -family["confidence"])[:_RANKED]


def decode_embedding(encoded: object, dimension: int | None) -> Vector | None:
    """A base64 float16 vector of the given dimension; None when absent, malformed or of another model."""
    if not isinstance(encoded, str) or dimension is None:
        return None
    try:
        vector = np.frombuffer(base64.b64decode(encoded, validate=True), dtype="<f2").astype(np.float32)
    except (binascii.Error, ValueError):
        return None
    return vector if vector.shape == (dimension,) and bool(np.isfinite(vector).all()) else None


def _training_embeddings(texts: list[str]) -> Vector | None:
    path = os.environ.get(EMBEDDINGS_VARIABLE)
    if not path or not Path(path).is_file():
        logger.warning("%s names no file: the intent classifier learns from n-grams alone", EMBEDDINGS_VARIABLE)
        return None
    with np.load(path, allow_pickle=False) as file:
        vector_of = dict(zip(file["texts"].tolist(), file["vectors"].astype(np.float32), strict=True))
    missing = sum(text not in vector_of for text in texts)
    if missing:
        logger.warning("%d of %d examples have no embedding: n-grams alone", missing, len(texts))
        return None
    return np.stack([vector_of[text] for text in texts])
