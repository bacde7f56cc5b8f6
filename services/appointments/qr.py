"""The check-in code as a picture (ISO/IEC 18004, by segno)."""

import io

import segno


def svg(text: str) -> bytes:
    """An SVG document of the text, with error correction for a scratched screen."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="svg", scale=6, border=4, light="white")
    return picture.getvalue()
