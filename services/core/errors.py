"""Errors that carry their HTTP status; rendered as RFC 9457 problem details or one CLI line."""


class HuiyingError(Exception):
    """Base of every expected error.

    `title` is short and stable, `detail` is written for the person who reads it and never repeats
    what that person typed. `extra` members are added to the problem document (RFC 9457, section 3.2).
    """

    status = 500
    title = "内部错误"

    # Seconds until the same request may be made again; None says nothing about it.
    retry_after: int | None = None

    def __init__(self, detail: str, *, retry_after: int | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra
        if retry_after is not None:
            self.retry_after = retry_after


class BadRequest(HuiyingError):
    status = 400
    title = "请求有误"


class Unauthorized(HuiyingError):
    status = 401
    title = "请先登录"


class Forbidden(HuiyingError):
    status = 403
    title = "没有权限"


class NotFound(HuiyingError):
    status = 404
    title = "没有找到"


class Conflict(HuiyingError):
    status = 409
    title = "状态冲突"


class TooLarge(HuiyingError):
    status = 413
    title = "内容过大"


class Unprocessable(HuiyingError):
    status = 422
    title = "内容无法处理"


class TooManyRequests(HuiyingError):
    status = 429
    retry_after = 60
    title = "请求过于频繁"


class Unavailable(HuiyingError):
    status = 503
    retry_after = 3
    title = "服务暂不可用"


def place_of(error: BaseException) -> str:
    """The file and line that an exception was raised in, as `calendar.py:132`.

    For what nobody expected: its own message may repeat what somebody wrote, so only kind and place are told.
    """
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{where.tb_lineno}" if where else "?"
