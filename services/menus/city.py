"""Reading and checking menus.yaml of a city's directory."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from services.core.errors import Unprocessable
from services.menus.schemas import MenusFile

FILE = "menus.yaml"


def read_menus(directory: Path) -> MenusFile | None:
    """The file, checked; None when the city has none.

    Raises Unprocessable with one line: file, line, field and what is wrong.
    """
    path = directory / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unprocessable(f"{FILE}: cannot be read ({type(error).__name__})") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark is not None else ""
        raise Unprocessable(f"{FILE}:{where} not valid YAML") from None
    try:
        return MenusFile.model_validate(content)
    except ValidationError as error:
        # A misspelled field is also a missing one: the misspelling is what to mend.
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        field = ".".join(str(part) for part in first["loc"])
        place = f"{field}: " if field else ""
        line = _line(root, first["loc"])
        raise Unprocessable(f"{FILE}: line {line}: {place}{first['msg']}{more}") from None


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line (from 1) of the innermost part of `location` that stands in the file."""
    line = 1
    for part in location:
        found = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                    found, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line
