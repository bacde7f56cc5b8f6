"""Workbooks as no spreadsheet program would write them, part by part."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
END = "</sheetData></worksheet>"


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def row(number: int, *texts: str) -> str:
    cells = "".join(text_cell(f"{chr(65 + index)}{number}", text) for index, text in enumerate(texts) if text)
    return f'<row r="{number}">{cells}</row>'


def sheet(*rows: str, after: str = "") -> list[str]:
    begin = f'<worksheet xmlns="{MAIN}"><dimension ref="A1:XFD1048576"/><sheetData>'
    return [begin, *rows, f"</sheetData>{after}</worksheet>"]


def merged(*areas: str) -> str:
    return "<mergeCells>" + "".join(f'<mergeCell ref="{area}"/>' for area in areas) + "</mergeCells>"


def workbook(
    sheets: Mapping[str, Iterable[str]],
    *,
    strings: Iterable[str] | None = None,
    styles: str | None = None,
    states: Mapping[str, str] | None = None,
    properties: str = "",
) -> bytes:
    """The bytes of a workbook; `sheets` are the pieces of each sheet's XML by its name."""
    out = io.BytesIO()
    listed, related = [], []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, pieces) in enumerate(sheets.items(), start=1):
            state = f' state="{states[name]}"' if states and name in states else ""
            listed.append(f'<sheet name="{escape(name)}" sheetId="{number}"{state} r:id="s{number}"/>')
            related.append(_relation(f"s{number}", "worksheet", f"worksheets/sheet{number}.xml"))
            _write(archive, f"xl/worksheets/sheet{number}.xml", pieces)
        if strings is not None:
            related.append(_relation("strings", "sharedStrings", "sharedStrings.xml"))
            _write(archive, "xl/sharedStrings.xml", strings)
        if styles is not None:
            related.append(_relation("styles", "styles", "styles.xml"))
            _write(archive, "xl/styles.xml", [f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'])
        book = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{properties}<sheets>{"".join(listed)}</sheets></workbook>'
        _write(archive, "xl/workbook.xml", [book])
        _write(archive, "xl/_rels/workbook.xml.rels", _relations(related))
        _write(archive, "_rels/.rels", _relations([_relation("book", "officeDocument", "xl/workbook.xml")]))
    return out.getvalue()


def _relation(key: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{target}"/>'


def _relations(listed: Iterable[str]) -> list[str]:
    return [f'<Relationships xmlns="{RELATIONS}">', *listed, "</Relationships>"]


def _write(archive: zipfile.ZipFile, name: str, pieces: Iterable[str]) -> None:
    with archive.open(name, "w") as member:
        for piece in pieces:
            member.write(piece.encode("utf-8"))
