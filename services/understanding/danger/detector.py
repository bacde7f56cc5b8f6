"""Decides whether a message tells of danger to life, without Rasa, a queue or a model server.

A short message is judged by its n-grams and by its meaning (the embedding), whose log odds add up. Where there is no
embedding the n-grams decide, words of danger and words that take the danger out of a sentence beside them: missing one
is worse than a false alarm. A message that is only suspected goes on to the dialogue, together with the suspicion
(`likelihood`): it has another opinion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.understanding.danger.judge import Heard, chance, log_odds, probability, worth_hearing
from services.understanding.danger.lexicon import prepare, signals, suppressors

Level = Literal["critical", "serious"]
Category = Literal[
    "自杀", "暴力", "火灾", "燃气", "溺水", "急症", "车祸", "触电", "坍塌洪水", "拐骗传销", "走失", "求救"
]

# Whom to call first, by category. 110 police, 119 fire and rescue, 120 ambulance.
_NUMBERS: dict[Category, tuple[str, ...]] = {
    "自杀": ("110", "120"),
    "暴力": ("110", "120"),
    "火灾": ("119", "120"),
    "燃气": ("119", "120"),
    "溺水": ("110", "119", "120"),
    "急症": ("120",),
    "车祸": ("122", "120", "119"),
    "触电": ("120", "119"),
    "坍塌洪水": ("119", "120"),
    "拐骗传销": ("110",),
    "走失": ("110",),
    "求救": ("110", "119", "120"),
}
_SERIOUS = {"走失"}
# A more telling category wins over the general cry for help or a mere symptom.
_ORDER: tuple[Category, ...] = (
    "自杀",
    "火灾",
    "燃气",
    "溺水",
    "触电",
    "车祸",
    "坍塌洪水",
    "拐骗传销",
    "暴力",
    "急症",
    "走失",
    "求救",
)
_LONG = 50
_CLAUSE = re.compile(r"[。！!？?\n;；,，、\s]+")

# Characters up to which the meaning of a message as a whole counts, and the log odds, n-grams and meaning together,
# from which a short and a longer one are taken for danger. Of 600 real messages to a city government none reaches them.
_HEARD = 120
_TOGETHER = -0.5
_TOGETHER_IN_LONGER = 0.0
_LIKELY = 0.35
_ALONE = 0.7
_DAMPED = 0.5
_IN_LONG = 0.9
_IN_LETTER = 0.98
# characters from which a message is a letter, and how many dampers make it a general one
_LETTER = 100
_GENERAL = 3


@dataclass(frozen=True, slots=True)
class Urgency:
    """A danger found in a message.

    level: "critical" (life in danger) or "serious" (someone missing). numbers: what to call, the
    first first. evidence: the words that gave it away, Simplified; empty when only the classifiers
    saw it. confidence: theirs, in [0, 1].
    """

    level: Level
    category: Category
    evidence: tuple[str, ...]
    numbers: tuple[str, ...]
    confidence: float


def wants_hearing(text: str) -> bool:
    """Whether `detect` makes use of the text's embedding: it is no letter, and holds words."""
    return len(text) <= _HEARD and worth_hearing(text)


def detect(text: str, heard: Heard | None = None) -> Urgency | None:
    """The danger that a message tells of, or None; `heard` is its embedding, if there is one.

    >>> detect("家里煤气味很大").category
    '燃气'
    >>> detect("怎么预防煤气泄漏") is None
    True
    """
    prepared = prepare(text[:4000])
    if not prepared:
        return None
    together = _together(prepared, heard)
    if together is not None and together >= (_TOGETHER if len(prepared) <= _LONG else _TOGETHER_IN_LONGER):
        return _urgency(signals(prepared), chance(together))
    if len(prepared) <= _LONG:
        return _judge(prepared) if together is None else None
    # people in danger write short; in a long letter a passage must say it plainly
    plain = _IN_LONG if len(prepared) <= _LETTER else _IN_LETTER
    if len(prepared) > _LETTER and len(suppressors(prepared)) >= _GENERAL:
        return None
    for passage in _passages(prepared):
        found = _judge_passage(passage, plain)
        if found is not None:
            return found
    return None


def presumed(text: str) -> Urgency:
    """What danger a message seems to tell of, when somebody else has judged that it tells of one."""
    prepared = prepare(text[:4000])
    return _urgency(signals(prepared), probability(prepared))


def likelihood(text: str, heard: Heard | None = None) -> float | None:
    """The probability, in [0, 1], that a message tells of danger; None for an empty one and for one too long to say.

    For who has another opinion to weigh it against; `detect` decides alone.
    """
    prepared = prepare(text[:4000])
    together = _together(prepared, heard)
    if together is not None:
        return chance(together)
    return probability(prepared) if prepared and len(prepared) <= _LONG else None


def _together(prepared: str, heard: Heard | None) -> float | None:
    """Log odds of n-grams and meaning; None when nothing is known of the meaning, or it is that of a letter."""
    return log_odds(prepared, heard) if heard is not None and 0 < len(prepared) <= _HEARD else None


def _passages(prepared: str) -> Iterator[str]:
    """Neighbouring clauses joined up to `_LONG` characters, each start once."""
    clauses = [clause for clause in _CLAUSE.split(prepared) if clause.strip()]
    for index, first in enumerate(clauses):
        passage = first[:_LONG]
        for clause in clauses[index + 1 :]:
            if len(passage) + len(clause) > _LONG:
                break
            passage = f"{passage},{clause}"
        yield passage


def _judge(prepared: str) -> Urgency | None:
    found = signals(prepared)
    threshold_with_signal = _DAMPED if suppressors(prepared) else _LIKELY
    needed = threshold_with_signal if found else _ALONE
    likely = probability(prepared)
    return _urgency(found, likely) if likely >= needed else None


def _judge_passage(passage: str, needed: float) -> Urgency | None:
    found = signals(passage)
    if not found or suppressors(passage):
        return None
    likely = probability(passage)
    return _urgency(found, likely) if likely >= needed else None


def _urgency(found: list[tuple[str, str]], likely: float) -> Urgency:
    categories = {category for category, _ in found}
    category: Category = next((name for name in _ORDER if name in categories), "求救")
    return Urgency(
        level="serious" if category in _SERIOUS and categories <= _SERIOUS else "critical",
        category=category,
        evidence=tuple(words for _, words in found),
        numbers=_NUMBERS[category],
        confidence=round(likely, 3),
    )
