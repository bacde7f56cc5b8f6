"""`huiying rights`: the table of rights, and where each right is asked for."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer

from services.app import create_app
from services.commands.console import container, needs
from services.core.errors import BadRequest
from services.core.guards import routes_of
from services.core.permissions import RIGHTS, Permission, as_markdown
from services.web.endpoints import NAVIGATION

BEGIN, END = "<!-- rights: begin -->", "<!-- rights: end -->"
WIDTH = 120
WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


@needs("system.run")
def rights(
    context: typer.Context,
    into: Annotated[Path | None, typer.Option(help="Replace the part of this file between the rights marks.")] = None,
) -> None:
    """Print who may do what, and which routes, entries of the navigation and commands ask for it, as Markdown."""
    text = document(context.find_root().command)
    if into is None:
        typer.echo(text, nl=False)
        return
    try:
        head, begin, rest = into.read_text(encoding="utf-8").partition(BEGIN)
    except UnicodeDecodeError:
        raise BadRequest(f"{into.name} 不是 UTF-8 文本") from None
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadRequest(f"{into.name} 里没有 {BEGIN} 与 {END}")
    into.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}", encoding="utf-8")


def document(root: Any) -> str:
    """The table and the places as Markdown. `root` is the whole command line, as click has it."""
    places: dict[Permission, list[str]] = {permission: [] for permission in RIGHTS}
    for route in routes_of(create_app(container())):
        if route.permission is not None and route.method != "HEAD":
            places[route.permission].append(f"{route.method} {route.path}")
    for entry in NAVIGATION:
        places[entry.permission].append(f"navigation {entry.label}")
    for name, permission in commands_of(root):
        if permission is not None:
            places[permission].append(f"huiying {name}")
    lines = [_item(f"`{permission}`: ", found or ["by rules only"]) for permission, found in places.items()]
    return f"{as_markdown()}\nWhere it is asked for:\n\n" + "\n".join(lines) + "\n"


def _item(head: str, parts: list[str]) -> str:
    """An item of a list, folded between its parts."""
    whole = (part.replace(" ", "\u00a0") for part in parts)
    folded = fill(f"- {head}{' · '.join(whole)}", WIDTH, subsequent_indent="  ", **WHOLE_WORDS)
    return folded.replace("\u00a0", " ")


def commands_of(group: Any, before: str = "") -> Iterator[tuple[str, Permission | None]]:
    """Every command below a group of click with what it needs, None when it does not say."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", getattr(command.callback, "permission", None)
