"""Runs the tests: `python -m tests` all of them in two parts, `python -m tests PATH ...` just those.

The first part takes under two minutes on two quiet cores and tells most: the linters, the types, the bot's tests in its
own runtime and the unit tests, beside each other. The second is one run of pytest with everything else. Both always
run; the exit code is 0 when everything passed. The last line is pytest's own summary of the second part.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import cluster

ROOM = 4 * 1024**3
DAY = 24 * 3600
POSTGRES = "TEST_DATABASE_URL_POSTGRES"
ROOT = Path(__file__).resolve().parents[1]
PYTEST = [sys.executable, "-m", "pytest"]
# The bot's configuration of pytest is none: the project's needs plugins that its runtime does not have.
BOT_PYTEST = ["bot/.venv/bin/python", "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "-W", "ignore"]
# Files stay together in one process, and so does the whole system of tests/e2e (tests/conftest.py).
IN_TWO = ["-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder"]
FIRST = {
    "ruff check": [sys.executable, "-m", "ruff", "check", "."],
    "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "tests/bot": [*BOT_PYTEST, "tests/bot"],
    "tests/unit": [*PYTEST, *IN_TWO, "tests/unit"],
}
THEN = [*PYTEST, *IN_TWO, "tests/e2e", "tests/integration", "tests/web", "tests/quality"]


def main(paths: list[str]) -> int:
    # Two processes of pytest share two cores: more threads in each would only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.chdir(ROOT)
    # What is started here is stopped here, also by a plain kill.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if paths:
        return max(subprocess.run(command, check=False).returncode for command in commands_for(paths))
    with in_memory() as folder, postgres():
        failed = first_part()
        print(f"the first part: {'failed: ' + ', '.join(failed) if failed else 'passed'}\n", flush=True)
        code = subprocess.run(THEN, check=False).returncode
        if not failed and not code:
            shutil.rmtree(folder, ignore_errors=True)
    return code or int(bool(failed))


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder for what the tests write, in memory where there is room: SQLite waits for the disk at every commit.

    It stays behind unless the caller removes it, for what a failed test wrote is worth reading; yesterday's goes.
    """
    shared = Path("/dev/shm")
    roomy = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM
    for old in shared.glob("huiying-tests-*") if roomy else ():
        if old.stat().st_mtime < time.time() - DAY:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="huiying-tests-", dir=shared if roomy else None))
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    print(f"the tests write to {folder}, which goes when all pass", file=sys.stderr, flush=True)
    yield folder


@contextmanager
def postgres() -> Iterator[None]:
    """The server that TEST_DATABASE_URL_POSTGRES names, or one of this run's own."""
    if os.environ.get(POSTGRES):
        yield
        return
    with cluster() as address:
        if address:
            os.environ[POSTGRES] = address
        yield


def commands_for(arguments: list[str]) -> list[list[str]]:
    """Runs of just these, each with the interpreter that it is for; options of pytest among them count for all."""
    options = [argument for argument in arguments if not file_of(argument).exists()]
    bots = [argument for argument in arguments if file_of(argument).is_relative_to(ROOT / "tests" / "bot")]
    own = [argument for argument in arguments if argument not in bots and argument not in options]
    commands = [[*BOT_PYTEST, *options, *bots]] if bots else []
    if own or not bots:
        commands.append([*PYTEST, *options, *own])
    return commands


def file_of(argument: str) -> Path:
    return (ROOT / argument.partition("::")[0]).resolve()


def first_part() -> list[str]:
    """Run its commands beside each other, show what each said when it has ended; the names of those that failed."""
    codes: dict[str, int] = {}
    mouth = threading.Lock()

    def run(name: str, command: list[str]) -> None:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        with mouth:
            codes[name] = done.returncode
            print(f"== {name}\n{done.stdout.rstrip()}\n", flush=True)

    threads = [threading.Thread(target=run, args=(name, command)) for name, command in FIRST.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [name for name, code in codes.items() if code]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
