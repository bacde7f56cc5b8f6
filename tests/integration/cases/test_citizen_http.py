"""A citizen and two clerks over the real application: what each reads, says and may do."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.accounts import service as accounts
from services.app import create_app
from services.cases import service as cases
from services.cases.presence import Presence
from services.container import build_container
from services.conversations.schemas import InboundMessage
from services.core.clock import FixedClock, parse_moment
from services.core.database import Base
from services.core.errors import BadRequest
from services.core.settings import Settings
from services.lookups import rendering
from services.notifications import service as notifications
from services.sla import service as sla
from tests.support import employ


class Hall:
    """The application on SQLite and an embedded Redis; its lifespan (models, Rasa) is not needed here."""

    def __init__(self, var: Any, redis_url: str) -> None:
        settings = Settings.model_validate(
            {"HUIYING_VAR": var, "database_url": f"sqlite:///{var / 'hall.db'}", "redis_url": redis_url}
        )
        self.clock = FixedClock(parse_moment("2026-11-20T10:00"))
        self.container = build_container(settings, self.clock)
        Base.metadata.create_all(self.container.database.engine)
        self.client = TestClient(create_app(self.container))
        self.tokens: dict[str, str] = {}
        with self.container.database.unit_of_work() as uow:
            sla.apply_city(uow, self.container.city_dir, self.clock.now())
            for name, role in (("li", "clerk"), ("wang", "clerk"), ("boss", "supervisor")):
                self.tokens[name] = employ(uow, name, role, self.clock.now())
            uow.commit()

    def call(self, who: str, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return self.client.request(method, f"/api/v1{path}", headers=headers, json=body or None)

    def citizen(self, name: str = "citizen") -> str:
        opened = self.client.post("/api/v1/conversations").json()
        self.client.cookies.clear()
        self.tokens[name] = opened["token"]
        return str(opened["conversation_id"])

    def arrive(self, conversation_id: str, **message: Any) -> None:
        inbound = InboundMessage.model_validate({"client_message_id": str(len(self.texts(conversation_id))), **message})
        with self.container.database.unit_of_work() as uow:
            self.container.conversations.arrive(uow, conversation_id, inbound, self.clock.now())
            uow.commit()

    def texts(self, conversation_id: str) -> list[str]:
        with self.container.database.unit_of_work(read_only=True) as uow:
            found = self.container.conversations.messages_after(uow, conversation_id, 0, 200)
        return [message.text for message in found]

    def case_of(self, conversation_id: str) -> str:
        """An open case of the conversation."""
        with self.container.database.unit_of_work() as uow:
            new = cases.NewCase("consultation", "想问一件事", "web", conversation_id=conversation_id)
            case = cases.open_case(uow, self.container.secrets, new, now=self.clock.now())
            row = self.container.conversations.of_token(uow, self.tokens["citizen"])
            row.case_no = case.case_no
            uow.commit()
        return case.case_no


@pytest.fixture
def hall(tmp_path: Any, embedded_redis_url: str) -> Hall:
    return Hall(tmp_path, embedded_redis_url)


def test_the_citizen_is_told_at_each_step_and_acts_from_the_chat(hall: Hall) -> None:
    conversation = hall.citizen()
    case_no = hall.case_of(conversation)
    assert hall.call("li", "POST", f"/cases/{case_no}/claim").status_code == 200
    assert hall.call("li", "POST", f"/cases/{case_no}/hold", text="请补充地址").status_code == 200
    assert "请补充地址" in hall.texts(conversation)
    assert any("正在等您补充" in text for text in hall.texts(conversation))
    hall.arrive(conversation, text="幸福路 1 号")
    assert hall.call("li", "GET", f"/cases/{case_no}").json()["status"] == "in_progress"
    assert hall.call("li", "POST", f"/cases/{case_no}/extend", days=2, reason="现场核实").status_code == 200
    assert hall.call("boss", "POST", f"/cases/{case_no}/extension", approve=True).status_code == 200
    assert any("经批准延期，最迟于 11月25日 17:00 前" in text for text in hall.texts(conversation))
    hall.call("li", "POST", f"/cases/{case_no}/reply", text="已经办好", resolve=True)
    assert "已经办好" in hall.texts(conversation)
    hall.arrive(conversation, choice=f"case:{case_no}:rate5")
    hall.arrive(conversation, choice=f"case:{case_no}:rate1")
    assert hall.texts(conversation)[-1] == "您已经评价过，谢谢"
    hall.arrive(conversation, choice=f"case:{case_no}:confirm")
    assert any("感谢您的确认" in text for text in hall.texts(conversation))
    shown = hall.call("citizen", "GET", f"/conversations/{conversation}/cases").json()
    assert [(one["status"], one["satisfaction"]) for one in shown] == [("closed", 5)]


def test_the_citizens_endpoints_are_for_the_own_conversation_and_hide_identifiers(hall: Hall) -> None:
    conversation = hall.citizen()
    case_no = hall.case_of(conversation)
    base = f"/conversations/{conversation}/cases/{case_no}"
    assert hall.call("citizen", "POST", f"{base}/add", text="请打我电话 13800138000").status_code == 200
    added = hall.call("li", "GET", f"/cases/{case_no}").json()["events"][-1]
    assert added["type"] == "added"
    assert "13800138000" not in added["text"]
    assert hall.call("citizen", "POST", f"{base}/press").status_code == 200
    assert hall.call("citizen", "POST", f"{base}/press").status_code == 409
    assert hall.call("citizen", "POST", f"{base}/rate", score=5).status_code == 409
    assert hall.call("citizen", "POST", f"{base}/rate", score=9).status_code == 422
    hall.citizen("stranger")
    assert hall.call("stranger", "POST", f"{base}/withdraw").status_code == 404
    assert hall.call("citizen", "POST", f"{base}/withdraw").json()["status"] == "closed"


def test_a_citizen_reads_department_and_post_wherever_somebody_is_named(hall: Hall) -> None:
    conversation = hall.citizen()
    case_no = hall.case_of(conversation)
    assert hall.call("citizen", "GET", f"/conversations/{conversation}/cases").json()[0]["clerk"] is None
    hall.call("li", "POST", f"/cases/{case_no}/claim")
    hall.call("li", "POST", f"/cases/{case_no}/reply", text="正在核实")
    page = hall.call("citizen", "GET", f"/conversations/{conversation}/messages").json()
    own = hall.call("citizen", "GET", f"/conversations/{conversation}/cases").json()
    progress = hall.container._case_progress(case_no, conversation, None)
    assert progress is not None
    text, data = rendering.own_case(progress)
    who = "服务大厅 · 值班员"
    assert (page["clerk"], own[0]["clerk"], data["clerk"], page["messages"][-1]["spoken_by"]) == (who,) * 4
    assert f"经办：{who}" in text
    assert any(message["text"].startswith(who) for message in page["messages"])
    assert "assignee" not in progress
    for told in (page, own, progress):
        assert '"li"' not in json.dumps(told)


def test_a_post_of_an_account_is_its_own_or_that_of_its_role(hall: Hall) -> None:
    def made(uow: Any, **given: Any) -> str:
        who = {"role": "clerk", "department": "市民政局", **given}
        employ(uow, who.pop("name"), who.pop("role"), hall.clock.now(), **who)
        return accounts.shown_to_citizens(uow, given["name"])

    with hall.container.database.unit_of_work() as uow:
        assert made(uow, name="zhao", post="低保专员") == "市民政局 · 低保专员"
        assert made(uow, name="qian", role="supervisor") == "市民政局 · 值班主管"
        assert made(uow, name="sun", department=None) == "服务大厅 · 值班员"
        assert accounts.shown_to_citizens(uow, "gone") == "服务大厅 · 工作人员"
        for wrong in ("", " 值班员", "值\n班", "长" * 21):
            with pytest.raises(BadRequest):
                made(uow, name="other", post=wrong)


def test_two_clerks_at_one_case_see_each_other_for_a_while(hall: Hall) -> None:
    case_no = hall.case_of(hall.citizen())
    now = [1000.0]
    hall.container.__dict__["presence"] = Presence(hall.container.signals.client, lambda: now[0])
    assert hall.call("li", "POST", f"/cases/{case_no}/presence", writing=True).json() == {"others": []}
    seen = hall.call("wang", "POST", f"/cases/{case_no}/presence", writing=False).json()
    assert seen == {"others": [{"name": "li", "writing": True}]}
    assert hall.call("li", "GET", f"/cases/{case_no}").json()["present"] == [{"name": "wang", "writing": False}]
    now[0] += 21
    assert hall.call("wang", "GET", f"/cases/{case_no}").json()["present"] == []
    hall.call("li", "POST", f"/cases/{case_no}/presence", leaving=True)
    assert hall.call("wang", "POST", "/cases/GD2026112099999/presence", writing=False).status_code == 404


def test_a_message_that_was_given_up_is_seen_and_sent_again(hall: Hall) -> None:
    database = hall.container.database
    with database.unit_of_work() as uow:
        notifications.enqueue(
            uow, channel="mail", recipient="x", kind="k", body={}, dedupe_key="d", now=hall.clock.now()
        )
        uow.commit()
    for day in range(21, 21 + 9):
        for hour in (1, 12):
            notifications.send_due(database, {}, FixedClock(parse_moment(f"2026-11-{day}T{hour:02d}:00")).now)
    (dead,) = hall.call("boss", "GET", "/outbox/dead").json()["rows"]
    assert (dead["channel"], dead["attempts"], dead["last_error"]) == ("mail", 12, "no sender for channel mail")
    assert hall.call("li", "GET", "/outbox/dead").status_code == 403
    assert hall.call("boss", "POST", f"/outbox/{dead['id']}/resend").status_code == 204
    assert hall.call("boss", "POST", f"/outbox/{dead['id']}/resend").status_code == 404
    sent: list[int] = []
    assert notifications.send_due(database, {"mail": lambda row: sent.append(row.id)}, hall.clock.now) == 1
    assert sent == [dead["id"]]
    assert hall.call("boss", "GET", "/outbox/dead").json() == {"rows": [], "total": 0}


def test_supervision_and_absences_over_http(hall: Hall) -> None:
    assert hall.call("li", "POST", "/supervision/alert-level", level=1).status_code == 403
    assert hall.call("boss", "POST", "/supervision/alert-level", level=4).status_code == 422
    assert hall.call("boss", "POST", "/supervision/alert-level", level=1).json()["name"].startswith("一级")
    assert hall.call("boss", "GET", "/supervision/alert-level").json()["level"] == 1
    assert hall.call("boss", "GET", "/supervision/reports").json() == []
    away = hall.call("li", "POST", "/staff/absences", starts_at="2026-11-20T09:00", ends_at="2026-11-21").json()
    assert (away["name"], away["ends_at"]) == ("li", "2026-11-20T16:00:00Z")
    assert hall.call("li", "POST", "/staff/absences", starts_at="soon", ends_at="later").status_code == 400
    assert hall.call("wang", "DELETE", f"/staff/absences/{away['id']}").status_code == 404
    assert hall.call("li", "DELETE", f"/staff/absences/{away['id']}").status_code == 204
    assert hall.call("li", "GET", "/staff/absences").json() == []
