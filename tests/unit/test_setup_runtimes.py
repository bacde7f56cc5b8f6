"""The set-up script believes no interpreter before it has run it, and fails in one sentence."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup_runtimes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with a PATH, a home and a project folder of its own."""
    spec = importlib.util.spec_from_file_location("setup_runtimes", ROOT / "setup_runtimes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "path").mkdir()
    (tmp_path / "home" / ".pyenv" / "versions").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_shim_that_exists_and_fails_is_passed_over_for_one_that_runs(
    setup_runtimes: ModuleType, tmp_path: Path
) -> None:
    executable(tmp_path / "path" / "python3.10", "echo 'pyenv: version not installed' >&2; exit 127")
    real = executable(tmp_path / "home" / ".pyenv" / "versions" / "3.10.13" / "bin" / "python", "echo 3.10")
    assert setup_runtimes.find_python(("3.10",)) == real


def test_an_interpreter_of_another_version_than_its_name_is_not_believed(
    setup_runtimes: ModuleType, tmp_path: Path
) -> None:
    executable(tmp_path / "path" / "python3.10", "echo 3.8")
    assert setup_runtimes.find_python(("3.10",)) is None


def test_without_python_3_10_one_sentence_says_how_to_get_it(
    setup_runtimes: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["setup_runtimes.py"])
    monkeypatch.setattr(setup_runtimes, "build", lambda *arguments, **options: None)
    assert setup_runtimes.main() == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "pyenv install 3.10" in line


def test_a_missing_and_a_broken_lock_are_named(
    setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = Path(sys.executable)
    with pytest.raises(setup_runtimes.SetupError, match=r"requirements\.lock is missing"):
        setup_runtimes.build("service", tmp_path / "venv", python, [tmp_path / "requirements.lock"], project=False)
    broken = tmp_path / "requirements.lock"
    broken.write_text("this is === no requirement\n")
    with pytest.raises(setup_runtimes.SetupError, match="broken lock"):
        setup_runtimes.build("service", tmp_path / "venv", python, [broken], project=False)
    assert not (tmp_path / "venv" / "huiying.stamp").exists()


def test_a_full_disk_is_said_before_anything_is_installed(
    setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("")
    monkeypatch.setitem(setup_runtimes.NEEDED_BYTES, "service", 2**80)
    with pytest.raises(setup_runtimes.SetupError, match="MB free"):
        setup_runtimes.build("service", tmp_path / "venv", Path(sys.executable), [lock], project=False)


def test_what_is_built_is_not_built_again(setup_runtimes: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("")
    python, folder = Path(sys.executable), tmp_path / "venv"
    setup_runtimes.build("service", folder, python, [lock], project=False)
    before = (folder / "huiying.stamp").stat().st_mtime_ns
    setup_runtimes.build("service", folder, python, [lock], project=False)
    assert (folder / "huiying.stamp").stat().st_mtime_ns == before
    assert subprocess.run([folder / "bin" / "python", "-c", ""], check=False).returncode == 0
