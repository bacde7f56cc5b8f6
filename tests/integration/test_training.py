"""Classifiers are made when they are stale, and only then; every process judges by what was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge_base.testing import FakeEmbedder
from services import classifiers
from services.cases import subjects
from services.supervision import training
from services.supervision.training import KINDS, Kind, Workshop
from services.understanding.danger import judge

(SUBJECTS,) = (kind for kind in KINDS if kind.file == subjects.FILE)


@pytest.fixture(autouse=True)
def shipped_again() -> Iterator[None]:
    yield
    judge.use(None)


def shop(var: Path, embedder: FakeEmbedder) -> Workshop:
    return Workshop(var, embedder, None, say=lambda line: None)


def shipped_elsewhere(folder: Path) -> Kind:
    """The subjects' classifier as a project has it whose shipped file may be written."""
    file = folder / subjects.FILE
    file.write_bytes(subjects.SHIPPED.read_bytes())
    return replace(SUBJECTS, shipped_file=file, shipped=lambda: subjects.read(file.read_bytes()))


def test_another_embedding_model_gets_its_classifier_once_and_the_first_one_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "KINDS", (shipped_elsewhere(tmp_path),))
    own = tmp_path / classifiers.FOLDER / subjects.FILE
    training.fit_for(shop(tmp_path, FakeEmbedder(identity="other")))
    assert classifiers.subjects_of(tmp_path).embedder == "other"
    made = own.stat().st_mtime_ns
    training.fit_for(shop(tmp_path, FakeEmbedder(identity="other")))
    assert own.stat().st_mtime_ns == made
    training.fit_for(shop(tmp_path, FakeEmbedder(identity=subjects.shipped().embedder)))
    assert not own.exists()
    assert classifiers.subjects_of(tmp_path) is subjects.shipped()


def test_changed_examples_make_it_stale_and_shipping_writes_it_into_the_project(tmp_path: Path) -> None:
    kind = shipped_elsewhere(tmp_path)
    assert kind.current() == subjects.shipped().examples
    workshop = shop(tmp_path, FakeEmbedder(identity=subjects.shipped().embedder))
    assert training._classifier(workshop, kind, ship=True, examples=True) == "current"
    other = replace(kind, current=lambda: "of other examples")
    assert training._classifier(workshop, other, ship=True, examples=True) == "made"
    assert kind.shipped_file.read_bytes() != subjects.SHIPPED.read_bytes()
    assert not (tmp_path / classifiers.FOLDER).exists()


def test_danger_is_judged_by_what_was_fitted_here_and_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    folder = tmp_path / classifiers.FOLDER
    folder.mkdir()
    classifiers.use_danger(tmp_path)
    assert judge.in_use() is judge.shipped()
    (folder / judge.FILE).write_bytes(judge.SHIPPED.read_bytes())
    classifiers.use_danger(tmp_path)
    assert judge.in_use() is not judge.shipped()
    assert judge.in_use().examples == judge.shipped().examples
    (folder / judge.FILE).write_bytes(b"PK\x03\x04 cut off")
    classifiers.use_danger(tmp_path)
    assert judge.in_use() is judge.shipped()
