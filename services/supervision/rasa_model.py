"""Training the Rasa model when its sources changed, with the project's own sentence embeddings."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from knowledge_base import Embedder
from services.supervision.processes import StartError

PROJECT = Path(__file__).resolve().parents[2]
BOT = PROJECT / "bot"
BOT_PYTHON = BOT / ".venv" / "bin" / "python"
SOURCES = (
    "*.yml",
    "*.py",
    "components/**/*.py",
    "components/**/*.json",
    "data/**/*.yml",
    "domain/**/*.yml",
    "forms/*.yml",
    "requirements.lock",
)
TRAIN_SECONDS = 15 * 60
MODELS_KEPT = 3


def fingerprint(embedder_identity: str) -> str:
    """A digest of everything that a trained model depends on."""
    digest = hashlib.sha256(embedder_identity.encode())
    files = {path for pattern in SOURCES for path in BOT.glob(pattern) if ".venv" not in path.parts}
    for path in sorted(files):
        digest.update(str(path.relative_to(BOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def ensure_model(var_dir: Path, embedder: Embedder) -> Path:
    """The trained model for the present sources, trained now if there is none. Raises StartError."""
    folder = var_dir / "rasa"
    name = fingerprint(embedder.identity)
    model = folder / "models" / f"{name}.tar.gz"
    if model.exists():
        return model
    if not BOT_PYTHON.exists():
        raise StartError("the Rasa runtime is missing: run 'make setup'.")
    (folder / "models").mkdir(parents=True, exist_ok=True)
    embeddings = folder / f"{name}.npz"
    embed_examples(embeddings, embedder)
    build = folder / f"build-{name}"
    generate(build)
    command = [
        BOT_PYTHON, "-m", "rasa", "train", "--quiet",
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
    return model


def generate(target: Path) -> None:
    """Write domain and rules from the form files. Raises StartError naming file and line of the first mistake."""
    done = subprocess.run(
        [sys.executable, str(BOT / "generate.py"), "--out", str(target)], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["the forms could not be read"]
        raise StartError(lines[0] if ":" in lines[0] and "Traceback" not in lines[0] else lines[-1])


def embed_examples(target: Path, embedder: Embedder) -> None:
    """Write the NLU examples with their query embeddings where the training reads them (float16, one row a text).

    What a file beside `target` has of the same model is taken from there: a few new examples cost no minutes.
    """
    listed = subprocess.run(
        [sys.executable, str(BOT / "export_texts.py")], capture_output=True, text=True, timeout=60, check=False
    )
    if listed.returncode != 0:
        raise StartError("the Rasa training examples could not be read")
    texts: list[str] = json.loads(listed.stdout)
    target.parent.mkdir(parents=True, exist_ok=True)
    known = _embedded_before(target.parent, embedder.identity)
    missing = [text for text in texts if text not in known]
    if missing:
        known |= zip(missing, embedder.embed_queries(missing).astype(np.float16), strict=True)
    vectors = np.stack([known[text] for text in texts])
    np.savez(target, texts=np.array(texts), vectors=vectors, model=embedder.identity)


def _embedded_before(folder: Path, model: str) -> dict[str, Any]:
    """Vectors by text of the newest file of this model; a damaged file counts as none."""
    for path in sorted(folder.glob("*.npz"), key=lambda one: one.stat().st_mtime, reverse=True):
        try:
            with np.load(path, allow_pickle=False) as file:
                if "model" in file.files and str(file["model"]) == model:
                    return dict(zip(file["texts"].tolist(), file["vectors"], strict=True))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue
    return {}


def _forget_old(folder: Path) -> None:
    """Keep the newest models; also what only served their training."""
    models = sorted((folder / "models").glob("[!p]*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in models[MODELS_KEPT:]:
        old.unlink(missing_ok=True)
        (folder / f"{old.name.removesuffix('.tar.gz')}.npz").unlink(missing_ok=True)
