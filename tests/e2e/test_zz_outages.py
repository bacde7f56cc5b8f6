"""Parts fail; citizens are still answered. These come last: they stop and start parts of the shared system."""

import json
from datetime import date

import httpx
import pytest
import redis
import sqlalchemy as sa

from services.container import build_container
from services.conversations.models import Conversation
from services.core.settings import RUNTIME_FILE
from services.sandbox.data import DEFAULT_SEED, make_records
from tests.e2e.conftest import System
from tests.e2e.test_main_job import ENGINE_TAIL, PLATE, texts
from tests.support import wait_for

pytestmark = pytest.mark.e2e


def test_a_departmental_system_that_takes_eight_seconds_is_waited_for_in_the_open_page(system: System) -> None:
    citizen = system.citizen().consented()
    system.sandbox({"system": "progress", "delay_seconds": 8, "error": None})
    try:
        # One that no other test asks for: the connector keeps answers for a while.
        number, matter = list(make_records(DEFAULT_SEED, date(2026, 1, 1)).matters.items())[-1]
        citizen.send(f"查进度 {number}")
        answer = citizen.post(matter["sjh4"])
        assert answer["pending"]
        assert "正在查询" in texts(answer)
        last = answer["messages"][-1]["id"]
        found = wait_for(lambda: [message for message in citizen.messages(last) if message["type"] == "result"])
        assert matter["sxmc"] in found[0]["text"]
    finally:
        system.sandbox({"system": "progress", "delay_seconds": 0, "error": None})


def test_a_departmental_system_that_fails_is_named_and_another_way_is_shown(system: System) -> None:
    citizen = system.citizen().consented()
    system.sandbox({"system": "progress", "delay_seconds": 0, "error": "500"})
    try:
        answer = citizen.send("查一下办件进度，编号BJ202608150021，手机后四位6125")
        assert answer["route"] == "query_progress"
        assert "没有回应" in texts(answer) or "稍后" in texts(answer)
    finally:
        system.sandbox({"system": "progress", "delay_seconds": 0, "error": None})


def test_with_rasa_stopped_questions_are_answered_and_the_health_page_says_what_is_down(system: System) -> None:
    rasa = system.child("rasa")
    assert rasa.running is not None
    rasa.running.terminate()
    rasa.running.wait(60)
    report = system.client().get("/readyz")
    assert report.status_code == 200
    assert report.json()["status"] == "degraded"
    assert report.json()["checks"]["rasa"]["status"] == "down"
    citizen = system.citizen()
    assert citizen.send("我的车能异地年检吗")["messages"][0]["type"] == "answer"
    assert citizen.send("转人工")["case_no"]

    # What `huiying up` does in its loop.
    system.stack.children.restart_fallen()
    wait_for(lambda: system.stack.children.restart_fallen() == [] and rasa.is_alive())
    wait_for(lambda: system.checks()["rasa"]["status"] == "up", seconds=180, step=0.5)
    again = system.citizen().consented()
    assert again.send("查违章")["route"] == "query_violation"
    assert again.send(PLATE)["route"] == "query_violation"


def test_a_fallen_action_server_leaves_a_word_not_silence(system: System) -> None:
    citizen = system.citizen().consented()
    citizen.send("查违章")
    citizen.send(PLATE)
    citizen.send("小型汽车")
    actions = system.child("actions")
    assert actions.running is not None
    actions.running.kill()
    actions.running.wait(60)
    try:
        answer = citizen.send(ENGINE_TAIL)
        assert answer["messages"]
        assert all(message["text"] for message in answer["messages"])
    finally:
        actions.start()
        wait_for(lambda: system.checks()["actions"]["status"] == "up", seconds=180, step=0.5)


def restarted(system: System, *names: str) -> None:
    """Kill parts as a power cut would, start them again as `huiying up` does, and wait until everything is up."""
    children = [system.child(name) for name in names]
    for child in children:
        assert child.running is not None
        child.running.kill()
    for child in children:
        assert child.running is not None
        child.running.wait(60)
        child.start()

    def all_up() -> bool:
        try:
            return all(check["status"] == "up" for check in system.checks().values())
        except httpx.TransportError:
            return False

    wait_for(all_up, seconds=180, step=0.2)


@pytest.mark.parametrize("names", [("redis",), ("rasa", "actions", "api", "worker", "redis")])
def test_a_form_goes_on_after_a_part_or_every_part_was_killed_in_the_middle_of_it(
    system: System, names: tuple[str, ...]
) -> None:
    known = [child.name for child in system.stack.children.all]
    names = tuple(name for name in names if name in known)
    if not names:
        pytest.skip("this system's Redis server is not its own")
    citizen = system.citizen().consented()
    citizen.send("查违章")
    citizen.send(PLATE)
    restarted(system, *names)
    asked = citizen.send("小型汽车")
    assert asked["route"] == "query_violation", texts(asked)
    assert "发动机号" in texts(asked)
    restarted(system, *(name for name in names if name != "rasa"))
    found = citizen.send(ENGINE_TAIL)
    assert any(message["type"] == "result" for message in found["messages"]), texts(found)


def test_a_message_that_the_api_left_when_it_was_killed_is_answered_after_its_restart(system: System) -> None:
    citizen = system.citizen().consented()
    system.sandbox({"system": "progress", "delay_seconds": 4, "error": None, "times": 1})
    answer = citizen.post("查一下办件进度，编号BJ202608150021，手机后四位6125")
    assert answer["pending"]
    restarted(system, "api")
    container = build_container(system.stack.settings)
    row = sa.update(Conversation).where(Conversation.id == citizen.conversation_id)
    # The lease of the killed process runs out; whoever looks for such messages then takes it over.
    container.database.write(lambda uow: uow.session.execute(row.values(lease_until=container.clock.now())))
    container.database.dispose()
    found = wait_for(
        lambda: [message for message in citizen.messages() if message["type"] == "result"], seconds=60, step=0.2
    )
    assert len(found) == 1


def test_no_identifier_ever_reaches_a_log_or_the_tracker(system: System) -> None:
    citizen = system.citizen().consented()
    secrets = {"粤B7K392", "440106199209230007", "13812345678", "80013327"}
    citizen.send("查违章，车牌粤B7K392，身份证440106199209230007，手机13812345678")
    citizen.send("取消")
    citizen.send("查电费，户号80013327")
    logs = system.stack.settings.var_dir / "log"
    written = "".join(path.read_text(errors="replace") for path in logs.glob("*.log"))
    stored = ""
    client = redis.Redis.from_url(system.stack.settings.redis_url, decode_responses=True)
    for key in client.scan_iter("*"):
        if client.type(key) == "string":
            stored += client.get(key) or ""
    assert citizen.conversation_id in stored
    for secret in secrets:
        assert secret not in written
        assert secret not in stored
        assert json.dumps(secret)[1:-1] not in stored
    assert not (system.stack.settings.var_dir / RUNTIME_FILE).stat().st_mode & 0o077
