"""The whole API under requests that nobody means, drawn from its own OpenAPI document.

No answer may be a 5xx, or one that the document does not name. `make soak PART=api` asks for seconds, on both
databases; tests/integration/api asks a few of the same, and puts wild values in every place.
"""

import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import psycopg
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.case import Case
from schemathesis.python import asgi

import services.schema
from knowledge_base import Entry, ImportResult
from knowledge_base.testing import FakeEmbedder
from services.accounts import service as accounts
from services.app import create_app
from services.cases import service as cases
from services.container import Container, build_container
from services.core.clock import FixedClock, parse_moment
from services.core.database import Base, UnitOfWork
from services.core.permissions import account_roles
from services.core.settings import Settings
from services.knowledge import service as knowledge
from services.notifications.models import OutboxRow
from services.supervision.first_start import prepare_data
from tests.soak.findings import Findings

if TYPE_CHECKING:
    from tests.soak.parts import Soak

load_all_checks()
CHECKS = [
    getattr(schemathesis.checks, name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]
SECRET = "a-secret-key-for-soaking-that-is-long-enough"
# A Wednesday within working time.
NOW = parse_moment("2026-11-18T10:00")
NOWHERE = "http://127.0.0.1:1"
CITIZEN = "citizen"
ASKERS = (*account_roles(), CITIZEN, "nobody")
PER_ROUND = 8


class Api:
    """The real application with something of everything in it, and everybody logged in."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.app = create_app(container)
        self.client = asgi.get_client(self.app)
        self.tokens: dict[str, str] = {}
        # Values of path parameters that there really are.
        self.known: dict[str, list[str]] = {}
        self.document = self.app.openapi()
        self.schema = schemathesis.openapi.from_dict(self.document)
        self.schema.app = self.app
        self.operations = [found.ok() for found in self.schema.get_all_operations()]
        self.asked = 0

    def send(self, asker: str, method: str, path: str, **given: Any) -> requests.Response:
        self.asked += 1
        # A cookie of an answer before would be somebody's login.
        self.client.cookies.clear()
        headers = {**given.pop("headers", {}), **self.login_of(asker, path)}
        return self.client.request(method, path, headers=headers, allow_redirects=False, **given)

    def login_of(self, asker: str, path: str) -> dict[str, str]:
        """The headers of somebody who asks; whoever logs out goes without, so that the login lasts."""
        token = self.tokens.get(asker)
        return {"Authorization": f"Bearer {token}"} if token and not path.endswith(("/logout", "/end")) else {}

    def ask(self, case: Case, asker: str) -> str | None:
        """Send a case that was drawn; what is wrong with the answer, in one line, or None."""
        self.asked += 1
        self.client.cookies.clear()
        named = f"{asker}: {case.method} {case.operation.path}"
        try:
            answer = case.call(session=self.client, headers=self.login_of(asker, case.operation.path))
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            return f"{named}: {'; '.join(' '.join(str(one).split()) for one in failures.exceptions)[:600]}"
        except requests.RequestException:
            # What no client can send is no request.
            return None
        except Exception as error:
            return f"{named}: {type(error).__name__} {' '.join(str(error).split())[:300]} in {case!r}"[:900]
        return None

    def cases_of(self, operation: Any, mode: GenerationMode) -> st.SearchStrategy[Case]:
        """Requests to an operation; about half of the path parameters name something that there is."""
        drawn: st.SearchStrategy[Case] = operation.as_strategy(generation_mode=mode)
        names = [one.name for one in operation.path_parameters if self.known.get(one.name)]
        if not names:
            return drawn
        real = st.fixed_dictionaries({}, optional={name: st.sampled_from(self.known[name]) for name in names})
        return st.builds(_with_path, drawn, real)

    def fill(self) -> None:
        """Something of everything, by the same API where it can make it."""
        now = self.container.clock.now()
        # A base of its own, in the place of the starter's hundreds.
        self.container.database.write(lambda uow: knowledge.store_import(uow, _entries(), actor="soak", now=now))
        self.container.publish_knowledge(actor="soak")
        roles = [made.role for made in prepare_data(self.container, lambda line: None)]
        self.tokens = self.container.database.write(lambda uow: _log_in(uow, roles, now))
        opened = self.send("nobody", "POST", "/api/v1/conversations").json()
        self.tokens[CITIZEN], conversation = opened["token"], opened["conversation_id"]
        numbers = self.container.database.write(lambda uow: _open_cases(uow, self.container, conversation))
        page = {"file": ("a.pdf", b"%PDF-1.4 one page", "application/pdf")}
        named = {"client_message_id": "a page"}
        self._made(CITIZEN, f"conversations/{conversation}/attachments", files=page, data=named)
        said = self.send(CITIZEN, "GET", f"/api/v1/conversations/{conversation}/messages").json()["messages"]
        self._made("admin", f"cases/{numbers[0]}/reply", json={"text": "请带身份证到窗口办理", "resolve": True})
        hour = self.send("admin", "GET", "/api/v1/appointments/availability?service=marriage").json()[0]
        booking = {"service": "marriage", "hall": hour["hall"], "start_at": hour["start_at"]}
        booked = [
            self._made("admin", "appointments", json={**booking, "phone": phone, "request_id": f"booked {phone}"})["no"]
            for phone in ("13800138000", "13800138001")
        ]
        away = {"starts_at": "2026-12-01", "ends_at": "2026-12-02"}
        keyword = {"keyword": "开放时间", "text": "九点到五点"}
        entries = self.send("admin", "GET", "/api/v1/knowledge/entries?limit=5").json()["entries"]
        self.known = {
            "conversation_id": [conversation],
            "case_no": numbers,
            "attachment_id": [one["data"]["attachment"]["id"] for one in said if one["type"] == "file"],
            "no": booked,
            "absence_id": [str(self._made("admin", "staff/absences", json=away)["id"])],
            "reply_id": [str(self._made("admin", "keyword-replies", json=keyword)["id"])],
            "entry_id": [entry["id"] for entry in entries],
            "draft_id": [str(self._made("admin", f"cases/{numbers[0]}/draft")["id"])],
            "row_id": [str(self.container.database.write(_dead_row))],
        }

    def _made(self, asker: str, path: str, **given: Any) -> dict[str, Any]:
        answer = self.send(asker, "POST", f"/api/v1/{path}", **given)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        made: dict[str, Any] = answer.json()
        return made


def _entries() -> ImportResult:
    subjects = ("身份证", "护照", "公积金", "驾驶证", "居住证")
    made = [Entry(f"e/{n}", f"{one}丢了怎么补办", f"请到{n}号窗口补办。") for n, one in enumerate(subjects, 1)]
    return ImportResult(entries=made)


def _with_path(case: Case, real: dict[str, str]) -> Case:
    if case.path_parameters is not None:
        case.path_parameters = {**case.path_parameters, **real}
    return case


def _log_in(uow: UnitOfWork, roles: list[str], now: Any) -> dict[str, str]:
    return {role: accounts.open_session(uow, role, "127.0.0.1", now) for role in roles}


def _open_cases(uow: UnitOfWork, the: Container, conversation: str) -> list[str]:
    kinds = ("consultation", "help", "complaint", "suggestion", "urgent", "consultation")
    opened = []
    for number, kind in enumerate(kinds):
        owner = conversation if number == 0 else None
        new = cases.NewCase(kind=kind, title="想问一件事", channel="web", conversation_id=owner)
        opened.append(cases.open_case(uow, the.secrets, new, now=the.clock.now()).case_no)
    return opened


def _dead_row(uow: UnitOfWork) -> int:
    times = {"created_at": NOW, "next_attempt_at": NOW, "done_at": NOW}
    row = OutboxRow(
        channel="sms", recipient="code:1", kind="code", body={}, dedupe_key="dead", attempts=9, dead=True, **times
    )
    uow.session.add(row)
    uow.session.flush()
    return row.id


@contextmanager
def opened_api(folder: Path, database_url: str, redis_url: str) -> Iterator[Api]:
    """The application on an empty database, with no other part of the system beside it."""
    values = {"HUIYING_VAR": folder, "database_url": database_url, "redis_url": redis_url, "secret_keys": SECRET}
    away = {name: NOWHERE for name in ("rasa_url", "action_url", "sandbox_url")}
    many = {"conversations_per_minute": 1_000_000, "connector_secrets": {"sandbox": SECRET}}
    container = build_container(Settings.model_validate({**values, **away, **many}), FixedClock(NOW))
    container._embedder = FakeEmbedder()
    assert services.schema.METADATA is Base.metadata
    Base.metadata.create_all(container.database.engine)
    made = Api(container)
    with made.client:
        # A stream of news ends at once, as it does when the process is told to stop.
        container.stopping.set()
        made.fill()
        yield made


def examine(the: Api, operation: Any, mode: GenerationMode, asker: str, *, seed: int, examples: int) -> list[str]:
    """What is wrong with the answers to some requests to an operation; the same for the same seed."""
    wrong: list[str] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(the.cases_of(operation, mode))
    def ask(case: Case) -> None:
        found = the.ask(case, asker)
        if found is not None:
            wrong.append(found)

    # An operation without anything to get wrong.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        ask()
    return wrong


def rounds(the: Api, seed: int) -> Iterator[tuple[Any, GenerationMode, str]]:
    """Every operation, as meant and not as meant, by everybody: in the order of the seed, and again without end."""
    every = list(itertools.product(the.operations, GenerationMode, ASKERS))
    random.Random(seed).shuffle(every)
    return itertools.cycle(every)


def _database_beside(address: str) -> str:
    """An empty database on the same server; the soak's own has a town in it."""
    server, _, name = address.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}_api"')  # type: ignore[arg-type]
    return f"{server}/{name}_api"


def soak_api(the: "Soak") -> Findings:
    """The API on SQLite for half of the time, and on PostgreSQL for the other; a finding repeats with the same seed."""
    began = time.monotonic()
    # Of the soak's own seed.
    seed = the.random.randrange(1_000_000)
    print(f"api: requests of seed {seed}", flush=True)
    findings = Findings("api")
    for kind, database_url in (
        ("sqlite", f"sqlite:///{the.place.folder / 'api.db'}"),
        ("postgresql", _database_beside(the.place.database_url)),
    ):
        folder = the.place.folder / kind
        folder.mkdir()
        with opened_api(folder, database_url, the.place.redis_url) as api:
            until = time.monotonic() + the.seconds / 2
            for number, (operation, mode, asker) in enumerate(rounds(api, seed)):
                if time.monotonic() > until:
                    break
                found = examine(api, operation, mode, asker, seed=seed + number, examples=PER_ROUND)
                findings.wrong += [f"{kind}: {line}" for line in dict.fromkeys(found)]
            findings.acts += api.asked
    findings.seconds = time.monotonic() - began
    return findings
