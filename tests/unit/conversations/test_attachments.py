"""What is kept of a citizen's file: the picture without the camera's notes, or a PDF; nothing else."""

import io

import pytest
from PIL import ExifTags, Image

from services.conversations import attachments
from services.conversations.attachments import Content
from services.conversations.photos import Decoder
from services.core.errors import Unprocessable


def written(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def cleaned(upload: bytes) -> Content:
    return attachments.cleaned(upload, Decoder())


def read(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_photo_loses_its_place_and_stands_upright() -> None:
    taken = Image.new("RGB", (80, 40), "red")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the camera was turned by a quarter
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (22.0, 32.0, 35.0)
    kept = cleaned(written(taken, exif=exif))
    assert (kept.kind, kept.width, kept.height) == ("photo", 40, 80)
    assert not dict(read(kept.data).getexif())
    assert b"Exif" not in kept.data


def test_a_large_photo_is_kept_at_the_size_of_a_screen() -> None:
    kept = cleaned(written(Image.new("RGB", (5000, 2500))))
    assert (kept.width, kept.height) == read(kept.data).size == (2048, 1024)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("P", "PNG"), ("L", "PNG"), ("CMYK", "JPEG"), ("RGB", "WEBP")]
)
def test_every_kind_of_photo_becomes_a_jpeg(mode: str, kind: str) -> None:
    kept = cleaned(written(Image.new(mode, (20, 10)), kind))
    assert read(kept.data).format == "JPEG"
    assert read(kept.data).mode == "RGB"


def test_what_was_transparent_is_white() -> None:
    assert read(cleaned(written(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), "PNG")).data).getpixel((5, 5)) == (255,) * 3


def test_a_pdf_is_kept_as_it_is() -> None:
    document = b"%PDF-1.7\n%%EOF\n"
    assert cleaned(document).data == document
    assert cleaned(document).kind == "document"


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"just words",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xff\xd8\xff\xe0 broken",
        written(Image.new("RGB", (60, 60)))[:200],
        written(Image.new("RGB", (10, 10)), "GIF"),
        b"MZ\x90\x00",
    ],
)
def test_anything_else_is_refused_with_a_sentence(upload: bytes) -> None:
    with pytest.raises(Unprocessable):
        cleaned(upload)


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded() -> None:
    bomb = written(Image.new("1", (9000, 9000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(Unprocessable, match="太大"):
        cleaned(bomb)
