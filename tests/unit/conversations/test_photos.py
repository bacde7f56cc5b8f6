"""A photo costs a bounded part of the machine, for a bounded time, and keeps nothing but its picture."""

import io
import random
import struct
import threading
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from services.conversations.photos import Decoder
from services.core.errors import Unavailable, Unprocessable

# Start, JFIF head, tables, frame, tables, scan, end; no application segment (but the first), no comment.
PICTURE_ONLY = {0xD8, 0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
LARGE_SIDE = 7700


def written(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def segments(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Marker and content of every segment before the picture's data, and what follows the end of the picture."""
    found, at = [(jpeg[1], b"")], 2
    while found[-1][0] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        found.append((jpeg[at + 1], jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def png_of(width: int, height: int) -> bytes:
    """A small PNG of one colour and any size, without ever holding its pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def memory_of_this_process() -> int:
    """The most that this process ever held, in kilobytes."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def test_comments_profiles_and_every_note_of_the_camera_stay_behind() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera of somebody"
    taken = written(
        Image.new("RGB", (60, 40), "green"),
        comment=b"lives at number 7",
        exif=exif,
        icc_profile=b"profile of a device" * 10,
        xmp=b"<x:xmpmeta>taken here</x:xmpmeta>",
    )
    assert {0xFE, 0xE1, 0xE2} <= {marker for marker, _ in segments(taken)}
    kept = Decoder().clean(taken + b"hidden behind the picture").data
    assert {marker for marker, _ in segments(kept)} == PICTURE_ONLY
    assert kept.endswith(b"\xff\xd9")
    for word in (b"number 7", b"camera", b"profile", b"xmp", b"hidden"):
        assert word not in kept


def test_the_texts_of_a_png_stay_behind() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", "somebody")
    notes.add_itxt("Location", "number 7")
    kept = Decoder().clean(written(Image.new("RGB", (30, 30)), "PNG", pnginfo=notes)).data
    assert {marker for marker, _ in segments(kept)} == PICTURE_ONLY


def test_a_small_file_of_sixty_megapixels_is_refused_by_its_head_and_costs_this_process_nothing() -> None:
    bomb = png_of(LARGE_SIDE, LARGE_SIDE)
    assert len(bomb) < 400_000
    before = memory_of_this_process()
    for _ in range(3):
        with pytest.raises(Unprocessable, match="太大"):
            Decoder().clean(bomb)
    assert memory_of_this_process() - before < 20_000


def test_a_head_that_lies_about_the_size_is_refused_with_a_sentence() -> None:
    small = written(Image.new("RGB", (40, 40)), "PNG")
    lying = small[:16] + struct.pack(">II", 4000, 4000) + small[24:29] + struct.pack(">I", zlib.crc32(small[12:16]))
    lying += small[33:]
    with pytest.raises(Unprocessable):
        Decoder().clean(lying)


def test_a_photo_of_a_good_telephone_is_kept() -> None:
    noise = Image.frombytes("L", (200, 150), random.Random(3).randbytes(30_000)).resize((8000, 6000)).convert("RGB")
    kept = Decoder().clean(written(noise))
    assert (kept.width, kept.height) == (2048, 1536)


def test_a_picture_that_needs_more_memory_than_it_may_have_is_refused_and_the_next_one_is_kept() -> None:
    large = png_of(4800, 4800)
    with pytest.raises(Unprocessable, match="照片太大"):
        Decoder(megabytes=120).clean(large)
    assert Decoder().clean(large).width == 2048


def test_a_decoder_that_takes_too_long_is_ended_and_its_citizen_hears_why() -> None:
    with pytest.raises(Unprocessable, match="处理不了"):
        Decoder(seconds=0.0).clean(written(Image.new("RGB", (40, 40))))


def test_who_comes_while_enough_wait_is_told_to_come_again() -> None:
    decoder = Decoder(most_waiting=0, waited_for=60)
    photo = png_of(4500, 4500)
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def send() -> None:
        start.wait()
        try:
            decoder.clean(photo)
            outcomes.append("kept")
        except Unavailable as refused:
            outcomes.append(f"again after {refused.retry_after}")

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert outcomes.count("kept") >= 1
    assert outcomes.count("again after 5") == 6 - outcomes.count("kept") >= 1
    assert decoder.clean(photo).width == 2048
