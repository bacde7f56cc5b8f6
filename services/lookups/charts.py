"""The picture of a bill's last periods: a small bar chart as SVG. Pure; it names no household."""

from collections.abc import Sequence
from decimal import Decimal
from xml.etree import ElementTree

from services.lookups.schemas import BillAnswer, BillPeriod

SHOWN = 12
WIDTH, HEIGHT = 360, 180
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 34, 24
PAID, OPEN, INK = "#07c160", "#fa9d3b", "#555555"  # WeUI green and orange
_FONT = "system-ui, 'PingFang SC', 'Noto Sans CJK SC', sans-serif"


def bill(answer: BillAnswer) -> bytes:
    """Bars of the amounts in yuan, oldest first, unpaid ones in another colour; its title says the same in words."""
    periods = sorted(answer.periods, key=lambda one: one.period)[-SHOWN:]
    root = ElementTree.Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img"},
    )
    title = f"最近 {len(periods)} 期金额（元）"
    ElementTree.SubElement(root, "title").text = f"{title}：" + "，".join(
        f"{one.period} {_short(one.amount)}{'' if one.paid else '（未缴）'}" for one in periods
    )
    ElementTree.SubElement(root, "rect", {"width": str(WIDTH), "height": str(HEIGHT), "fill": "#ffffff"})
    _text(root, LEFT, 16, title, size=12, anchor="start")
    if any(not one.paid for one in periods):
        _text(root, WIDTH - RIGHT, 16, "橙色为未缴", size=11, anchor="end", fill=OPEN)
    _bars(root, periods)
    picture: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return picture


def _bars(root: ElementTree.Element, periods: Sequence[BillPeriod]) -> None:
    highest = max((one.amount for one in periods), default=Decimal(0))
    room = HEIGHT - TOP - BOTTOM
    step = (WIDTH - LEFT - RIGHT) / max(len(periods), 1)
    for number, one in enumerate(periods):
        share = float(one.amount / highest) if highest > 0 and one.amount > 0 else 0.0
        height = max(share * room, 1.0)
        left = LEFT + number * step
        top = HEIGHT - BOTTOM - height
        box = {"x": left + step * 0.18, "y": top, "width": step * 0.64, "height": height}
        shape = {name: f"{value:.1f}" for name, value in box.items()}
        ElementTree.SubElement(root, "rect", {**shape, "rx": "2", "fill": PAID if one.paid else OPEN})
        middle = left + step / 2
        _text(root, middle, top - 3, _short(one.amount), size=9)
        month = f"{int(one.period[5:])}月"
        _text(root, middle, HEIGHT - 8, month, size=10)


def _text(
    root: ElementTree.Element, x: float, y: float, text: str, *, size: int, anchor: str = "middle", fill: str = INK
) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "font-size": str(size), "text-anchor": anchor, "fill": fill}
    ElementTree.SubElement(root, "text", {**place, "font-family": _FONT}).text = text


def _short(amount: Decimal) -> str:
    return f"{amount:.0f}" if amount >= 100 or amount == amount.to_integral_value() else f"{amount:.1f}"
