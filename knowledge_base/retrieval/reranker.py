"""A second look at the best candidates by a model that reads question and entry together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from knowledge_base.errors import ModelUnavailable

# How many of the best candidates are read again; each costs a run of the model.
DEPTH = 20
# Characters of a text that the model reads; its own limit in tokens holds besides.
LONGEST_TEXT = 300


class Reranker(Protocol):
    """Judges how well texts answer a question. Implementations are safe to call from several threads."""

    @property
    def identity(self) -> str:
        """Name of the model."""

    def scores(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """One number per text between 0 and 1, higher is better; shape (len(texts),)."""


class CrossEncoderReranker:
    """Reranker over a sentence-transformers ``CrossEncoder`` with one output, by name or folder."""

    def __init__(self, model: str | Path) -> None:
        """Load the model. Raises ModelUnavailable when that fails or it has more than one output."""
        # Imported here: torch takes seconds, and searching without a reranker does not need it.
        import torch
        from sentence_transformers import CrossEncoder

        local = Path(model).is_dir()
        try:
            self._model = CrossEncoder(str(model), device="cpu", local_files_only=local)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise ModelUnavailable(f"无法加载重排模型 {Path(model).name}：{type(error).__name__}") from error
        if self._model.num_labels != 1:
            raise ModelUnavailable(f"重排模型 {Path(model).name} 有 {self._model.num_labels} 个输出，只支持一个")
        self._activation = torch.nn.Sigmoid()
        self._name = Path(model).name
        # The tokenizer keeps padding state between calls and may not be entered twice.
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """Name of the model or its folder."""
        return self._name

    def scores(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Sigmoid of the model's outputs for (query, text), shape (len(texts),)."""
        if not texts:
            return np.empty(0, dtype=np.float64)
        pairs = [(query, text[:LONGEST_TEXT]) for text in texts]
        with self._lock:
            outputs = self._model.predict(pairs, activation_fn=self._activation, show_progress_bar=False)
        return np.asarray(outputs, dtype=np.float64).reshape(len(texts))


def load_reranker(model: str | None) -> Reranker | None:
    """The reranker named by `model` (a sentence-transformers CrossEncoder's name or folder); None or "" is none.

    Raises ModelUnavailable.
    """
    return CrossEncoderReranker(model) if model else None
