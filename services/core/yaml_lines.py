"""YAML that remembers its lines, so that a mistake in a city's file is one line with file and line number.

document = yaml_lines.read(path)                # or parse(text)
document.content                                # as yaml.safe_load gives it
document.line_of(("halls", 0, "name"))          # 7
yaml_lines.name_of(("halls", 0, "name"))        # "halls[0].name"
"""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.core.wire import unstorable

Place = tuple[Hashable, ...]
"""Keys of mappings and numbers of list items (from 0), from the top of the file inwards."""

DEEPEST = 40
MOST_VALUES = 200_000
MOST_BYTES = 4 * 1024 * 1024
MOST_SECONDS = 60.0
LONGEST_NUMBER = 100
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class YamlMistake(Exception):
    """The text is no YAML, or beyond a bound. `line` and `column` count from 1, None where no place is named."""

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Document:
    """`content` is the parsed file; `repeated` are (line, key) of keys that stand twice (YAML keeps the last)."""

    content: Any
    repeated: tuple[tuple[int, str], ...]
    lines: dict[tuple[str, ...], int]

    def line_of(self, place: Sequence[Hashable]) -> int:
        """The line of the innermost part of `place` that stands in the file; 1 when none does."""
        named = tuple(str(part) for part in place)
        while named and named not in self.lines:
            named = named[:-1]
        return self.lines.get(named, 1)


def read(path: Path, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Document:
    """The document of a file, of which no more than the bound is read. Raises OSError, UnicodeDecodeError, and what
    `parse` raises."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise YamlMistake(f"larger than {MOST_BYTES // 1024 // 1024} MB")
    return parse(data.decode("utf-8"), loader)


def parse(
    text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader, clock: Callable[[], float] = time.monotonic
) -> Document:
    """Raises YamlMistake for what is no YAML, cannot be kept (`wire.unstorable`), nests too deeply, unfolds (by
    anchors) into too much, or takes too long (`clock` gives seconds)."""
    try:
        opened = loader(text)
        opened.get_event = _counted(opened.get_event, clock)  # type: ignore[method-assign]
        try:
            root = opened.get_single_node()
            lines: dict[tuple[str, ...], int] = {}
            repeated = tuple(_walk(root, (), lines)) if root is not None else ()
            content = opened.construct_document(root) if root is not None else None
        finally:
            opened.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or "cannot be parsed")
        raise YamlMistake(problem, mark.line + 1 if mark else None, mark.column + 1 if mark else None) from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise YamlMistake(str(error).splitlines()[0] if str(error) else "cannot be parsed") from None
    reason = unstorable(content)
    if reason is not None:
        raise YamlMistake(reason)
    return Document(content, repeated, lines)


def _counted(get_event: Callable[[], yaml.Event], clock: Callable[[], float]) -> Callable[[], yaml.Event]:
    """`get_event` that stops a file of too many values, or one that takes too long."""
    end, count = clock() + MOST_SECONDS, 0

    def counted() -> yaml.Event:
        nonlocal count
        count += 1
        if count > 2 * MOST_VALUES:
            raise YamlMistake(f"more than {MOST_VALUES} values")
        if count % 1000 == 0 and clock() > end:
            raise YamlMistake(f"takes longer than {MOST_SECONDS:g} seconds to read")
        return get_event()

    return counted


def name_of(place: Sequence[Hashable]) -> str:
    """`halls[0].name`; empty for the file as a whole."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _walk(node: yaml.Node, place: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> Iterator[tuple[int, str]]:
    if len(place) > DEEPEST:
        raise YamlMistake(f"nested too deeply (more than {DEEPEST} levels)", node.start_mark.line + 1)
    if len(lines) > MOST_VALUES:
        raise YamlMistake(f"more than {MOST_VALUES} values", node.start_mark.line + 1)
    if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
        raise YamlMistake(f"a number of more than {LONGEST_NUMBER} digits", node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                yield line, str(key.value)
            lines[here] = line
            yield from _walk(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, one in enumerate(node.value):
            here = (*place, str(number))
            lines[here] = one.start_mark.line + 1
            yield from _walk(one, here, lines)
