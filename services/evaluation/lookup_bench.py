"""How fast lookups are beside the departmental system's own HTTP call, and the nearest points beside other ways.

Everything is made for the measurement: a sandbox in a process of its own, databases that are dropped again, generated
points. Figures of one run are to be compared with each other only.
"""

import asyncio
import random
import secrets
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import make_url

import services.schema  # noqa: F401  every table
from services.core.clock import SystemClock
from services.core.coordinates import Position
from services.core.crypto import Secrets
from services.core.database import Base, Database, normalise_url
from services.core.errors import Unavailable
from services.lookups.connectors import Breaker, Connector, load_connectors
from services.lookups.gateway import Gateway
from services.lookups.service import LookupService
from services.places import service as places
from services.places.schemas import PlaceRow
from services.supervision.processes import free_port

BILL = {"household_no": "80013327", "bill_kind": "电费"}
CENTRE = Position(22.5431, 114.0579)
KINDS = {"公共厕所": 40, "停车场": 30, "充电站": 19, "公园": 7, "图书馆": 4}
RARE, RARE_COUNT = "车管所", 6
START_SECONDS = 30.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """`rounds` calls of each way, `points` service points."""

    rounds: int
    points: int


def measure(folder: Path, connectors_dir: Path, postgres: str, size: Size, say: Say) -> dict[str, list[dict[str, Any]]]:
    """Tables `lookups` and `nearby`, on SQLite in `folder` and, when its address is given, on PostgreSQL.

    The user of `postgres` must be allowed to create databases. Raises Unavailable when a server cannot be reached.
    """
    tables: dict[str, list[dict[str, Any]]] = {"lookups": [], "nearby": []}
    with _sandbox() as (url, key):
        connectors = load_connectors(connectors_dir, {"sandbox_url": url}, {"sandbox": key})
        for name, database in _databases(folder, postgres):
            say(f"lookups on {name}")
            tables["lookups"] += asyncio.run(_lookups(name, database, connectors["bill"], url, key, size.rounds))
            say(f"{size.points} points on {name}")
            tables["nearby"] += _nearby(name, database, folder, size)
    return tables


# -- lookups --------------------------------------------------------------------------------------------------------


async def _lookups(
    name: str, database: Database, connector: Connector, url: str, key: str, rounds: int
) -> list[dict[str, Any]]:
    plain = connector.model_copy(update={"rate": None, "cache_seconds": 0.0, "last_known_hours": 0.0})
    cached = plain.model_copy(update={"cache_seconds": 3600.0})
    away = plain.model_copy(
        update={
            "base_url": "http://127.0.0.1:9",
            "breaker": Breaker(failures=1, open_seconds=3600.0),
            "retry": plain.retry.model_copy(update={"attempts": 1}),
        }
    )
    gateway = Gateway({"bill": plain})
    ways: list[tuple[str, Callable[[int], Awaitable[Any]]]] = []
    async with httpx.AsyncClient(base_url=url, headers={"X-Api-Key": key}, trust_env=False) as client:
        body = {"yw": "electricity", "hh": BILL["household_no"]}
        ways.append(("the HTTP call alone", lambda n: client.post("/utilities/bills", json=body)))
        ways.append(("the gateway alone", lambda n: gateway.ask("bill", BILL, seconds=10)))
        for way, one in (("a lookup, asked", plain), ("a lookup, cached", cached), ("a lookup, breaker open", away)):
            ways.append((way, _asking(way, _service(database, Gateway({"bill": one})))))
        for _, call in ways:
            # Connections, the cache and the breaker are as they are in a running system.
            await call(0)
        times: dict[str, list[float]] = {way: [] for way, _ in ways}
        for number in range(1, rounds + 1):
            for way, call in ways:
                began = time.perf_counter()
                await call(number)
                times[way].append((time.perf_counter() - began) * 1000)
    await gateway.aclose()
    return _rows(name, times, "the HTTP call alone")


def _service(database: Database, gateway: Gateway) -> LookupService:
    return LookupService(
        database=database,
        gateway=gateway,
        secrets=Secrets(["a key of the measurement, thrown away"]),
        clock=SystemClock(),
        resolve=lambda conversation_id, placeholder: None,
    )


def _asking(way: str, service: LookupService) -> Callable[[int], Awaitable[Any]]:
    wanted = "failed" if "open" in way else "done"

    async def ask(number: int) -> None:
        result = await service.query("bill", f"{way}-{number}", 1, BILL)
        if result.state != wanted:
            raise Unavailable(f"{way}: the sandbox answered {result.state}")

    return ask


# -- the nearest points ---------------------------------------------------------------------------------------------


def _nearby(name: str, database: Database, folder: Path, size: Size) -> list[dict[str, Any]]:
    rows = generated_points(size.points)
    began = time.perf_counter()
    places.import_points(database, rows)
    imported = time.perf_counter() - began
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            connection.execute(sa.text("ANALYZE places"))
    rng = random.Random(3)
    heres = [Position(CENTRE.lat + rng.gauss(0, 0.06), CENTRE.lng + rng.gauss(0, 0.08)) for _ in range(size.rounds)]
    ways: dict[str, Callable[[int], Any]] = {
        "a look at every point": lambda n: _every_point(database, heres[n]),
        "a common kind": lambda n: places.nearest(database, heres[n], "公共厕所", 5),
        "a rare kind": lambda n: places.nearest(database, heres[n], RARE, 5),
        "any kind": lambda n: places.nearest(database, heres[n], None, 5),
        "a typed place": lambda n: places.nearest(database, f"示范路{n * 37 % size.points}号", "图书馆", 5),
    }
    if database.is_sqlite:
        plain = _PlainSql(folder / "plain.db", rows)
        for what, kind in (("a common kind", 1), ("a rare kind", len(KINDS) + 1), ("any kind", None)):
            ways[f"{what}, plain SQL by B-tree"] = lambda n, kind=kind: plain.by_index(heres[n], kind)  # type: ignore[misc]
            ways[f"{what}, plain SQL by R*Tree"] = lambda n, kind=kind: plain.by_tree(heres[n], kind)  # type: ignore[misc]
    times: dict[str, list[float]] = {}
    for way, call in ways.items():
        call(0)
        times[way] = []
        # Whole scans are slow; fewer of them say enough.
        for number in range(size.rounds if "every" not in way else max(size.rounds // 10, 5)):
            began = time.perf_counter()
            call(number)
            times[way].append((time.perf_counter() - began) * 1000)
    table = _rows(name, times, "a look at every point")
    table.append({"database": name, "way": "import", "seconds": round(imported, 1)})
    return table


def generated_points(count: int) -> list[PlaceRow]:
    """Points around the centre of a city, of five common kinds and a rare one."""
    rng = random.Random(1)
    names, weights = list(KINDS), list(KINDS.values())
    return [
        PlaceRow(
            id=f"p{number}",
            name=f"{kind}{number}号点",
            kind=kind,
            lat=round(CENTRE.lat + rng.gauss(0, 0.06), 6),
            lng=round(CENTRE.lng + rng.gauss(0, 0.08), 6),
            address=f"示范路{number}号",
        )
        for number in range(count)
        for kind in [RARE if number % max(count // RARE_COUNT, 1) == 0 else rng.choices(names, weights)[0]]
    ]


def _every_point(database: Database, here: Position) -> Any:
    """The five nearest of a kind without any index: what the index is worth."""
    with database.unit_of_work(read_only=True) as uow:
        return uow.session.execute(
            sa.text(
                "SELECT name FROM places WHERE kind_id + 0 = 1 "
                "ORDER BY (lat - :lat) * (lat - :lat) + (lng - :lng) * (lng - :lng) * 0.85 LIMIT 5"
            ),
            {"lat": here.lat, "lng": here.lng},
        ).all()


class _PlainSql:
    """The same points in a database file of their own, asked by plain SQL: SQLite's R*Tree, with the kind as its third
    dimension, beside a B-tree over kind and position."""

    def __init__(self, path: Path, rows: list[PlaceRow]) -> None:
        self._connection = sqlite3.connect(path)
        kinds = {kind: number for number, kind in enumerate([*KINDS, RARE], 1)}
        self._connection.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, s, n, w, e, k0, k1)")
        self._connection.execute(
            "CREATE TABLE points (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, lat REAL, lng REAL)"
        )
        numbered = [(number, kinds[row.kind], row) for number, row in enumerate(rows, 1)]
        self._connection.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?, ?)",
            [(n, kind, row.name, row.lat, row.lng) for n, kind, row in numbered],
        )
        self._connection.executemany(
            "INSERT INTO boxes VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(n, row.lat, row.lat, row.lng, row.lng, kind, kind) for n, kind, row in numbered],
        )
        self._connection.execute("CREATE INDEX by_kind ON points (kind, lat, lng)")
        self._connection.execute("CREATE INDEX by_place ON points (lat, lng)")
        self._connection.commit()

    def by_tree(self, here: Position, kind: int | None) -> list[Any]:
        return self._grown(
            here,
            "SELECT p.name FROM boxes b CROSS JOIN points p ON p.id = b.id WHERE b.n >= :south AND b.s <= :north "
            "AND b.e >= :west AND b.w <= :east" + (" AND b.k1 >= :kind AND b.k0 <= :kind" if kind else ""),
            kind,
        )

    def by_index(self, here: Position, kind: int | None) -> list[Any]:
        return self._grown(
            here,
            "SELECT p.name FROM points p WHERE p.lat BETWEEN :south AND :north AND p.lng BETWEEN :west AND :east"
            + (" AND p.kind = :kind" if kind else ""),
            kind,
        )

    def _grown(self, here: Position, query: str, kind: int | None) -> list[Any]:
        order = " ORDER BY (p.lat - :lat) * (p.lat - :lat) + (p.lng - :lng) * (p.lng - :lng) * 0.85 LIMIT 5"
        found: list[Any] = []
        for reach in places.REACHES:
            high, wide = reach / places.METRES_OF_A_DEGREE, reach / places.METRES_OF_A_DEGREE / 0.92
            box = {"south": here.lat - high, "north": here.lat + high, "west": here.lng - wide, "east": here.lng + wide}
            values = {**box, "lat": here.lat, "lng": here.lng, "kind": kind}
            found = self._connection.execute(query + order, values).fetchall()
            if len(found) >= 5:
                break
        return found


# -- what is measured with ------------------------------------------------------------------------------------------


def _rows(name: str, times: dict[str, list[float]], peer: str) -> list[dict[str, Any]]:
    base = statistics.median(times[peer])
    return [
        {
            "database": name,
            "way": way,
            "p50_ms": round(statistics.median(values), 2),
            "p95_ms": round(sorted(values)[int(len(values) * 0.95) - 1], 2),
            "longest_ms": round(max(values), 2),
            "ratio": round(statistics.median(values) / base, 3),
            "n": len(values),
        }
        for way, values in times.items()
    ]


@contextmanager
def _sandbox() -> Iterator[tuple[str, str]]:
    """The departmental systems in a process of their own: (address, key)."""
    port, key = free_port(), secrets.token_urlsafe(24)
    process = subprocess.Popen(
        [sys.executable, "-m", "services.sandbox", "--port", str(port)],
        env={"SANDBOX_KEY": key, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("the sandbox does not start")
            try:
                httpx.get(f"{url}/healthz", timeout=1.0, trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url, key
    finally:
        process.terminate()
        process.wait(10)


def _databases(folder: Path, postgres: str) -> Iterator[tuple[str, Database]]:
    database = Database(f"sqlite:///{folder / 'bench.db'}")
    Base.metadata.create_all(database.engine)
    yield "SQLite", database
    database.dispose()
    if not postgres:
        return
    name = f"huiying_bench_{secrets.token_hex(6)}"
    try:
        server = psycopg.connect(postgres, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).splitlines()[0]}") from None
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            url = make_url(normalise_url(postgres)).set(database=name).render_as_string(hide_password=False)
            database = Database(url)
            Base.metadata.create_all(database.engine)
            yield "PostgreSQL", database
            database.dispose()
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
