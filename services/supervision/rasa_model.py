"""Training the Rasa model when its sources changed, with the project's own sentence embeddings."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from knowledge_base import Embedder
from knowledge_base.embedding.protocol import Vectors
from services.supervision.processes import StartError
from services.understanding.examples import dialogue_examples

Progress = Callable[[int, int], None]

PROJECT = Path(__file__).resolve().parents[2]
BOT = PROJECT / "bot"
BOT_PYTHON = BOT / ".venv" / "bin" / "python"
SOURCES = (
    "*.yml",
    "*.py",
    "components/**/*.py",
    "data/**/*.yml",
    "domain/**/*.yml",
    "forms/*.yml",
    "requirements.lock",
)
# What the dialogue takes of the room that it shares with the service.
UNDERSTANDING = PROJECT / "services" / "understanding"
SHARED = ("*.py", "data/*.txt", "classifier/*.py")
AT_ONCE = 256
# Rasa takes the stickers "[抱拳][抱拳]" for an annotated "抱拳". A single text without a vector would leave the whole
# classifier without any.
_ANNOTATED = re.compile(r"\[([^\]]+)\]\[[^\]]*\]")
TRAIN_SECONDS = 15 * 60
MODELS_KEPT = 3


def fingerprint(embedder_identity: str) -> str:
    """A digest of everything that a trained model depends on."""
    digest = hashlib.sha256(embedder_identity.encode())
    files = {path for pattern in SOURCES for path in BOT.glob(pattern) if ".venv" not in path.parts}
    files |= {path for pattern in SHARED for path in UNDERSTANDING.glob(pattern)}
    for path in sorted(files):
        digest.update(str(path.relative_to(PROJECT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def ensure_model(var_dir: Path, embedder: Embedder, *, progress: Progress | None = None) -> tuple[Path, bool]:
    """The model of the present sources, trained now if there is none, and whether it was. Raises StartError."""
    folder = var_dir / "rasa"
    name = fingerprint(embedder.identity)
    model = folder / "models" / f"{name}.tar.gz"
    if model.exists():
        return model, False
    if not BOT_PYTHON.exists():
        raise StartError("the Rasa runtime is missing: run 'make setup'.")
    (folder / "models").mkdir(parents=True, exist_ok=True)
    embeddings = folder / f"{name}.npz"
    embed_examples(embeddings, embedder, progress)
    build = folder / f"build-{name}"
    generate(build)
    # What Rasa keeps of an earlier training knows nothing of the embeddings: --force leaves it alone.
    command = [
        BOT_PYTHON, "-m", "rasa", "train", "--quiet", "--force",
        "--config", BOT / "config.yml", "--domain", build / "domain", "--data", BOT / "data", build / "rules",
        "--out", folder / "models", "--fixed-model-name", f"part-{name}",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "RASA_TELEMETRY_ENABLED": "false",
        "HUIYING_NLU_EMBEDDINGS": str(embeddings),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    log = var_dir / "log" / "rasa-train.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                [str(part) for part in command], env=environment, cwd=BOT, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, timeout=TRAIN_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise StartError(f"training the Rasa model took longer than {TRAIN_SECONDS // 60} minutes") from None
    part = folder / "models" / f"part-{name}.tar.gz"
    if done.returncode != 0 or not part.exists():
        raise StartError(f"the Rasa model could not be trained; see {log}")
    part.rename(model)
    shutil.rmtree(build, ignore_errors=True)
    _forget_old(folder)
    return model, True


def generate(target: Path) -> None:
    """Write domain and rules from the form files. Raises StartError naming file and line of the first mistake."""
    done = subprocess.run(
        [sys.executable, str(BOT / "generate.py"), "--out", str(target)], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["the forms could not be read"]
        raise StartError(lines[0] if ":" in lines[0] and "Traceback" not in lines[0] else lines[-1])


def embed_examples(target: Path, embedder: Embedder, progress: Progress | None = None) -> None:
    """Write the NLU examples with their query embeddings where the training reads them (float16, one row a text)."""
    try:
        texts = list(dict.fromkeys(_ANNOTATED.sub(r"\1", example.text) for example in dialogue_examples()))
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        raise StartError("the Rasa training examples could not be read") from None
    query_vectors(target.parent, texts, embedder, keep=target.name, progress=progress)


def query_vectors(
    folder: Path, texts: Sequence[str], embedder: Embedder, *, keep: str, progress: Progress | None = None
) -> Vectors:
    """Query embeddings (texts, dimension) as the file `keep` of the folder holds them from now on, rounded to float16.

    What any file beside it has of the same model is taken from there: a few new examples cost no minutes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _embedded_before(folder, embedder.identity)
    missing = list(dict.fromkeys(text for text in texts if text not in known))
    for start in range(0, len(missing), AT_ONCE):
        part = missing[start : start + AT_ONCE]
        known |= zip(part, embedder.embed_queries(part).astype(np.float16), strict=True)
        if progress is not None:
            progress(min(start + AT_ONCE, len(missing)), len(missing))
    vectors = np.stack([known[text] for text in texts])
    np.savez(folder / keep, texts=np.array(texts), vectors=vectors, model=embedder.identity)
    return vectors.astype(np.float32)


def _embedded_before(folder: Path, model: str) -> dict[str, Any]:
    """Vectors by text of all files of this model, the newest first; a damaged file counts as none."""
    known: dict[str, Any] = {}
    for path in sorted(folder.glob("*.npz"), key=lambda one: one.stat().st_mtime, reverse=True):
        try:
            with np.load(path, allow_pickle=False) as file:
                if "model" in file.files and str(file["model"]) == model:
                    known = {**dict(zip(file["texts"].tolist(), file["vectors"], strict=True)), **known}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue
    return known


def _forget_old(folder: Path) -> None:
    """Keep the newest models; also what only served their training."""
    models = sorted((folder / "models").glob("[!p]*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in models[MODELS_KEPT:]:
        old.unlink(missing_ok=True)
        (folder / f"{old.name.removesuffix('.tar.gz')}.npz").unlink(missing_ok=True)
