"""Who looks at a case just now, so that two clerks on one case see each other. Short-lived, in Redis only."""

import json
import time
from collections.abc import Callable

import redis
import structlog

from services.cases.schemas import PresentOut

log = structlog.get_logger(__name__)

KEY = "huiying:case-presence:"
# A console tells every few seconds; somebody who has been silent this long is gone.
GONE_SECONDS = 20.0


class Presence:
    """Keeps who is at which case. Without Redis nobody sees anybody; the refusal of a second answer does not need it.

    >>> Presence(client).here("GD2026112000001", "li", writing=True)  # doctest: +SKIP
    []
    """

    def __init__(self, client: redis.Redis, moment: Callable[[], float] = time.time) -> None:
        self._client = client
        self._moment = moment

    def here(self, case_no: str, name: str, *, writing: bool = False) -> list[PresentOut]:
        """Note that `name` is at the case; returns who else is, in order of name."""
        key = KEY + case_no
        try:
            pipeline = self._client.pipeline()
            pipeline.hset(key, name, json.dumps([self._moment(), writing]))
            pipeline.expire(key, int(GONE_SECONDS * 3))
            pipeline.execute()
        except redis.RedisError as error:
            log.warning("presence unknown", kind=type(error).__name__)
            return []
        return self.others(case_no, name)

    def leave(self, case_no: str, name: str) -> None:
        try:
            self._client.hdel(KEY + case_no, name)
        except redis.RedisError as error:
            log.warning("presence unknown", kind=type(error).__name__)

    def others(self, case_no: str, name: str) -> list[PresentOut]:
        """Who is at the case besides `name`."""
        try:
            found: dict[str | bytes, str | bytes] = self._client.hgetall(KEY + case_no)
        except redis.RedisError as error:
            log.warning("presence unknown", kind=type(error).__name__)
            return []
        shown = []
        for field, value in found.items():
            who = field.decode() if isinstance(field, bytes) else field
            seen, writing = json.loads(value)
            if who != name and self._moment() - float(seen) < GONE_SECONDS:
                shown.append(PresentOut(name=who, writing=bool(writing)))
        return sorted(shown, key=lambda one: one.name)
