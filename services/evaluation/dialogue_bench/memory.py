"""The memory of a Rasa replica over many messages, sent to it directly."""

import base64
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import httpx
import numpy as np

from knowledge_base import Embedder
from services.evaluation.dialogue_bench.citizens import CONVERSATION_LENGTH, TIMEOUT, Question
from services.evaluation.dialogue_bench.processes import family, resident_mb
from services.evaluation.dialogue_bench.run import Progress

BATCH = 250
CALLERS = 4
# Between the questions: small talk, a form that is opened, answered wrongly and left, an offer of a person.
OTHERS = ("你好", "查一下违章", "不知道", "取消", "今天天气不错", "我要交电费", "水费", "算了", "谢谢", "转人工")


def rasa_memory(
    url: str, token: str, pid: int, embedder: Embedder, questions: Sequence[Question], messages: int, progress: Progress
) -> dict[str, Any]:
    """Send `messages` in conversations of ten and watch the resident memory of the process and its descendants (MB).

    The first fifth is warm-up; `flat` compares the largest figure after it with the one at its end.
    """
    texts = [text for pair in zip((q.text for q in questions), itertools.cycle(OTHERS), strict=False) for text in pair]
    bodies = [_body(text, vector) for text, vector in zip(texts, embedder.embed_queries(texts), strict=True)]
    client = httpx.Client(
        base_url=url,
        headers={"authorization": f"Bearer {token}"},
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=CALLERS),
    )

    def send(conversation: int) -> None:
        start = conversation * CONVERSATION_LENGTH
        for number in range(start, start + CONVERSATION_LENGTH):
            body = bodies[number % len(bodies)] | {"sender": f"memory-{conversation}"}
            client.post("/webhooks/huiying/webhook", json=body).raise_for_status()

    def resident() -> float:
        return round(sum(resident_mb(each) for each in family(pid)), 1)

    samples = [(0, resident())]
    began = perf_counter()
    with client, ThreadPoolExecutor(CALLERS) as pool:
        for start in range(0, messages, BATCH):
            ending = min(start + BATCH, messages)
            list(pool.map(send, range(start // CONVERSATION_LENGTH, ending // CONVERSATION_LENGTH)))
            samples.append((ending, resident()))
            progress(ending, messages)
    seconds = perf_counter() - began
    warm = next(index for index, (sent, _) in enumerate(samples) if sent >= messages / 5)
    after = [mb for _, mb in samples[warm:]]
    step = max(1, len(samples) // 10)
    return {
        "messages": messages,
        "messages_per_second": round(messages / seconds, 1),
        "start_mb": samples[0][1],
        "warm_mb": after[0],
        "largest_mb": max(after),
        "end_mb": after[-1],
        "largest_to_warm": round(max(after) / after[0], 3),
        "course_mb": dict(samples[::step]),
    }


def _body(text: str, vector: Any) -> dict[str, Any]:
    metadata = {
        "ref": "none",
        "knowledge": {"band": "answer", "hits": [{"id": f"e{place}", "confidence": 0.9} for place in range(10)]},
        "entities": [],
        "misses": 0,
        "embedding": base64.b64encode(vector.astype(np.float16).tobytes()).decode(),
    }
    return {"message": text, "metadata": metadata}
