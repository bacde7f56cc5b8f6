"""A PostgreSQL cluster and a Redis server of the soak's own, so that they may be broken."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from services.supervision.processes import free_port
from tests.support import wait_for

SECONDS = 60


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl: on PATH, or the newest of Debian's; None when PostgreSQL is not installed."""
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return folders[-1] if folders else None


class OwnPostgres:
    """One cluster that trusts the loopback address and has no socket file. Root runs it as the user `postgres`."""

    def __init__(self) -> None:
        programs = postgres_programs()
        if programs is None:
            raise FileNotFoundError("PostgreSQL is not installed")
        self._programs = programs
        # Not below a folder of the caller's, into which the server's user might not be allowed.
        self._folder = Path(tempfile.mkdtemp(prefix="huiying-soak-"))
        self._port = free_port()
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self._folder, "postgres", "postgres")
        self._run("initdb", "-U", "root", "--auth=trust", "-E", "UTF8", "--locale=C")
        self.start()
        wait_for(self._answers, seconds=SECONDS)

    @property
    def url(self) -> str:
        return f"postgresql://root@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "-w", "-t", str(SECONDS), "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: nothing is written out, the next start recovers from the log."""
        self._run("pg_ctl", "-w", "-t", str(SECONDS), "-m", mode, "stop")

    def restart(self, mode: str) -> None:
        self.stop(mode)
        self.start()

    def throw_away(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        data = ["-D", str(self._folder / "data")]
        done = subprocess.run(
            [str(self._programs / program), *data, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SECONDS * 2,
            check=False,
            **self._user,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace').strip()[-300:]}")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class OwnRedis:
    """One server without persistence: the database must be enough."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise FileNotFoundError("Redis is not installed")
        self._folder = folder
        self._port = free_port()
        options = {"bind": "127.0.0.1", "port": str(self._port), "save": "", "appendonly": "no", "dir": str(folder)}
        self._command = [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers, seconds=SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextmanager
def own_servers(folder: Path) -> Iterator[tuple[OwnPostgres, OwnRedis]]:
    """Both, running; ended and thrown away afterwards."""
    store = OwnRedis(folder)
    try:
        postgres = OwnPostgres()
        try:
            yield postgres, store
        finally:
            postgres.throw_away()
    finally:
        store.kill()
