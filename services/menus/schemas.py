"""menus.yaml as it is written, keyword replies on the wire, and an account as the rooms above see it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.core.wire import Day
from services.menus.tree import ITEMS_PER_LEVEL, LEVELS, Action, Item, Menu
from services.understanding.folding import bare

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Title = Annotated[str, Field(min_length=1, max_length=20)]
Match = Literal["exact", "contains"]
TEXT_LIMIT = 2000
FOLDED_LIMIT = 120


class Written(BaseModel):
    """A part of a city file: an unknown field is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ItemIn(Written):
    """A line of a menu: further items, or exactly one thing that it does."""

    title: Title
    items: list["ItemIn"] | None = Field(default=None, min_length=1, max_length=ITEMS_PER_LEVEL)
    say: str | None = Field(default=None, min_length=1, max_length=100)
    entry: str | None = Field(default=None, min_length=1, max_length=128)
    text: str | None = Field(default=None, min_length=1, max_length=TEXT_LIMIT)
    link: str | None = Field(default=None, max_length=500, pattern=r"^https?://[^\s]+$")
    human: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "ItemIn":
        given = [name for name in ("items", "say", "entry", "text", "link", "human") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("needs exactly one of items, say, entry, text, link, human")
        _distinct(self.items or [])
        return self

    def depth(self) -> int:
        return 1 + max((item.depth() for item in self.items or []), default=0)

    def item(self) -> Item:
        if self.items:
            return Item(self.title, tuple(item.item() for item in self.items))
        if self.say:
            return Item(self.title, action=Action("say", self.say))
        if self.entry:
            return Item(self.title, action=Action("entry", self.entry))
        if self.text:
            return Item(self.title, action=Action("text", self.text))
        if self.link:
            return Item(self.title, action=Action("link", self.link))
        return Item(self.title, action=Action("human"))


def _distinct(items: list[ItemIn]) -> None:
    titles = [item.title for item in items]
    if len(set(titles)) != len(titles):
        raise ValueError("two items of one level have the same title")


class ScopeIn(Written):
    """What this account answers from: one department's entries, entries of a region (and of none)."""

    department: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    region: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class KeywordIn(Written):
    """A keyword with its reply: exactly one of `text` and `entry_id`. Both days are included, in Shanghai."""

    keyword: str = Field(min_length=1, max_length=30)
    match: Match = "exact"
    text: str | None = Field(default=None, min_length=1, max_length=TEXT_LIMIT)
    entry_id: str | None = Field(default=None, min_length=1, max_length=128)
    enabled: bool = True
    valid_from: Day | None = None
    valid_to: Day | None = None

    @model_validator(mode="after")
    def _whole(self) -> "KeywordIn":
        if (self.text is None) == (self.entry_id is None):
            raise ValueError("needs exactly one of text and entry_id")
        if len(bare(self.keyword)) < (2 if self.match == "contains" else 1):
            raise ValueError("a keyword needs a character, one that is only contained two, besides marks and blanks")
        if len(bare(self.keyword)) > FOLDED_LIMIT:
            raise ValueError("holds characters that cannot be kept")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class KeywordEdit(KeywordIn):
    """A keyword reply as staff save it; `account` empty: for all accounts."""

    account: Key | Literal[""] = ""


class KeywordView(KeywordEdit):
    id: int
    updated_at: datetime
    updated_by: str


class KeywordPage(BaseModel):
    replies: list[KeywordView]
    total: int


class AccountIn(Written):
    key: Key
    name: Annotated[str, Field(min_length=1, max_length=64)]
    default: bool = False
    welcome: str = Field(min_length=1, max_length=TEXT_LIMIT)
    scope: ScopeIn = ScopeIn()
    menu: list[ItemIn] = Field(default=[], max_length=ITEMS_PER_LEVEL)
    keywords: list[KeywordIn] = Field(default=[], max_length=500)

    @model_validator(mode="after")
    def _fits(self) -> "AccountIn":
        _distinct(self.menu)
        if max((item.depth() for item in self.menu), default=0) > LEVELS:
            raise ValueError(f"the menu has more than {LEVELS} levels")
        words = [(row.match, bare(row.keyword)) for row in self.keywords]
        if len(set(words)) != len(words):
            raise ValueError("two keywords are the same")
        return self


class MenusFile(Written):
    accounts: list[AccountIn] = Field(min_length=1, max_length=500)

    @model_validator(mode="after")
    def _one_default(self) -> "MenusFile":
        keys = [account.key for account in self.accounts]
        if len(set(keys)) != len(keys):
            raise ValueError("two accounts have the same key")
        if sum(account.default for account in self.accounts) != 1:
            raise ValueError("exactly one account must have default: true")
        return self


class AccountView(BaseModel):
    key: str
    name: str
    default: bool


@dataclass(frozen=True)
class Account:
    """An account in its current version. `{city}` in `welcome` stands for the city's name."""

    key: str
    name: str
    version: int
    welcome: str
    menu: Menu
    department: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Reply:
    """What a keyword is answered with: a text or the answer of an entry."""

    text: str | None = None
    entry_id: str | None = None


@dataclass(frozen=True)
class AppliedAccount:
    """What `apply_menus` did with one account; `changed` is False when the same content was there already."""

    key: str
    version: int
    changed: bool
    keywords: int = field(default=0)
