"""How an identifier is shown to people: its ends. Standard library only."""

from __future__ import annotations

import re
from typing import Final

from services.understanding.words import PROVINCES

# type -> (characters shown at the start, at the end)
_SHOWN: Final[dict[str, tuple[int, int]]] = {
    "plate": (3, 2),
    "phone": (3, 4),
    "id_card": (4, 4),
    "license_file_no": (2, 4),
    "household_no": (2, 3),
    "engine_tail": (0, 2),
    "phone_tail": (0, 1),
    "case_no": (4, 4),
}
# Of a number that has not its full length fewer stay.
_SHORT: Final[dict[str, tuple[int, tuple[int, int]]]] = {"plate": (7, (2, 1)), "phone": (11, (2, 2))}
_OTHER: Final = (3, 2)

MASKED: Final = re.compile(rf"[{PROVINCES}]?[A-Za-z0-9]*\*{{2,}}[A-Za-z0-9]*")
"""What a mask leaves of a number, in a text."""


def mask(kind: str, value: str) -> str:
    """The canonical `value` of a type as people see it; a type of a city's own keeps three and two characters.

    >>> mask("plate", "粤B7K392"), mask("phone", "13800136125"), mask("id_card", "440106199209230007")
    ('粤B7**92', '138****6125', '4401**********0007')
    """
    head, tail = _SHOWN.get(kind, _OTHER)
    if kind in _SHORT and len(value) < _SHORT[kind][0]:
        head, tail = _SHORT[kind][1]
    if len(value) <= head + tail:
        head, tail = 0, min(1, max(len(value) - 1, 0))
    return value[:head] + "*" * (len(value) - head - tail) + (value[-tail:] if tail else "")
