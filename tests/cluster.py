"""A PostgreSQL of one run's own that never waits for the disk: a database dropped after each test costs a checkpoint.

No test takes the power away, so nothing is tested less; and no rights or passwords of a system-wide server are needed.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 120
LAX = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


@contextmanager
def cluster() -> Iterator[str | None]:
    """Its address, while it runs; None where the machine has no PostgreSQL to make one with."""
    programs = folder_of_programs()
    if programs is None:
        yield None
        return
    # PostgreSQL refuses to run as root.
    owner = pwd.getpwnam("postgres").pw_name if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="huiying-pg-"))
    if owner:
        shutil.chown(folder, owner)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 " + " ".join(f"-c {each}" for each in LAX)

    def run(program: str, *arguments: str | Path, check: bool = True) -> None:
        command = [programs / program, "-D", folder / "data", *arguments]
        # Its output goes where nobody waits for its end: the server would hold a pipe open.
        with open(folder / "setup.log", "ab") as log:
            done = subprocess.run(command, user=owner, cwd=folder, stdout=log, stderr=log, timeout=SECONDS, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{program}: {(folder / 'setup.log').read_text(errors='replace')[-500:]}")

    try:
        run("initdb", "-U", "root", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8")
        run("pg_ctl", "-w", "-l", folder / "server.log", "-o", options, "start")
        try:
            yield f"postgresql://root@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop", check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def folder_of_programs() -> Path | None:
    """Debian keeps them out of PATH, one folder a version; the newest."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).parent if found else None
