"""The menu of an account, and what digits and a few words do in it. Pure: no database, no clock.

menu = Menu((Item("交通", (Item("查违章", (), Action("say", "查违章")),)),))
step(menu, (), read("1"))      -> Shown((1,))
step(menu, (1,), read("1"))    -> Chosen((1,), item)
step(menu, (1,), read("0"))    -> Shown(())
"""

import re
from dataclasses import dataclass
from typing import Literal

from services.understanding.folding import bare

LEVELS = 3
ITEMS_PER_LEVEL = 9

Place = tuple[int, ...]
"""Numbers from the top: () is the first level, (1, 2) what stands below its item 1, there item 2."""

Does = Literal["say", "entry", "text", "link", "human"]

SHOW_WORDS = frozenset(["菜单", "主菜单", "服务菜单", "功能菜单", "目录", "menu"])
UP_WORDS = frozenset(["0", "返回", "返回上级", "返回上一级", "上一级", "返回菜单"])
_NUMBER = re.compile(r"(?:回复|我选|选择|选|按)?([1-9])(?:号|项)?")
_PATH = re.compile(r"[1-9](?:[-‐‑–—_.·]+[1-9]){1,2}")


@dataclass(frozen=True)
class Action:
    """What a leaf does; `value` is the text, the entry id or the address (empty for a human)."""

    does: Does
    value: str = ""


@dataclass(frozen=True)
class Item:
    """A line of the menu: either further items or an action."""

    title: str
    items: tuple["Item", ...] = ()
    action: Action | None = None


@dataclass(frozen=True)
class Menu:
    items: tuple[Item, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items)

    def level(self, place: Place) -> tuple[Item, ...] | None:
        """The items below `place`; None when nothing is there (any more)."""
        items = self.items
        for number in place:
            if not 1 <= number <= len(items):
                return None
            items = items[number - 1].items
        return items or None

    def item(self, place: Place) -> Item | None:
        if not place:
            return None
        level = self.level(place[:-1])
        return level[place[-1] - 1] if level and 1 <= place[-1] <= len(level) else None


@dataclass(frozen=True)
class Command:
    """`show` the first level, go `up`, choose the item `number` of this level, or go to an absolute `path`."""

    kind: Literal["show", "up", "number", "path"]
    path: Place = ()


@dataclass(frozen=True)
class Shown:
    """The level below `place` is to be shown; `unknown` when the number asked for is not on it."""

    place: Place
    unknown: bool = False


@dataclass(frozen=True)
class Chosen:
    """A leaf was chosen; `place` is the level that it stands on."""

    place: Place
    item: Item


def read(text: str) -> Command | None:
    """The command that a message is, or None: a message with anything else in it is no command.

    Widths do not matter: "２", "①" and "1－2" are read as "2", "1" and "1-2".
    """
    folded = bare(text)
    if folded in SHOW_WORDS:
        return Command("show")
    if folded in UP_WORDS:
        return Command("up")
    number = _NUMBER.fullmatch(folded)
    if number:
        return Command("number", (int(number[1]),))
    if _PATH.fullmatch(folded):
        return Command("path", tuple(int(char) for char in folded if char.isdecimal()))
    return None


def step(menu: Menu, place: Place, command: Command) -> Shown | Chosen:
    """Where a command leads from `place`. A place that the menu no longer has counts as its top."""
    if menu.level(place) is None:
        place = ()
    match command.kind:
        case "show":
            return Shown(())
        case "up":
            return Shown(place[:-1])
        case "number":
            return _go(menu, place, (*place, *command.path))
        case "path":
            return _go(menu, place, command.path)


def _go(menu: Menu, here: Place, target: Place) -> Shown | Chosen:
    item = menu.item(target)
    if item is None:
        return Shown(here, unknown=True)
    return Shown(target) if item.items else Chosen(target[:-1], item)


def place_text(place: Place) -> str:
    """As it is written in a database row and in an option: "" is the top, "1-2" two levels down."""
    return "-".join(str(number) for number in place)


def place_from(text: str) -> Place | None:
    """The reverse of `place_text`; None when the text is none."""
    if not text:
        return ()
    parts = text.split("-")
    if len(parts) > LEVELS or not all(part in "123456789" and len(part) == 1 for part in parts):
        return None
    return tuple(int(part) for part in parts)
