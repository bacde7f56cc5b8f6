"""The supervisor killed, the database locked: started again, said, refused with a time to come back, nothing lost."""

import sqlite3
import threading
import time

import httpx

from tests.attacks.target import Target, say

LOCK_SECONDS = 9.0
SENDERS = 6
LONGEST = 60.0


def killed(target: Target) -> None:
    """kill -9 of `huiying up`, then a start on what it left."""
    conversation, headers = target.conversation()
    with target.client(**headers) as client:
        client.post(f"/api/v1/conversations/{conversation}/messages", json={"text": "你好", "client_message_id": "k"})
    target.kill()
    seconds = target.start()
    with target.client(**headers) as client:
        kept = client.get(f"/api/v1/conversations/{conversation}/messages").raise_for_status().json()["messages"]
    say("kill -9 of the supervisor, then up", ready_after_seconds=round(seconds, 1), messages_kept=len(kept))


def locked(target: Target) -> None:
    """Another process holds the write lock while citizens send; every acknowledged message is in the database."""
    owners = [target.conversation() for _ in range(SENDERS)]
    holder = sqlite3.connect(target.database, isolation_level=None, timeout=30)
    acknowledged: list[str] = []
    refused: list[float] = []
    strange: list[int] = []

    def send(number: int) -> None:
        conversation, headers = owners[number]
        began = time.monotonic()
        with target.client(**headers) as client:
            while time.monotonic() - began < LONGEST:
                asked = time.monotonic()
                body = {"text": "营业时间是几点", "client_message_id": f"m{number}"}
                answer = client.post(f"/api/v1/conversations/{conversation}/messages", json=body)
                if answer.is_success:
                    acknowledged.append(conversation)
                    return
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or "retry-after" not in answer.headers:
                    strange.append(answer.status_code)
                    return
                refused.append(time.monotonic() - asked)
                time.sleep(int(answer.headers["retry-after"]))

    holder.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    senders = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    said_after, slowest = None, 0.0
    with target.client() as client:
        while time.monotonic() - began < LOCK_SECONDS:
            asked = time.monotonic()
            status = client.get("/readyz").status_code
            slowest = max(slowest, time.monotonic() - asked)
            if status == httpx.codes.SERVICE_UNAVAILABLE and said_after is None:
                said_after = time.monotonic() - began
            time.sleep(0.1)
    holder.execute("ROLLBACK")
    for sender in senders:
        sender.join()
    stored = {
        row[0] for row in holder.execute("SELECT conversation_id FROM messages WHERE client_message_id LIKE 'm_'")
    }
    holder.close()
    say(
        "database locked by another process",
        seconds=LOCK_SECONDS,
        readyz_says_so_after_seconds=round(said_after, 2) if said_after is not None else None,
        readyz_slowest_seconds=round(slowest, 2),
        refused_503=len(refused),
        slowest_refusal_seconds=round(max(refused, default=0.0), 1),
        other_answers=strange,
        acknowledged=len(acknowledged),
        acknowledged_but_not_stored=len(set(acknowledged) - stored),
    )
