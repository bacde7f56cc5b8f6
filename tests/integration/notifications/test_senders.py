"""Senders through systems of others, against real servers on loopback; on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

import services
from services import senders
from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.cases.tasks import sweep
from services.container import Container, build_container
from services.conversations.schemas import InboundMessage
from services.core.clock import FixedClock, parse_moment
from services.core.database import Database
from services.core.settings import Settings
from services.notifications import service as notifications
from services.notifications.dead_letters import CHANNEL_NAMES, dead_letters, resend
from services.notifications.failures import Later
from services.notifications.models import OutboxRow
from services.notifications.robot import Pace
from services.sla import service as sla
from tests.integration.notifications.servers import Mailbox, Platform, mail_server, platform

DEMO_CITY = Path(services.__file__).parent / "demo_city"
# Nothing is kept from whoever looks.
NO_CASE = sa.select(sa.literal(""))
CUSTOM, TEMPLATE, ROBOT = "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send", "/cgi-bin/webhook/send"
POLICE, CIVIL = "市公安局交通警察支队", "市民政局"
LI = StaffUser("li", "clerk", None)
BOSS = StaffUser("boss", "supervisor", None)
WAYS = f"""source: 测试
robots: [{{name: 督办群, secret: robot}}]
mailboxes: [{{name: 值班, address: duty@example.cn}}, {{name: 王, address: wang@example.cn}}]
wechat: [{{account: city, appid: wx1, secret: wechat}}]
routes:
  - {{kinds: [case_breach, case_escalation, case_urgent], readers: [role:supervisor, role:manager], robot: 督办群}}
  - {{kinds: [case_breach], readers: [role:supervisor], departments: [{CIVIL}], mailbox: 值班}}
  - {{kinds: [case_breach, case_urgent], readers: [role:admin, user:wang], mailbox: 王}}
  - {{kinds: [case_breach], readers: [user:wang], robot: 督办群}}
  - {{kinds: [supervision_report], readers: [role:manager], mailbox: 值班}}
templates:
  - {{kind: case.transferred, channel: chat, text: "您的事项 {{case_no}} 由{{department}}办理。"}}
  - {{kind: conversation.message, channel: wechat, template_id: T1, data: {{thing1: "工单 {{case_no}} 有新的答复"}}}}
  - {{kind: case_breach, channel: robot, text: "**{{name}}** {{case_no}} {{department}} {{due}}"}}
"""


class Post:
    """A city whose notices go out through `platform` and a mail server; one round sends all that is due."""

    def __init__(self, database: Database, redis_url: str, tmp_path: Path, platform: Platform, port: int) -> None:
        self.platform = platform
        self.clock = FixedClock(parse_moment("2026-11-20T10:00"))
        values = {"HUIYING_VAR": tmp_path, "redis_url": redis_url, "secret_keys": "k" * 40}
        ways = {"wechat_url": platform.url, "wecom_url": platform.url, "smtp_url": f"smtp://127.0.0.1:{port}"}
        keys = {"wechat": platform.secret, "robot": platform.robot_key}
        given = {**values, **ways, "mail_sender": "huiying@city.gov.cn", "connector_secrets": keys}
        self.the: Container = build_container(Settings.model_validate(given), self.clock)
        self.the.database.dispose()
        database.bus = self.the.database.bus
        self.the.database = database
        self.tmp_path = tmp_path
        self.apply(WAYS)
        self.senders = senders.senders_of(self.the)

    def apply(self, ways: str) -> Any:
        city = self.tmp_path / "city"
        city.mkdir(exist_ok=True)
        for file in DEMO_CITY.glob("*.yaml"):
            (city / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        (city / "notifications.yaml").write_text(ways, encoding="utf-8")

        def step(uow: Any) -> Any:
            sla.apply_city(uow, city, self.clock.now())
            return notifications.apply_city(uow, city, self.clock.now())

        return self.the.database.write(step)

    def run(self, action: Any, **arguments: Any) -> Any:
        now = self.clock.now()
        return self.the.database.write(lambda uow: action(uow, self.the.secrets, **{"now": now, **arguments}))

    def open(self, **arguments: Any) -> str:
        given = {"kind": "consultation", "title": "想问一件事", "channel": "web", **arguments}
        new, now = cases.NewCase(**given), self.clock.now()
        return self.the.database.write(lambda uow: cases.open_case(uow, self.the.secrets, new, now=now)).case_no

    def at(self, text: str) -> "Post":
        self.clock.set(parse_moment(text))
        return self

    def sweep(self) -> "Post":
        sweep(self.the.database, self.clock.now())
        return self

    def send(self) -> int:
        return notifications.send_due(self.the.database, self.senders, self.clock.now)

    def rows(self, channel: str) -> list[OutboxRow]:
        with self.the.database.unit_of_work(read_only=True) as uow:
            wanted = sa.select(OutboxRow).where(OutboxRow.channel == channel).order_by(OutboxRow.id)
            return list(uow.session.scalars(wanted))

    def citizen(self) -> str:
        """A conversation on WeChat."""

        def step(uow: Any) -> str:
            now = self.clock.now()
            opened = self.the.conversations.open(uow, channel="wechat", now=now).conversation_id
            reach = {"recipient": opened, "channel": "wechat", "account": "city", "address": "openid-1", "now": now}
            notifications.reach_at(uow, self.the.secrets, **reach)
            return opened

        return self.the.database.write(step)

    def says(self, conversation_id: str, text: str) -> None:
        message = InboundMessage(text=text, client_message_id=text)
        now = self.clock.now()
        self.the.database.write(lambda uow: self.the.conversations.arrive(uow, conversation_id, message, now))

    def answered(self, text: str = "已经处理好了", **case: Any) -> str:
        """A case of a WeChat citizen with a clerk's reply; the citizen's conversation."""
        conversation_id = self.citizen()
        case_no = self.open(conversation_id=conversation_id, **case)
        self.run(cases.reply, case_no=case_no, user=BOSS if not case else LI, text=text)
        return conversation_id


@pytest.fixture
def outer() -> Iterator[Platform]:
    with platform() as made:
        yield made


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with mail_server() as made:
        yield made


@pytest.fixture
def post(
    database: Database, embedded_redis_url: str, tmp_path: Path, outer: Platform, mailbox: tuple[Mailbox, int]
) -> Post:
    redis.Redis.from_url(embedded_redis_url).flushall()
    return Post(database, embedded_redis_url, tmp_path, outer, mailbox[1])


# -- staff ----------------------------------------------------------------------------------------------------------


def test_a_breach_reaches_the_group_and_the_department_s_mailbox_once_each(
    post: Post, outer: Platform, mailbox: tuple[Mailbox, int]
) -> None:
    number = post.open(department=CIVIL)
    post.open(department=POLICE)
    post.at("2026-11-23T17:00:01").sweep().send()
    post.send()
    texts = [body["markdown"]["content"] for body in outer.at(ROBOT)]
    assert len(texts) == 2
    assert f"**超时催办** {number} {CIVIL} 11月23日 17:00" in texts
    (mail,) = mailbox[0].taken
    assert (mail["To"], mail["From"], mail["Subject"]) == ("duty@example.cn", "huiying@city.gov.cn", "超时催办")
    assert number in mail.get_content()
    assert not [row for row in post.rows("mail") + post.rows("robot") if row.done_at is None or row.dead]


def test_two_readers_of_one_group_make_one_message_there(post: Post, outer: Platform) -> None:
    post.open(kind="urgent")
    post.send()
    assert len(outer.at(ROBOT)) == 1


def test_a_confidential_case_goes_out_to_named_people_by_mail_and_says_nothing(
    post: Post, outer: Platform, mailbox: tuple[Mailbox, int]
) -> None:
    number = post.open(kind="report", title="举报某人")
    post.the.database.write(lambda uow: _grant(uow, number, post.clock.now()))
    post.at("2026-12-31T10:00").sweep().send()
    post.send()
    assert outer.at(ROBOT) == []
    mails = mailbox[0].taken
    assert [mail["To"] for mail in mails] == ["wang@example.cn"]
    assert "保密" in mails[0].get_content()
    assert number not in str(mails[0].get_content()) + mails[0]["Subject"]
    assert CIVIL not in mails[0].get_content()


def _grant(uow: Any, number: str, now: Any) -> None:
    from services.cases import access, repository

    case = repository.lock_case(uow.session, number)
    assert case is not None
    access.grant(uow, case, "wang", by="boss", now=now)


def test_a_case_that_became_confidential_after_its_notice_was_written_stays_in_this_house(
    post: Post, outer: Platform, mailbox: tuple[Mailbox, int]
) -> None:
    number = post.open(department=CIVIL)
    post.at("2026-11-23T17:00:01").sweep()
    post.run(cases.classify, case_no=number, user=BOSS, kind="report")
    post.send()
    assert outer.at(ROBOT) == []
    assert mailbox[0].taken == []
    assert {row.last_error for row in post.rows("robot") + post.rows("mail")} == {
        "robot: has become confidential",
        "mail: has become confidential",
    }


def test_more_than_twenty_messages_a_minute_wait_for_the_next_and_none_is_given_up(post: Post, outer: Platform) -> None:
    for _ in range(25):
        post.open(department=POLICE)
    post.at("2026-11-23T17:00:01").sweep().send()
    assert len(outer.at(ROBOT)) == 20
    post.clock.advance(timedelta(seconds=30))
    post.send()
    assert len(outer.at(ROBOT)) == 20
    post.clock.advance(timedelta(seconds=31))
    post.send()
    assert len(outer.at(ROBOT)) == 25
    assert {row.attempts for row in post.rows("robot")} == {1}


def test_a_clock_that_was_days_ahead_silences_no_robot(embedded_redis_url: str) -> None:
    moments = [parse_moment("2026-11-30T09:00")]
    pace = Pace(redis.Redis.from_url(embedded_redis_url), lambda: int(moments[-1].timestamp() * 1000), limit=2)
    for what in ("a", "b"):
        pace.take("群", what)
    moments.append(parse_moment("2026-11-23T09:00"))
    for what in ("c", "d"):
        pace.take("群", what)
    moments.append(moments[-1] - timedelta(seconds=30))
    with pytest.raises(Later) as told:
        pace.take("群", "e")
    assert told.value.seconds == 60


def test_a_robot_that_answers_45009_is_left_alone_for_a_minute(post: Post, outer: Platform) -> None:
    outer.answers[ROBOT] = [45009]
    post.open(department=POLICE)
    post.at("2026-11-23T17:00:01").sweep().send()
    post.clock.advance(timedelta(seconds=59))
    post.send()
    assert outer.at(ROBOT) == []
    post.clock.advance(timedelta(seconds=2))
    post.send()
    assert len(outer.at(ROBOT)) == 1


def test_a_robot_with_a_wrong_key_is_a_dead_letter_at_once_that_can_be_sent_again(post: Post, outer: Platform) -> None:
    outer.robot_key = "another"
    post.open(department=POLICE)
    post.at("2026-11-23T17:00:01").sweep().send()
    with post.the.database.unit_of_work(read_only=True) as uow:
        (dead,) = dead_letters(uow, hidden=NO_CASE).rows
    assert (dead.channel, dead.last_error, dead.attempts) == ("robot", "robot: 93000", 1)
    outer.robot_key = "robot-key"
    post.the.database.write(lambda uow: resend(uow, dead.id, hidden=NO_CASE, actor="boss", now=post.clock.now()))
    post.send()
    assert len(outer.at(ROBOT)) == 1


def test_a_mailbox_that_is_full_for_now_gets_its_mail_later_and_one_that_is_not_there_never(
    post: Post, mailbox: tuple[Mailbox, int]
) -> None:
    mailbox[0].refuse = ["452 4.2.2 mailbox full"]
    post.open(department=CIVIL)
    post.at("2026-11-23T17:00:01").sweep().send()
    (row,) = post.rows("mail")
    assert (row.done_at, row.last_error) == (None, "mail: 452")
    post.clock.advance(timedelta(seconds=3))
    post.send()
    assert len(mailbox[0].taken) == 1
    mailbox[0].refuse = ["550 5.1.1 no such user"]
    post.open(department=CIVIL)
    post.at("2026-11-30T17:00:01").sweep().send()
    assert [row.dead for row in post.rows("mail")] == [False, True]


def test_a_mail_server_that_is_away_costs_attempts_until_the_row_is_dead(
    post: Post, mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post.the.settings, "smtp_url", type(post.the.settings.smtp_url)("smtp://127.0.0.1:1"))
    post.senders = senders.senders_of(post.the)
    post.open(department=CIVIL)
    post.at("2026-11-23T17:00:01").sweep()
    for _ in range(12):
        post.send()
        post.clock.advance(timedelta(minutes=31))
    (row,) = post.rows("mail")
    assert (row.dead, row.attempts, row.last_error) == (True, 12, "SMTPConnectError")


def test_a_mail_that_is_sent_again_after_a_crash_is_one_mail_in_the_mailbox(
    post: Post, mailbox: tuple[Mailbox, int]
) -> None:
    post.open(department=CIVIL)
    post.at("2026-11-23T17:00:01").sweep()
    (row,) = post.rows("mail")
    # The worker dies between sending and marking.
    post.senders["mail"](row)
    post.send()
    assert len(mailbox[0].taken) == 1


def test_a_password_never_goes_to_a_mail_server_without_tls(post: Post, mailbox: tuple[Mailbox, int]) -> None:
    secret = type(post.the.settings.smtp_url)(f"smtp://name:pass@127.0.0.1:{mailbox[1]}")
    post.the.settings.smtp_url = secret
    post.senders = senders.senders_of(post.the)
    post.open(department=CIVIL)
    post.at("2026-11-23T17:00:01").sweep().send()
    assert mailbox[0].taken == []
    assert post.rows("mail")[0].last_error == "SMTPException"


# -- citizens -------------------------------------------------------------------------------------------------------


def test_a_clerk_s_reply_reaches_the_citizen_on_wechat_as_it_was_written(post: Post, outer: Platform) -> None:
    post.answered("您好，已经处理好了。")
    post.send()
    sent = outer.at(CUSTOM)
    assert sent[-1] == {"touser": "openid-1", "msgtype": "text", "text": {"content": "您好，已经处理好了。"}}
    # Not as escapes, which the platform would show.
    assert "您好".encode() in outer.raw[-1]


def test_the_city_s_own_words_are_what_the_citizen_reads(post: Post, outer: Platform) -> None:
    conversation_id = post.citizen()
    number = post.open(conversation_id=conversation_id)
    post.run(cases.transfer, case_no=number, user=BOSS, department=CIVIL, reason="职责所在")
    post.send()
    assert outer.at(CUSTOM)[-1]["text"]["content"] == f"您的事项 {number} 由{CIVIL}办理。"


def test_one_token_serves_all_workers_and_is_fetched_anew_before_it_ends(post: Post, outer: Platform) -> None:
    conversation_id = post.answered()
    post.send()
    others = senders.senders_of(post.the)
    row = post.rows("wechat")[0]
    row.body = {**row.body, "sent": 0}
    others["wechat"](row)
    assert outer.tokens == 1
    store = redis.Redis.from_url(post.the.settings.redis_url)
    assert b"token-1" not in (store.get("huiying:wechat:token:wx1") or b"")
    # Four minutes before its end: still good, and yet the next one is fetched.
    post.clock.advance(timedelta(minutes=116))
    outer.valid = {"token-1", "token-2"}
    outer.tokens = 2
    row.body = {**row.body, "sent": 0}
    others["wechat"](row)
    until = store.ttl("huiying:wechat:token:wx1")
    assert isinstance(until, int)
    assert until > 7000
    assert post.the.conversations is not None
    assert conversation_id


def test_a_token_that_the_platform_no_longer_takes_is_replaced_at_once(post: Post, outer: Platform) -> None:
    post.answered()
    post.send()
    outer.valid = {"somebody else's"}
    row = post.rows("wechat")[0]
    row.body = {**row.body, "sent": 0}
    post.senders["wechat"](row)
    assert outer.tokens == 2


@pytest.mark.parametrize("code", [45015, 45047])
def test_beyond_the_platform_s_limits_a_message_waits_for_the_next_visit_and_a_template_tells_of_it(
    post: Post, outer: Platform, code: int
) -> None:
    conversation_id = post.answered("已经处理好了")
    outer.answers[CUSTOM] = [0, code]
    post.send()
    post.send()
    waiting = [row for row in post.rows("wechat") if row.done_at is None]
    assert [(row.parked, row.last_error) for row in waiting] == [(True, f"wechat: {code}")]
    (told,) = outer.at(TEMPLATE)
    number = waiting[0].body["case_no"]
    assert told["data"] == {"thing1": {"value": f"工单 {number} 有新的答复"}}
    assert told["client_msg_id"] == f"huiying-{post.rows('wechat_template')[0].id}"
    post.clock.advance(timedelta(days=3))
    post.send()
    before = len(outer.at(CUSTOM))
    post.says(conversation_id, "好了吗")
    post.send()
    assert [body["text"]["content"] for body in outer.at(CUSTOM)[before:]] == ["已经处理好了"]
    assert not [row for row in post.rows("wechat") if row.done_at is None]


def test_a_citizen_who_speaks_while_the_platform_still_says_no_is_not_waited_for(post: Post, outer: Platform) -> None:
    conversation_id = post.answered("已经处理好了")
    outer.answers[CUSTOM] = [0, 45015]
    real = post.senders["wechat"]

    def speaking_meanwhile(row: OutboxRow) -> None:
        try:
            real(row)
        except Exception:
            post.clock.advance(timedelta(milliseconds=1))
            post.says(conversation_id, "好了吗")
            raise

    post.senders["wechat"] = speaking_meanwhile
    post.send()
    post.senders["wechat"] = real
    assert [row.parked for row in post.rows("wechat")] == [False, False]
    post.clock.advance(timedelta(seconds=3))
    post.send()
    assert outer.at(CUSTOM)[-1]["text"]["content"] == "已经处理好了"
    assert outer.at(TEMPLATE) == []


def test_a_citizen_who_does_not_come_back_is_waited_for_ninety_days(post: Post, outer: Platform) -> None:
    post.answered()
    outer.answers[CUSTOM] = [45015] * 100
    for _ in range(5):
        post.send()
        post.clock.advance(timedelta(days=31))
    # The last attempts are as many as any row gets.
    for _ in range(13):
        post.send()
        post.clock.advance(timedelta(minutes=31))
    assert all(row.dead for row in post.rows("wechat"))


def test_a_long_reply_goes_out_in_pieces_and_what_went_out_is_not_said_twice(post: Post, outer: Platform) -> None:
    text = "一" * 599 + "\n" + "二" * 600 + "\n" + "三" * 300
    conversation_id = post.answered(text)
    outer.answers[CUSTOM] = [0, 0, 45047]
    post.send()
    post.says(conversation_id, "然后呢")
    post.send()
    said = [body["text"]["content"] for body in outer.at(CUSTOM)]
    assert "\n".join(said[1:]) == text
    assert all(len(piece.encode()) <= 1800 for piece in said)


def test_a_reply_to_a_confidential_report_leaves_this_house_without_its_text(post: Post, outer: Platform) -> None:
    conversation_id = post.citizen()
    number = post.open(conversation_id=conversation_id, kind="report")
    post.the.database.write(lambda uow: _grant(uow, number, post.clock.now()))
    wang = StaffUser("wang", "clerk", None)
    post.run(cases.reply, case_no=number, user=wang, text="已对某人立案")
    post.send()
    said = [body["text"]["content"] for body in outer.at(CUSTOM)]
    assert said
    assert not [text for text in said if "立案" in text or number in text]


def test_a_citizen_who_has_gone_is_a_dead_letter(post: Post, outer: Platform) -> None:
    post.answered()
    outer.answers[CUSTOM] = [43004, 43004]
    post.send()
    assert [(row.dead, row.last_error) for row in post.rows("wechat")] == [(True, "wechat: 43004")] * 2


def test_a_busy_platform_is_asked_again_a_minute_later(post: Post, outer: Platform) -> None:
    post.answered()
    outer.answers[CUSTOM] = [-1, 45009]
    post.send()
    assert outer.at(CUSTOM) == []
    post.clock.advance(timedelta(seconds=61))
    post.send()
    assert len(outer.at(CUSTOM)) == 2


def test_without_redis_messages_still_go_out(
    database: Database, tmp_path: Path, outer: Platform, mailbox: tuple[Mailbox, int]
) -> None:
    post = Post(database, "redis://127.0.0.1:1/0", tmp_path, outer, mailbox[1])
    post.answered()
    post.open(department=POLICE)
    post.at("2026-11-23T17:00:01").sweep().send()
    assert len(outer.at(CUSTOM)) == 2
    assert len(outer.at(ROBOT)) >= 1
    assert outer.tokens == 1


def test_nothing_that_was_written_and_no_key_is_in_the_log(post: Post, outer: Platform, logged: StringIO) -> None:
    post.answered("身份证号请带上")
    outer.answers[CUSTOM] = [40003, 45015]
    outer.answers[ROBOT] = [40058]
    post.open(department=POLICE)
    post.at("2026-11-23T17:00:01").sweep().send()
    log = logged.getvalue()
    assert "outbox row not sent" in log
    assert "wechat: 40003" in log
    for secret in ("身份证", "openid-1", "token-1", "wx-secret", "robot-key", "duty@"):
        assert secret not in log
    errors = [row.last_error for row in post.rows("wechat") + post.rows("robot")]
    assert "robot: 40058" in errors


# -- the file -------------------------------------------------------------------------------------------------------


def test_a_city_s_words_are_versions_and_the_same_file_is_the_same_version(post: Post) -> None:
    (again,) = post.apply(WAYS)
    assert (again.version, again.changed) == (1, False)
    (next_,) = post.apply(WAYS.replace("由{department}办理", "已交{department}"))
    assert (next_.version, next_.changed) == (2, True)


def test_a_message_that_was_given_up_names_its_channel_as_people_call_it(post: Post) -> None:
    assert set(CHANNEL_NAMES) == {*post.senders, "sms"}

    def step(uow: Any) -> None:
        for channel in CHANNEL_NAMES:
            row = {
                "channel": channel,
                "recipient": "x",
                "kind": "news",
                "body": {},
                "dedupe_key": channel,
            }
            moments = {"created_at": post.clock.now(), "next_attempt_at": post.clock.now()}
            uow.session.add(OutboxRow(**row, **moments, dead=True))

    post.the.database.write(step)
    with post.the.database.unit_of_work(read_only=True) as uow:
        shown = {row.channel: row.channel_name for row in dead_letters(uow, hidden=NO_CASE).rows}
    assert shown == CHANNEL_NAMES
    assert (shown["sms"], shown["mail"], shown["robot"]) == ("短信", "邮件", "群机器人")
