"""What comes in for cases is limited by address, behind a proxy too, and nothing is acknowledged that was not kept."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.app import create_app
from services.cases import service as cases
from services.cases.models import Case, CaseEvent
from services.container import build_container
from services.core.clock import FixedClock, parse_moment
from services.core.database import Base
from services.core.settings import Settings
from services.sla import service as sla


class Street:
    """Two replicas of the application on one database, behind a proxy that both trust."""

    def __init__(self, var: Path, redis_url: str) -> None:
        given = {
            "HUIYING_VAR": var,
            "database_url": f"sqlite:///{var / 'street.db'}",
            "redis_url": redis_url,
            "trusted_proxies": "10.0.0.0/8",
            "additions_per_address": 6,
        }
        settings = Settings.model_validate(given)
        self.clock = FixedClock(parse_moment("2026-11-20T10:00"))
        self.container = build_container(settings, self.clock)
        Base.metadata.create_all(self.container.database.engine)
        self.replicas = [
            TestClient(create_app(container), client=("10.0.0.1", 40_000))
            for container in (self.container, build_container(settings, self.clock))
        ]
        self.container.database.write(lambda uow: sla.apply_city(uow, self.container.city_dir, self.clock.now()))

    def citizen(self) -> tuple[str, str, dict[str, str]]:
        """A conversation with an open case: its id, the case's number and the headers of its citizen."""
        opened = self.replicas[0].post("/api/v1/conversations").json()
        new = cases.NewCase("complaint", "路灯坏了", "web", conversation_id=opened["conversation_id"])
        case = self.container.database.write(
            lambda uow: cases.open_case(uow, self.container.secrets, new, now=self.clock.now())
        )
        for replica in self.replicas:
            replica.cookies.clear()
        return opened["conversation_id"], case.case_no, {"authorization": f"Bearer {opened['token']}"}

    def added(self, case_no: str) -> int:
        with self.container.database.unit_of_work(read_only=True) as uow:
            found = sa.select(sa.func.count()).select_from(CaseEvent).join(Case, Case.id == CaseEvent.case_id)
            return uow.session.scalar(found.where(Case.case_no == case_no, CaseEvent.type == "added")) or 0

    def add(self, address: str, citizen: tuple[str, str, dict[str, str]], replica: int = 0) -> Any:
        conversation, case_no, headers = citizen
        return self.replicas[replica].post(
            f"/api/v1/conversations/{conversation}/cases/{case_no}/add",
            json={"text": "还是没有修好"},
            headers={**headers, "x-forwarded-for": address},
        )


@pytest.fixture
def street(tmp_path: Path, embedded_redis_url: str) -> Street:
    return Street(tmp_path, embedded_redis_url)


def test_additions_from_one_address_end_over_conversations_and_replicas_and_a_neighbour_goes_on(street: Street) -> None:
    citizens = [street.citizen() for _ in range(4)]
    answers = [street.add("203.0.113.7", citizens[number % 3], number % 2) for number in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 3
    assert "一小时后" in answers[-1].json()["detail"]
    assert sum(street.added(case_no) for _, case_no, _ in citizens) == 6
    assert street.add("203.0.113.8", citizens[3]).status_code == 200


def test_a_forged_address_before_the_nearest_untrusted_one_is_nobody_else(street: Street) -> None:
    citizen = street.citizen()
    codes = [street.add(f"198.51.100.{number}, 203.0.113.7, 10.0.0.9", citizen).status_code for number in range(8)]
    assert codes == [200] * 6 + [429] * 2


def test_files_count_as_additions_and_a_refused_one_is_not_kept(street: Street) -> None:
    conversation, _, headers = street.citizen()
    codes = [
        street.replicas[number % 2]
        .post(
            f"/api/v1/conversations/{conversation}/attachments",
            files={"file": ("a.pdf", b"%PDF-1.7\n%%EOF\n")},
            data={"client_message_id": str(number)},
            headers={**headers, "x-forwarded-for": "203.0.113.7"},
        )
        .status_code
        for number in range(8)
    ]
    assert codes == [200] * 6 + [429] * 2
    with street.container.database.unit_of_work(read_only=True) as uow:
        kept = street.container.conversations.transcript(uow, conversation)
    assert sum(message.type == "file" for message in kept) == 6
