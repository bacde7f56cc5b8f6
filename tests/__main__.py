"""Runs the tests: `python -m tests` all of them in two parts, `python -m tests PATH ...` just those.

The first part takes under two minutes on two quiet cores and tells most: the linters, the types, the bot's tests in its
own runtime and the unit tests, beside each other. The second is the rest: the whole system in a process of its own, and
beside it what needs databases or the model. Both parts always run; the exit code is 0 when everything passed. The last
line is pytest's own summary of the run that is shown last.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from tests.cluster import cluster

ROOM = 4 * 1024**3
DAY = 24 * 3600
POSTGRES = "TEST_DATABASE_URL_POSTGRES"
ROOT = Path(__file__).resolve().parents[1]
PYTEST = [sys.executable, "-m", "pytest"]
# The bot's configuration of pytest is none: the project's needs plugins that its runtime does not have.
BOT_PYTEST = ["bot/.venv/bin/python", "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "-W", "ignore"]
IN_TWO = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
FIRST = {
    "ruff check": [sys.executable, "-m", "ruff", "check", "."],
    "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "tests/bot": [*BOT_PYTEST, "tests/bot"],
    "tests/unit": [*PYTEST, *IN_TWO, "tests/unit"],
}
SYSTEM = {"tests/e2e": [*PYTEST, "tests/e2e"]}
# The quality tests come last, when the system has put the starter base's embeddings where they look for them. All give
# way to the system: its limits are in seconds.
REST = ["nice", "-n", "5", *PYTEST, *IN_TWO, "tests/integration", "tests/web", "tests/quality"]


class Run(NamedTuple):
    """A command that was started, and the file that holds what it says."""

    name: str
    process: "subprocess.Popen[bytes]"
    said: IO[str]


def main(paths: list[str]) -> int:
    # Two processes of pytest share two cores: more threads in each would only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.chdir(ROOT)
    # What is started here is stopped here, also by a plain kill.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if paths:
        return max(subprocess.run(command, check=False).returncode for command in commands_for(paths))
    with in_memory() as folder, postgres():
        failed = shown(together(FIRST))
        print(f"the first part: {'failed: ' + ', '.join(failed) if failed else 'passed'}\n", flush=True)
        whole_system = together(SYSTEM)
        if subprocess.run(REST, check=False).returncode:
            failed.append("the rest")
        failed += shown(whole_system)
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
    return int(bool(failed))


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


def together(commands: dict[str, list[str]]) -> list[Run]:
    """Start them beside each other; what is still running when we end is ended too."""
    started = []
    for name, command in commands.items():
        said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  read when it has ended
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        atexit.register(stop, process)
        started.append(Run(name, process, said))
    return started


def shown(started: list[Run]) -> list[str]:
    """Print what each said when it has ended; the names of those that failed."""
    failed = []
    for name, process, said in started:
        if process.wait():
            failed.append(name)
        said.seek(0)
        print(f"== {name}\n{said.read().rstrip()}", flush=True)
        said.close()
    return failed


def stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
