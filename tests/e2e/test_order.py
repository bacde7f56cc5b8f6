"""Order and identity through the whole system: two API replicas, one database, many citizens at once."""

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.cases.models import Case
from services.container import Container, build_container
from services.core.clock import SHANGHAI
from services.lookups.models import LookupJob
from services.sandbox.data import Records, make_records
from services.supervision.processes import Child, free_port
from tests.e2e.conftest import Citizen, System
from tests.support import wait_for

pytestmark = pytest.mark.e2e

BURST = [
    "身份证丢了怎么补办",
    "我的车能异地年检吗",
    "办理结婚登记需要什么材料",
    "公积金怎么提取",
    "小学入学报名要什么材料",
]
SANDBOX_SEED = 1
CALLERS = 12


@pytest.fixture(scope="module")
def replica(system: System) -> Iterator[str]:
    """The address of a second API process on the same database."""
    api = system.child("api")
    port = str(free_port())
    command = [port if part == str(system.stack.settings.port) else part for part in map(str, api.command)]
    second = Child("api-2", command, {**api.environment, "PORT": port}, api.log.with_name("api-2.log"), api.directory)
    second.start()
    url = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        assert second.is_alive(), second.tail()
        try:
            return httpx.get(f"{url}/healthz", timeout=5).is_success
        except httpx.TransportError:
            return False

    wait_for(is_up, seconds=180, step=0.2)
    yield url
    assert second.running is not None
    second.running.terminate()
    second.running.wait(20)


def over(citizen: Citizen, url: str) -> Citizen:
    """The same citizen, whose next messages reach another replica."""
    client = httpx.Client(base_url=url, headers=dict(citizen.client.headers), timeout=60.0)
    return dataclasses.replace(citizen, client=client)


def at_once(actions: list[Callable[[], Any]]) -> list[Any]:
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        barrier.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def settled(citizen: Citizen, key: str, text: str) -> dict[str, Any]:
    """The answer to the message with this key, sent until its turn is over."""
    body = {"text": text, "client_message_id": key}
    return wait_for(lambda: (found := citizen._post(body)) and not found["pending"] and found, seconds=60)


def test_twenty_messages_in_a_second_over_two_replicas_get_twenty_answers_in_order(
    system: System, replica: str
) -> None:
    citizen = system.citizen()
    replicas = [citizen, over(citizen, replica)]
    sent = {f"b{n}": f"{BURST[n % len(BURST)]}" for n in range(20)}
    at_once([lambda k=key, t=text, n=n: replicas[n % 2]._post({"text": t, "client_message_id": k})
             for n, (key, text) in enumerate(sent.items())])  # fmt: skip
    answers = {key: settled(citizen, key, text) for key, text in sent.items()}
    stored = citizen.messages()
    arrived = [message["client_message_id"] for message in stored if message["client_message_id"]]
    assert sorted(arrived) == sorted(sent)
    replies = [[message["id"] for message in answers[key]["messages"]] for key in arrived]
    assert all(replies)
    flat = [number for ids in replies for number in ids]
    assert flat == sorted(flat)
    # Each answer is the answer to its own question.
    spoken: dict[str, set[str]] = {}
    for key, text in sent.items():
        final = answers[key]["messages"][-1]
        spoken.setdefault(text, set()).add(final["text"])
    assert all(len(texts) == 1 for texts in spoken.values()), spoken
    assert len({next(iter(texts)) for texts in spoken.values()}) == len(BURST)


def test_a_message_sent_twice_at_once_and_again_later_has_one_effect_and_one_answer(
    system: System, replica: str
) -> None:
    citizen = system.citizen().consented()
    replicas = [citizen, over(citizen, replica)]
    for key, text in (("case", "转人工"), ("lookup", "查一下办件进度，编号BJ202608150021，手机后四位6125")):
        at_once([lambda n=n, k=key, t=text: replicas[n % 2]._post({"text": t, "client_message_id": k})
                 for n in range(6)])  # fmt: skip
        first = settled(citizen, key, text)
        assert settled(replicas[1], key, text) == first
        assert [message["client_message_id"] for message in citizen.messages()].count(key) == 1
    container = build_container(system.stack.settings)
    with container.database.unit_of_work(read_only=True) as uow:
        own = Case.conversation_id == citizen.conversation_id
        cases = uow.session.scalar(sa.select(sa.func.count()).select_from(Case).where(own))
        jobs = uow.session.scalars(
            sa.select(LookupJob).where(LookupJob.conversation_id == citizen.conversation_id)
        ).all()
    container.database.dispose()
    assert cases == 1
    assert [(job.kind, job.attempts) for job in jobs] == [("progress", 1)]


@dataclasses.dataclass
class Errand:
    """What one citizen asks for, step by step, and what only this citizen may read."""

    steps: list[str]
    numbers: set[str]
    kind: str
    identifier: str
    wanted: list[str]
    result: list[str] = dataclasses.field(default_factory=list)
    read: str = ""


def errands(records: Records, count: int) -> list[Errand]:
    """Violation and bill forms in turns, each with the number of another seeded vehicle or household."""
    kinds = {"01": "大型汽车", "02": "小型汽车"}
    made: list[Errand] = []
    vehicles = [(plate, kind, *found) for (plate, kind), found in records.vehicles.items() if kind in kinds]
    bills = [(no, found) for (utility, no), found in records.bills.items() if utility == "electricity"]
    for (plate, kind, tail, found), (household, (_, periods)) in zip(vehicles, bills * 4, strict=False):
        steps = [f"查违章，车牌{plate}", kinds[kind], tail]
        made.append(Errand(steps, {plate, tail}, "violation", plate, sorted(one["wfdz"] for one in found)))
        if len(made) < 2 * len(bills):
            bill = ["我要查电费", household, "谢谢"]
            made.append(Errand(bill, {household}, "bill", household, sorted(one["je"] for one in periods)))
    return made[:count]


def consented(container: Container) -> tuple[str, str]:
    """A new conversation whose citizen has agreed to the use of identifiers: its id and token."""

    def begin(uow: Any) -> tuple[str, str]:
        now = container.clock.now()
        opened = container.conversations.open(uow, channel="web", now=now)
        container.conversations.grant_consent(uow, opened.conversation_id, now)
        return opened.conversation_id, opened.token

    return container.database.write(begin)


def test_two_hundred_citizens_who_fill_forms_at_once_never_meet_each_other_s_numbers(system: System) -> None:
    container = build_container(system.stack.settings)
    # The embedded system, of one machine and one writer, gets a smaller crowd.
    count = 40 if container.database.is_sqlite else 200
    everyone = errands(make_records(SANDBOX_SEED, datetime.now(SHANGHAI).date()), count)
    assert len(everyone) == count
    citizens = [Citizen(system.client(token), id_, token) for id_, token in (consented(container) for _ in everyone)]

    def step(number: int, which: int) -> None:
        errand, citizen = everyone[number], citizens[number]
        answer = settled(citizen, f"s{which}", errand.steps[which])
        errand.read += json.dumps(answer, ensure_ascii=False)
        for message in answer["messages"]:
            if message["type"] == "result":
                data = message["data"]
                rows = [one["place"] for one in data.get("violations", ())]
                rows += [f"{float(one['amount']):.2f}" for one in data.get("periods", ())]
                errand.result = sorted(rows)

    with ThreadPoolExecutor(CALLERS) as pool:
        for which in range(3):
            list(pool.map(lambda number, which=which: step(number, which), range(count)))
    numbers = set().union(*(errand.numbers for errand in everyone))
    with container.database.unit_of_work(read_only=True) as uow:
        jobs = uow.session.scalars(sa.select(LookupJob)).all()
    asked = {job.conversation_id: (job.kind, job.identifier_hash) for job in jobs}
    container.database.dispose()
    for errand, citizen in zip(everyone, citizens, strict=True):
        wanted = container.secrets.keyed_hash(f"{errand.kind}:{errand.identifier}")
        assert asked.get(citizen.conversation_id) == (errand.kind, wanted), errand.read
        assert errand.result == errand.wanted
        assert not [number for number in numbers - errand.numbers if number in errand.read]
