"""Build the two Python runtimes, `.venv` (the service) and `bot/.venv` (Rasa), from one Python 3.11.

Run with any Python 3.9 or newer, standard library only:

    python3 setup_runtimes.py [--dev]

Each runtime is built from its own pinned lock file and rebuilt only when that file or its interpreter changed.
Whatever goes wrong ends in one clear sentence and exit code 1.
"""

import argparse
import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent
NEEDED_BYTES = {"service": 4 * 1024**3, "bot": 4 * 1024**3}
PROBE_SECONDS = 20
INSTALL_SECONDS = 40 * 60
QUIETLY = ("-q", "--disable-pip-version-check")
# Debian 12's own, and the last one that the TensorFlow of Rasa 3.6 has wheels for (docs/decisions/0010-one-python.md).
PYTHON = "3.11"
# Says whose base interpreter it is before it needs what makes virtual environments, so that both can be told apart.
PROBE = """
import os, sys
print('%d.%d' % sys.version_info[:2], os.path.realpath(getattr(sys, '_base_executable', sys.executable)), flush=True)
import ensurepip, ssl, venv
"""


class SetupError(Exception):
    """What the person in front of the screen is told."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="also install what the tests need")
    options = parser.parse_args()
    try:
        with only_one_setup():
            python = find_python()
            locks = [ROOT / "requirements.lock"] + ([ROOT / "requirements-dev.lock"] if options.dev else [])
            build("service", ROOT / ".venv", python, locks, project=True)
            build("bot", ROOT / "bot" / ".venv", python, [ROOT / "bot" / "requirements.lock"], project=False)
    except SetupError as error:
        print(f"huiying: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno == errno.ENOSPC:
            print("huiying: the disk is full: free some gigabytes and run this again.", file=sys.stderr)
        else:
            print(f"huiying: set-up failed: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def only_one_setup() -> Iterator[None]:
    """Two set-ups at once (make run beside make test) wait for each other."""
    (ROOT / "var").mkdir(exist_ok=True)
    with open(ROOT / "var" / "setup.lock", "w") as handle:
        deadline = time.monotonic() + INSTALL_SECONDS
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SetupError("another set-up has held var/setup.lock for too long: end it and retry.") from None
                if not told:
                    print("huiying: waiting for another set-up to finish ...", file=sys.stderr)
                    told = True
                time.sleep(0.5)
        yield


def find_python() -> Path:
    """The interpreter that both runtimes are made from: what the service runtime was made from, else what runs this
    script, else one on PATH.

    Raises SetupError, whose sentence says what is needed, when none of them is a Python 3.11 that really runs.
    """
    on_path = [Path(folder) / name for name in (f"python{PYTHON}", "python3") for folder in os.get_exec_path()]
    seen, incomplete = [], None
    for candidate in [ROOT / ".venv" / "bin" / "python", Path(sys.executable), *on_path]:
        found = probe(candidate) if candidate.exists() else None
        if found is None:
            continue
        if found.version == PYTHON and found.complete:
            return found.path
        if found.version == PYTHON:
            incomplete = incomplete or found.path
        elif found.version not in seen:
            seen.append(found.version)
    if incomplete:
        raise SetupError(
            f"{incomplete} cannot make virtual environments (no venv, ensurepip or ssl): "
            f"on Debian 'apt-get install python{PYTHON}-venv', then run this again."
        )
    here = f"only {' and '.join(seen)} is here" if seen else "none is here"
    raise SetupError(
        f"Python {PYTHON} is needed and {here}: Rasa's TensorFlow has wheels for no later one. Put python{PYTHON} on "
        f"PATH (Debian 12: 'apt-get install python{PYTHON}-venv'; elsewhere 'uv python install {PYTHON}' or 'pyenv "
        f"install {PYTHON}') and run this again."
    )


class Interpreter(NamedTuple):
    """What a probe saw: the version ('3.11'), the interpreter under any shim or virtual environment, and whether it can
    make virtual environments."""

    version: str
    path: Path
    complete: bool


def probe(python: Path) -> "Interpreter | None":
    """Run it: a pyenv shim can exist and still fail, and a name may lie."""
    try:
        done = subprocess.run([str(python), "-c", PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, _, path = done.stdout.strip().partition(" ")
    return Interpreter(version, Path(path), done.returncode == 0) if path else None


def build(name: str, folder: Path, python: Path, locks: list, *, project: bool) -> None:
    """Make or complete a virtual environment; a stamp written last says what it was made from."""
    stamp = folder / "huiying.stamp"
    lines = made_of(python, locks)
    present = stamp.read_text().split("\n") if stamp.exists() else []
    missing = [lock for lock in locks if lines[lock] not in present]
    if not missing:
        return
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES[name] and not stamp.exists():
        raise SetupError(
            f"the disk has {free // 1024**2} MB free, the {name} runtime needs {NEEDED_BYTES[name] // 1024**2} MB."
        )
    print(f"huiying: building the {name} runtime (once; some minutes) ...", file=sys.stderr)
    if not (folder / "bin" / "python").exists() or locks[0] in missing:
        run([python, "-m", "venv", "--clear", folder], "the virtual environment could not be made")
        missing = list(locks)
    inside = folder / "bin" / "python"
    # Rasa's metadata stops at Python 3.10; tests/unit/test_locks.py names what may be held against a package's word.
    unheard = () if project else ("--ignore-requires-python",)
    for lock in missing:
        run(
            [inside, "-m", "pip", "install", *QUIETLY, "--no-deps", *unheard, "-r", lock],
            f"{lock.relative_to(ROOT)} could not be installed (a broken lock, or no package registry)",
        )
    if project:
        run(
            [inside, "-m", "pip", "install", *QUIETLY, "--no-deps", "-e", ROOT],
            "the project itself could not be installed",
        )
    stamp.write_text("\n".join(lines.values()))


def made_of(python: Path, locks: list) -> dict:
    """{lock: the line of the stamp that says which interpreter and which contents of it a runtime was made of}"""
    for lock in locks:
        if not lock.exists():
            raise SetupError(f"{lock.name} is missing: restore it from version control.")
    made_from = hashlib.sha256(f"{PYTHON} {python}".encode()).hexdigest()
    return {lock: f"{made_from}:{lock.name}:{hashlib.sha256(lock.read_bytes()).hexdigest()}" for lock in locks}


def run(command: list, complaint: str) -> None:
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise SetupError(f"{complaint}: it took longer than {INSTALL_SECONDS // 60} minutes.") from None
    if done.returncode != 0:
        if "No space left on device" in done.stderr:
            raise OSError(errno.ENOSPC, "No space left on device")
        lines = [line for line in done.stderr.strip().splitlines() if line.strip() and "notice" not in line.lower()]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no reason given")
        raise SetupError(f"{complaint}: {reason.strip()[:300]}")


if __name__ == "__main__":
    sys.exit(main())
