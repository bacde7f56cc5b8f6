"""`huiying user`: what an administrator with a shell does with accounts."""

import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services import cli
from services.accounts import service
from services.container import DEMO_CITY
from services.core.clock import SystemClock
from services.core.database import Database
from services.sla import service as sla
from tests.support import ADDRESS, employ

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit status, output and errors of `huiying user ...` on the test's database."""
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("DATABASE_URL", database.url)

    def command(*words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main(["user", *words])
        return int(ended.value.code or 0), out.getvalue(), err.getvalue()

    return command


def figures(run: Run, *words: str) -> Any:
    code, out, err = run(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def hire(database: Database, *names: str) -> None:
    now = SystemClock().now()

    def step(uow: Any) -> None:
        for name in names:
            employ(uow, name, "clerk", now)

    database.write(step)


def test_the_list_shows_who_there_is_what_state_they_are_in_and_how_many_sessions_live(
    run: Run, database: Database
) -> None:
    hire(database, "wang", "li")
    assert run("disable", "wang")[1] == "wang is disabled, 1 sessions ended\n"
    found = figures(run, "list")["accounts"]
    assert [(one["name"], one["role"], one["state"], one["sessions"]) for one in found] == [
        ("li", "clerk", "open", 1),
        ("wang", "clerk", "disabled", 0),
    ]
    lines = run("list")[1].splitlines()
    assert lines[0].split() == ["name", "role", "department", "state", "sessions", "last_login_at"]
    assert re.search(r"^li +clerk +- +open +1 +\d{4}-\d\d-\d\d \d\d:\d\d$", lines[1])
    assert run("enable", "wang")[1] == "wang is enabled\n"
    assert figures(run, "list")["accounts"][1]["state"] == "open"


def test_sessions_are_shown_with_their_address_and_ended_on_demand(run: Run, database: Database) -> None:
    hire(database, "li", "wang")
    found = figures(run, "sessions", "li")
    assert [one["address"] for one in found["sessions"]] == [ADDRESS]
    assert ADDRESS in run("sessions", "li")[1]
    assert run("sessions", "li", "--end")[1].splitlines()[-1] == "1 sessions ended"
    assert figures(run, "sessions", "li")["sessions"] == []
    assert len(figures(run, "sessions", "wang")["sessions"]) == 1


def test_a_reset_prints_a_one_time_password_that_the_account_now_has(run: Run, database: Database) -> None:
    hire(database, "li")
    code, out, _ = run("reset", "li")
    assert code == 0
    printed = re.search(r"one-time password: (\S{16})  \(1 sessions ended\)", out)
    assert printed
    with database.unit_of_work(read_only=True) as uow:
        stored = service.password_to_try(uow, "li", SystemClock().now())
    assert stored
    assert stored.startswith("$argon2id$")
    assert printed[1] not in stored
    assert figures(run, "list")["accounts"][0]["state"] == "must change password"


@pytest.mark.parametrize("command", ["disable", "enable", "reset", "sessions"])
def test_an_account_that_there_is_not_is_said_in_one_line(run: Run, command: str) -> None:
    assert run(command, "nobody") == (1, "", "huiying: 没有这个账号\n")


def test_an_unknown_department_is_refused_and_the_known_ones_are_named(run: Run, database: Database) -> None:
    code, _, err = run("add", "li", "--role", "clerk", "--department", "市没有局")
    assert (code, err) == (1, "huiying: 没有这个部门。还没有任何部门，请先运行 huiying city apply\n")
    database.write(lambda uow: sla.apply_city(uow, DEMO_CITY, SystemClock().now()))
    with database.unit_of_work(read_only=True) as uow:
        known = [one.name for one in sla.departments(uow)]
    code, _, err = run("add", "li", "--role", "clerk", "--department", "市没有局")
    assert code == 1
    assert err.count("\n") == 1
    assert [name for name in known if name not in err] == []
    assert run("add", "li", "--role", "clerk", "--department", "未分配")[0] == 1
    assert figures(run, "list")["accounts"] == []


def test_a_department_may_be_given_by_its_short_name_and_is_kept_by_its_full_one(run: Run, database: Database) -> None:
    database.write(lambda uow: sla.apply_city(uow, DEMO_CITY, SystemClock().now()))
    with database.unit_of_work(read_only=True) as uow:
        department = next(one for one in sla.departments(uow) if one.short_name and one.short_name != one.name)
    code, out, err = run("add", "li", "--role", "clerk", "--department", str(department.short_name))
    assert code == 0, err
    assert "password: " in out
    assert figures(run, "list")["accounts"][0]["department"] == department.name
