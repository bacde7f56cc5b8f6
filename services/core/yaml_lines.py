"""YAML that remembers its lines, so that a mistake in a city's file is one line with file and line number.

document = yaml_lines.parse(text)
document.content                                # as yaml.safe_load gives it
document.line_of(("halls", 0, "name"))          # 7
yaml_lines.name_of(("halls", 0, "name"))        # "halls[0].name"
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Place = tuple[Hashable, ...]
"""Keys of mappings and numbers of list items (from 0), from the top of the file inwards."""

DEEPEST = 40
MOST_VALUES = 200_000


class YamlMistake(Exception):
    """The text is no YAML. `line` and `column` count from 1 and are None where the parser names no place."""

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


def parse(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Document:
    """Raises YamlMistake for what is no YAML, nests too deeply, or unfolds (by anchors) into too much."""
    try:
        root = yaml.compose(text, Loader=loader)
        lines: dict[tuple[str, ...], int] = {}
        repeated = tuple(_walk(root, (), lines)) if root is not None else ()
        content = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or "cannot be parsed")
        raise YamlMistake(problem, mark.line + 1 if mark else None, mark.column + 1 if mark else None) from None
    except (ValueError, RecursionError) as error:
        raise YamlMistake(str(error).splitlines()[0] if str(error) else "cannot be parsed") from None
    return Document(content, repeated, lines)


def name_of(place: Sequence[Hashable]) -> str:
    """`halls[0].name`; empty for the file as a whole."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _walk(node: yaml.Node, place: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> Iterator[tuple[int, str]]:
    if len(place) > DEEPEST or len(lines) > MOST_VALUES:
        raise YamlMistake("nested too deeply, or too large", node.start_mark.line + 1)
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
