"""Counting limits in Redis: so many of something per minute and client. Without Redis nothing is limited."""

import redis
import structlog

from services.core.errors import TooManyRequests

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60


def count_against(client: redis.Redis, *, what: str, who: str, limit: int) -> None:
    """Count one more `what` by `who` in the present minute. Raises TooManyRequests past `limit`."""
    key = f"huiying:limit:{what}:{who}"
    try:
        with client.pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, WINDOW_SECONDS, nx=True)
            count = int(pipeline.execute()[0])
    except redis.RedisError as error:
        log.warning("limit not checked", what=what, kind=type(error).__name__)
        return
    if count > limit:
        raise TooManyRequests("请求过于频繁，请一分钟后再试")
