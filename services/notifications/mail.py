"""The sender of channel `mail`: a mail server of the city, by SMTP.

`smtp://host:25` speaks in the clear or by STARTTLS where the server offers it, `smtps://host:465` by TLS from the
start; with a name and password STARTTLS must be there. The Message-ID is that of the outbox row, so a mailbox that
drops doubles gets each once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.core.clock import SHANGHAI
from services.notifications.failures import Refused, Undeliverable
from services.notifications.models import OutboxRow
from services.notifications.service import Sender

SECONDS = 10.0


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    use_tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> "MailServer":
        """Raises ValueError for anything but smtp://[name:password@]host[:port] and smtps://..."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("SMTP_URL is smtp://host:port or smtps://host:port")
        secure = parts.scheme == "smtps"
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(parts.hostname, parts.port or (465 if secure else 25), secure, username, password)


def send_by_mail(
    server: MailServer,
    sender: str,
    *,
    address_of: Callable[[str], str | None],
    words: Callable[[OutboxRow], tuple[str, str]],
) -> Sender:
    """A sender through `server` as `sender`; `address_of` gives the address of a mailbox by its name."""

    def send(row: OutboxRow) -> None:
        address = address_of(row.recipient)
        if address is None:
            raise Refused("mail: no such mailbox")
        subject, text = words(row)
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, address, subject
        message["Date"] = format_datetime(row.created_at.astimezone(SHANGHAI))
        message["Message-ID"] = f"<huiying-{row.id}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text, charset="utf-8", cte="base64")
        asyncio.run(asyncio.wait_for(_send(server, message), SECONDS))

    return send


async def _send(server: MailServer, message: EmailMessage) -> None:
    try:
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.use_tls,
            # A password never travels in the clear; without one TLS is taken where it is offered.
            start_tls=True if server.username and not server.use_tls else None,
            timeout=SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [refusal.code for refusal in error.recipients]
        # 4yz may pass, 5yz will not (RFC 5321, section 4.2.1).
        if all(code >= 500 for code in codes):
            raise Undeliverable(f"mail: {codes[0]}") from None
        raise Refused(f"mail: {codes[0]}") from None
    except aiosmtplib.SMTPResponseException as error:
        raise Refused(f"mail: {error.code}") from None
