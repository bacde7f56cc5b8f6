"""The senders of the outbox's channels, each with what it needs from the features."""

from collections.abc import Callable
from typing import Literal, TypeVar

import httpx

from services.cases import service as cases
from services.container import Container
from services.core.database import UnitOfWork
from services.notifications import service as notifications
from services.notifications.failures import Undeliverable
from services.notifications.mail import MailServer, send_by_mail
from services.notifications.robot import Pace, send_to_robots
from services.notifications.service import OutboxRow, Sender
from services.notifications.sms import send_by_sms
from services.notifications.wechat import Account, WeChat, customer_service, template_messages

T = TypeVar("T")
CONFIDENTIAL_TEXT = "您的工单有新的进展，请打开政务服务页面查看。"


def senders_of(the: Container) -> dict[str, Sender]:
    """By channel. Without a mail server there is no sender of mail, and its rows say so.

    Raises ValueError for a mail server's address that is none.
    """
    settings = the.settings
    # The machine's proxy settings are not meant for these.
    client = httpx.Client(trust_env=False)
    wechat = WeChat(
        client,
        settings.wechat_url,
        the.signals.client,
        the.secrets,
        lambda key: _wechat_account(the, key),
        lambda: the.clock.now().timestamp(),
    )
    senders: dict[str, Sender] = {
        "robot": send_to_robots(
            client,
            settings.wecom_url,
            key_of=lambda name: _robot_key(the, name),
            words=lambda row: _staff_words(the, row, "robot"),
            pace=Pace(the.signals.client, lambda: int(the.clock.now().timestamp() * 1000)),
        ),
        "wechat": customer_service(
            wechat,
            address_of=lambda recipient: _wechat_address(the, recipient),
            texts_of=lambda row: texts_for_wechat(the, row),
            has_template=lambda kind: _read(the, lambda uow: notifications.template_message(uow, kind)) is not None,
        ),
        "wechat_template": template_messages(
            wechat,
            address_of=lambda recipient: _wechat_address(the, recipient),
            template_of=lambda row: _read(the, lambda uow: notifications.template_message(uow, row.kind)),
        ),
    }
    gateway = the.sms_gateway()
    if gateway is not None:
        senders["sms"] = send_by_sms(
            gateway,
            the.secrets,
            the.clock.now,
            number_of=lambda name: _phone_number(the, name),
            words=lambda row: _staff_words(the, row, "sms"),
        )
    url = settings.smtp_url.get_secret_value()
    if url:
        senders["mail"] = send_by_mail(
            MailServer.parse(url),
            settings.mail_sender or "huiying@localhost",
            address_of=lambda name: _mail_address(the, name),
            words=lambda row: _staff_words(the, row, "mail"),
        )
    return senders


def texts_for_wechat(the: Container, row: OutboxRow) -> list[str]:
    """What a row tells its citizen, identifiers masked; of a confidential case only that there is news."""

    def read(uow: UnitOfWork) -> list[str]:
        number = row.body.get("case_no")
        if isinstance(number, str) and cases.is_confidential(uow, number):
            return [CONFIDENTIAL_TEXT]
        last, count = int(row.body["seq"]), int(row.body.get("count", 1))
        said = the.conversations.messages_after(uow, row.recipient, last - count, count)
        return [message.text for message in said]

    return _read(the, read)


def _staff_words(the: Container, row: OutboxRow, channel: Literal["robot", "mail", "sms"]) -> tuple[str, str]:
    """Raises Undeliverable for a case that became confidential after its notice was written."""

    def read(uow: UnitOfWork) -> tuple[str, str]:
        number = row.body.get("case_no")
        if isinstance(number, str) and not row.body.get("confidential") and cases.is_confidential(uow, number):
            raise Undeliverable(f"{channel}: has become confidential")
        return notifications.staff_words(uow, row.kind, channel, row.body)

    return _read(the, read)


def _read(the: Container, step: Callable[[UnitOfWork], T]) -> T:
    with the.database.unit_of_work(read_only=True) as uow:
        return step(uow)


def _robot_key(the: Container, name: str) -> str | None:
    robots = _read(the, notifications.settings).robots
    return next((the.named_secrets.get(robot.secret) for robot in robots if robot.name == name), None)


def _phone_number(the: Container, name: str) -> str | None:
    phones = _read(the, notifications.settings).phones
    return next((the.named_secrets.get(phone.secret) for phone in phones if phone.name == name), None)


def _mail_address(the: Container, name: str) -> str | None:
    mailboxes = _read(the, notifications.settings).mailboxes
    return next((mailbox.address for mailbox in mailboxes if mailbox.name == name), None)


def _wechat_address(the: Container, recipient: str) -> tuple[str, str] | None:
    return _read(the, lambda uow: notifications.reached_at(uow, the.secrets, recipient, "wechat"))


def _wechat_account(the: Container, key: str) -> Account | None:
    for account in _read(the, notifications.settings).wechat:
        secret = the.named_secrets.get(account.secret)
        if account.account == key and secret is not None:
            return Account(account.appid, secret)
    return None
