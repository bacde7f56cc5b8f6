from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.index.sound import sounds


def test_characters_of_the_same_sound_become_the_same() -> None:
    assert sounds("驾照年审") == sounds("假照年深")
    assert sounds("身份证") == sounds("生分正")


def test_characters_of_another_sound_stay_apart_and_letters_stay_themselves() -> None:
    assert sounds("驾照") != sounds("护照")
    assert sounds("ABC 12，") == "ABC 12，"


@given(st.text())
def test_no_text_fails_and_its_length_stays(text: str) -> None:
    assert len(sounds(text)) == len(text)
