"""Reading and checking menus.yaml of a city's directory."""

from pathlib import Path

from pydantic import ValidationError

from services.core import yaml_lines
from services.core.errors import Unprocessable
from services.menus.schemas import MenusFile

FILE = "menus.yaml"


def read_menus(directory: Path) -> MenusFile | None:
    """The file, checked; None when the city has none.

    Raises Unprocessable with one line: file, line, field and what is wrong.
    """
    path = directory / FILE
    try:
        document = yaml_lines.read(path)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unprocessable(f"{FILE}: cannot be read ({type(error).__name__})") from None
    except yaml_lines.YamlMistake as mistake:
        where = f" line {mistake.line}:" if mistake.line is not None else ""
        raise Unprocessable(f"{FILE}:{where} not valid YAML ({mistake.problem})") from None
    try:
        return MenusFile.model_validate(document.content)
    except ValidationError as error:
        # A misspelled field is also a missing one: the misspelling is what to mend.
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        field = ".".join(str(part) for part in first["loc"])
        place = f"{field}: " if field else ""
        line = document.line_of(first["loc"])
        raise Unprocessable(f"{FILE}: line {line}: {place}{first['msg']}{more}") from None
