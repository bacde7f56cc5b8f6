"""Bombs of pixels, false alarms in masses, walks through other people's numbers."""

import io
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from tests.attacks.target import Target, say

ELSEWHERE = "127.0.0.2"
SIXTY_MEGAPIXELS = 7746
SENDERS = 6
FALSE_ALARMS = 55
STRANGERS, WALKERS = 12, 160
PLATE, PLATE_KIND, ENGINE_TAIL = "粤B7K392", "小型汽车", "3F0712"


def photos(target: Target) -> None:
    """Six at once send 60 megapixels in a small file, then the largest that is taken, while somebody asks."""
    before, peak = target.memory(), {"all": 0, "api": 0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            now = target.memory()
            peak["all"], peak["api"] = max(peak["all"], now["all"]), max(peak["api"], now["api"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    bomb, large, noted = _png(SIXTY_MEGAPIXELS), _png(4890), _noted()
    owners = [target.conversation() for _ in range(SENDERS)]
    answers: dict[str, int] = {}

    def send(number: int, upload: bytes, name: str) -> None:
        conversation, headers = owners[number]
        with target.client(**headers) as client:
            answer = client.post(
                f"/api/v1/conversations/{conversation}/attachments",
                files={"file": ("photo", upload)},
                data={"client_message_id": name},
            )
        key = f"{name} {answer.status_code}"
        answers[key] = answers.get(key, 0) + 1

    with ThreadPoolExecutor(SENDERS + 1) as pool:
        asking = pool.submit(_asked, target)
        for name, upload in (("bomb", bomb), ("large", large)):
            list(pool.map(lambda number, up=upload, name=name: send(number, up, name), range(SENDERS)))
        slowest = asking.result()
    send(0, noted, "noted")
    over.set()
    watcher.join()
    say(
        "bombs of pixels",
        bytes_of_a_bomb=len(bomb),
        senders_at_once=SENDERS,
        answers=answers,
        api_megabytes_before=before["api"],
        api_megabytes_highest=peak["api"],
        api_megabytes_after=target.memory()["api"],
        all_processes_megabytes_more_at_most=peak["all"] - before["all"],
        slowest_answer_to_a_question_seconds=slowest,
        notes_of_the_camera_kept=_kept_notes(target, owners[0]),
    )


def alarms(target: Target) -> None:
    """55 false alarms from one address, each in its own conversation, 55 in one, then a real one from elsewhere."""
    answered = 0
    for number in range(FALSE_ALARMS):
        conversation, headers = target.conversation()
        answered += _says(target, conversation, headers, "我家着火了快来人", f"a{number}")["route"] == "urgent"
    shouting, headers = target.conversation()
    numbers = {
        _says(target, shouting, headers, f"救命啊着火了{number}", f"s{number}")["case_no"]
        for number in range(FALSE_ALARMS)
    }
    real, headers = target.conversation(ELSEWHERE)
    case_no = _says(target, real, headers, "煤气泄漏老人晕倒了", "r", ELSEWHERE)["case_no"]
    with target.staff("supervisor") as client:
        cases = client.get("/api/v1/cases", params={"limit": 100}).raise_for_status().json()["cases"]
        notices = client.get("/api/v1/notices", params={"limit": 200}).raise_for_status().json()
    listed = notices["notices"] if isinstance(notices, dict) else notices
    say(
        "false alarms",
        sent_in_conversations_of_their_own=FALSE_ALARMS,
        answered_with_the_emergency_numbers=answered,
        believed=sum(not case["doubtful"] and case["case_no"] != case_no for case in cases),
        doubtful=sum(case["doubtful"] for case in cases),
        sent_in_one_conversation=FALSE_ALARMS,
        cases_of_that_conversation=len(numbers),
        place_of_the_real_one_in_the_list=[case["case_no"] for case in cases].index(case_no) + 1,
        urgent_notices_to_the_supervisor=sum(one["kind"] == "case_urgent" for one in listed),
        real_one_among_them=any(one["body"].get("case_no") == case_no for one in listed),
    )


def walk(target: Target) -> None:
    """Wrong guesses of strangers at a plate, then its owner; then household numbers, each by a new conversation."""
    guesses = [
        _looked_up(target, f"{PLATE}{PLATE_KIND}发动机号{number:06d}查违章")
        for number in range(700_001, 700_001 + STRANGERS)
    ]
    owner = _looked_up(target, f"{PLATE}{PLATE_KIND}发动机号{ENGINE_TAIL}查违章", ELSEWHERE)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        walked = list(pool.map(lambda number: _looked_up(target, f"查水费，户号8003{number:04d}"), range(WALKERS)))
    seconds = time.monotonic() - began
    neighbour = _looked_up(target, "查水费，户号80013328", ELSEWHERE)
    say(
        "walks through numbers",
        wrong_guesses_of_strangers_tried=STRANGERS,
        let_through=guesses.count("answered"),
        owner_from_elsewhere=owner,
        household_numbers_tried_each_by_a_new_conversation=WALKERS,
        limits_of_the_address={
            name: target.environment.get(name, "default")
            for name in ("IDENTIFIERS_PER_ADDRESS", "WRONG_GUESSES_PER_ADDRESS")
        },
        answered=walked.count("answered"),
        refused=walked.count("refused"),
        seconds=round(seconds, 1),
        somebody_elsewhere_meanwhile=neighbour,
    )


def _says(
    target: Target,
    conversation: str,
    headers: dict[str, str],
    text: str,
    key: str,
    address: str = "127.0.0.1",
    **more: Any,
) -> dict[str, Any]:
    body = {"client_message_id": key, **(more or {"text": text})}
    with target.client_from(address, **headers) as client:
        answer = client.post(f"/api/v1/conversations/{conversation}/messages", json=body).raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _looked_up(target: Target, words: str, address: str = "127.0.0.1") -> str:
    """What a new conversation hears that asks and consents: answered (whatever the system said) or refused."""
    conversation, headers = target.conversation(address)
    _says(target, conversation, headers, words, "w", address)
    answer = _says(target, conversation, headers, "", "y", address, choice="consent:yes")
    said = "".join(message["text"] for message in answer["messages"])
    return "refused" if "查询次数较多" in said else "answered"


def _asked(target: Target) -> float:
    """The slowest of some questions, in seconds."""
    conversation, headers = target.conversation()
    slowest = 0.0
    for number in range(8):
        began = time.monotonic()
        _says(target, conversation, headers, "身份证丢了怎么补办", f"q{number}")
        slowest = max(slowest, time.monotonic() - began)
    return round(slowest, 2)


def _png(side: int) -> bytes:
    """A square PNG of one colour, made without holding its pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    packer, row = zlib.compressobj(9), bytes(1 + 3 * side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _noted() -> bytes:
    """A JPEG with a comment and the notes of a camera."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x010F] = "camera of somebody"
    Image.new("RGB", (80, 60)).save(file, "JPEG", comment=b"lives at number 7", exif=exif)
    return file.getvalue()


def _kept_notes(target: Target, owner: tuple[str, dict[str, str]]) -> bool:
    conversation, headers = owner
    with target.client(**headers) as client:
        page = client.get(f"/api/v1/conversations/{conversation}/messages").raise_for_status().json()["messages"]
        file = [message for message in page if message["type"] == "file"][-1]["data"]["attachment"]["id"]
        kept = client.get(f"/api/v1/conversations/{conversation}/attachments/{file}").raise_for_status().content
    return b"number 7" in kept or b"camera" in kept
