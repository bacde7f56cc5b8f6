"""`huiying cases train` and `cases evaluate`, as they are called."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from knowledge_base.testing import FakeEmbedder
from services import cli, schema
from services.container import Container, build_container
from services.core.errors import BadRequest
from services.core.settings import Settings

WORDS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
ROWS = [
    *({"text": f"请问{word}类证件怎么办理，需要什么材料", "kind": "咨询", "domain": "证照"} for word in WORDS),
    *({"text": f"楼下{word}字号半夜太吵，投诉多次没人管", "kind": "反映", "domain": "市容"} for word in WORDS),
]


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """A fresh installation on SQLite, with the deterministic embedder."""
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path / "var"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(Container, "embedder", lambda self: FakeEmbedder())
    made = build_container(Settings())
    schema.upgrade(made.database)
    return made


def write(path: Path, rows: list[dict[str, Any]], *more: str) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join([*lines, *more]), encoding="utf-8")
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, ["cases", *map(str, arguments)])


def test_training_stores_a_version_measures_it_and_names_bad_rows(installation: Container, tmp_path: Path) -> None:
    file = write(tmp_path / "cases.jsonl", ROWS, "{", '{"text": "没有标签"}')
    names = tmp_path / "map.yaml"
    names.write_text("kinds: {反映: [complaint, help]}\ndepartments: {市容: 城管}", encoding="utf-8")
    done = run("train", file, "--evaluate-on", file, "--map", names, "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert (figures["version"], figures["rows"], figures["evaluated"]) == (1, 40, 40)
    assert [row["row"] for row in figures["rejected"]] == [41, 42]
    assert figures["kind_accuracy"] >= 0.95
    assert figures["domain_accuracy"] >= 0.95
    found = installation.classifier.propose("隔壁饭店半夜太吵，投诉多次没人管")
    assert found is not None
    assert (found.model, found.kind, found.department) == (1, "complaint", "城管")
    # Measured by our own kinds, with a file that names them so.
    ours = [{"text": row["text"], "kind": "投诉" if row["kind"] == "反映" else "咨询"} for row in ROWS]
    measured = run("evaluate", write(tmp_path / "ours.jsonl", ours), "--json")
    assert json.loads(measured.stdout)["kind_accuracy"] >= 0.95


def test_a_model_that_is_only_tried_out_is_not_stored(installation: Container, tmp_path: Path) -> None:
    done = run("train", write(tmp_path / "cases.jsonl", ROWS), "--no-store", "--no-embedding", "--json")
    assert json.loads(done.stdout)["version"] is None
    assert installation.classifier.using().version == 0


def test_too_few_rows_are_refused(installation: Container, tmp_path: Path) -> None:
    done = run("train", write(tmp_path / "cases.jsonl", ROWS[:5]), "--json")
    assert done.exit_code == 1
    assert isinstance(done.exception, BadRequest)
    assert installation.classifier.using().version == 0
