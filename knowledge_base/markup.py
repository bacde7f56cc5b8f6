"""Answers copied from government sites carry HTML. They are kept as they are; what reads or shows them takes text.

No markup ever reaches a page: `readable` gives plain text in which tables stand row by row and links keep their
address, and the pages insert it as text.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

_MARKUP = re.compile(r"<[a-zA-Z!/?][^<>]{0,4000}>")
_BLANKS = re.compile(r"[^\S\n\f]+")
# A form feed stands for the end of a paragraph until the text is tidied.
_BREAK = re.compile(r" ?[\n\f][ \n\f]*")
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})

_BREAKS = frozenset(
    {"address", "article", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4"}
    | {"h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "tbody", "thead", "tr", "ul"}
)
_PARAGRAPHS = frozenset({"p", "table", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol"})
_CELLS = frozenset({"td", "th"})
_HIDDEN = frozenset({"script", "style", "title", "noscript", "template", "iframe", "object"})


def has_markup(text: str) -> bool:
    """Whether `text` holds something that looks like an HTML tag."""
    return _MARKUP.search(text) is not None


def plain(text: str) -> str:
    """The words of an answer, for indexes: without tags, addresses of links and scripts. Text without tags stays."""
    return _read(text, links=False) if has_markup(text) else text


def readable(text: str) -> str:
    """An answer as a citizen reads it: table rows as lines with " | " between cells, links as 文字（地址）, lists with
    a dot. Addresses other than http, https, mailto and tel are dropped. Text without tags comes back unchanged.

    >>> readable('<p>见<a href="https://www.gov.cn/a">指南</a></p><script>x()</script>')
    '见指南（https://www.gov.cn/a）'
    """
    return _read(text, links=True) if has_markup(text) else text


def _read(text: str, *, links: bool) -> str:
    reader = _Reader(links)
    try:
        reader.feed(text)
        reader.close()
        found = _tidy("".join(reader.parts))
    except AssertionError:
        # The parser's way to refuse a malformed declaration (<![...).
        found = ""
    # An unclosed <script> swallows everything after it; words with stray tags beat no words.
    return found or _tidy(_MARKUP.sub(" ", text))


def _tidy(text: str) -> str:
    text = _BREAK.sub(lambda run: "\n\n" if "\f" in run[0] else "\n", _BLANKS.sub(" ", text))
    return text.strip()


class _Reader(HTMLParser):
    def __init__(self, links: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._links = links
        self._hidden = 0
        self._first_cell = True
        self._open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _CELLS:
            if not self._first_cell:
                self.parts.append(" | " if self._links else " ")
            self._first_cell = False
        elif tag in _BREAKS:
            self._break(tag)
            if tag == "li" and self._links:
                self.parts.append("· ")
        elif tag == "a":
            self._open.append((_safe(dict(attrs).get("href")), len(self.parts)))
        elif tag == "img" and (described := (dict(attrs).get("alt") or "").strip()):
            self.parts.append(described)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HIDDEN:
            super().handle_startendtag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BREAKS:
            self._break(tag)
        elif tag == "a" and self._open:
            address, since = self._open.pop()
            shown = "".join(self.parts[since:]).strip()
            if self._links and address and address != shown:
                self.parts.append(f"（{address}）" if shown else address)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            # Line breaks of the source mean nothing in HTML.
            self.parts.append(" ".join(data.splitlines()) if data.strip() else " ")

    def _break(self, tag: str) -> None:
        if tag == "tr":
            self._first_cell = True
        self.parts.append("\f" if self._links and tag in _PARAGRAPHS else "\n")


def _safe(address: str | None) -> str:
    """The address when its scheme may be shown to a citizen, else ""."""
    cleaned = "".join((address or "").split())
    try:
        return cleaned if urlsplit(cleaned).scheme.lower() in _SCHEMES else ""
    except ValueError:
        return ""
