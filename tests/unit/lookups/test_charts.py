from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

from services.lookups import charts
from services.lookups.schemas import BillAnswer, BillPeriod

SVG = "{http://www.w3.org/2000/svg}"


def answer(*amounts: float, unpaid: int = 0) -> BillAnswer:
    periods = [
        BillPeriod(
            period=f"{2025 + number // 12}-{number % 12 + 1:02d}",
            amount=Decimal(str(amount)),
            paid=number < len(amounts) - unpaid,
            due=date(2026, 12, 25),
        )
        for number, amount in enumerate(amounts)
    ]
    return BillAnswer(balance=Decimal(0), periods=periods)


def bars(picture: bytes) -> list[ElementTree.Element]:
    return ElementTree.fromstring(picture).findall(f"{SVG}rect")[1:]


def test_twelve_periods_are_shown_oldest_first_in_proportion() -> None:
    drawn = bars(charts.bill(answer(999, *range(10, 130, 10))))
    assert len(drawn) == 12
    heights = [float(bar.attrib["height"]) for bar in drawn]
    assert heights == sorted(heights)
    assert round(heights[-1] / heights[5], 2) == 2.0


def test_unpaid_periods_have_another_colour_and_are_said_in_words() -> None:
    picture = charts.bill(answer(50, 60, 70, unpaid=2))
    assert [bar.attrib["fill"] for bar in bars(picture)] == [charts.PAID, charts.OPEN, charts.OPEN]
    title = ElementTree.fromstring(picture).findtext(f"{SVG}title")
    assert title == "最近 3 期金额（元）：2025-01 50，2025-02 60（未缴），2025-03 70（未缴）"


def test_nothing_to_pay_and_a_refund_draw_no_bar_downwards() -> None:
    for amounts in ((0, 0), (-5, 10), ()):
        picture = charts.bill(answer(*amounts))
        assert all(0 < float(bar.attrib["height"]) <= charts.HEIGHT for bar in bars(picture))
