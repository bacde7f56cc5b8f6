"""Tip-offs with unmistakable words of their own, told in every way, and everybody who is not named looking everywhere.

What must not be found: a word of theirs, their numbers, or how many there are.
"""

import contextlib
import io
import itertools
import json
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases import tasks
from services.cases.models import Case
from services.core.clock import SHANGHAI
from services.core.database import Base
from services.core.guards import routes_of
from services.core.logs import configure_logging
from services.core.permissions import CITIZEN, PUBLIC, account_roles
from services.notifications.models import OutboxRow, StaffNotice
from tests.integration.rights.conftest import NOW, STRANGER, World

NAMED = "inspector"
OTHERS = [PUBLIC, STRANGER, *account_roles()]
# One in each thing that is said or sent: the accusation, what is added, a file, its name, a reply, a note, a reason.
WORDS = ("翡翠科", "玛瑙宾馆", "珊瑚路", "琥珀", "水晶桥", "朱砂", "孔雀石", "绿松石", "青金石")
ACCUSED = f"我要举报{WORDS[0]}科长收红包"
NO_SUCH_NUMBER = "GD2026111799999"
_IDS = itertools.count(1)


class Town:
    """Citizens who told something, by what happened to it; `secret` are the numbers that nobody else may know."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.secret: dict[str, str] = {}
        self.plain: list[str] = []
        self.files: dict[str, list[str]] = {}
        self.numbers: dict[str, list[str]] = {}
        self.logged = ""

    def citizen(self) -> str:
        opened = self.world.made(PUBLIC, "/conversations")
        self.world.tokens[CITIZEN] = opened["token"]
        return str(opened["conversation_id"])

    def say(self, conversation: str, text: str) -> Any:
        body = {"text": text, "client_message_id": f"m{next(_IDS)}"}
        return self.world.made(CITIZEN, f"/conversations/{conversation}/messages", json=body)

    def send(self, conversation: str, content: str) -> str:
        page = {"file": (f"{WORDS[3]}.pdf", f"%PDF-1.4 {content}".encode(), "application/pdf")}
        data = {"client_message_id": f"f{next(_IDS)}"}
        self.world.made(CITIZEN, f"/conversations/{conversation}/attachments", files=page, data=data)
        said = self.world.ask(CITIZEN, "GET", f"/api/v1/conversations/{conversation}/messages").json()["messages"]
        return str([one for one in said if one["type"] == "file"][-1]["data"]["attachment"]["id"])

    def opened(self, conversation: str) -> str:
        """The number of a new ordinary case of that conversation."""
        return str(self.say(conversation, "转人工")["case_no"])

    def do(self, who: str, number: str, what: str, **body: Any) -> Any:
        return self.world.made(who, f"/cases/{number}/{what}", json=body)

    def later(self, minutes: int = 1) -> None:
        clock: Any = self.world.container.clock
        clock.set(clock.now() + timedelta(minutes=minutes))


def tell_everything(town: Town) -> None:
    said_while_open(town)
    added_by_button(town)
    after_a_closed_one(town)
    merged_before(town)
    from_the_start(town)
    everybody_is_told(town)


def said_while_open(town: Town) -> None:
    """An ordinary case, answered, drafted and opened again, in whose clerk's hands the tip-off comes."""
    one = town.citizen()
    town.say(one, "幸福路的路灯坏了好几天")
    town.files["before"] = [town.send(one, "lamp")]
    number = town.opened(one)
    town.do("clerk", number, "claim")
    town.do("clerk", number, "reply", text="已派人修理路灯", resolve=True)
    town.do("clerk", number, "draft")
    town.later()
    town.do("clerk", number, "reopen", reason="又坏了")
    town.say(one, ACCUSED)
    town.say(one, f"钱是在{WORDS[1]}给的")
    town.files["secret"] = [town.send(one, WORDS[4])]
    town.secret["typed while a clerk has another case"] = number
    town.do(NAMED, number, "claim")
    town.do(NAMED, number, "reply", text=f"{WORDS[2]}已经收到")
    town.do(NAMED, number, "note", text=f"{WORDS[5]}核实")
    town.world.made(NAMED, f"/cases/{number}/transfer", json={"department": "市民政局", "reason": WORDS[6]})


def added_by_button(town: Town) -> None:
    two = town.citizen()
    number = town.opened(two)
    added = {"text": f"村支书贪污低保款，账在{WORDS[7]}"}
    town.world.made(CITIZEN, f"/conversations/{two}/cases/{number}/add", json=added)
    town.secret["added by the button"] = number


def after_a_closed_one(town: Town) -> None:
    """A tip-off between two ordinary cases of one conversation, which are read by ordinary clerks."""
    three = town.citizen()
    town.say(three, "请问公园几点开门呢")
    first = town.opened(three)
    town.do("clerk", first, "reply", text="六点", resolve=True)
    town.do("clerk", first, "close")
    town.later()
    second = town.opened(three)
    town.say(three, f"{ACCUSED}，在{WORDS[8]}")
    file = town.send(three, WORDS[4])
    town.do(NAMED, second, "reply", text=f"{WORDS[2]}知道了", resolve=True)
    town.do(NAMED, second, "close")
    town.later()
    town.say(three, "我的工单")
    third = town.opened(three)
    town.do("clerk", third, "reply", text="您好", resolve=True)
    town.do("clerk", third, "draft")
    town.do("clerk", first, "note", text="看过")
    town.plain += [first, third]
    town.secret["between two others"] = second
    town.files["secret"].append(file)
    town.numbers["of one conversation"] = [first, third]


def merged_before(town: Town) -> None:
    """An ordinary case that was merged into one which became a tip-off goes on by itself."""
    four = town.citizen()
    duplicate = town.opened(four)
    five = town.citizen()
    into = town.opened(five)
    town.do("supervisor", duplicate, "merge", into=into)
    town.say(five, ACCUSED)
    town.do(NAMED, into, "reply", text=f"{WORDS[2]}在查")
    town.plain.append(duplicate)
    town.secret["had taken in a duplicate"] = into
    town.numbers["merged"] = [duplicate]


def from_the_start(town: Town) -> None:
    """Its citizen lets it be found: no open case before, and a second tip-off that goes into the first."""
    six = town.citizen()
    new = cases.NewCase("report", ACCUSED, "web", conversation_id=six)
    write = town.world.container.database.write
    opened = write(lambda uow: cases.open_case(uow, town.world.container.secrets, new, now=NOW))
    town.secret["from the start"] = opened.case_no
    town.do(NAMED, opened.case_no, "merge", into=town.secret["had taken in a duplicate"])


def everybody_is_told(town: Town) -> None:
    """Limits are missed, an alert level brings its reports, a message about a tip-off could not be delivered."""
    container = town.world.container
    town.world.made("manager", "/supervision/alert-level", json={"level": 1})
    town.later(60 * 24 * 40)
    now = container.clock.now()
    tasks.sweep(container.database, now)
    tasks.tell_named(container.database, now)
    tasks.write_due_reports(container.database, now)
    times = {"created_at": NOW, "next_attempt_at": NOW, "done_at": NOW, "attempts": 12, "dead": True}
    for number in (*town.secret.values(), town.plain[0]):
        row = OutboxRow(
            channel="wechat",
            recipient="c",
            kind="case.reply",
            body={"case_no": number, "seq": 1, "count": 1},
            dedupe_key=f"dead about {number}",
            **times,
        )
        container.database.write(lambda uow, row=row: uow.session.add(row))
    town.world.log_in()


@pytest.fixture(scope="module")
def town(world: World) -> Town:
    made = Town(world)
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        configure_logging("test")
        tell_everything(made)
    made.logged = stream.getvalue()
    return made


def leaks(town: Town, text: str) -> list[str]:
    """What a text tells that it must not."""
    return [word for word in (*WORDS, *town.secret.values()) if word in text]


def paths(town: Town) -> list[str]:
    """Every GET route, with whatever there is of ordinary cases and of files to name in it, and with its searches."""
    every = [*town.files["before"], *town.files["secret"]]
    given: dict[str, list[str]] = {"case_no": town.plain, "attachment_id": every}
    filled: list[str] = []
    for route in routes_of(town.world.app):
        path = route.path.replace(":path}", "}")
        if route.method != "GET" or path == "/static":
            continue
        names = re.findall(r"{(\w+)}", path)
        chosen = itertools.product(*(given.get(name, ["1"]) for name in names))
        filled += [path.format(**dict(zip(names, values, strict=True))) for values in chosen]
    searches = [
        "/api/v1/cases?limit=100",
        *(f"/api/v1/cases?limit=100&{one}" for one in ("overdue=true", "unanswered=true", "mine=true", "status=new")),
        *(f"/api/v1/knowledge/{one}" for one in (f"entries?q={WORDS[0]}", f"search?q={WORDS[1]}")),
        *(f"/api/v1/knowledge/drafts?state={state}" for state in ("open", "accepted", "dropped")),
        *(f"/api/v1/statistics/timeliness?by={by}" for by in ("department", "month")),
        "/api/v1/outbox/dead?limit=200",
        "/api/v1/supervision/reports?limit=100",
    ]
    return [*filled, *searches]


def test_each_way_of_telling_makes_a_case_that_its_named_reader_sees_and_hears_of(town: Town) -> None:
    listed = town.world.ask(NAMED, "GET", "/api/v1/cases?limit=100").json()["cases"]
    shown = {case["case_no"]: case for case in listed}
    assert len(set(town.secret.values())) == len(town.secret) == 5
    assert {number: shown[number]["confidential"] for number in town.secret.values()} == dict.fromkeys(
        town.secret.values(), True
    )
    notices = town.world.ask(NAMED, "GET", "/api/v1/notices").json()
    heard = {one["body"]["case_no"]: one for one in notices if one["kind"] == "case_confidential"}
    assert set(town.secret.values()) <= set(heard)
    for number, notice in heard.items():
        assert notice["link"] == f"/staff/cases/{number}"
        assert notice["body"] == {"case_no": number, "confidential": True}
    detail = town.world.ask(NAMED, "GET", f"/api/v1/cases/{town.secret['typed while a clerk has another case']}").text
    assert all(word in detail for word in (WORDS[0], WORDS[1], WORDS[2], WORDS[5], WORDS[6]))
    kinds = {one["kind"] for one in notices if one["body"]["case_no"] in town.secret.values()}
    assert {"case_breach", "case_escalation"} <= kinds


@pytest.mark.parametrize("who", OTHERS)
def test_nobody_else_finds_a_word_or_a_number_of_a_tip_off_anywhere(town: Town, who: str) -> None:
    asked = paths(town)
    assert len(asked) > 60
    found = {}
    for path in asked:
        answer = town.world.ask(who, "GET", path)
        told = leaks(town, answer.text) or [word for word in WORDS if word.encode() in answer.content]
        # A search says what it searched for.
        told = [one for one in told if one not in path]
        if told:
            found[path] = told
    assert found == {}


@pytest.mark.parametrize("who", OTHERS)
def test_a_tip_off_is_to_everybody_else_as_a_number_that_there_is_not(town: Town, who: str) -> None:
    routes = [one for one in routes_of(town.world.app) if "{case_no}" in one.path and one.method != "HEAD"]
    assert len(routes) > 25
    different = []
    for route, number in itertools.product(routes, town.secret.values()):
        answers = []
        for asked in (number, NO_SUCH_NUMBER):
            given = {"case_no": asked, "conversation_id": "c", "attachment_id": town.files["secret"][0]}
            body = {"json": BODIES.get(route.path.rpartition("/")[2], {})} if route.method == "POST" else {}
            answer = town.world.ask(who, route.method, route.path.format(**given), **body)
            answers.append((answer.status_code, answer.text.replace(asked, "NUMBER")))
        if answers[0] != answers[1]:
            different.append((route.method, route.path, answers))
    assert different == []


BODIES: dict[str, dict[str, Any]] = {
    "reply": {"text": "答"},
    "note": {"text": "记"},
    "hold": {"text": "问"},
    "transfer": {"department": "市民政局", "reason": "转"},
    "reopen": {"reason": "再办"},
    "return": {"reason": "退"},
    "release": {"reason": "放"},
    "assign": {"assignee": "clerk"},
    "extend": {"days": 1, "reason": "延"},
    "extension": {"approve": True},
    "merge": {"into": "GD2026111788888"},
    "classify": {"kind": "complaint"},
    "access": {"name": "clerk"},
    "presence": {"writing": True},
    "reveal": {"placeholder": "【手机号1】", "reason": "核对"},
    "add": {"text": "补充"},
    "rate": {"score": 5},
}


def test_its_files_open_through_its_own_case_only(town: Town) -> None:
    first, second = town.files["secret"]
    typed, between = town.secret["typed while a clerk has another case"], town.secret["between two others"]
    get = "/api/v1/cases/{}/attachments/{}".format
    assert town.world.ask(NAMED, "GET", get(typed, first)).status_code == 200
    assert town.world.ask(NAMED, "GET", get(between, second)).status_code == 200
    for number in town.numbers["of one conversation"]:
        for who in (NAMED, "clerk", "supervisor", "admin"):
            assert town.world.ask(who, "GET", get(number, second)).status_code == 404


def test_clerks_of_the_cases_around_it_read_their_own_words_and_nothing_else(town: Town) -> None:
    first, third = town.numbers["of one conversation"]
    said = {
        number: [one["text"] for one in town.world.ask("clerk", "GET", f"/api/v1/cases/{number}").json()["transcript"]]
        for number in (first, third)
    }
    assert "请问公园几点开门呢" in said[first]
    assert "六点" in said[first]
    assert "您好" in said[third]
    assert town.world.ask("clerk", "GET", f"/api/v1/cases/{third}").json()["title"] in (
        "（市民尚未说明事由）",
        "请问公园几点开门呢",
    )


def test_a_duplicate_of_it_goes_on_by_itself_and_hears_none_of_its_answers(town: Town) -> None:
    (duplicate,) = town.numbers["merged"]
    case = town.world.ask("supervisor", "GET", f"/api/v1/cases/{duplicate}").json()
    assert case["status"] not in ("merged", "closed")
    assert case["merged_into"] is None
    assert "reopened" in [event["type"] for event in case["events"]]


def test_drafts_made_before_are_gone(town: Town) -> None:
    shown = [
        draft["case_no"]
        for state in ("open", "accepted", "dropped")
        for draft in town.world.ask("editor", "GET", f"/api/v1/knowledge/drafts?state={state}").json()["drafts"]
    ]
    assert shown == [town.numbers["of one conversation"][1]]


def test_no_number_is_told_by_comparing_two_others(town: Town) -> None:
    container = town.world.container
    listed = town.world.ask("admin", "GET", "/api/v1/cases?limit=100").json()
    assert listed["total"] == len(listed["cases"]) == len(town.plain)
    figures = {
        who: town.world.ask(who, "GET", "/api/v1/statistics/timeliness?by=department").json()
        for who in ("supervisor", "manager", "admin")
    }
    with container.database.unit_of_work(read_only=True) as uow:
        printed = cases.report(uow, start=None, end=None, now=container.clock.now(), by="department")
        named = cases.report(
            uow, start=None, end=None, now=container.clock.now(), reader=StaffUser(NAMED, "clerk", None)
        )
    for one in (*figures.values(), printed):
        assert one["overall"]["cases"] == listed["total"] == sum(row["cases"] for row in one["rows"])
        assert one["open_cases"] == sum(row["open"] for row in one["rows"])
    # A merged one is no case of its own unless its limit was missed.
    assert named["overall"]["cases"] >= listed["total"] + len(town.secret) - 1
    reports = town.world.ask("manager", "GET", "/api/v1/supervision/reports?limit=100").json()
    assert reports
    assert max(one["figures"]["open_cases"] for one in reports) <= listed["total"]
    dead = town.world.ask("supervisor", "GET", "/api/v1/outbox/dead?limit=200").json()
    assert (dead["total"], len(dead["rows"])) == (1, 1)


def test_no_table_holds_its_words_and_no_notice_or_message_to_others_its_number(town: Town) -> None:
    with town.world.container.database.unit_of_work(read_only=True) as uow:
        for table in Base.metadata.sorted_tables:
            rows = [
                json.dumps(list(map(str, row)), ensure_ascii=False) for row in uow.session.execute(sa.select(table))
            ]
            assert [row for row in rows if any(word in row for word in WORDS)] == [], table.name
        number = town.secret["from the start"]
        told = uow.session.scalars(sa.select(StaffNotice).where(StaffNotice.dedupe_key.contains(number))).all()
        assert {notice.recipient for notice in told} == {f"user:{NAMED}"}
        confidential = set(uow.session.scalars(sa.select(Case.case_no).where(Case.confidential.is_(True))))
    assert confidential == set(town.secret.values())


def test_the_logs_hold_neither_its_words_nor_its_number(town: Town) -> None:
    ours = [line for line in town.logged.splitlines() if "HTTP Request:" not in line]
    assert len(ours) > 50
    assert [line for line in ours if leaks(town, line)] == []
    assert town.world.container.clock.now().astimezone(SHANGHAI).year == 2026


def test_a_notice_leads_its_reader_to_a_page_that_opens_or_nowhere(town: Town) -> None:
    for who in account_roles():
        for notice in town.world.ask(who, "GET", "/api/v1/notices").json():
            if notice["link"] is not None:
                assert town.world.ask(who, "GET", notice["link"]).status_code == 200
                assert town.world.ask(who, "GET", f"/api/v1/cases/{notice['body']['case_no']}").status_code == 200
    told = town.world.ask("manager", "GET", "/api/v1/notices").json()
    escalated = [one for one in told if one["kind"] == "case_escalation"]
    assert escalated
    assert {one["link"] for one in escalated} == {None}
