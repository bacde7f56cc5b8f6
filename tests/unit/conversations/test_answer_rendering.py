"""An official answer as the citizen reads it."""

from knowledge_base import Entry
from services.conversations import rendering


def test_an_answer_goes_out_word_for_word() -> None:
    assert (
        rendering.answer(Entry(id="a", question="问", answer="第一步 <= 三天\n第二步")).text == "第一步 <= 三天\n第二步"
    )


def test_markup_of_an_answer_reaches_nobody() -> None:
    html = '<table><tr><td>区</td><td>电话</td></tr></table><img src=x onerror=alert(1)><a href="javascript:x()">看</a>'
    assert rendering.answer(Entry(id="a", question="问", answer=html)).text == "区 | 电话\n\n看"
