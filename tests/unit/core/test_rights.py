"""The table of rights: whole, used, printed, and the only place that knows what a role may do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

import services
from services.cli import app
from services.commands.console import needs
from services.commands.rights import BEGIN, END, commands_of
from services.core.errors import Forbidden
from services.core.permissions import (
    OPERATOR,
    PUBLIC,
    RIGHTS,
    ROLES,
    Permission,
    Role,
    account_roles,
    role_may,
    roles_with,
)

SERVICES = Path(services.__file__).parent
ROOT = SERVICES.parent
TABLE = SERVICES / "core" / "permissions.py"
CODE = sorted(path for top in ("services", "actions") for path in (ROOT / top).rglob("*.py") if path != TABLE)
PAGES = sorted(
    path for kind in ("*.js", "*.html") for path in (SERVICES / "web").rglob(kind) if "vendor" not in str(path)
)


def test_every_right_is_described_and_given_to_somebody() -> None:
    assert set(get_args(Permission)) == set(RIGHTS)
    assert [permission for permission in RIGHTS if not roles_with(permission)] == []
    assert [name for name, row in ROLES.items() if not row.may <= set(RIGHTS)] == []


def test_a_role_that_the_table_does_not_know_has_what_everybody_has_and_nothing_else() -> None:
    assert {permission for permission in RIGHTS if role_may("burglar", permission)} == ROLES[PUBLIC].may


def named(texts: list[Path], pattern: str) -> dict[str, str]:
    """What a pattern captures in files, with the file that it is in."""
    return {found: path.name for path in texts for found in re.findall(pattern, path.read_text(encoding="utf-8"))}


def test_every_right_is_asked_for_somewhere() -> None:
    areas = "|".join({permission.partition(".")[0] for permission in RIGHTS})
    asked = named([*CODE, *PAGES], rf'"((?:{areas})\.[a-z_]+)"')
    assert [permission for permission in RIGHTS if permission not in asked] == []


def test_scripts_and_pages_ask_only_for_rights_that_there_are() -> None:
    asked = named(PAGES, r'(?:\bmay|hidden_without)\("([^"]+)"\)') | named(PAGES, r'\w+: "([a-z]+\.[a-z_]+)"')
    assert len(asked) > 5
    assert {right: file for right, file in asked.items() if right not in RIGHTS} == {}


def test_every_command_names_what_it_needs_and_whoever_has_a_shell_has_it() -> None:
    commands = dict(commands_of(typer.main.get_command(app)))
    assert len(commands) > 25
    assert [name for name, permission in commands.items() if permission is None] == []
    assert [name for name, one in commands.items() if one is not None and not role_may(OPERATOR, one)] == []


def test_a_new_command_that_names_nothing_is_found() -> None:
    house = typer.Typer()
    rooms = typer.Typer()
    house.add_typer(rooms, name="rooms")
    house.command("known")(needs("system.run")(lambda: None))
    rooms.command("new")(lambda: None)
    rooms.command("other")(lambda: None)
    assert dict(commands_of(typer.main.get_command(house))) == {
        "known": "system.run",
        "rooms new": None,
        "rooms other": None,
    }


def test_a_command_whose_right_leaves_the_operators_row_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    command = needs("secrets.rotate")(lambda: done.append("rotated"))
    row = ROLES[OPERATOR]
    monkeypatch.setitem(ROLES, OPERATOR, Role(row.title, row.may - {"secrets.rotate"}, has_account=False))
    with pytest.raises(Forbidden):
        command()
    assert done == []
    with pytest.raises(ValueError, match=r"secrets\.rotatte"):
        needs("secrets.rotatte")  # type: ignore[arg-type]


def test_the_documentation_says_what_the_program_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HUIYING_VAR", str(tmp_path))
    printed = CliRunner().invoke(app, ["rights"])
    assert printed.exit_code == 0, printed.output
    written = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert written.strip() == printed.stdout.strip(), "run: .venv/bin/huiying rights --into docs/security.md"


# A house rule: what a role may do stands in the table, so nothing else lists roles, compares with one or tells one.


def listed_in_python(source: str) -> list[str]:
    """Lists of roles, comparisons with one and notices to one, as `line: what`."""
    return [f"{node.lineno}: {what}" for node, what in _in_python(ast.parse(source))]


def _in_python(tree: ast.AST) -> Iterator[tuple[Any, str]]:
    roles = set(account_roles())
    for node in ast.walk(tree):
        texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        asks_role = any(isinstance(one, ast.Attribute) and one.attr == "role" for one in ast.walk(node))
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Match) and len(texts & roles) > 1:
            yield node, "lists roles"
        elif isinstance(node, ast.Compare | ast.Match) and asks_role and texts & roles:
            yield node, "compares with a role"
        elif isinstance(node, ast.Constant) and node.value in {f"role:{role}" for role in roles}:
            yield node, "tells a role"


def listed_in_page(source: str) -> list[str]:
    """Lists of roles in a script or page, and comparisons with one."""
    role = f"(?:{'|'.join(account_roles())})"
    inner = re.findall(r"[\[{(][^\[\]{}()]*[\])}]", source)
    lists = [one for one in inner if len(set(re.findall(rf"[\"']({role})[\"']|\b({role})\s*:", one))) > 1]
    return lists + re.findall(rf"\brole\b[^;\n]{{0,30}}[\"']{role}[\"']", source)


@pytest.mark.parametrize(
    "source",
    [
        'SUPERVISING = ("supervisor", "admin")',
        'ROLES = frozenset(["clerk", "admin"])',
        'Staff = Literal["clerk", "manager"]',
        'HOMES = {"clerk": "/staff", "manager": "/manager"}',
        'DEMO = (("clerk", "li"), ("editor", "wang"))',
        'if user.role == "clerk": pass',
        'if user.role in {"admin"}: pass',
        'tell(recipient="role:supervisor")',
        'match user.role:\n    case "admin": pass',
    ],
)
def test_the_house_rule_finds_a_role_outside_the_table_in_python(source: str) -> None:
    assert listed_in_python(source)


@pytest.mark.parametrize(
    "source",
    [
        'const TAKE_OVER = ["supervisor", "admin"];',
        'const HOME = { clerk: "/staff", manager: "/manager" };',
        "{% if user.role == 'admin' %}",
        'if (hooks.role === "reviewer") show();',
        '{% if user.role in ("clerk", "admin") %}',
    ],
)
def test_the_house_rule_finds_a_role_outside_the_table_in_a_page(source: str) -> None:
    assert listed_in_page(source)


def test_the_house_rule_lets_other_words_stand() -> None:
    assert listed_in_python('Sender = Literal["citizen", "bot", "clerk", "system"]\nif sender == "clerk": pass') == []
    assert listed_in_page('const AVATAR = { clerk: ["clerk", "工作人员"] }; h("div", { role: "group" })') == []


def test_what_a_role_may_do_stands_in_the_table_only() -> None:
    found = [(path, listed_in_python(path.read_text(encoding="utf-8"))) for path in CODE]
    found += [(path, listed_in_page(path.read_text(encoding="utf-8"))) for path in PAGES]
    assert len(found) > 300
    assert {str(path.relative_to(ROOT)): lines for path, lines in found if lines} == {}
