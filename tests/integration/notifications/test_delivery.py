"""Delivery, on both databases: the outbox with a slow receiver and two workers, and news that is a row of its own."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from services.container import Container, build_container
from services.conversations.events import ConversationChanged
from services.conversations.schemas import Outgoing
from services.core.clock import FixedClock, parse_moment
from services.core.database import Database, UnitOfWork
from services.core.settings import Settings
from services.notifications import service as notifications
from services.notifications.failures import Undeliverable
from services.notifications.models import OutboxRow, StaffNotice
from tests.support import outcomes, wait_for

LEASE = notifications.SENDING_LEASE
CLERK = StaffUser("li", "clerk", None)


class Post:
    """An outbox with rows for `mail`; `sent` holds what the receiver got, by worker."""

    def __init__(self, database: Database, tmp_path: Path) -> None:
        self.clock = FixedClock(parse_moment("2026-11-20T10:00"))
        values = {"HUIYING_VAR": tmp_path, "secret_keys": "k" * 40}
        self.the: Container = build_container(Settings.model_validate(values), self.clock)
        self.the.database.dispose()
        database.bus = self.the.database.bus
        self.the.database = self.database = database
        self.sent: list[tuple[str, str]] = []

    def write(self, *letters: str) -> None:
        def step(uow: UnitOfWork) -> None:
            for letter in letters:
                notifications.enqueue(
                    uow,
                    channel="mail",
                    recipient=letter,
                    kind="letter",
                    body={},
                    dedupe_key=letter,
                    now=self.clock.now(),
                )

        self.database.write(step)

    def work(
        self, worker: str, meanwhile: Callable[[OutboxRow], None] = lambda row: None, lease: timedelta = LEASE
    ) -> int:
        """One round of a worker, whose receiver does `meanwhile` before it takes a letter."""

        def receive(row: OutboxRow) -> None:
            self.sent.append((worker, row.recipient))
            meanwhile(row)

        return notifications.send_due(self.database, {"mail": receive}, self.clock.now, lease=lease)

    def letters(self) -> list[str]:
        return sorted(letter for _, letter in self.sent)

    def rows(self) -> list[OutboxRow]:
        with self.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.scalars(sa.select(OutboxRow).order_by(OutboxRow.id)))

    def notices(self) -> list[StaffNotice]:
        with self.database.unit_of_work(read_only=True) as uow:
            return list(uow.session.scalars(sa.select(StaffNotice).order_by(StaffNotice.id)))

    def tell(self, uow: UnitOfWork, recipient: str = "role:supervisor", key: str = "k:role:supervisor") -> None:
        notifications.tell_staff(
            uow, recipient=recipient, kind="case_breach", body={}, dedupe_key=key, now=self.clock.now()
        )

    def conversation(self, channel: str = "web") -> str:
        return self.database.write(
            lambda uow: self.the.conversations.open(uow, channel=channel, now=self.clock.now()).conversation_id
        )

    def deliver(self, conversation_id: str, *texts: str, dedupe: str = "news") -> None:
        said = [Outgoing(text) for text in texts]
        self.database.write(
            lambda uow: self.the.conversations.deliver(uow, conversation_id, said, self.clock.now(), dedupe)
        )

    def read(self, conversation_id: str) -> list[str]:
        with self.database.unit_of_work(read_only=True) as uow:
            # The first is the welcome.
            return [message.text for message in self.the.conversations.transcript(uow, conversation_id)][1:]


@pytest.fixture
def post(database: Database, tmp_path: Path) -> Post:
    return Post(database, tmp_path)


# -- the outbox -----------------------------------------------------------------------------------------------------


def test_a_batch_longer_than_its_lease_sends_no_row_twice_and_loses_none(post: Post) -> None:
    letters = [f"letter {number}" for number in range(6)]
    post.write(*letters)

    def slow(row: OutboxRow) -> None:
        # Three letters take longer than a lease. While the fifth is on its way another worker looks.
        post.clock.advance(LEASE * 0.4)
        if row.recipient == letters[4]:
            post.work("second")

    post.work("first", slow)
    assert post.letters() == letters
    assert {(row.attempts, row.dead, row.done_at is None, row.lease_owner) for row in post.rows()} == {
        (1, False, False, None)
    }


def test_two_workers_share_a_batch_whose_receiver_is_slow_and_each_row_goes_out_once(post: Post) -> None:
    letters = [f"letter {number}" for number in range(6)]
    post.write(*letters)
    # Both have a letter on its way whenever time passes, and the three rounds take longer than a lease.
    together = threading.Barrier(2, lambda: post.clock.advance(LEASE * 0.6), timeout=30)

    def slow(row: OutboxRow) -> None:
        together.wait()

    assert outcomes(lambda: post.work("first", slow), lambda: post.work("second", slow)) == [3, 3]
    assert post.letters() == letters
    assert {row.attempts for row in post.rows()} == {1}


def test_a_row_whose_receiver_takes_longer_than_a_lease_stays_with_its_worker_and_goes_out_once(post: Post) -> None:
    post.write("letter")
    short = timedelta(milliseconds=30)

    def slow(row: OutboxRow) -> None:
        for _ in range(4):
            post.clock.advance(short * 0.6)
            wait_for(lambda: post.rows()[0].lease_until == post.clock.now() + short, step=0.005)
            post.work("second", lease=short)

    post.work("first", slow, lease=short)
    assert post.sent == [("first", "letter")]
    assert (post.rows()[0].attempts, post.rows()[0].done_at) == (1, post.clock.now())


def test_what_a_worker_learns_after_another_took_its_row_over_is_not_written(post: Post) -> None:
    post.write("letter")

    def silent(row: OutboxRow) -> None:
        post.clock.advance(LEASE + timedelta(seconds=1))
        post.work("second")
        raise Undeliverable("mail: 550")

    post.work("first", silent)
    (row,) = post.rows()
    assert (row.dead, row.last_error, row.attempts, row.done_at) == (False, None, 2, post.clock.now())
    post.work("third")
    assert post.sent == [("first", "letter"), ("second", "letter")]


def test_a_row_of_a_worker_that_died_is_sent_by_another_once_its_lease_is_over(post: Post) -> None:
    post.write("letter")

    def killed(row: OutboxRow) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        post.work("first", killed)
    assert post.work("second") == 0
    post.clock.advance(LEASE)
    assert post.work("second") == 1
    assert (post.rows()[0].attempts, post.rows()[0].done_at) == (2, post.clock.now())


def test_a_channel_that_nobody_sends_is_refused_instead_of_waiting_for_ever(post: Post) -> None:
    for channel in ("staff", "web", "fax"):
        with pytest.raises(ValueError, match=channel):
            post.database.write(
                lambda uow, channel=channel: notifications.enqueue(  # type: ignore[misc]
                    uow, channel=channel, recipient="x", kind="k", body={}, dedupe_key="d", now=post.clock.now()
                )
            )
    assert post.rows() == []


# -- rows of our own ------------------------------------------------------------------------------------------------


def test_what_staff_are_told_stands_at_their_console_with_the_change_itself_or_not_at_all(post: Post) -> None:
    with post.database.unit_of_work() as uow:
        post.tell(uow)
    assert post.notices() == []
    post.database.write(post.tell)
    assert [(notice.recipient, notice.kind, notice.at) for notice in post.notices()] == [
        ("role:supervisor", "case_breach", post.clock.now())
    ]
    assert post.rows() == []


def test_staff_are_told_once_of_what_several_workers_find_at_once(post: Post) -> None:
    outcomes(*(lambda: post.database.write(post.tell) for _ in range(4)))
    post.clock.advance(timedelta(days=1))
    post.database.write(post.tell)
    assert len(post.notices()) == 1


def test_what_is_said_under_one_key_stands_in_the_conversation_once(post: Post) -> None:
    conversation_id = post.conversation()
    outcomes(*(lambda: post.deliver(conversation_id, "您的结果到了", "请查收") for _ in range(4)))
    post.deliver(conversation_id, "您的结果到了", "请查收")
    post.deliver(conversation_id, "另一件事", dedupe="other")
    assert post.read(conversation_id) == ["您的结果到了", "请查收", "另一件事"]
    assert post.rows() == []


def test_two_replies_of_a_clerk_in_one_moment_are_both_read(post: Post) -> None:
    conversation_id = post.conversation()
    now, secrets = post.clock.now(), post.the.secrets
    new = cases.NewCase(kind="consultation", title="想问一件事", channel="web", conversation_id=conversation_id)
    number = post.database.write(lambda uow: cases.open_case(uow, secrets, new, now=now)).case_no
    for text in ("先答一句", "再答一句"):
        post.database.write(
            lambda uow, text=text: cases.reply(uow, secrets, case_no=number, user=CLERK, text=text, now=now)  # type: ignore[misc]
        )
    assert [text for text in post.read(conversation_id) if text.endswith("答一句")] == ["先答一句", "再答一句"]
    assert post.rows() == []


def test_a_citizen_on_another_channel_is_told_once_too(post: Post) -> None:
    conversation_id = post.conversation("wechat")
    outcomes(*(lambda: post.deliver(conversation_id, "您的结果到了") for _ in range(4)))
    assert post.read(conversation_id) == ["您的结果到了"]
    assert [(row.channel, row.recipient, row.body["count"]) for row in post.rows()] == [("wechat", conversation_id, 1)]


def test_a_page_is_woken_after_the_commit_and_finds_the_news(post: Post) -> None:
    conversation_id = post.conversation()
    found: list[list[str]] = []

    def woken(event: ConversationChanged) -> None:
        found.append(post.read(event.conversation_id))

    post.database.bus.after_commit(ConversationChanged, woken)
    with post.database.unit_of_work() as uow:
        post.the.conversations.deliver(uow, conversation_id, [Outgoing("先不说")], post.clock.now(), "first")
    assert found == []
    post.deliver(conversation_id, "您的结果到了")
    assert found == [["您的结果到了"]]
