"""The sender of channel `sms`: a gateway that takes {id, phone, text} as JSON over HTTP.

Neither number nor text is in the log or in an error; both leave the outbox row once they were sent.
"""

import json
from collections.abc import Callable
from datetime import datetime

import httpx

from services.core.crypto import Secrets
from services.notifications.models import OutboxRow
from services.notifications.service import Sender

TIMEOUT = httpx.Timeout(5.0, connect=2.0)


def send_by_http(client: httpx.Client, url: str, key: str, secrets: Secrets, now: Callable[[], datetime]) -> Sender:
    """A sender through the gateway at `url`, whose key travels in the header X-Api-Key.

    A message whose time is over is dropped: an old code helps nobody. The row's id lets the gateway tell a message
    that comes twice. Raises httpx.HTTPError, and the row is tried again.
    """

    def send(row: OutboxRow) -> None:
        sealed, until = row.body.get("sealed"), datetime.fromisoformat(row.body["until"])
        if sealed is not None and now() < until:
            message = json.loads(secrets.decrypt(sealed))
            response = client.post(url, json={"id": row.id, **message}, headers={"x-api-key": key}, timeout=TIMEOUT)
            response.raise_for_status()
        row.body = {"until": row.body["until"]}

    return send
