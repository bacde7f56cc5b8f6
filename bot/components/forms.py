"""The forms, as their files say (bot/forms/*.yml): read, checked, and named line by line when something is wrong.

Standard library and PyYAML only: the generator of the training data (bot/generate.py) reads the same files.
docs/dialogue.md explains every key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from services.understanding.words import VOCABULARIES, Option

FOLDER: Final = Path(__file__).resolve().parent.parent / "forms"
KINDS: Final = ("identifier", "entity", "options", "place", "text")
ROUTES: Final = (
    "faq",
    "query_violation",
    "book_appointment",
    "query_bill",
    "query_progress",
    "nearby_service",
    "human",
    "urgent",
    "complaint",
    "chitchat",
    "abuse",
)
PICKS: Final = ("longest", "only")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class FormMistake(Exception):
    """`problems` are lines of the form `FILE:LINE: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        """Keep all of them; the message is the first."""
        super().__init__(problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
        self.problems = problems


@dataclass(frozen=True)
class Slot:
    """One thing a form asks for; see docs/dialogue.md."""

    name: str
    kind: str
    ask: str
    entity: str = ""
    parameter: str = ""
    invalid: str = ""
    options: tuple[Option, ...] = ()
    pick: str = "longest"
    buttons: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    leads: bool = False
    carry: bool = False
    optional: bool = False
    follows: str = ""


@dataclass(frozen=True)
class Form:
    """A form; `details` are the words by which a citizen asks about its last result."""

    name: str
    title: str
    intent: str
    route: str
    slots: tuple[Slot, ...]
    action: str = ""
    lookup: str = ""
    stop: str = ""
    opens_case: str = ""
    done: str = ""
    completes: bool = False
    details: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Its slots, in the order of asking."""
        return tuple(slot.name for slot in self.slots)

    def slot(self, name: str) -> Slot:
        """The slot of this name; KeyError without one."""
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(name)


_FORM_KEYS: Final = {
    "title", "intent", "route", "action", "lookup", "stop", "opens_case", "done", "completes", "slots", "details",
}  # fmt: skip
_SLOT_KEYS: Final = {
    "name", "kind", "ask", "entity", "parameter", "invalid", "options", "pick", "buttons", "labels", "leads", "carry",
    "optional", "follows",
}  # fmt: skip
_OPTION_KEYS: Final = {"title", "words", "brief", "shown", "other"}


class _Reader:
    """Reads one file; keeps the line of every value and notes what is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.lines: dict[tuple[Any, ...], int] = {}

    def wrong(self, place: tuple[Any, ...], text: str) -> None:
        where = place
        while where and where not in self.lines:
            where = where[:-1]
        named = ".".join(str(part) for part in place)
        self.problems.append(f"{self.path.name}:{self.lines.get(where, 1)}: {named + ': ' if named else ''}{text}")

    def read(self) -> Form | None:
        try:
            text = self.path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            content = yaml.safe_load(text)
        except UnicodeDecodeError:
            self.wrong((), "not UTF-8")
            return None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(f"{self.path.name}:{line}: no YAML: {error.problem}")
            return None
        if not isinstance(root, yaml.MappingNode) or not isinstance(content, dict):
            self.wrong((), "a mapping is needed")
            return None
        self._walk(root, ())
        self._known(content, _FORM_KEYS, ())
        slots = content.get("slots")
        if not isinstance(slots, list) or not slots:
            self.wrong(("slots",), "at least one slot is needed")
            slots = []
        form = Form(
            name=f"{self.path.stem}_form",
            title=self._text(content, "title", (), needed=True),
            intent=self._name(content, "intent", ()),
            route=self._one_of(content, "route", (), ROUTES),
            slots=tuple(self._slot(slot, ("slots", i)) for i, slot in enumerate(slots) if self._mapping(slot, i)),
            action=self._text(content, "action", ()),
            lookup=self._text(content, "lookup", ()),
            stop=self._text(content, "stop", ()) or "不办了",
            opens_case=self._text(content, "opens_case", ()),
            done=self._text(content, "done", ()),
            completes=self._flag(content, "completes", ()),
            details=tuple((key, self._list(words, ("details", key))) for key, words in self._pairs(content, "details")),
        )
        if not _NAME.fullmatch(self.path.stem):
            self.wrong((), "a form's file is named in small letters, digits and _")
        if bool(form.action) == bool(form.done):
            self.wrong((), "either action (what runs when all is known) or done (what is said then) is needed")
        if form.completes and not form.lookup:
            self.wrong(("completes",), "only a lookup can want more than it was first asked with")
        if form.lookup and not form.action:
            self.wrong(("lookup",), "a lookup needs the name of its action")
        names = form.slot_names
        for i, slot in enumerate(form.slots):
            if names.index(slot.name) != i:
                self.wrong(("slots", i, "name"), f"{slot.name} stands twice")
            if slot.follows and slot.follows not in names:
                self.wrong(("slots", i, "follows"), f"no slot {slot.follows} in this form")
        return form

    def _mapping(self, slot: object, i: int) -> bool:
        if isinstance(slot, dict):
            return True
        self.wrong(("slots", i), "a slot is a mapping")
        return False

    def _slot(self, given: dict[str, Any], place: tuple[Any, ...]) -> Slot:
        self._known(given, _SLOT_KEYS, place)
        name = self._name(given, "name", place)
        kind = self._one_of(given, "kind", place, KINDS)
        options = self._options(given.get("options") or [], (*place, "options"))
        if (kind == "options") != bool(options):
            self.wrong((*place, "options"), "options belong to a slot of kind options, and only there")
        entity = self._text(given, "entity", place)
        if entity and not _NAME.fullmatch(entity):
            self.wrong((*place, "entity"), "small letters, digits and _")
        return Slot(
            name=name,
            kind=kind,
            ask=self._text(given, "ask", place, needed=True),
            entity=entity or name,
            parameter=self._text(given, "parameter", place) or name,
            invalid=self._text(given, "invalid", place),
            options=options,
            pick=self._one_of(given, "pick", place, PICKS, "longest"),
            buttons=tuple((key, str(value)) for key, value in self._pairs(given, "buttons", place)),
            labels=self._list(given.get("labels") or [], (*place, "labels")),
            leads=self._flag(given, "leads", place),
            carry=self._flag(given, "carry", place),
            optional=self._flag(given, "optional", place),
            follows=self._text(given, "follows", place),
        )

    def _options(self, given: object, place: tuple[Any, ...]) -> tuple[Option, ...]:
        """Those that are listed, or those of a vocabulary that is named."""
        if isinstance(given, list):
            return tuple(self._option(one, (*place, i)) for i, one in enumerate(given))
        if isinstance(given, str) and given in VOCABULARIES:
            return VOCABULARIES[given]
        self.wrong(place, f"a list, or one of {', '.join(VOCABULARIES)}, is needed")
        return ()

    def _option(self, given: object, place: tuple[Any, ...]) -> Option:
        if isinstance(given, str):
            return Option(given, (re.escape(given),))
        if not isinstance(given, dict):
            self.wrong(place, "an option is a text or a mapping")
            return Option("")
        self._known(given, _OPTION_KEYS, place)
        words = self._list(given.get("words") or [], (*place, "words"))
        for word in words:
            try:
                re.compile(word)
            except re.error as error:
                self.wrong((*place, "words"), f"no pattern: {error}")
                words = ()
        return Option(
            title=self._text(given, "title", place, needed=True),
            words=words,
            brief=self._text(given, "brief", place),
            shown=self._flag(given, "shown", place, default=True),
            other=self._flag(given, "other", place),
        )

    def _known(self, given: Mapping[str, Any], keys: set[str], place: tuple[Any, ...]) -> None:
        for key in given:
            if key not in keys:
                self.wrong((*place, key), f"unknown; known are {', '.join(sorted(keys))}")

    def _text(self, given: Mapping[str, Any], key: str, place: tuple[Any, ...], needed: bool = False) -> str:
        value = given.get(key)
        if value is None:
            if needed:
                self.wrong((*place, key), "is missing")
            return ""
        if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
            self.wrong((*place, key), "a text is needed")
            return ""
        return str(value).strip()

    def _name(self, given: Mapping[str, Any], key: str, place: tuple[Any, ...]) -> str:
        text = self._text(given, key, place, needed=True)
        if text and not _NAME.fullmatch(text):
            self.wrong((*place, key), "small letters, digits and _")
        return text

    def _one_of(
        self, given: Mapping[str, Any], key: str, place: tuple[Any, ...], known: tuple[str, ...], default: str = ""
    ) -> str:
        text = self._text(given, key, place, needed=not default) or default
        if text and text not in known:
            self.wrong((*place, key), f"one of {', '.join(known)} is needed")
        return text

    def _flag(self, given: Mapping[str, Any], key: str, place: tuple[Any, ...], default: bool = False) -> bool:
        value = given.get(key, default)
        if not isinstance(value, bool):
            self.wrong((*place, key), "true or false is needed")
            return default
        return value

    def _list(self, given: object, place: tuple[Any, ...]) -> tuple[str, ...]:
        if not isinstance(given, list) or not all(isinstance(one, str | int) for one in given):
            self.wrong(place, "a list of texts is needed")
            return ()
        return tuple(str(one) for one in given)

    def _pairs(self, given: Mapping[str, Any], key: str, place: tuple[Any, ...] = ()) -> list[tuple[str, Any]]:
        value = given.get(key) or {}
        if not isinstance(value, dict):
            self.wrong((*place, key), "a mapping is needed")
            return []
        return [(str(name), one) for name, one in value.items()]

    def _walk(self, node: yaml.Node, place: tuple[Any, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*place, key.value)
                if here in self.lines:
                    self.problems.append(f"{self.path.name}:{key.start_mark.line + 1}: {key.value} stands twice")
                self.lines[here] = key.start_mark.line + 1
                self._walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for i, one in enumerate(node.value):
                self.lines[(*place, i)] = one.start_mark.line + 1
                self._walk(one, (*place, i))


def read_forms(folder: Path = FOLDER) -> dict[str, Form]:
    """All forms by name, in the order of their files. Raises FormMistake with all mistakes of all files."""
    forms: dict[str, Form] = {}
    problems: list[str] = []
    owner: dict[str, str] = {}
    for path in sorted(folder.glob("*.yml")):
        reader = _Reader(path)
        form = reader.read()
        if form is not None and not reader.problems:
            for other in forms.values():
                if other.intent == form.intent:
                    reader.wrong(("intent",), f"{form.intent} opens {other.name} already")
            for i, slot in enumerate(form.slots):
                if owner.setdefault(slot.name, form.name) != form.name:
                    reader.wrong(("slots", i, "name"), f"{slot.name} is a slot of {owner[slot.name]} already")
            forms[form.name] = form
        problems += reader.problems
    if problems:
        raise FormMistake(problems)
    return forms


@lru_cache(maxsize=1)
def forms() -> dict[str, Form]:
    """The forms of this bot, read once."""
    return read_forms()
