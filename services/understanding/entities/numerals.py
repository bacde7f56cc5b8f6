"""Small Chinese numerals, as days, months and hours are written with."""

from __future__ import annotations

DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "O": 0,
    "两": 2,
    "日": 7,
    "天": 7,
}


def number(text: str) -> int:
    """Value of a small numeral below 100, ASCII or Chinese ("12", "十二", "二十", "廿三")."""
    if text.isdecimal():
        return int(text)
    text = text.replace("廿", "二十")
    if "十" in text:
        tens, _, ones = text.partition("十")
        return (DIGITS[tens] if tens else 1) * 10 + (DIGITS[ones] if ones else 0)
    value = 0
    for char in text:
        value = value * 10 + DIGITS[char]
    return value
