"""Two requests in one message: "帮我查下违章，另外水费多少" becomes two texts. Pure.

Careful rather than clever: a message is taken apart only at a word that says so, and only when each part is a
request by itself and they are about different things. Everything else stays one message.
"""

import re
from dataclasses import dataclass
from typing import Any

from services.understanding.following import continues

MOST = 3
SHORTEST_QUESTION = 5
_JOINT = re.compile(
    r"[，,。；;！!？?、\s]+(?:另外|还有|顺便|顺带|对了|同时|然后|接着|再就是|还想|还要|再帮我|再查|也想|也帮我|也查|以及)[，,、：:\s]*"
    r"|(?<=[\u4e00-\u9fff])(?:另外|顺便再?|顺带)[，,、\s]*"
)
_SERVICES = (
    ("violation", re.compile(r"违章|违法|罚单|抄牌|扣了?几?分")),
    ("bill", re.compile(r"水费|电费|燃气费?|气费|暖气费|供暖费|取暖费|水电")),
    ("progress", re.compile(r"进度|办到哪|到哪一步|办得怎么样|办好了没|工单")),
    ("nearby", re.compile(r"附近|离我最近|最近的")),
    ("appointment", re.compile(r"预约|约个|约一下|取个?号")),
)
_REQUEST = re.compile(r"查|看|多少|欠|有没有|帮|找|哪|约|办|交|吗|呢|想|要")
_QUESTION = re.compile(r"怎么|如何|什么|多久|哪里|哪些|多少|能不能|可以|吗|需不需要|要不要|[？?]$")


@dataclass(frozen=True)
class Request:
    """One request of a message, with the entities that stand in it (offsets into its own text)."""

    text: str
    entities: list[dict[str, Any]]


def split(text: str, entities: list[dict[str, Any]]) -> list[Request]:
    """The requests of a message in their order, at most three; the message as it is when it holds only one."""
    whole = [Request(text, entities)]
    spans = _spans(text)
    if not 1 < len(spans) <= MOST:
        return whole
    parts = [text[start:end] for start, end in spans]
    services = [service_of(part) for part in parts]
    if len({service for service in services if service}) < sum(1 for service in services if service):
        return whole
    if not any(services) or not all(
        service is not None or _is_question(part) for part, service in zip(parts, services, strict=True)
    ):
        return whole
    return [Request(text[start:end], _within(entities, start, end)) for start, end in spans]


def service_of(part: str) -> str | None:
    """The one service that a text asks for; None for none or several."""
    found = [name for name, pattern in _SERVICES if pattern.search(part)]
    return found[0] if len(found) == 1 and _REQUEST.search(part) else None


def _is_question(part: str) -> bool:
    return len(part) >= SHORTEST_QUESTION and bool(_QUESTION.search(part)) and not continues(part)


def _spans(text: str) -> list[tuple[int, int]]:
    spans, start = [], 0
    for joint in _JOINT.finditer(text):
        spans.append((start, joint.start()))
        start = joint.end()
    spans.append((start, len(text)))
    return [(begin, end) for begin, end in spans if text[begin:end].strip(" ，,。；;！!？?")]


def _within(entities: list[dict[str, Any]], start: int, end: int) -> list[dict[str, Any]]:
    return [
        {**entity, "start": entity["start"] - start, "end": entity["end"] - start}
        for entity in entities
        if start <= entity["start"] and entity["end"] <= end
    ]
