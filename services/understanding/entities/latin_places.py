"""Places in Latin letters: "Lakeside Plaza附近", "nearest bank to Xinjiekou", "renmin guangchang"."""

from __future__ import annotations

import re

from services.understanding.entities.spans import Claims

_NAME = r"[A-Z][A-Z']+(?: [A-Z][A-Z']+){0,2}"
_KIND = (
    r"GUANG ?CHANG|DA ?DAO|XIAO ?QU|GONG ?YUAN|YI ?YUAN|HUO ?CHE ?ZHAN|DI ?TIE ?ZHAN|JIE ?DAO|HUA ?YUAN|LU|DA ?JIE|"
    r"ROAD|STREET|SQUARE|PLAZA|PARK|MALL|STATION|AVENUE|TOWER"
)
_BESIDE = re.compile(rf"(?<![A-Z])({_NAME})(?=\s?(?:附近|旁边|边上|周边|周围|这边|那边|门口))")
_NEAR = re.compile(
    rf"(?<![A-Z])(?:NEAR(?:EST)? .{{0,30}}?(?:TO|AT|IN|NEAR|FROM)|NEAR|CLOSE TO|I'M AT|I AM AT) ({_NAME})(?![A-Z])"
)
_NAMED = re.compile(rf"(?:^|(?<=[，,。.!?；;\u4e00-\u9fff]))\s*((?:[A-Z]+ ){{1,2}}(?:{_KIND}))(?![A-Z])")
_NOBODY = re.compile(r"(?:ME|HERE|MY|US|YOU|THE|A|MY HOME|MY PLACE|WIFI|ATM|KTV|WO|WO JIA)(?: .*)?$")


def find_latin_places(claims: Claims) -> None:
    """Claim place names written in Latin letters, where their neighbours or last word show them."""
    text = claims.masked()
    for pattern in (_BESIDE, _NEAR, _NAMED):
        for match in pattern.finditer(text):
            if not _NOBODY.match(match[1]):
                claims.claim("location", *match.span(1), match[1])
