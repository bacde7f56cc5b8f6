"""Build the two Python runtimes: `.venv` (the service) and `bot/.venv` (Rasa, Python 3.10).

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

ROOT = Path(__file__).resolve().parent
NEEDED_BYTES = {"service": 4 * 1024**3, "bot": 4 * 1024**3}
PROBE_SECONDS = 20
INSTALL_SECONDS = 40 * 60
PROBE = "import sys, venv, ssl; print('%d.%d' % sys.version_info[:2])"


class SetupError(Exception):
    """What the person in front of the screen is told."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="also install what the tests need")
    options = parser.parse_args()
    try:
        with only_one_setup():
            service = find_python(("3.11", "3.12", "3.13"), at_least=(3, 11))
            if service is None:
                raise SetupError("Python 3.11 or newer was not found: install it and put python3.11 on PATH.")
            locks = [ROOT / "requirements.lock"] + ([ROOT / "requirements-dev.lock"] if options.dev else [])
            build("service", ROOT / ".venv", service, locks, project=True)
            rasa = find_python(("3.10",)) or python_from_uv("3.10")
            if rasa is None:
                raise SetupError(
                    "Python 3.10 was not found, which Rasa 3.6 needs: put python3.10 on PATH, or install it with "
                    "'pyenv install 3.10' or 'uv python install 3.10', and run this again."
                )
            build("bot", ROOT / "bot" / ".venv", rasa, [ROOT / "bot" / "requirements.lock"], project=False)
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


def find_python(wanted: tuple, at_least: tuple | None = None) -> Path | None:
    """The first interpreter of a wanted version that really runs: on PATH, then in pyenv's versions folder."""
    candidates = []
    for version in wanted:
        candidates += [Path(folder) / f"python{version}" for folder in os.get_exec_path()]
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        candidates += sorted(pyenv.glob(f"{version}*/bin/python"), reverse=True)
    if at_least:
        candidates.append(Path(sys.executable))
    for candidate in candidates:
        version = probe(candidate) if candidate.exists() else None
        if version in wanted or (version and at_least and tuple(map(int, version.split("."))) >= at_least):
            return candidate
    return None


def probe(python: Path) -> str | None:
    """'3.10' when the interpreter starts and has venv and ssl; a pyenv shim can exist and still fail."""
    try:
        done = subprocess.run([str(python), "-c", PROBE], capture_output=True, text=True, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def python_from_uv(version: str) -> Path | None:
    """Let uv (taken from PyPI into the service runtime) find or fetch an interpreter."""
    pip = ROOT / ".venv" / "bin" / "python"
    uv = ROOT / ".venv" / "bin" / "uv"
    try:
        if not uv.exists():
            subprocess.run([pip, "-m", "pip", "install", "-q", "uv"], check=True, timeout=300)
        subprocess.run([uv, "python", "install", "-q", version], timeout=600, capture_output=True)
        found = subprocess.run([uv, "python", "find", version], timeout=60, capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError):
        return None
    path = Path(found.stdout.strip()) if found.returncode == 0 and found.stdout.strip() else None
    return path if path and probe(path) == version else None


def build(name: str, folder: Path, python: Path, locks: list, *, project: bool) -> None:
    """Make or complete a virtual environment; a stamp written last says what it was made from."""
    stamp = folder / "huiying.stamp"
    digest = hashlib.sha256(probe(python).encode())
    for lock in locks:
        if not lock.exists():
            raise SetupError(f"{lock.name} is missing: restore it from version control.")
    made_from = digest.hexdigest()
    lines = {lock: f"{made_from}:{lock.name}:{hashlib.sha256(lock.read_bytes()).hexdigest()}" for lock in locks}
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
    for lock in missing:
        run(
            [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", lock],
            f"{lock.relative_to(ROOT)} could not be installed (a broken lock, or no package registry)",
        )
    if project:
        run(
            [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-e", ROOT],
            "the project itself could not be installed",
        )
    stamp.write_text("\n".join(lines.values()))


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
