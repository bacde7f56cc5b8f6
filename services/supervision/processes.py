"""Child processes: started, watched, restarted with backoff, and always ended."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_BACKOFF = 30.0
CALM_SECONDS = 60.0
PR_SET_PDEATHSIG = 1
LOG_BYTES = 20 * 1024 * 1024
LOGS_KEPT = 5


class StartError(Exception):
    """One clear sentence about why the system cannot start."""


def free_port() -> int:
    """A free TCP port on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _die_with_parent() -> None:
    """On Linux a child gets SIGTERM when its parent dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One process with its own log file; `running` is None until it is started."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    log: Path
    directory: Path
    running: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0

    def start(self, lock: int | None = None) -> None:
        """Start it; `lock` is a file descriptor that it keeps open for as long as it lives."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [str(part) for part in self.command],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                # A group of its own: Ctrl-C reaches the supervisor, which ends the children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
                pass_fds=() if lock is None else (lock,),
            )
        self.started_at = time.monotonic()

    def is_alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def rotate_log(self) -> bool:
        """Move a log that has grown into `NAME.log.1` and so on; whether it had.

        It is copied and emptied: the process keeps its file open, in append mode, and goes on at the new beginning."""
        try:
            if self.log.stat().st_size < LOG_BYTES:
                return False
            for number in range(LOGS_KEPT - 1, 0, -1):
                older = self.log.with_name(f"{self.log.name}.{number}")
                if older.exists():
                    older.replace(self.log.with_name(f"{self.log.name}.{number + 1}"))
            shutil.copyfile(self.log, self.log.with_name(f"{self.log.name}.1"))
            os.truncate(self.log, 0)
        except OSError:  # a full disk: emptied is better than neither
            with contextlib.suppress(OSError):
                os.truncate(self.log, 0)
        return True

    def tail(self, lines: int = 3) -> str:
        """The last lines of its log, for an error message."""
        try:
            return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-lines:])[-600:]
        except OSError:
            return ""


class Children:
    """All children of this supervisor, in the order of their start."""

    def __init__(self) -> None:
        self.all: list[Child] = []
        self.lock: int | None = None

    def start(self, child: Child) -> Child:
        child.start(self.lock)
        self.all.append(child)
        return child

    def restart_fallen(self) -> list[Child]:
        """Restart what has ended, each with its own growing pause, and keep the logs short; returns those just found
        ended."""
        fallen = []
        now = time.monotonic()
        for child in self.all:
            child.rotate_log()
            if child.is_alive():
                if child.restarts and now - child.started_at > CALM_SECONDS:
                    child.restarts = 0
                continue
            if child.restart_at == 0.0:
                child.restart_at = now + min(2.0**child.restarts, LONGEST_BACKOFF)
                fallen.append(child)
            elif now >= child.restart_at:
                child.restarts += 1
                child.restart_at = 0.0
                child.start(self.lock)
        return fallen

    def stop_all(self, patience: float = 12.0) -> None:
        """End every child, the last started first: SIGTERM to its group, SIGKILL to whoever stays."""
        for child in reversed(self.all):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + patience
        for child in reversed(self.all):
            if child.running is None:
                continue
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.running.wait(timeout=max(0.1, deadline - time.monotonic()))
            _signal(child, signal.SIGKILL)
            child.running.wait()


def _signal(child: Child, number: int) -> None:
    if child.running is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.running.pid, number)
