"""The sender of channel `sms`: a gateway that takes {id, phone, text} as JSON over HTTP.

A row to a citizen holds number and text sealed, and a moment until which they are of use; both leave it once they were
sent. A row to staff names a phone of notifications.yaml. Neither number nor text is in the log or in an error.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from services.core.crypto import Secrets
from services.notifications.failures import Refused
from services.notifications.models import OutboxRow
from services.notifications.service import Sender

TIMEOUT = httpx.Timeout(5.0, connect=2.0)


@dataclass(frozen=True)
class SmsGateway:
    """A gateway; its key travels in the header X-Api-Key."""

    client: httpx.Client
    url: str
    key: str

    def send(self, row_id: int, phone: str, text: str) -> None:
        """The row's id lets the gateway tell a message that comes twice. Raises httpx.HTTPError."""
        message = {"id": row_id, "phone": phone, "text": text}
        response = self.client.post(self.url, json=message, headers={"x-api-key": self.key}, timeout=TIMEOUT)
        response.raise_for_status()


def send_by_sms(
    gateway: SmsGateway,
    secrets: Secrets,
    now: Callable[[], datetime],
    *,
    number_of: Callable[[str], str | None],
    words: Callable[[OutboxRow], tuple[str, str]],
) -> Sender:
    """A sender through `gateway`; `number_of` gives the number of a phone of the staff by its name.

    A sealed message whose time is over is dropped: an old code helps nobody. Raises httpx.HTTPError, and Refused for a
    phone without a number; the row is tried again.
    """

    def send(row: OutboxRow) -> None:
        if "until" in row.body:
            _send_sealed(row)
            return
        number = number_of(row.recipient)
        if number is None:
            raise Refused("sms: no number")
        subject, text = words(row)
        gateway.send(row.id, number, text if subject in text else f"{subject} {text}")

    def _send_sealed(row: OutboxRow) -> None:
        sealed, until = row.body.get("sealed"), datetime.fromisoformat(row.body["until"])
        if sealed is not None and now() < until:
            message = json.loads(secrets.decrypt(sealed))
            gateway.send(row.id, message["phone"], message["text"])
        row.body = {"until": row.body["until"]}

    return send
