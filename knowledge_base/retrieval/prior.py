"""What is known of a citizen's question before it is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prior:
    """Entries of `department`, and those of `region`, are each `odds` : 1 more likely to be meant than others.

    >>> Prior(department="公安局")
    Prior(department='公安局', region=None, odds=3.0)
    """

    department: str | None = None
    region: str | None = None
    odds: float = 3.0

    def __post_init__(self) -> None:
        if self.odds <= 0:
            raise ValueError("odds must be above 0")
