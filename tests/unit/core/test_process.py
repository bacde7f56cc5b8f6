"""What a process leaves on disk is for its owner, and does not grow for ever."""

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.core import process
from services.supervision import processes
from services.supervision.processes import Child


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    mask, limits = os.umask(0o022), resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    os.umask(mask)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_files_of_an_installation_are_for_its_owner_only_also_those_made_before(tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir(mode=0o755)
    (var / "huiying.db").touch(mode=0o644)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert process.prepare(var) == hard
    (var / "new").touch()
    assert stat.S_IMODE((var / "new").stat().st_mode) == 0o600
    assert stat.S_IMODE(var.stat().st_mode) == 0o700


def test_a_folder_of_somebody_else_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").touch()
    process.prepare(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    process.prepare(home / "var")
    assert stat.S_IMODE((home / "var").stat().st_mode) == 0o700


def test_a_log_that_has_grown_moves_on_and_only_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES", 10)
    monkeypatch.setattr(processes, "LOGS_KEPT", 2)
    child = Child("api", [], {}, tmp_path / "api.log", tmp_path)
    with child.log.open("ab", buffering=0) as log:
        for number in range(1, 5):
            log.write(b"line number %d\n" % number)
            assert child.rotate_log()
            assert not child.rotate_log()
        log.write(b"newest\n")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"api.log": "newest\n", "api.log.1": "line number 4\n", "api.log.2": "line number 3\n"}
