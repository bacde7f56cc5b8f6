"""The sender of channel `robot`: a group robot of enterprise WeChat (企业微信群机器人配置说明).

POST /cgi-bin/webhook/send?key=KEY {"msgtype": "markdown", "markdown": {"content": TEXT}}; at most 20 messages a minute
for each robot, and 4,096 bytes a message. The platform knows no key against doubles: at least once.
"""

import json
from collections.abc import Callable

import httpx
import redis

from services.notifications.failures import Later, Refused, Undeliverable
from services.notifications.models import OutboxRow
from services.notifications.service import Sender

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
PER_MINUTE = 20
LONGEST = 4096
# errcode: 93000 invalid webhook url, 45009 api freq out of limit.
NO_SUCH_ROBOT, TOO_FAST = 93000, 45009
# Keeps the moments of the last minute; returns how many milliseconds to wait, 0 when one more may go. What was noted
# by a clock more than a minute ahead of this one says nothing about this minute, and nobody waits for it.
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1] - 60000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[1] + 60000, '+inf')
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[1], 61000)
  return 0
end
return math.min(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] + 60000 - ARGV[1], 60000)
"""


class Pace:
    """At most `limit` in any minute for each name, over all workers. Without Redis the platform's refusal counts."""

    def __init__(self, client: redis.Redis, milliseconds: Callable[[], int], limit: int = PER_MINUTE) -> None:
        self._take = client.register_script(_TAKE)
        self._milliseconds = milliseconds
        self._limit = limit

    def take(self, name: str, what: str) -> None:
        """Raises Later when the minute is full; `what` makes a place of its own for each message."""
        try:
            wait = self._take(keys=[f"huiying:robot:{name}"], args=[self._milliseconds(), self._limit, what])
        except redis.RedisError:
            return
        if int(float(str(wait))) > 0:
            raise Later("robot: minute is full", float(str(wait)) / 1000)


def send_to_robots(
    client: httpx.Client,
    url: str,
    *,
    key_of: Callable[[str], str | None],
    words: Callable[[OutboxRow], tuple[str, str]],
    pace: Pace,
) -> Sender:
    """A sender through the platform at `url`; `key_of` gives the webhook key of a robot by its name."""

    def send(row: OutboxRow) -> None:
        key = key_of(row.recipient)
        if key is None:
            raise Refused("robot: no key")
        subject, text = words(row)
        pace.take(row.recipient, f"{row.id}:{row.attempts}")
        content = _cut(text if subject in text else f"**{subject}**\n{text}")
        answer = client.post(
            f"{url.rstrip('/')}/cgi-bin/webhook/send",
            params={"key": key},
            content=json.dumps({"msgtype": "markdown", "markdown": {"content": content}}, ensure_ascii=False).encode(),
            headers={"content-type": "application/json"},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        code = int(answer.json().get("errcode", -1))
        if code == TOO_FAST:
            raise Later("robot: 45009", 60)
        if code == NO_SUCH_ROBOT:
            raise Undeliverable("robot: 93000")
        if code != 0:
            raise Refused(f"robot: {code}")

    return send


def _cut(text: str) -> str:
    encoded = text.encode()
    return text if len(encoded) <= LONGEST else encoded[: LONGEST - 3].decode(errors="ignore") + "…"
