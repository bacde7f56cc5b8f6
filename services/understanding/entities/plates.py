"""Chinese vehicle plates (GA 36-2018 and the special series of police, army and embassies)."""

from __future__ import annotations

import re

from services.understanding.entities.spans import Claims
from services.understanding.words import PROVINCES

# People put dots, spaces, dashes and invisible characters between the parts.
_GAP = r"[\s·.•‧∙・。\-_—\u200b-\u200f\ufeff]{0,3}"
_ONE = r"[\s·.•‧∙・\-\u200b-\u200f\ufeff]?"
_X = "[A-Z0-9]"
_NOT_MORE = r"(?![A-Z0-9])"
_HEAD = rf"[{PROVINCES}]{_GAP}[A-Z]{_GAP}"


def _spaced(*parts: str) -> str:
    return _ONE.join(parts)


_SUFFIX = "(?:港|澳|学|警|使|领|挂|试|超|应急)"
_FORMS = (
    # 4 + suffix: Hong Kong/Macau, training, police, consulate, trailer, emergency rescue
    rf"{_HEAD}{_spaced(_X, _X, _X, _X)}{_ONE}{_SUFFIX}",
    # new energy: D/F.. second or last, the rest digits; contiguous or the usual one gap
    rf"{_HEAD}[A-Z]{_ONE}[A-Z0-9][0-9]{{4}}{_NOT_MORE}",
    rf"{_HEAD}{_spaced(*['[0-9]'] * 5, '[A-Z]')}{_NOT_MORE}",
    rf"{_HEAD}{_spaced('[A-HJK]', _X, *['[0-9]'] * 4)}{_NOT_MORE}",
    # trailers of the older series
    rf"{_HEAD}挂{_GAP}{_spaced(_X, _X, _X, _X)}{_NOT_MORE}",
    rf"{_HEAD}{_spaced(_X, _X, _X, _X, _X)}{_NOT_MORE}",
    # one character too few or too many is a mistyped plate: hide it, mark it
    rf"{_HEAD}(?=[A-Z0-9]*[0-9])[A-Z0-9]{{4,8}}{_NOT_MORE}",
)
_SPECIAL = (
    rf"WJ{_GAP}[0-9]{{2}}{_GAP}[0-9]{{5}}{_NOT_MORE}",
    rf"WJ{_GAP}[{PROVINCES}]?{_GAP}[0-9]{{4,5}}[A-Z0-9]?{_NOT_MORE}",
    rf"(?<![A-Z0-9])使{_GAP}[0-9]{{3}}{_ONE}[0-9]{{3}}(?!\d)",
    rf"(?<![A-Z0-9])[0-9]{{3}}{_ONE}[0-9]{{3}}{_ONE}使(?!用|得|馆|命)",
    rf"(?<![A-Z0-9])[军空海北沈兰济南广成]{_GAP}[A-Z]{_GAP}[A-Z0-9]{{5}}{_NOT_MORE}",
    rf"民航{_GAP}[A-Z0-9]{{5,6}}{_NOT_MORE}",
)
_PLATE = re.compile("|".join(f"(?:{form})" for form in (*_FORMS[:-1], *_SPECIAL)))
_MISTYPED = re.compile(_FORMS[-1])
_BARE = re.compile(rf"(?<![A-Z0-9])[A-Z]{_GAP}(?=[A-Z0-9]*\d)[A-Z0-9]{{5,6}}(?:{_SUFFIX})?{_NOT_MORE}")
_KEEP = re.compile(r"[^0-9A-Z\u4e00-\u9fff]")


def normalise_plate(folded: str) -> str:
    """Upper case, Simplified, without separators: "粵 b·7k392" folded -> "粤B7K392"."""
    return _KEEP.sub("", folded)


def find_plates(claims: Claims) -> None:
    """Claim every plate of the message; mistyped ones are claimed with valid=False."""
    for pattern, valid in ((_PLATE, True), (_MISTYPED, False)):
        for match in pattern.finditer(claims.folded):
            # "...在京 A 12 34 5" needs a digit to be a plate: five spaced letters are words
            plate = normalise_plate(match.group())
            if any(char.isdigit() for char in plate[1:]) or plate[-1] in "港澳学警使领挂":
                claims.claim("plate", match.start(), match.end(), plate, valid=valid)


def find_bare_plate(claims: Claims) -> None:
    """When a form asks for the plate, "B7K392" without its province is meant as one (valid=False)."""
    match = _BARE.search(claims.masked())
    if match:
        claims.claim("plate", match.start(), match.end(), normalise_plate(match.group()), valid=False)
