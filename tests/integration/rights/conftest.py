"""The whole application with something of everything in it, and everybody who may ask."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

import services.schema
from knowledge_base import Entry, ImportResult
from knowledge_base.testing import FakeEmbedder
from services.accounts.passwords import Passwords
from services.app import create_app
from services.appointments import service as appointments
from services.cases import service as cases
from services.container import Container, build_container
from services.core.clock import FixedClock, parse_moment
from services.core.database import Base, UnitOfWork
from services.core.permissions import CITIZEN, PUBLIC, role_may
from services.core.settings import Settings
from services.knowledge import service as knowledge
from services.lookups.jobs import CHART_PURPOSE
from services.lookups.models import LookupJob
from services.notifications.models import OutboxRow
from services.supervision.first_start import prepare_data
from tests.support import CHEAP, employ

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
SECRET = "a-secret-key-for-tests-that-is-long-enough"
PASSWORD = "a password for tests"
STRANGER = "stranger"
# A Tuesday within working time.
NOW = parse_moment("2026-11-17T10:30")
NOWHERE = "http://127.0.0.1:1"
_LETTERS = itertools.count()


class World:
    """The application, its people, and what there is for path parameters to name (`things`)."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.app: FastAPI = create_app(container)
        self.client = TestClient(self.app, follow_redirects=False)
        self.passwords: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.things: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def hire(self, role: str) -> None:
        """An account of that role, of the same name."""
        self.container.database.write(lambda uow: employ(uow, role, role, NOW, password=PASSWORD))
        self.passwords[role] = PASSWORD

    def log_in(self) -> None:
        """Everybody anew: a walk ends with logging out."""
        for name, password in self.passwords.items():
            self.tokens[name] = self.made(PUBLIC, "/login", json={"name": name, "password": password})["token"]

    def ask(self, who: str, method: str, path: str, **given: Any) -> Response:
        """A request with the cookies that a page of `who` would send."""
        self.client.cookies.clear()
        token = self.tokens.get(who)
        cookie = "huiying_citizen" if who in (CITIZEN, STRANGER) else "huiying_staff"
        headers = {"X-Requested-With": "huiying", **({"Cookie": f"{cookie}={token}"} if token else {})}
        return self.client.request(method, path, headers=headers, **given)

    def made(self, who: str, path: str, **given: Any) -> Any:
        answer = self.ask(who, "POST", f"/api/v1{path}", **given)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def fill(self, who: str) -> None:
        """Fresh things for the walk of `who`: a conversation, its settled case, and whatever else a path may name."""
        number = next(self._numbers)
        self.log_in()
        for name in (STRANGER, CITIZEN):
            opened = self.made(PUBLIC, "/conversations")
            self.tokens[name] = opened["token"]
        conversation = opened["conversation_id"]
        page = {"file": ("a.pdf", b"%PDF-1.4 one page", "application/pdf")}
        self.made(CITIZEN, f"/conversations/{conversation}/attachments", files=page, data={"client_message_id": "1"})
        said = self.ask(CITIZEN, "GET", f"/api/v1/conversations/{conversation}/messages").json()["messages"]
        write = self.container.database.write
        case_no = write(lambda uow: self._case(uow, conversation))
        self.made("admin", f"/cases/{case_no}/reply", json={"text": "请带身份证到窗口办理", "resolve": True})
        # An entry cannot be named like a part of the path.
        entry = {"question": f"第 {number} 件事怎么办", "answer": "到窗口办理。"}
        absence = {"starts_at": "2026-12-01", "ends_at": "2026-12-02"}
        whose = who if role_may(who, "absences.own") else "admin"
        self.things = {
            "conversation_id": conversation,
            "case_no": case_no,
            "attachment_id": next(one for one in said if one["type"] == "file")["data"]["attachment"]["id"],
            "no": write(lambda uow: self._appointment(uow, conversation, number)),
            "link": write(lambda uow: self._chart(uow, conversation)),
            "draft_id": str(self.made("admin", f"/cases/{case_no}/draft")["id"]),
            "entry_id": self.made("admin", "/knowledge/entries", json=entry)["id"],
            "reply_id": str(
                self.made("admin", "/keyword-replies", json={"keyword": f"词{number}", "text": "答"})["id"]
            ),
            "absence_id": str(self.made(whose, "/staff/absences", json=absence)["id"]),
            "row_id": str(write(_dead_letter)),
        }

    def _case(self, uow: UnitOfWork, conversation: str) -> str:
        new = cases.NewCase("consultation", "想问一件事", "web", conversation_id=conversation)
        return cases.open_case(uow, self.container.secrets, new, now=NOW).case_no

    def _appointment(self, uow: UnitOfWork, conversation: str, number: int) -> str:
        hour = appointments.openings(uow, service="marriage", now=NOW)[number]
        person = appointments.Person("phone", f"138{number:08}", None)
        booked = appointments.book(
            uow,
            self.container.secrets,
            key=f"booking {number}",
            person=person,
            service="marriage",
            hall=hour.hall,
            start_at=hour.start_at,
            now=NOW,
            conversation_id=conversation,
            origin="staff",
        )
        return booked.no

    def _chart(self, uow: UnitOfWork, conversation: str) -> str:
        answer = '{"text": "", "data": {}, "answer": {"balance": "1", "periods": []}}'
        job = LookupJob(
            conversation_id=conversation,
            message_seq=1,
            kind="bill",
            state="done",
            result=self.container.secrets.encrypt(answer),
            request_hash="",
            created_at=NOW,
            next_attempt_at=NOW,
            finished_at=NOW,
        )
        uow.session.add(job)
        uow.session.flush()
        return self.container.secrets.sign_link(CHART_PURPOSE, [conversation, job.id], NOW.replace(day=20))


def _dead_letter(uow: UnitOfWork) -> int:
    times = {"created_at": NOW, "next_attempt_at": NOW, "done_at": NOW}
    letter = {"channel": "sms", "recipient": "code:1", "kind": "code", "body": {}, "attempts": 12}
    row = OutboxRow(**letter, **times, dedupe_key=f"dead {next(_LETTERS)}", dead=True)
    uow.session.add(row)
    uow.session.flush()
    return row.id


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The real application on SQLite, with no other part of the system beside it."""
    folder: Path = tmp_path_factory.mktemp("rights")
    values: dict[str, Any] = {"HUIYING_VAR": folder, "database_url": f"sqlite:///{folder / 'rights.db'}"}
    values |= {
        "redis_url": REDIS,
        "secret_keys": SECRET,
        "conversations_per_minute": 100_000,
        "logins_per_minute": 100_000,
    }
    values |= {name: NOWHERE for name in ("rasa_url", "action_url", "sandbox_url")}
    container = build_container(
        Settings.model_validate({**values, "connector_secrets": {"sandbox": SECRET}}), FixedClock(NOW)
    )
    container._embedder = FakeEmbedder()
    assert services.schema.METADATA is Base.metadata
    Base.metadata.create_all(container.database.engine)
    entries = ImportResult(entries=[Entry("1", "身份证丢了怎么补办", "请到一号窗口补办。")])
    # The real cost of a password hash belongs to the tests of accounts.
    container.passwords = Passwords(at_once=2, waiting=8, seconds=5.0, hasher=CHEAP)
    made = World(container)
    with made.client:
        # A stream of news ends at once, as it does when the process is told to stop.
        container.stopping.set()
        container.database.write(lambda uow: knowledge.store_import(uow, entries, actor="test", now=NOW))
        container.publish_knowledge(actor="test")
        made.passwords = {one.name: one.password for one in prepare_data(container, lambda line: None)}
        made.log_in()
        yield made
