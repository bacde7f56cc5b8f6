"""Typed events: news that travels upward between features, wired by `services.container`."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, TypeVar


class Event:
    """Base of every event; subclasses are frozen dataclasses."""


E = TypeVar("E", bound=Event)
U = TypeVar("U")


class EventBus(Generic[U]):
    """Hands an event to its handlers: in the same transaction, or once that has been committed.

    `U` is the unit of work that the handlers share. An in-transaction handler takes `(uow, event)` and may raise, which
    rolls everything back; an after-commit handler takes `(event)`, and is for hints only (what must not be lost is a
    row).
    """

    def __init__(self) -> None:
        self._inside: dict[type[Event], list[Callable[[U, Any], None]]] = defaultdict(list)
        self._after: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)

    def on(self, kind: type[E], handler: Callable[[U, E], None]) -> None:
        self._inside[kind].append(handler)

    def after_commit(self, kind: type[E], handler: Callable[[E], None]) -> None:
        self._after[kind].append(handler)

    def run_inside(self, uow: U, event: Event) -> None:
        for handler in self._inside[type(event)]:
            handler(uow, event)

    def run_after(self, event: Event) -> None:
        for handler in self._after[type(event)]:
            handler(event)
