"""A short form of each part of the soak (`make soak`), and that its check finds what it is there to find.

Each run has a seed of its own, which it prints; SOAK_SEED=N plays that one again as far as a race can be played again.
"""

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.cases.models import CaseAlert, CaseEvent
from services.notifications.models import StaffNotice
from tests.soak.findings import Findings, look
from tests.soak.parts import PARTS, Soak, soak
from tests.soak.servers import OwnPostgres, OwnRedis, own_servers

# With coming to rest, each takes about half a minute, on a busy machine as long as enough needs.
SECONDS = 15.0
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**8)

Servers = tuple[OwnPostgres, OwnRedis]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    opened = own_servers(tmp_path_factory.mktemp("soak"))
    try:
        made = opened.__enter__()
    except FileNotFoundError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    try:
        yield made
    finally:
        opened.__exit__(None, None, None)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("part", "faults"),
    [("kills", 10), ("jumps", 10), ("outages", 2), ("away", 2)],
)
def test_every_due_event_happens_exactly_once_through(servers: Servers, tmp_path: Path, part: str, faults: int) -> None:
    print(f"soak {part}: seed {SEED}")
    with soak(*servers, tmp_path, seed=SEED, seconds=SECONDS, least=faults) as the:
        findings = PARTS[part](the)
    assert findings.mistakes == [], f"seed {SEED}"
    assert findings.faults >= faults
    assert findings.due > 20


@pytest.fixture
def rested(servers: Servers, tmp_path: Path) -> Iterator[Soak]:
    """A town that has come to rest with one case that nobody answered."""
    with soak(*servers, tmp_path, seed=SEED, seconds=0) as the:
        the.town.begin_alert()
        the.town.open(kind="consultation", department=None)
        the.clock.advance(timedelta(days=1))
        the.crew.hire(1)
        the.rest()
        assert look(the.town, Findings("none")).mistakes == []
        yield the


def spoil(the: Soak, statement: Any) -> Findings:
    with the.town.database.unit_of_work() as uow:
        uow.session.execute(statement)
        uow.commit()
    return look(the.town, Findings("spoiled"))


def test_a_level_that_is_missing_is_found(rested: Soak) -> None:
    assert spoil(rested, sa.delete(CaseAlert).where(CaseAlert.level == "escalation")).lost


def test_a_notice_that_did_not_arrive_is_found(rested: Soak) -> None:
    assert spoil(rested, sa.delete(StaffNotice).where(StaffNotice.kind == "case_breach")).lost


def test_an_event_that_stands_twice_is_found(rested: Soak) -> None:
    breach = sa.select(CaseEvent.case_id, sa.literal(99), CaseEvent.type, CaseEvent.actor, CaseEvent.at, CaseEvent.data)
    names = ["case_id", "seq", "type", "actor", "at", "data"]
    doubled = sa.insert(CaseEvent).from_select(names, breach.where(CaseEvent.type == "breached"))
    assert spoil(rested, doubled).doubled
