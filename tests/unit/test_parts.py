"""The two parts of `make test` leave nothing out, and single files go to the interpreter that they are for."""

from pathlib import Path
from typing import Any

from tests.__main__ import BOT_PYTEST, FIRST, PYTEST, REST, SYSTEM, commands_for, shown, together

TESTS = Path(__file__).resolve().parents[1]


def test_every_folder_with_tests_is_in_exactly_one_part() -> None:
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    commands = [*FIRST.values(), *SYSTEM.values(), REST]
    named = [argument for command in commands for argument in command if argument.startswith("tests/")]
    assert sorted(named) == sorted(f"tests/{folder}" for folder in folders)


def test_what_runs_beside_each_other_is_shown_whole_and_what_failed_is_named(capsys: Any) -> None:
    commands = {"good": ["sh", "-c", "echo fine"], "bad": ["sh", "-c", "echo broken >&2; exit 3"]}
    assert shown(together(commands)) == ["bad"]
    said = capsys.readouterr().out
    assert "== good\nfine\n" in said
    assert "== bad\nbroken\n" in said


def test_single_files_are_run_alone_by_the_runtime_that_they_need() -> None:
    assert commands_for(["tests/unit/test_parts.py"]) == [[*PYTEST, "tests/unit/test_parts.py"]]
    assert commands_for(["tests/bot/test_forms.py::test_one"]) == [[*BOT_PYTEST, "tests/bot/test_forms.py::test_one"]]


def test_files_of_both_runtimes_are_two_runs_with_the_same_options() -> None:
    bots, own = commands_for(["tests/web", "tests/bot", "--exitfirst"])
    assert bots == [*BOT_PYTEST, "--exitfirst", "tests/bot"]
    assert own == [*PYTEST, "--exitfirst", "tests/web"]


def test_options_alone_are_for_the_service_whose_tests_are_most() -> None:
    assert commands_for(["--last-failed"]) == [[*PYTEST, "--last-failed"]]
