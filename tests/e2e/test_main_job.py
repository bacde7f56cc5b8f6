"""A citizen asks, looks up and asks for a person; a clerk answers; a manager sees it."""

import json
import threading
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Citizen, System
from tests.support import wait_for

pytestmark = pytest.mark.e2e

PLATE, ENGINE_TAIL = "粤B7K392", "3F0712"


def texts(answer: dict[str, Any]) -> str:
    return "\n".join(message["text"] for message in answer["messages"])


def open_own_case(citizen: Citizen) -> str:
    answer = citizen.send("转人工")
    assert answer["route"] == "human"
    case_no = answer["case_no"]
    assert case_no.startswith("GD")
    assert case_no in texts(answer)
    return case_no


def test_an_everyday_question_gets_the_official_answer_with_its_source(system: System) -> None:
    answer = system.citizen().send("我的车能异地年检吗")
    assert answer["route"] == "faq"
    (reply,) = answer["messages"]
    assert reply["type"] == "answer"
    assert "示范数据" in reply["text"]
    assert reply["source"]["department"] == "市公安局交通警察支队"
    assert reply["source"]["source"]
    assert answer["confidence"] > 0.5


def test_a_question_it_cannot_answer_is_admitted_and_two_misses_offer_a_person(system: System) -> None:
    citizen = system.citizen()
    first = citizen.send("绿萝怎么浇水")
    assert all(message["type"] != "answer" for message in first["messages"])
    second = citizen.send("吉他入门学哪个和弦")
    offered = [option["payload"] for message in second["messages"] for option in message["options"] or ()]
    assert "human:yes" in offered, (texts(first), texts(second))
    accepted = citizen.send(choice="human:yes")
    assert accepted["case_no"]


def test_the_violation_form_asks_consent_once_and_finds_the_violations_of_a_seeded_plate(system: System) -> None:
    citizen = system.citizen()
    asked = citizen.send("查违章")
    assert "human" not in asked["route"]
    assert [option["payload"] for option in asked["messages"][-1]["options"]] == ["consent:yes", "consent:no"]
    granted = citizen.send(choice="consent:yes")
    assert "车牌" in texts(granted)
    citizen.send(PLATE)
    citizen.send("小型汽车")
    result = citizen.send(ENGINE_TAIL)
    assert result["route"] == "query_violation"
    found = next(message for message in result["messages"] if message["type"] == "result")
    assert len(found["data"]["violations"]) == 3
    assert PLATE not in found["text"]
    again = citizen.send("再查一次违章")
    assert "consent:yes" not in json.dumps(again)


def test_a_first_sentence_with_everything_fills_the_form(system: System) -> None:
    citizen = system.citizen().consented()
    result = citizen.send(f"帮我查一下{PLATE}小型汽车的违章，发动机号后六位{ENGINE_TAIL}")
    assert any(message["type"] == "result" for message in result["messages"])


def test_a_first_sentence_with_everything_waits_only_for_consent(system: System) -> None:
    citizen = system.citizen()
    asked = citizen.send(f"{PLATE}小型汽车发动机号{ENGINE_TAIL}查违章")
    assert asked["messages"][0]["options"][0]["payload"] == "consent:yes"
    granted = citizen.send(choice="consent:yes")
    found = next(message for message in granted["messages"] if message["type"] == "result")
    assert len(found["data"]["violations"]) == 3


def test_a_question_in_the_middle_of_a_form_is_answered_and_the_form_goes_on(system: System) -> None:
    citizen = system.citizen().consented()
    citizen.send("查违章")
    between = citizen.send("我的车能异地年检吗")
    assert between["messages"][0]["type"] == "answer"
    citizen.send(PLATE)
    citizen.send("小型汽车")
    result = citizen.send(ENGINE_TAIL)
    assert any(message["type"] == "result" for message in result["messages"])


def test_a_form_is_left_by_saying_so(system: System) -> None:
    citizen = system.citizen().consented()
    citizen.send("查违章")
    citizen.send("算了不查了")
    answer = citizen.send("我的车能异地年检吗")
    assert [message["type"] for message in answer["messages"]] == ["answer"]


def test_a_plate_that_is_none_is_asked_for_again(system: System) -> None:
    citizen = system.citizen().consented()
    citizen.send("查违章")
    answer = citizen.send("粤B12")
    assert answer["route"] == "query_violation"
    assert all(message["type"] in ("text", "options") for message in answer["messages"])
    citizen.send(PLATE)
    citizen.send("小型汽车")
    assert any(message["type"] == "result" for message in citizen.send(ENGINE_TAIL)["messages"])


def test_a_refused_consent_uses_no_identifier(system: System) -> None:
    citizen = system.citizen()
    citizen.send(f"查{PLATE}的违章")
    refused = citizen.send(choice="consent:no")
    assert "没有使用" in texts(refused)
    case_no = open_own_case(citizen)
    assert system.staff("clerk").get(f"/api/v1/cases/{case_no}").json()["identifiers"] == []


def test_identifiers_are_masked_in_what_is_read_back(system: System) -> None:
    citizen = system.citizen().consented()
    citizen.send(f"查{PLATE}的违章")
    everything = json.dumps(citizen.messages(), ensure_ascii=False)
    assert PLATE not in everything
    assert "粤B7**92" in everything


def test_from_a_case_to_the_clerk_s_reply_in_the_open_page_and_into_the_statistics(system: System) -> None:
    citizen = system.citizen()
    citizen.send("我的车能异地年检吗")
    case_no = open_own_case(citizen)
    manager = system.staff("manager")
    before = manager.get("/api/v1/statistics/timeliness").json()["overall"]["answered"]

    # Until a clerk has claimed it the bot goes on.
    assert citizen.send("身份证丢了怎么补办")["handler"] == "bot"
    clerk = system.staff("clerk")
    listed = clerk.get("/api/v1/cases").json()["cases"]
    assert case_no in [case["case_no"] for case in listed]
    clerk.post(f"/api/v1/cases/{case_no}/claim").raise_for_status()
    held = citizen.send("您好，我想问补办身份证要带什么")
    assert held["handler"] == "human"
    assert held["messages"] == []

    received: list[dict[str, Any]] = []
    listening = threading.Event()
    stream = threading.Thread(target=follow, args=(system, citizen, received, listening), daemon=True)
    stream.start()
    assert listening.wait(60)
    reply = "请带户口簿到任一派出所户政窗口办理。"
    clerk.post(f"/api/v1/cases/{case_no}/reply", json={"text": reply, "resolve": True}).raise_for_status()
    wait_for(lambda: any(message["text"] == reply for message in received))
    stream.join(60)

    case = clerk.get(f"/api/v1/cases/{case_no}").json()
    assert case["first_response_at"] is not None
    assert any("补办身份证" in message["text"] for message in case["transcript"])
    assert manager.get("/api/v1/statistics/timeliness").json()["overall"]["answered"] == before + 1
    assert citizen.send("我的车能异地年检吗")["handler"] == "bot"


def follow(system: System, citizen: Citizen, received: list[dict[str, Any]], listening: threading.Event) -> None:
    """Read the citizen's stream until the clerk has spoken."""
    address = f"{system.url}/api/v1/conversations/{citizen.conversation_id}/stream"
    headers = {"authorization": f"Bearer {citizen.token}"}
    with httpx.stream("GET", address, headers=headers, timeout=60) as response:
        for line in response.iter_lines():
            listening.set()
            if line.startswith("data:"):
                data = json.loads(line[5:])
                if data.get("sender"):
                    received.append(data)
                if data.get("sender") == "clerk":
                    return


def test_danger_to_life_is_answered_at_once_with_the_emergency_numbers_and_an_urgent_case(system: System) -> None:
    answer = system.citizen().post("家里煤气味很大，老人晕倒了")
    assert answer["route"] == "urgent"
    assert answer["pending"] is False
    assert answer["messages"][0]["type"] == "emergency"
    assert "119" in texts(answer) or "120" in texts(answer)
    case = system.staff("supervisor").get(f"/api/v1/cases/{answer['case_no']}").json()
    assert case["priority"] == "urgent"
    notices = wait_for(lambda: system.staff("supervisor").get("/api/v1/notices").json())
    assert answer["case_no"] in json.dumps(notices)


def test_a_complaint_opens_a_case(system: System) -> None:
    answer = system.citizen().send("举报楼下烧烤店半夜占道经营，噪音扰民")
    assert answer["route"] == "complaint"
    assert answer["case_no"]


def test_the_same_message_twice_has_one_effect(system: System) -> None:
    citizen = system.citizen()
    first = citizen._post({"text": "转人工", "client_message_id": "same"})
    again = citizen._post({"text": "转人工", "client_message_id": "same"})
    assert again["case_no"] == first["case_no"]
    assert [message["id"] for message in again["messages"]] == [message["id"] for message in first["messages"]]


def test_a_burst_is_answered_in_order(system: System) -> None:
    citizen = system.citizen()
    questions = ["在吗", "我的车能异地年检吗", "谢谢", "身份证丢了怎么补办", "你好"]
    threads = []
    for number, question in enumerate(questions):
        body = {"text": question, "client_message_id": f"b{number}"}
        threads.append(threading.Thread(target=citizen._post, args=(body,)))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
    wait_for(lambda: sum(m["sender"] == "bot" for m in citizen.messages()) >= len(questions) + 1)
    stored = citizen.messages()
    asked = [message["id"] for message in stored if message["sender"] == "citizen"]
    assert asked == sorted(asked)
    assert len(asked) == len(questions)
