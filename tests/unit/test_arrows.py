"""Imports run one way (docs/architecture.md, Rooms and arrows)."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Lowest first: a room imports only itself and rooms before it.
LAYERS = [
    {"knowledge_base", "services.core"},
    {"services.understanding"},
    {"services.accounts"},
    {"services.sla"},
    {"services.notifications", "services.retention"},
    {"services.citizens", "services.places"},
    {"services.appointments", "services.knowledge", "services.lookups"},
    {"services.bindings"},
    {"services.cases", "services.menus"},
    {"services.conversations"},
    {"services.channels"},
    {"services.statistics"},
    {"services.web"},
]
ON_TOP = {
    "actions",
    "services.app",
    "services.backup",
    "services.classifiers",
    "services.cli",
    "services.commands",
    "services.container",
    "services.evaluation",
    "services.health",
    "services.schema",
    "services.senders",
    "services.serve",
    "services.supervision",
    "services.worker",
}
# Ground: what these hold is used wherever it lies. Above them a feature is called through its service.
GROUND = LAYERS[:2]
ALONE = {"bot", "services.sandbox"}
# What the dialogue's runtime may import, and what there is in it for these to import.
FOR_THE_BOT = {"classifier", "folding", "numerals", "phrases", "placeholders", "words"}
IN_THE_BOT = {*sys.stdlib_module_names, "numpy", "scipy", "sklearn"}
# A feature's own HTTP layer may use these of a lower feature besides its service and schemas.
SHARED_PARTS = {"service", "schemas", "endpoints", "events", "policies", "clocks", "calendar"}


def room_of(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "services" and len(parts) > 1:
        return ".".join(parts[:2])
    return parts[0] if parts[0] in {"knowledge_base", "actions", "bot"} else None


def imports() -> list[tuple[str, str, str]]:
    """(importing room, imported room, imported module) of every import of ours, except those for type checkers."""
    found = []
    for top in ("knowledge_base", "services", "actions", "bot"):
        for path in (ROOT / top).rglob("*.py"):
            if ".venv" in path.parts or "migrations" in path.parts:
                continue
            source = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                    node.body = []
            for node in ast.walk(tree):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                for name in names:
                    target = room_of(name)
                    if source and target and source != target:
                        found.append((source, target, name))
    return found


def rank(room: str) -> int:
    for number, layer in enumerate(LAYERS):
        if room in layer:
            return number
    assert room in ON_TOP | ALONE, f"{room} has no place in the layers"
    return len(LAYERS)


def test_every_import_points_down() -> None:
    wrong = [
        f"{source} -> {name}"
        for source, target, name in imports()
        if source not in ON_TOP | {"bot"} and (rank(target) >= rank(source) or target in ALONE)
    ]
    assert wrong == []


def test_the_sandbox_imports_nothing_of_ours() -> None:
    assert [name for source, _, name in imports() if source == "services.sandbox"] == []


def test_understanding_knows_the_library_and_nothing_else() -> None:
    above = [name for source, target, name in imports() if source == "services.understanding"]
    assert [name for name in above if room_of(name) != "knowledge_base"] == []


def test_the_bot_imports_only_what_its_runtime_can_load() -> None:
    taken = [name for source, _, name in imports() if source == "bot"]
    assert [name for name in taken if name.split(".")[:2] != ["services", "understanding"]] == []
    assert {name.split(".")[2] for name in taken} <= FOR_THE_BOT
    room = ROOT / "services" / "understanding"
    assert ast.parse((ROOT / "services" / "__init__.py").read_text()).body == []
    wrong = []
    for path in [room / "__init__.py", *(file for name in FOR_THE_BOT for file in files_of(room, name))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                parts = name.split(".")
                own = parts[:2] == ["services", "understanding"] and parts[2] in FOR_THE_BOT
                if not own and parts[0] not in IN_THE_BOT:
                    wrong.append(f"{path.relative_to(ROOT)} -> {name}")
    assert wrong == []


def files_of(room: Path, name: str) -> list[Path]:
    return [room / f"{name}.py"] if (room / f"{name}.py").exists() else sorted((room / name).glob("*.py"))


def test_a_feature_is_called_through_its_service() -> None:
    features = {room for layer in LAYERS if layer not in GROUND for room in layer}
    wrong = [
        f"{source} -> {name}"
        for source, target, name in imports()
        if source in features and target in features and name.split(".")[2] not in SHARED_PARTS
    ]
    assert wrong == []
