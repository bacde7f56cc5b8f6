"""Identifiers in the clear: for the clerk in charge only, with a reason, in the record, so many an hour."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.cases import access, identifier_endpoints, repository
from services.cases import service as cases
from services.cases.models import CaseEvent
from services.conversations.schemas import InboundMessage
from services.conversations.service import Conversations
from services.core.audit import AuditRow
from services.core.web import install_error_handlers
from tests.support import employ

PHONE = "13800138000"
STAFF = {"li": "clerk", "wang": "clerk", "boss": "supervisor", "writer": "editor"}


class Office:
    """The endpoint around a desk whose citizen gave a telephone number."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.conversations = Conversations(
            desk.secrets,
            city_name="示范市",
            message_limit=2000,
            claim_lapse=timedelta(minutes=15),
        )
        app = FastAPI()
        install_error_handlers(app)
        app.include_router(identifier_endpoints.router)
        app.state.container = SimpleNamespace(
            database=desk.database, clock=desk.clock, secrets=desk.secrets, conversations=self.conversations
        )
        self.client = TestClient(app)
        self.tokens: dict[str, str] = {}
        with desk.database.unit_of_work() as uow:
            for name, role in STAFF.items():
                self.tokens[name] = employ(uow, name, role, desk.clock.now())
            uow.commit()

    def conversation(self, *, consent: bool = True) -> str:
        def step(uow: Any) -> str:
            now = self.desk.clock.now()
            opened = self.conversations.open(uow, channel="web", now=now).conversation_id
            message = InboundMessage(text=f"我的电话是{PHONE}", client_message_id="m1")
            self.conversations.arrive(uow, opened, message, now)
            if consent:
                self.conversations.grant_consent(uow, opened, now)
            return opened

        return self.desk.database.write(step)

    def case(self, name: str = "li", **given: Any) -> str:
        """A case in somebody's hands."""
        number = self.desk.open(**{"conversation_id": self.conversation(), **given}).case_no
        self.desk.do(cases.claim, number, getattr(self.desk, name))
        return number

    def reveal(self, name: str, number: str, reason: str = "需要电话核实地点", placeholder: str = "【手机号1】") -> Any:
        return self.client.post(
            f"/api/v1/cases/{number}/identifiers/reveal",
            json={"placeholder": placeholder, "reason": reason},
            headers={"Authorization": f"Bearer {self.tokens[name]}"},
        )

    def recorded(self) -> list[tuple[str, str, dict[str, Any]]]:
        with self.desk.database.unit_of_work(read_only=True) as uow:
            rows = uow.session.scalars(sa.select(AuditRow).where(AuditRow.action == "case.revealed"))
            return [(row.actor, row.subject, row.detail) for row in rows]


@pytest.fixture
def office(desk: Any) -> Office:
    return Office(desk)


def test_the_clerk_in_charge_sees_it_and_the_record_says_who_why_and_not_what(office: Office) -> None:
    number = office.case()
    answer = office.reveal("li", number)
    assert (answer.status_code, answer.json()["value"]) == (200, PHONE)
    assert answer.headers["cache-control"] == "no-store"
    assert office.recorded() == [("li", number, {"placeholder": "【手机号1】"})]
    event = office.desk.detail(number).events[-1]
    assert (event.type, event.name, event.actor, event.text) == ("revealed", "查看身份信息", "li", "需要电话核实地点")
    with office.desk.database.unit_of_work(read_only=True) as uow:
        assert PHONE not in str(uow.session.execute(sa.select(CaseEvent.text_encrypted, CaseEvent.data)).all())


@pytest.mark.parametrize(("name", "status"), [("wang", 403), ("boss", 403), ("writer", 403)])
def test_nobody_else_sees_it(office: Office, name: str, status: int) -> None:
    number = office.case()
    assert office.reveal(name, number).status_code == status
    assert office.recorded() == []


def test_without_a_reason_nothing_is_shown(office: Office) -> None:
    number = office.case()
    assert office.reveal("li", number, reason="  ").status_code == 422
    assert office.reveal("li", number, reason="").status_code == 422
    assert office.recorded() == []


def test_an_identifier_that_is_not_of_this_conversation_or_that_nobody_consented_to_is_not_there(
    office: Office,
) -> None:
    number = office.case()
    assert office.reveal("li", number, placeholder="【车牌1】").status_code == 404
    silent = office.case(conversation_id=office.conversation(consent=False))
    assert office.reveal("li", silent).status_code == 404
    assert office.recorded() == []


def test_a_settled_case_shows_none_any_more(office: Office) -> None:
    number = office.case()
    office.desk.do(cases.reply, number, office.desk.li, text="好", resolve=True)
    assert office.reveal("li", number).status_code == 409


def test_of_a_confidential_case_only_named_people_see_it(office: Office) -> None:
    number = office.desk.open(conversation_id=office.conversation(), kind="report").case_no
    assert office.reveal("li", number).status_code == 404
    office.desk.database.write(lambda uow: _grant(uow, number, office.desk.clock.now()))
    office.desk.do(cases.claim, number, office.desk.wang)
    assert office.reveal("wang", number).json()["value"] == PHONE
    assert office.reveal("boss", number).status_code == 404


def _grant(uow: Any, number: str, now: Any) -> None:
    case = repository.lock_case(uow.session, number)
    assert case is not None
    access.grant(uow, case, "wang", by="boss", now=now)


def test_what_may_belong_to_somebody_s_tip_off_is_not_shown_to_the_clerk_of_a_later_case(office: Office) -> None:
    conversation_id = office.conversation()
    report = office.desk.open(conversation_id=conversation_id, kind="report").case_no
    office.desk.run(cases.citizen_withdraws, case_no=report, conversation_id=conversation_id)
    later = office.case(conversation_id=conversation_id)
    assert office.reveal("li", later).status_code == 404


def test_past_the_city_s_limit_the_clerk_waits_an_hour_and_others_do_not(office: Office) -> None:
    number = office.case()
    assert [office.reveal("li", number).status_code for _ in range(21)] == [200] * 20 + [429]
    other = office.case("wang")
    assert office.reveal("wang", other).status_code == 200
    office.desk.clock.advance(timedelta(minutes=61))
    assert office.reveal("li", number).status_code == 200
