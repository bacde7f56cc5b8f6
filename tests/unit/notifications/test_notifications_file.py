"""notifications.yaml: what is refused, and with which line."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import services
from services.core.errors import Unprocessable
from services.notifications.mail import MailServer
from services.notifications.schemas import CITIZEN_KINDS, NotificationsFile
from services.notifications.wechat import LONGEST, pieces
from services.sla import service as sla

DEMO = Path(services.__file__).parent / "demo_city" / "notifications.yaml"


def refused(tmp_path: Path, **content: Any) -> str:
    file = tmp_path / "notifications.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(Unprocessable) as error:
        sla.read_document(file, NotificationsFile)
    assert "\n" not in error.value.detail
    return error.value.detail


def test_the_demo_city_has_words_for_everything_that_citizens_are_told() -> None:
    city = sla.read_document(DEMO, NotificationsFile)
    assert {one.kind for one in city.templates if one.channel == "chat"} == set(CITIZEN_KINDS)
    assert (city.robots, city.mailboxes, city.routes) == ([], [], [])


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ({"kind": "case_breach", "channel": "robot", "text": "{case}"}, "unknown name {case}"),
        ({"kind": "case_breach", "channel": "robot", "text": "{case_no.__class__}"}, "only plain names"),
        ({"kind": "case_breach", "channel": "robot", "text": "{0}"}, "only plain names"),
        ({"kind": "case_breach", "channel": "robot", "text": "{case_no!r}"}, "only plain names"),
        ({"kind": "case_breach", "channel": "robot", "text": "{case_no"}, "Value error"),
        ({"kind": "case_breach", "channel": "mail", "text": ""}, "text is missing"),
        ({"kind": "case_breach", "channel": "chat", "text": "x"}, "goes out on channel chat"),
        ({"kind": "confidential", "channel": "mail", "text": "{case_no}"}, "unknown name {case_no}"),
        ({"kind": "case.reply", "channel": "chat", "text": "x"}, "goes out on channel chat"),
        ({"kind": "case.reply", "channel": "wechat", "text": "x"}, "needs template_id"),
    ],
)
def test_words_with_a_mistake_are_refused(tmp_path: Path, template: dict[str, str], problem: str) -> None:
    message = refused(tmp_path, templates=[template])
    assert message.startswith("notifications.yaml: templates[0]")
    assert problem in message


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        ({"kinds": ["case_gone"], "readers": ["role:manager"], "robot": "r"}, "unknown kind case_gone"),
        ({"kinds": ["case_breach"], "readers": ["manager"], "robot": "r"}, "a reader is role:NAME"),
        ({"kinds": ["case_breach"], "readers": ["role:manager"]}, "exactly one of robot, mailbox and phone"),
        ({"kinds": ["case_breach"], "readers": ["role:manager"], "robot": "x"}, "no such robot"),
        ({"kinds": ["case_breach"], "readers": ["role:manager"], "mailbox": "x"}, "no such mailbox"),
    ],
)
def test_a_route_with_a_mistake_is_refused(tmp_path: Path, route: dict[str, Any], problem: str) -> None:
    assert problem in refused(tmp_path, robots=[{"name": "r", "secret": "key"}], routes=[route])


def test_an_address_that_is_none_and_a_key_in_the_file_are_refused(tmp_path: Path) -> None:
    assert "not an e-mail address" in refused(tmp_path, mailboxes=[{"name": "m", "address": "duty"}])
    key = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1"
    assert "robots[0].secret" in refused(tmp_path, robots=[{"name": "r", "secret": key}])


@given(st.text(alphabet="一二a\n😀", max_size=3000))
def test_pieces_are_short_enough_and_say_all_of_it(text: str) -> None:
    cut = list(pieces(text))
    assert all(len(piece.encode()) <= LONGEST and piece.strip() for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())


def test_the_address_of_a_mail_server_says_how_it_is_spoken_to() -> None:
    assert MailServer.parse("smtp://mail.local") == MailServer("mail.local", 25, False, None, None)
    assert MailServer.parse("smtps://a%40b:p%2F@mail.local") == MailServer("mail.local", 465, True, "a@b", "p/")
    with pytest.raises(ValueError, match="SMTP_URL"):
        MailServer.parse("mail.local:25")
