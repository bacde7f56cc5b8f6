"""Text as the indexes see it: cleaned, one script, without markup."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from html.parser import HTMLParser

from opencc import OpenCC

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
_MARKUP = re.compile(r"<[a-zA-Z!/][^>]{0,2000}>")
# Longer questions are cut in the middle: the request stands at the beginning or at the end.
LONGEST_QUERY = 400


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def clean(text: str) -> str:
    """NFKC, Simplified characters, control and zero-width characters dropped, blanks collapsed to one space."""
    text = _CONTROLS.sub(" ", text)
    text = unicodedata.normalize("NFKC", text)
    text = _BLANKS.sub(" ", text).strip()
    return _simplifier().convert(text) if not text.isascii() else text


def clean_query(text: str) -> str:
    """`clean` for a citizen's question; "" when it holds no letter, digit or character (empty, emoji, punctuation).

    Texts beyond LONGEST_QUERY characters keep their first and last halves of that length.
    """
    if len(text) > 4 * LONGEST_QUERY:
        text = text[: 2 * LONGEST_QUERY] + " " + text[-2 * LONGEST_QUERY :]
    cleaned = clean(text)
    if len(cleaned) > LONGEST_QUERY:
        half = LONGEST_QUERY // 2
        cleaned = cleaned[:half] + " " + cleaned[-half:]
    return cleaned if any(character.isalnum() for character in cleaned) else ""


def plain(text: str) -> str:
    """Text of an answer without HTML markup (tables row by row); text without tags comes back as it is."""
    if not _MARKUP.search(text):
        return text
    reader = _TextOnly()
    reader.feed(text)
    reader.close()
    return "".join(reader.parts).strip()


class _TextOnly(HTMLParser):
    _BREAKS = frozenset({"p", "br", "div", "tr", "li", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section"})
    _CELLS = frozenset({"td", "th"})
    _HIDDEN = frozenset({"script", "style"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._HIDDEN:
            self._hidden += 1
        elif tag in self._BREAKS:
            self.parts.append("\n")
        elif tag in self._CELLS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in self._BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
