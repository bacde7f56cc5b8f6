"""The wire form of the statistics holds what the report gives."""

from datetime import UTC, datetime
from pathlib import Path

import services.schema  # noqa: F401  every table
from services.core.database import Base, Database
from services.statistics import service
from services.statistics.schemas import Timeliness


def test_the_answer_has_the_fields_of_the_contract_and_loses_none_of_the_report(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    Base.metadata.create_all(database.engine)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    with database.unit_of_work(read_only=True) as uow:
        figures = service.timeliness(uow, start="2026-11-01", end="2026-11-30", by="department", now=now)
    wire = Timeliness.model_validate(figures).model_dump(mode="json", by_alias=True)
    assert set(wire) == set(figures)
    assert set(wire["overall"]) == set(figures["overall"])
    assert set(wire["overall"]) >= {
        "cases", "answered", "answer_rate", "on_time_rate", "first_response_minutes", "resolution_minutes", "open",
        "overdue",
    }  # fmt: skip
    assert wire["from"] == "2026-11-01T00:00:00+08:00"
    assert wire["to"] == "2026-12-01T00:00:00+08:00"
