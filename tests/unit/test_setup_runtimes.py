"""The set-up script believes no interpreter before it has run it, and fails in one sentence."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL_PYTHON = Path(sys.executable)


@pytest.fixture
def setup_runtimes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with a PATH, a home and a project folder of its own."""
    spec = importlib.util.spec_from_file_location("setup_runtimes", ROOT / "setup_runtimes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    # Any Python from 3.9 on may run the script; here it is one that cannot be what the runtimes are made from.
    monkeypatch.setattr(sys, "executable", str(interpreter(tmp_path / "runs-the-script", "3.13")))
    return module


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def interpreter(path: Path, version: str, exit_code: int = 0) -> Path:
    """Answers the probe as an interpreter of that version would; it fails where one lacks what a venv needs."""
    return executable(path, f"echo {version} {path}; exit {exit_code}")


def complaint(setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", ["setup_runtimes.py"])
    assert setup_runtimes.main() == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_shim_that_exists_and_fails_is_passed_over_for_one_that_runs(
    setup_runtimes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "shims" / "python3.11", "echo 'pyenv: version not installed' >&2; exit 127")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'path'}")
    real = interpreter(tmp_path / "path" / "python3.11", "3.11")
    assert setup_runtimes.find_python() == real


def test_an_interpreter_of_another_version_than_its_name_is_not_believed(
    setup_runtimes: ModuleType, tmp_path: Path
) -> None:
    interpreter(tmp_path / "path" / "python3.11", "3.8")
    with pytest.raises(setup_runtimes.SetupError, match=r"only 3\.13 and 3\.8 is here"):
        setup_runtimes.find_python()


def test_a_python3_that_is_3_11_serves_without_being_called_so(setup_runtimes: ModuleType, tmp_path: Path) -> None:
    real = interpreter(tmp_path / "path" / "python3", "3.11")
    assert setup_runtimes.find_python() == real


def test_the_interpreter_under_an_environment_is_found_not_the_environment(
    setup_runtimes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Path(sys.base_prefix, "bin", "python3.11").resolve()
    subprocess.run([base, "-m", "venv", "--without-pip", tmp_path / "active"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "active" / "bin" / "python"))
    assert setup_runtimes.find_python() == base


def test_a_runtime_keeps_its_interpreter_whatever_path_says_and_the_other_follows(
    setup_runtimes: ModuleType, tmp_path: Path
) -> None:
    interpreter(tmp_path / "path" / "python3.11", "3.11")
    own = interpreter(tmp_path / ".venv" / "bin" / "python", "3.11")
    assert setup_runtimes.find_python() == own


def test_without_python_3_11_one_sentence_says_what_is_needed_why_and_how_to_get_it(
    setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    interpreter(tmp_path / "path" / "python3", "3.12")
    line = complaint(setup_runtimes, monkeypatch, capsys)
    assert "Python 3.11 is needed and only 3.13 and 3.12 is here" in line
    assert "TensorFlow has wheels for no later one" in line
    assert "apt-get install python3.11-venv" in line


def test_a_python_3_11_that_cannot_make_environments_is_named_with_the_package_it_lacks(
    setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bare = interpreter(tmp_path / "path" / "python3.11", "3.11", exit_code=1)
    line = complaint(setup_runtimes, monkeypatch, capsys)
    assert f"{bare} cannot make virtual environments" in line
    assert "apt-get install python3.11-venv" in line


def test_one_python_makes_both_runtimes(
    setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = interpreter(tmp_path / "path" / "python3.11", "3.11")
    made: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        setup_runtimes, "build", lambda name, folder, python, *rest, **options: made.append((name, python))
    )
    monkeypatch.setattr(sys, "argv", ["setup_runtimes.py"])
    assert setup_runtimes.main() == 0
    assert made == [("service", real), ("bot", real)]


def test_a_missing_and_a_broken_lock_are_named(
    setup_runtimes: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = REAL_PYTHON
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
        setup_runtimes.build("service", tmp_path / "venv", REAL_PYTHON, [lock], project=False)


def test_what_another_interpreter_made_is_built_again_and_what_this_one_made_is_kept(
    setup_runtimes: ModuleType, tmp_path: Path
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("")
    folder = tmp_path / "venv"
    folder.mkdir()
    stamp, left_behind = folder / "huiying.stamp", folder / "of-the-other"
    stamp.write_text("\n".join(setup_runtimes.made_of(Path("/usr/local/bin/python3.11"), [lock]).values()))
    left_behind.write_text("")

    setup_runtimes.build("service", folder, REAL_PYTHON, [lock], project=False)
    assert not left_behind.exists()
    assert subprocess.run([folder / "bin" / "python", "-c", ""], check=False).returncode == 0

    before = stamp.stat().st_mtime_ns
    setup_runtimes.build("service", folder, REAL_PYTHON, [lock], project=False)
    assert stamp.stat().st_mtime_ns == before
