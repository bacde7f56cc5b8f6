"""Every command of `huiying` with wild values, on both databases: it does its work, or says in one line why not.

The commands and what each takes are read from the command line itself, so a new one is covered by being there.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import typer.main

from services import cli
from services.core.database import Database

# A command that starts a whole system, or measures for minutes: of what it takes, only what nothing takes is tried.
LONG = re.compile(r"(bench|dialogue) ")
TOO_LONG = "长" * 5_000
REFUSED_NUMBERS = ("²", "NaN", "1e9", "9" * 20, "-" + "9" * 20, "0x10", "", "１²")
REFUSED_DAYS = ("9999-12-31", "0001-01-01", "2026-02-30", "²026-01-01")
REFUSED_MOMENTS = ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-11-20T10:00:00+23:59", "1" * 20)
# Bytes that are no UTF-8 reach a program as lone surrogates.
REFUSED_TEXTS = ("\udcff", "a\0b")
TEXTS = ("", " ", "²", "9" * 20, "-1", "NaN", TOO_LONG, "\u202e\ufeff𝕏", "'; DROP TABLE cases; --", "\x1b[31m\n")


@dataclass(frozen=True)
class Command:
    words: tuple[str, ...]
    parameters: tuple[Any, ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)

    def flags(self) -> list[Any]:
        return [one for one in self.parameters if one.type_descriptor.annotation is bool]

    def taking(self) -> list[Any]:
        return [one for one in self.parameters if one.type_descriptor.annotation is not bool]


def walk(group: Any, words: tuple[str, ...] = ()) -> Iterator[Command]:
    for name, inner in getattr(group, "commands", {}).items():
        if getattr(inner, "commands", None):
            yield from walk(inner, (*words, name))
        else:
            yield Command((*words, name), tuple(inner.params))


COMMANDS = list(walk(typer.main.get_command(cli.app)))


@pytest.fixture
def installed(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation on an empty database, and files that are none."""
    for name in ("REDIS_URL", "RASA_URL", "ACTION_URL", "SANDBOX_URL", "CITY_DIR"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.delenv("CITY_DIR")
    files = tmp_path / "files"
    (files / "folder").mkdir(parents=True)
    for suffix in ("jsonl", "csv", "xlsx", "yaml"):
        (files / f"empty.{suffix}").write_bytes(b"")
        (files / f"bytes.{suffix}").write_bytes(bytes(range(256)) * 4)
    (files / "shapes.jsonl").write_text(
        '[]\n"x"\n1e999\n{"question": "\\u0000", "answer": "\\ud800"}\n{"a":' + "[" * 3_000
    )
    (files / "cells.csv").write_text("question,answer,valid_to,lat\n²,\ud83d,9999-12-31,NaN\n", errors="surrogatepass")
    book = openpyxl.Workbook()
    book.active.append(["question", "answer", "valid_to"])
    book.active.append([10**20, float("inf"), datetime(9999, 12, 31)])
    book.save(files / "cells.xlsx")
    (files / "texts.yaml").write_text('"\\0": "\\ud800"\n')
    return files


def values_for(parameter: Any, files: Path) -> Iterator[tuple[str, bool]]:
    """Wild values, and whether no parameter of this kind may take them."""
    described = parameter.type_descriptor
    yield from ((text, True) for text in REFUSED_TEXTS)
    if described.is_path:
        yield from ((str(path), False) for path in sorted(files.iterdir()))
        yield from ((str(files / name), False) for name in ("missing.jsonl", "n" * 300, "folder/../missing", "²"))
    elif described.annotation in (int, float):
        yield from ((text, True) for text in REFUSED_NUMBERS)
    elif described.choices is not None:
        yield from ((text, True) for text in TEXTS)
    elif parameter.name in ("at", "now", "since", "until", "today"):
        yield from ((text, True) for text in (*REFUSED_DAYS, *REFUSED_MOMENTS, TOO_LONG, "²"))
    else:
        yield from ((text, False) for text in TEXTS)


def sample(parameter: Any, files: Path) -> str:
    described = parameter.type_descriptor
    if described.is_path:
        return str(files / "folder")
    if described.annotation in (int, float):
        return "1"
    if parameter.name == "at":
        return "2026-11-20T10:00"
    return {"role": "clerk", "kind": "help"}.get(parameter.name, "some text")


def written(command: Command, wild: Any, value: str, files: Path) -> list[str]:
    """The command line with one wild value, beside what else it needs."""
    options, places = [], []
    for one in command.taking():
        if one is not wild and not one.required:
            continue
        given = value if one is wild else sample(one, files)
        if one.param_type_name == "option":
            options.append(f"{one.opts[-1]}={given}" if one.opts[-1].startswith("--") else f"{one.opts[-1]}{given}")
        else:
            places.append(given)
    return [*command.words, *options, "--", *places]


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    code = ended.value.code
    return code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue()


def complaint(arguments: list[str], refused: bool) -> str | None:
    code, out, err = run(arguments)
    shown = " ".join(arguments)[:200]
    said = [line for line in err.splitlines() if line.startswith("huiying: ")]
    if "Traceback" in out + err or "内部错误" in err:
        return f"{shown!a}: {err[-300:]}"
    if code == 0 and refused:
        return f"{shown!a}: taken"
    if code != 0 and len(said) != 1:
        return f"{shown!a}: {code}, not one line: {err[-300:]!a}"
    return None


def test_the_walk_finds_the_commands_that_there_are() -> None:
    assert {"kb import", "cases report", "sla due", "user add", "city apply", "up"} <= {one.name for one in COMMANDS}


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.taking()], ids=lambda one: one.name)
def test_a_command_with_a_wild_value_does_its_work_or_says_in_one_line_why_not(
    command: Command, installed: Path
) -> None:
    wrong = []
    for parameter in command.taking():
        for value, refused in values_for(parameter, installed):
            if LONG.match(f"{command.name} ") and not refused:
                continue
            found = complaint(written(command, parameter, value, installed), refused)
            if found is not None:
                wrong.append(found)
    assert not wrong, "\n".join(wrong)


def test_a_command_that_there_is_not_or_that_lacks_something_is_one_line_too(installed: Path) -> None:
    for arguments in (["nothing"], ["kb", "nothing"], ["sla", "due"], ["kb", "search", "x", "--nothing"], ["--²"]):
        assert complaint(arguments, refused=True) is None


def test_settings_that_cannot_be_read_are_one_line(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PORT", "²"), ("RETENTION_DAYS", "-1"), ("DATABASE_URL", "²"), ("BODY_LIMIT", "1e400")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert complaint(["kb", "export", "/dev/null"], refused=True) is None, name
