"""A house rule: whoever selects cases asks what may be seen of them, or says here why not."""

import ast
from collections.abc import Iterator
from pathlib import Path

import services

ROOT = Path(services.__file__).parent
SELECTS = {"select", "select_from", "get", "get_one", "exists", "join", "outerjoin"}
BY_NAME = {"_table", "text", "exec_driver_sql"}
# The names under which the rule comes in: `Sight.condition()` as a parameter, or one of the rule's own questions.
ASKED = {"visible", "scope", "conditions", "hidden"}
BY_KEY = (
    "one case by its number or id: whoever hands it out asks `sight.is_visible` first (holding.locked, views.get_case)"
)
OF_CITIZEN = "cases of one conversation, for its own citizen, or to be shaded"
BY_WORKER = "ids for a job that shows them to nobody and locks each case"
EXEMPT = {
    "cases/repository.py:lock_case": BY_KEY,
    "cases/repository.py:find_case": BY_KEY,
    "cases/repository.py:lock_case_ids": BY_KEY,
    "cases/repository.py:lock_clocks": BY_WORKER,
    "cases/repository.py:lock_open_case_of": OF_CITIZEN,
    "cases/repository.py:open_case_of": OF_CITIZEN,
    "cases/repository.py:cases_of_conversation": OF_CITIZEN,
    "cases/sight_repository.py:spans_of_conversation": OF_CITIZEN,
    "cases/sight_repository.py:open_secret_ids": BY_WORKER,
    "cases/repository.py:running_case_ids": BY_WORKER,
    "cases/repository.py:held_case_ids": BY_WORKER,
    "cases/repository.py:queued_case_ids": BY_WORKER,
    "cases/repository.py:cases_by_source": "past cases of an import, by the numbers in its own file",
    "cases/repository.py:loads": "how much each clerk has to do, to deal out cases; shown to nobody",
    "cases/repository.py:hearing_case": "the citizen's own: which open case hears what they write",
    "cases/repository.py:merged_cases": "whose citizens hear an answer, as confidential as its case",
    "cases/sight_repository.py:ordinary_cases_merged_into": "ordinary cases only",
    "cases/sight.py:hidden": "the rule itself",
    "retention/repository.py:_belongs_to_open_case": "whether a conversation's data is still needed; shown to nobody",
}


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names_model(node: ast.AST) -> bool:
    """Whether an expression names the model or one of its columns."""
    return any(isinstance(one, ast.Name) and one.id == "Case" for one in ast.walk(node))


def _names_table(node: ast.Constant) -> bool:
    """Whether an expression is the name of the table, or a statement about it."""
    words = str(node.value).lower().replace(",", " ").split()
    return words == ["cases"] or ("select" in words and "cases" in words)


def _selects(function: ast.AST) -> bool:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        called = _name(node.func)
        if called in SELECTS and any(map(_names_model, node.args)):
            return True
        if called in BY_NAME and any(isinstance(one, ast.Constant) and _names_table(one) for one in node.args):
            return True
    return False


def _asks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the rule is part of the query: one of its names is used where the query is narrowed."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _name(node.func) in {"where", "filter", "_ranked", "_ranked_values"}:
            used = {one.id for given in node.args for one in ast.walk(given) if isinstance(one, ast.Name)}
            if used & ASKED:
                return True
    return False


def unseen(source: str) -> list[str]:
    """The functions of a module that select cases without asking what may be seen of them."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _selects(node) and not _asks(node)
    ]


def found() -> Iterator[str]:
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(("core/migrations/", "evaluation/")):
            # A migration shows nothing, and the benchmark fills and asks a database of its own.
            continue
        yield from (f"{place}:{name}" for name in unseen(path.read_text(encoding="utf-8")))


def test_every_query_on_cases_asks_the_rule_of_sight_or_says_why_not() -> None:
    assert sorted(set(found()) - set(EXEMPT)) == []


def test_every_exemption_is_of_a_query_that_there_is() -> None:
    assert sorted(set(EXEMPT) - set(found())) == []
    assert all(EXEMPT.values())


def test_the_house_rule_finds_queries_however_they_are_written() -> None:
    forgotten = (
        "def f(s): return s.scalars(sa.select(Case).where(Case.status == 'new'))",
        "def f(s): return s.scalar(sa.select(sa.func.count()).select_from(Case))",
        "def f(s): return s.execute(select(Case.case_no, Case.kind))",
        "def f(s): return s.get(Case, 1)",
        "def f(s): return s.execute(sa.select(CaseEvent).join(Case, Case.id == CaseEvent.case_id))",
        "def f(s): return s.execute(sa.text('SELECT case_no FROM cases'))",
        "def f(s): return sa.exists().where(_table('cases').c.status == 'new')",
    )
    assert [source for source in forgotten if unseen(source) != ["f"]] == []
    asked = "def f(s, visible): return s.scalars(sa.select(Case).where(visible, Case.status == 'new'))"
    assert unseen(asked) == []
    assert unseen("def f(s): return s.scalars(sa.select(CaseClock).where(CaseClock.case_id == 1))") == []
