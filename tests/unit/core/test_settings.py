"""Where settings come from."""

import fcntl
import json
from pathlib import Path

import pytest

from services.core.settings import LOCK_FILE, RUNTIME_FILE, Settings

LEFT = "redis://:old@127.0.0.1:1/0"


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    (tmp_path / RUNTIME_FILE).write_text(json.dumps({"redis_url": LEFT}))
    return tmp_path


def test_addresses_that_a_killed_supervisor_left_behind_are_not_believed(var: Path) -> None:
    assert Settings().redis_url == ""
    (var / LOCK_FILE).touch()
    assert Settings().redis_url == ""


def test_addresses_of_a_running_supervisor_serve_its_company_but_no_second_start(var: Path) -> None:
    with (var / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert Settings().redis_url == LEFT
        assert Settings.of_own().redis_url == ""
