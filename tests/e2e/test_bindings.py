"""A phone that is verified before a booking, through the real Rasa, worker and sandbox, and the logs without it."""

from typing import Any

import pytest

from tests.e2e.conftest import System

pytestmark = pytest.mark.e2e
PHONE = "13800009001"


def texts(answer: dict[str, Any]) -> str:
    return "\n".join(message["text"] for message in answer["messages"])


def options(answer: dict[str, Any]) -> list[str]:
    return [option["payload"] for message in answer["messages"] for option in message["options"] or ()]


def test_a_booking_that_needs_a_verified_phone_goes_on_by_itself_after_the_code(system: System) -> None:
    citizen = system.citizen()
    asked = citizen.send("预约不动产登记")
    asked = citizen.send(choice=next(one for one in options(asked) if "月" in one))
    if "consent:yes" in options(asked):
        asked = citizen.send(choice="consent:yes")
    assert "手机号" in texts(asked), texts(asked)
    assert "确认预约" in options(citizen.send(PHONE))
    sent = citizen.send(choice="确认预约")
    assert "138****9001" in texts(sent), texts(sent)
    code = system.code_to(PHONE)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert "不对" in texts(citizen.send(wrong))
    done = citizen.send(code)
    assert "预约成功" in texts(done), texts(done)
    assert "开启预约提醒" in options(done)
    assert "已开启预约提醒" in texts(citizen.send(choice="开启预约提醒"))
    logs = "\n".join(path.read_text() for path in (system.stack.settings.var_dir / "log").glob("*.log"))
    assert code not in logs
    assert PHONE not in logs
