"""What the actions need of the form files (bot/forms/*.yml): which lookup an action makes, with which slots.

The files are checked where the dialogue is trained (bot/components/forms.py); here they are only read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "bot" / "forms"


@dataclass(frozen=True)
class LookupForm:
    """A form that ends in a lookup of `kind`; `parameters` maps each slot to the lookup's parameter.

    One that `completes` asks for what the lookup of the others with the same action wants besides.
    """

    name: str
    title: str
    route: str
    action: str
    kind: str
    parameters: Mapping[str, str]
    completes: bool = False


def read_titles(folder: Path = FOLDER) -> dict[str, str]:
    """Form -> what citizens call it."""
    return {name: str(content["title"]) for name, content in _contents(folder)}


def read_lookup_forms(folder: Path = FOLDER) -> list[LookupForm]:
    """The forms that end in a lookup, in the order of their files. OSError, KeyError when unreadable."""
    return [
        LookupForm(
            name=name,
            title=str(content["title"]),
            route=str(content["route"]),
            action=str(content["action"]),
            kind=str(content["lookup"]),
            parameters={slot["name"]: slot.get("parameter", slot["name"]) for slot in content["slots"]},
            completes=bool(content.get("completes")),
        )
        for name, content in _contents(folder)
        if content.get("lookup")
    ]


def _contents(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.stem}_form", yaml.safe_load(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.yml"))
    ]
