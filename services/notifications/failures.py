"""What a sender raises when trying again later as usual would be wrong; any other error is tried again with backoff."""


class Undeliverable(Exception):
    """It will never get there: no address, refused for good. `reason` is a code, never a text of somebody's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WaitsForVisit(Exception):
    """The channel lets us speak to this citizen only after they have spoken again. `template`: a template message may
    go out meanwhile."""

    def __init__(self, reason: str, *, template: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.template = template


class Later(Exception):
    """The channel takes no more just now; it is no failed attempt."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class Refused(Exception):
    """The receiver answered with an error that may pass."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
