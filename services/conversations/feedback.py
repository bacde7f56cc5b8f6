"""Helpful or not: the two small options under an answer, and the words that say the same."""

from services.conversations.schemas import Option
from services.understanding.folding import bare

HELPFUL, NOT_HELPFUL = "helpful:", "unhelpful:"
HELPFUL_TITLE, NOT_HELPFUL_TITLE = "有帮助", "没帮助"

# Whole messages, right after an answer; anything longer is a question or a complaint of its own.
YES_WORDS = frozenset(["有帮助", "有用", "很有帮助", "很有用", "解决了", "已解决"])
NO_WORDS = frozenset(
    [
        *("没帮助", "没有帮助", "帮助不大", "没用", "没有用", "不对", "不是这个", "答非所问"),
        *(f"{still}{word}解决" for still in ("", "还") for word in ("没", "没有", "未")),
    ]
)

# These speak of an answer also when something else was said in between.
UNMISTAKABLE = frozenset(["有帮助", "很有帮助", "没帮助", "没有帮助", "帮助不大", "答非所问"])


def options(seq: int) -> list[Option]:
    """The options of the answer `seq`; each answer has its own, so an old one can still be rated."""
    return [
        Option(title=HELPFUL_TITLE, payload=f"{HELPFUL}{seq}"),
        Option(title=NOT_HELPFUL_TITLE, payload=f"{NOT_HELPFUL}{seq}"),
    ]


def chosen(payload: str | None) -> tuple[int, bool] | None:
    """(seq of the answer, helpful) of an option of `options`, None for any other."""
    for prefix, helpful in ((HELPFUL, True), (NOT_HELPFUL, False)):
        number = payload.removeprefix(prefix) if payload and payload.startswith(prefix) else ""
        if number.isascii() and number.isdigit() and len(number) < 10:
            return int(number), helpful
    return None


def title(helpful: bool) -> str:
    return HELPFUL_TITLE if helpful else NOT_HELPFUL_TITLE


def typed(text: str) -> bool | None:
    """What a whole message says of the answer before it; None when it speaks of something else."""
    folded = bare(text)
    if folded in YES_WORDS:
        return True
    return False if folded in NO_WORDS else None


def names_answer(text: str) -> bool:
    """Whether such a message can be about nothing but an answer, even one of some turns ago."""
    return bare(text) in UNMISTAKABLE
