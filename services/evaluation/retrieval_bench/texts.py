"""Questions and answers of a city that does not exist, as many as a bench wants; the same for the same numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import yaml

from knowledge_base import Entry

_WORDS = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
WHO, ACTION, THING, ASPECT, DISTRICT = (
    tuple(_WORDS[kind].split()) for kind in ("who", "action", "thing", "aspect", "district")
)
_OPENINGS = ("您好，", "请问一下", "麻烦问下，", "", "想咨询", "")
_ENDINGS = ("谢谢", "", "啊", "呢", "，急", "")


def entries(count: int, seed: int = 7) -> Iterator[Entry]:
    """`count` entries, ids "0" to count - 1; entry n is the same whatever `count` is."""
    for number in range(count):
        who, action, thing, aspect, draw = _topic(number, seed)
        place = draw.choice(DISTRICT)
        wordings = (
            f"{who}{action}{thing}{aspect}？",
            f"{thing}{action}，{who}{aspect}？",
            f"{place}{who}{action}{thing}{aspect}？",
        )
        fee = draw.choice(("不收取费用", f"收费{draw.randint(5, 300)}元"))
        answer = (
            f"{who}{action}{thing}，请携带有效身份证件、{draw.choice(THING)}和申请表{draw.randint(1, 5)}份，"
            f"到{place}政务服务中心{draw.randint(1, 60)}号窗口提出申请。"
            f"受理后{draw.randint(1, 30)}个工作日内办结，{fee}。"
            f"{draw.choice(ASPECT)}的，可拨打{place}服务热线{draw.randint(60000000, 69999999)}咨询，"
            f"也可以登录网上大厅{action}。材料不齐的，窗口一次性告知需要补正的内容。"
        )
        yield Entry(id=str(number), question=draw.choice(wordings), answer=answer, department=f"{place}政务服务中心")


def queries(count: int, among: int, seed: int = 7) -> list[str]:
    """`count` questions as citizens might ask them about the entries numbered below `among`."""
    draw = random.Random(f"queries {seed}")
    asked = []
    for _ in range(count):
        who, action, thing, aspect, _ = _topic(draw.randrange(among), seed)
        bodies = (
            f"{action}{thing}{aspect}",
            f"我是{who}，{thing}怎么{action}",
            f"{thing}{aspect}",
            f"{who}{thing}{action}{aspect}",
        )
        asked.append(draw.choice(_OPENINGS) + draw.choice(bodies) + draw.choice(_ENDINGS))
    return asked


def _topic(number: int, seed: int) -> tuple[str, str, str, str, random.Random]:
    draw = random.Random(f"{seed} {number}")
    return draw.choice(WHO), draw.choice(ACTION), draw.choice(THING), draw.choice(ASPECT), draw
