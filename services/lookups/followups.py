"""Questions about a result that a citizen has just read. Pure: the result's data in, a sentence out.

`about` is a key of the form's `details` (bot/forms), or "nth:N" for the Nth of a list.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.core.clock import SHANGHAI
from services.core.wire import whole
from services.lookups.schemas import Detail

NO_FURTHER = "后面没有了，刚才列出的就是全部。"


def detail(kind: str, data: Mapping[str, Any], about: str, at: int) -> Detail | None:
    """The answer, or None when this result says nothing about it (then the whole result is shown again)."""
    match kind:
        case "violation":
            return _listed(data.get("violations") or [], about, at, _violation) or _of_violations(data, about, at)
        case "bill":
            return _listed(data.get("periods") or [], about, at, _period) or _of_bill(data, about, at)
        case "nearby":
            return _listed(data.get("points") or [], about, at, _point) or _of_points(data, about, at)
        case "progress":
            return _of_progress(data, about, at)
    return None


def _listed(items: Sequence[Mapping[str, Any]], about: str, at: int, show: Any) -> Detail | None:
    """One of a list: the next, the first, the Nth; `more` is what the list had beyond."""
    if about == "next":
        wanted = at + 1
    elif about == "first":
        wanted = 0
    elif about.startswith("nth:") and (number := whole(about[4:])) is not None:
        wanted = number - 1
    elif about == "more":
        return Detail(f"一共 {len(items)} 条，上面已经列出。" if items else "没有别的了。", at)
    else:
        return None
    ordered = (
        sorted(items, key=_newest, reverse=True) if items and ("at" in items[0] or "period" in items[0]) else items
    )
    if not 0 <= wanted < len(ordered):
        return Detail(NO_FURTHER if ordered else "没有记录。", at)
    return Detail(show(ordered[wanted]), wanted)


def _newest(item: Mapping[str, Any]) -> str:
    return str(item.get("at") or item.get("period") or "")


def _violation(one: Mapping[str, Any]) -> str:
    state = "已处理" if one["handled"] else "未处理"
    moment = _local(one["at"])
    return (
        f"{moment}，{one['place']}，{one['behaviour']}，记 {one['points']} 分，罚款 {_yuan(one['fine'])} 元，{state}。"
    )


def _of_violations(data: Mapping[str, Any], about: str, at: int) -> Detail | None:
    items = sorted(data.get("violations") or [], key=_newest, reverse=True)
    if not items:
        return Detail("刚才没有查到违法记录，也就没有罚款和记分。", at)
    one = items[min(at, len(items) - 1)]
    if about == "fine":
        text = f"未处理的 {data['unhandled']} 条，罚款合计 {_yuan(data['fine'])} 元。"
        listed = "；".join(f"第{n}条 {_yuan(item['fine'])} 元" for n, item in enumerate(items[:10], 1))
        return Detail(f"{text}各条：{listed}。", at)
    if about == "points":
        return Detail(f"未处理的 {data['unhandled']} 条，合计记 {data['points']} 分。", at)
    if about == "place":
        return Detail(f"{_local(one['at'])} 那一条在{one['place']}。", at)
    if about == "when":
        return Detail(f"在{one['place']}的那一条是 {_local(one['at'])}。", at)
    if about == "pay":
        return _pay(data, at, "都已处理，不用再交。")
    return None


def _period(one: Mapping[str, Any]) -> str:
    usage = f"，用量 {Decimal(str(one['usage'])).normalize():f} {one['unit']}" if one.get("usage") is not None else ""
    due = f"，应于 {one['due']} 前缴" if one.get("due") and not one["paid"] else ""
    return f"{one['period']}：{_yuan(one['amount'])} 元{usage}，{'已缴' if one['paid'] else '未缴'}{due}。"


def _of_bill(data: Mapping[str, Any], about: str, at: int) -> Detail | None:
    periods = sorted(data.get("periods") or [], key=_newest, reverse=True)
    if not periods:
        return Detail("没有账单记录。", at)
    unpaid = [one for one in periods if not one["paid"]]
    one = periods[min(at, len(periods) - 1)]
    if about == "amount":
        if at == 0 and unpaid:
            return Detail(f"待缴 {_yuan(data['owed'])} 元，共 {len(unpaid)} 期。", at)
        return Detail(_period(one), at)
    if about == "usage":
        return Detail(_period(one), at)
    if about == "balance":
        return Detail(f"账户余额 {_yuan(data['balance'])} 元。", at)
    if about == "due":
        due = [f"{item['period']} 应于 {item['due']} 前缴" for item in unpaid if item.get("due")]
        return Detail(f"{'；'.join(due)}。" if due else "没有待缴的账单。", at)
    if about == "pay":
        return _pay(data, at, "没有欠费，不用交。")
    return None


def _point(one: Mapping[str, Any]) -> str:
    phone = f"，电话 {one['phone']}" if one.get("phone") else ""
    return f"{one['name']}，距您 {one['distance']} 米，地址：{one['address']}{phone}。"


def _of_points(data: Mapping[str, Any], about: str, at: int) -> Detail | None:
    points = data.get("points") or []
    if not points:
        return Detail("附近没有找到，可以换一个位置再试。", at)
    one = points[min(at, len(points) - 1)]
    if about == "phone":
        return Detail(f"{one['name']}的电话：{one['phone'] or '没有登记电话'}。", at)
    if about == "address":
        return Detail(f"{one['name']}的地址：{one['address']}。", at)
    if about == "hours":
        hours = "；".join(f"{span['opens']}-{span['closes']}" for span in one.get("hours") or ())
        open_now = {True: "现在开放", False: "现在不开放", None: "请电话确认"}[one.get("open_now")]
        return Detail(f"{one['name']}开放时间 {hours or '没有登记'}，{open_now}。", at)
    return None


def _of_progress(data: Mapping[str, Any], about: str, at: int) -> Detail | None:
    if about == "department" and data.get("department"):
        return Detail(f"由{data['department']}办理。", at)
    stages = [stage for stage in data.get("stages") or () if stage.get("at")]
    if about == "when" and stages:
        return Detail("；".join(f"{stage['name']}：{_local(stage['at'])}" for stage in stages) + "。", at)
    if about == "status" and stages:
        return Detail(f"{data['status']}，最近一步是“{stages[-1]['name']}”（{_local(stages[-1]['at'])}）。", at)
    return None


def _pay(data: Mapping[str, Any], at: int, nothing: str) -> Detail:
    ways = [str(data[name]) for name in ("pay", "pay_link") if data.get(name)]
    return Detail("\n".join(ways) if ways else nothing, at)


def _yuan(amount: object) -> str:
    return f"{Decimal(str(amount)):.2f}".removesuffix(".00")


def _local(moment: object) -> str:
    return f"{datetime.fromisoformat(str(moment)).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
