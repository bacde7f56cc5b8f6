"""A citizen books in the chat, through the real Rasa and action server, and staff check in."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import Citizen, System

pytestmark = pytest.mark.e2e


def texts(answer: dict[str, Any]) -> str:
    return "\n".join(message["text"] for message in answer["messages"])


def options(answer: dict[str, Any]) -> list[str]:
    return [option["payload"] for message in answer["messages"] for option in message["options"] or ()]


def book_notary(citizen: Citizen, phone: str) -> dict[str, Any]:
    """Book the first free hour that is offered, and agree where it is asked for."""
    asked = citizen.send("想预约办公证")
    assert asked["route"] == "book_appointment", texts(asked)
    assert "办理" in texts(asked) or "可以约" in texts(asked)
    asked = citizen.send(choice=options(asked)[0])
    if "consent:yes" in options(asked):
        asked = citizen.send(choice="consent:yes")
    assert "手机号" in texts(asked), texts(asked)
    checked = citizen.send(phone)
    assert "确认预约" in options(checked), texts(checked)
    assert phone not in texts(checked)
    return citizen.send(choice="确认预约")


def test_a_citizen_books_looks_moves_and_cancels_in_the_chat(system: System) -> None:
    citizen = system.citizen()
    done = book_notary(citizen, "13800008001")
    found = next(message for message in done["messages"] if message["type"] == "result")
    assert "预约成功" in found["text"]
    assert "请带" in found["text"]
    picture = citizen.client.get(found["data"]["qr"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
    assert system.citizen().client.get(found["data"]["qr"]).status_code == 404
    assert found["data"]["no"] in texts(citizen.send("我的预约"))

    # Another question in between is answered, and the talk goes on behind it.
    asked = citizen.send("改预约时间")
    later = [one for one in options(asked) if "月" in one]
    assert citizen.send("我的车能异地年检吗")["messages"][0]["type"] == "answer"
    assert "确认改期" in options(citizen.send(later[-1]))
    moved = citizen.send("确认改期")
    assert found["data"]["no"] in texts(moved)

    assert "确认取消" in options(citizen.send("取消预约"))
    assert "已经取消" in texts(citizen.send(choice="确认取消"))
    assert "没有找到" in texts(citizen.send("我的预约"))


def test_a_first_sentence_fills_service_and_day(system: System) -> None:
    citizen = system.citizen().consented()
    asked = citizen.send("想预约下周一上午办结婚登记")
    assert asked["route"] == "book_appointment"
    assert "市婚姻登记处" in options(asked)
    hours = citizen.send(choice="市婚姻登记处")
    assert any("月" in one for one in options(hours)), texts(hours)
    assert "不约了" in texts(citizen.send("不约了")) or citizen.send("在吗")["messages"]


def test_staff_see_the_day_and_check_in_with_the_code(system: System) -> None:
    citizen = system.citizen().consented()
    done = book_notary(citizen, "13800008002")
    found = next(message for message in done["messages"] if message["type"] == "result")
    code = re.search(r"签到码：(\w+)", found["text"])
    day = re.search(r"时间：(\d+)月(\d+)日", found["text"])
    assert code is not None
    assert day is not None
    today = datetime.now(UTC) + timedelta(hours=8)
    year = today.year + (1 if int(day[1]) < today.month else 0)
    clerk = system.staff("clerk")
    listed = clerk.get(
        "/api/v1/appointments", params={"hall": "service-center", "day": f"{year}-{int(day[1]):02d}-{int(day[2]):02d}"}
    ).json()
    assert found["data"]["no"] in [one["no"] for one in listed["appointments"]]
    assert "13800008002" not in str(listed)
    early = clerk.post("/api/v1/appointments/check-in", json={"code": code[1]})
    assert early.status_code in (200, 409)
