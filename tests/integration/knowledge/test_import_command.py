"""`huiying kb import` on a database of its own."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services import schema
from services.cli import app
from services.core.database import Database


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    url = f"sqlite:///{tmp_path / 'huiying.db'}"
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", url)
    schema.upgrade(Database(url))

    def command(name: str, content: str, *options: str) -> str:
        (tmp_path / name).write_text(content, encoding="utf-8")
        done = CliRunner().invoke(app, ["kb", "import", str(tmp_path / name), *options])
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    return command


def test_the_command_keeps_what_a_file_lacks_and_lists_what_replacing_empties(run: Any) -> None:
    run("full.csv", "编号,问题,答案,部门\nk,泳池几点开,早九点,体育局\n")
    kept = run("few.csv", "编号,问题,答案\nk,泳池几点开,早八点\n")
    assert kept.splitlines()[0] == "created 0, updated 1, unchanged 0, rejected 0, reported 0, emptied 0"
    replaced = run("few.csv", "编号,问题,答案\nk,泳池几点开,早八点\n", "--replace")
    assert replaced.splitlines() == [
        "created 0, updated 1, unchanged 0, rejected 0, reported 0, emptied 1",
        "  emptied row 2: 原有的部门被清空",
    ]
