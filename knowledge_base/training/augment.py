"""Vary a question the way citizens do: homophone typos, spoken fillers, a story around it, Traditional characters.

All material here was written for this project.
"""

from __future__ import annotations

import random
from functools import cache

from opencc import OpenCC
from pypinyin import Style, lazy_pinyin

STORIES = (
    "我是外地过来打工的，租房子住了三年多，平时上班忙没空跑，",
    "上个星期带我妈去窗口排了一上午队，轮到我们又说材料不对，",
    "家里老人八十多了腿脚不方便，儿女又都不在身边，",
    "我跟邻居聊天才知道有这回事，之前完全没听说过，",
    "前两天收到一条短信，也没看明白是什么意思，",
    "我们小区好多人都在说这个事，说法都不一样，",
    "孩子刚出生，家里一堆事情忙不过来，",
    "去年我问过一次，工作人员说政策要变，让我今年再来，",
    "打了好几次电话都占线，网上也没找到说明，",
    "我爱人单位在别的城市，我们两地跑很不方便，",
    "不好意思打扰了，我不太会用手机，",
    "我今年刚毕业，第一次自己办这种事情，",
)
OPENINGS = (
    "你好，",
    "您好，",
    "请问",
    "请问一下",
    "麻烦问下",
    "想咨询一下，",
    "我想问一下",
    "帮我查查",
    "老师好，",
    "打听个事，",
)
CLOSINGS = ("，谢谢", "，麻烦了", "，急", "，在线等", "，求解答", "？谢谢您", "，应该怎么做", "，有人知道吗")
FILLERS = ("那个", "就是说", "嗯", "就是", "然后", "呃", "这个", "的话")
PARTICLES = ("呀", "啊", "呢", "吧", "嘛")
# Longest first: what a citizen in a hurry leaves out.
DROPPED = (
    "请问", "怎么样", "为什么", "有哪些", "是什么", "需要什么", "能不能", "可不可以", "是否可以", "应该", "如何",
    "怎么", "怎样", "哪些", "什么", "是否", "可以", "需要", "进行", "我们", "我的", "自己", "已经", "的", "了", "吗",
    "呢", "我", "要", "想",
)  # fmt: skip


def typo(text: str, chance: random.Random, count: int = 2) -> str:
    """Replace up to `count` characters by others of the same sound."""
    places = [place for place, character in enumerate(text) if len(_same_sound(character)) > 1]
    characters = list(text)
    for place in chance.sample(places, min(count, len(places))):
        characters[place] = chance.choice([other for other in _same_sound(text[place]) if other != text[place]])
    return "".join(characters)


def spoken(text: str, chance: random.Random) -> str:
    """Insert fillers and drop punctuation, as speech recognition writes it."""
    bare = "".join(character for character in text if character.isalnum())
    for _ in range(chance.randint(1, 3)):
        place = chance.randint(0, len(bare))
        bare = bare[:place] + chance.choice(FILLERS) + bare[place:]
    return chance.choice(("", "请问一下", "我想问一下", "那个", "嗯")) + bare + chance.choice(("", *PARTICLES))


def rambling(text: str, chance: random.Random) -> str:
    """Put greetings and background before the question."""
    story = "".join(chance.sample(STORIES, chance.randint(1, 2)))
    return chance.choice(OPENINGS) + story + chance.choice(("", "就想问问", "请问", "我想知道")) + text


def polite(text: str, chance: random.Random) -> str:
    """Add an opening and a closing."""
    return chance.choice(OPENINGS) + text.rstrip("？?。") + chance.choice(CLOSINGS)


def short(text: str, chance: random.Random) -> str:
    """Leave out what carries no subject, as in a search box; at least four characters remain."""
    for word in DROPPED:
        shorter = text.replace(word, "")
        if len(shorter) >= 4 and chance.random() < 0.8:
            text = shorter
    return "".join(character for character in text if character.isalnum())


def traditional(text: str) -> str:
    """Write it with Traditional characters and the words used in Taiwan."""
    return str(_traditional().convert(text))


def distort(text: str, chance: random.Random) -> str:
    """One of the variations above, never the text as it is."""
    kind = chance.randrange(5)
    if kind == 0:
        return short(text, chance)
    if kind == 1:
        return typo(text, chance)
    if kind == 2:
        return rambling(text, chance)
    return spoken(text, chance) if kind == 3 else short(typo(text, chance, 1), chance)


def vary(text: str, chance: random.Random) -> str:
    """One of the variations above, or the text itself (four times out of ten)."""
    kind = chance.randrange(10)
    if kind == 0:
        return spoken(text, chance)
    if kind == 1:
        return rambling(text, chance)
    if kind == 2:
        return polite(text, chance)
    if kind == 3:
        return traditional(text)
    if kind == 4:
        return typo(text, chance)
    if kind == 5:
        return short(text, chance)
    return text


@cache
def _traditional() -> OpenCC:
    return OpenCC("s2twp")


@cache
def _sounds() -> dict[str, tuple[str, ...]]:
    # The 3,755 most common characters are those of the first level of GB 2312.
    common = [
        bytes((high, low)).decode("gb2312", errors="ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)
    ]
    groups: dict[str, list[str]] = {}
    for character in filter(None, common):
        groups.setdefault(lazy_pinyin(character, style=Style.NORMAL)[0], []).append(character)
    return {character: tuple(group) for group in groups.values() for character in group}


def _same_sound(character: str) -> tuple[str, ...]:
    return _sounds().get(character, ())
