"""What citizens read, per kind of lookup. Pure: answers and the moment come in, Chinese text goes out."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from services.core.clock import SHANGHAI
from services.lookups.schemas import (
    BillAnswer,
    BillPeriod,
    FactsAnswer,
    NearbyAnswer,
    OutageAnswer,
    ProgressAnswer,
    ServicePoint,
    ViolationAnswer,
)
from services.places.schemas import OpeningHours
from services.understanding.case_states import told_as
from services.understanding.identifiers import FREE_TEXT, NAMES
from services.understanding.masks import mask

SHOWN_VIOLATIONS = 10
SHOWN_POINTS = 5
SHOWN_OUTAGES = 5
_OPEN = {True: "，现在开放", False: "，现在不开放", None: ""}
_DAYS = "一二三四五六日"
OTHERWISE = "请稍后再试，或回复“转人工”由工作人员协助。"
_CHECKS = ("phone_tail", "id_card", "engine_tail")
_IDENTIFIERS = ("plate", "license_file_no", "household_no", "case_no")


def answer(
    kind: str, data: Mapping[str, Any], parameters: Mapping[str, str], texts: Mapping[str, str], now: datetime
) -> tuple[str, dict[str, Any]]:
    """Text and data of an answer of this kind; `data` is what its answer model holds."""
    match kind:
        case "violation":
            return violations(ViolationAnswer.model_validate(data), parameters, texts)
        case "bill":
            return bill(BillAnswer.model_validate(data), parameters, texts, now)
        case "progress":
            return progress(ProgressAnswer.model_validate(data), parameters)
        case "nearby":
            return nearby(NearbyAnswer.model_validate(data), parameters, texts, now)
        case "outage":
            return outages(OutageAnswer.model_validate(data), parameters, now)
        case _:
            return facts(FactsAnswer.model_validate(data))


def identifier_of(parameters: Mapping[str, str]) -> str | None:
    """The identifier a lookup is about, if it is about one: where a kind of one's own has a check, what is checked."""
    known = next((parameters[name] for name in _IDENTIFIERS if parameters.get(name)), None)
    if known is None and any(parameters.get(name) for name in _CHECKS):
        return next((parameters[name] for name in sorted(parameters) if name.startswith(FREE_TEXT)), None)
    return known


def masked_identifier(parameters: Mapping[str, str]) -> str:
    """What a lookup is about as people see it; "" when it is about no identifier."""
    kind = next((name for name in _IDENTIFIERS if parameters.get(name)), "")
    return mask(kind, identifier_of(parameters) or "")


def _yuan(amount: Decimal) -> str:
    return f"{amount:.2f}".removesuffix(".00")


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def violations(
    answer: ViolationAnswer, parameters: Mapping[str, str], texts: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    shown = masked_identifier(parameters)
    subject = f"车辆 {shown}" if parameters.get("plate") else f"驾驶证 {shown}"
    listed = sorted(answer.violations, key=lambda one: one.at, reverse=True)
    unhandled = [one for one in listed if not one.handled]
    fine, points = sum((one.fine for one in unhandled), Decimal(0)), sum(one.points for one in unhandled)
    data: dict[str, Any] = {
        "subject": shown,
        "count": len(listed),
        "unhandled": len(unhandled),
        "fine": str(fine),
        "points": points,
        "violations": [one.model_dump(mode="json") for one in listed],
    }
    if not listed:
        return f"{subject}：没有查到交通违法记录。", data
    lines = [f"{subject}：共 {len(listed)} 条交通违法记录，其中未处理 {len(unhandled)} 条。"]
    for number, one in enumerate(listed[:SHOWN_VIOLATIONS], 1):
        state = "已处理" if one.handled else "未处理"
        lines.append(
            f"\n{number}. {_local(one.at)}\n地点：{one.place}\n行为：{one.behaviour}\n"
            f"记 {one.points} 分，罚款 {_yuan(one.fine)} 元，{state}"
        )
    if len(listed) > SHOWN_VIOLATIONS:
        lines.append(f"\n这里列出最近 {SHOWN_VIOLATIONS} 条。")
    if unhandled:
        lines.append(f"\n未处理合计：记 {points} 分，罚款 {_yuan(fine)} 元。")
        lines.extend(texts[name] for name in ("pay", "pay_link") if name in texts)
        data |= {name: texts[name] for name in ("pay", "pay_link") if name in texts}
    return "\n".join(lines), data


def bill(
    answer: BillAnswer, parameters: Mapping[str, str], texts: Mapping[str, str], now: datetime
) -> tuple[str, dict[str, Any]]:
    shown, kind = mask("household_no", parameters["household_no"]), parameters["bill_kind"]
    periods = sorted(answer.periods, key=lambda one: one.period, reverse=True)
    open_periods = [one for one in periods if not one.paid]
    owed = sum((one.amount for one in open_periods), Decimal(0))
    today = now.astimezone(SHANGHAI).date()
    overdue = [one for one in open_periods if one.due is not None and one.due < today]
    data: dict[str, Any] = {
        "subject": shown,
        "bill_kind": kind,
        "owed": str(owed),
        "balance": str(answer.balance),
        "overdue": [one.period for one in overdue],
        "periods": [one.model_dump(mode="json") for one in periods],
    }
    if not periods:
        return f"户号 {shown} 的{kind}：没有账单记录。", data
    head = f"户号 {shown} 的{kind}："
    head += f"待缴 {_yuan(owed)} 元（{len(open_periods)} 期）。" if open_periods else "没有欠费。"
    if answer.balance:
        head += f"账户余额 {_yuan(answer.balance)} 元。"
    lines = [head, "", f"最近 {len(periods)} 期："]
    lines.extend(_period_line(one, late=one in overdue) for one in periods)
    if len(periods) > 1:
        # The address of the picture takes this place when the result is stored.
        data["chart"] = True
    if open_periods:
        lines.extend(["", *(texts[name] for name in ("pay", "pay_link") if name in texts)])
        data |= {name: texts[name] for name in ("pay", "pay_link") if name in texts}
    return "\n".join(lines).rstrip(), data


def outages(answer: OutageAnswer, parameters: Mapping[str, str], now: datetime) -> tuple[str, dict[str, Any]]:
    """Planned interruptions that are not over yet, the next one first."""
    coming = sorted((one for one in answer.outages if one.ends > now), key=lambda one: one.starts)
    data = {"outages": [one.model_dump(mode="json") for one in coming]}
    if not coming:
        return "近期没有查到这个地址的计划停水、停电、停气或停暖。突发情况请拨打供应单位的抢修电话。", data
    lines = [f"查到 {len(coming)} 条计划停供："]
    for number, one in enumerate(coming[:SHOWN_OUTAGES], 1):
        running = "（正在停供）" if one.starts <= now else ""
        lines.append(
            f"\n{number}. {one.what}{running}\n时间：{_local(one.starts)} 至 {_local(one.ends)}\n范围：{one.area}"
        )
        if one.reason:
            lines.append(f"原因：{one.reason}")
    return "\n".join(lines), data


def _period_line(one: BillPeriod, *, late: bool) -> str:
    usage = f"，用量 {one.usage.normalize():f} {one.unit}" if one.usage is not None else ""
    tier = f"，第{_DAYS[one.tier - 1]}档" if one.tier and 1 <= one.tier <= 3 else ""
    if one.paid:
        state = "已缴"
    elif late:
        state = f"已逾期（应于 {one.due} 前缴）"
    else:
        state = f"未缴（{one.due} 前）" if one.due else "未缴"
    return f"{one.period}：{_yuan(one.amount)} 元{usage}{tier}，{state}"


def progress(answer: ProgressAnswer, parameters: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    shown = mask("case_no", parameters["case_no"])
    lines = [f"办件 {shown}：{answer.status}", f"事项：{answer.title}", f"办理部门：{answer.department}", ""]
    for stage in answer.stages:
        lines.append(f"{'✓' if stage.at else '○'} {stage.name}" + (f"　{_local(stage.at)}" if stage.at else ""))
    return "\n".join(lines).rstrip(), {"subject": shown, **answer.model_dump(mode="json")}


def facts(answer: FactsAnswer) -> tuple[str, dict[str, Any]]:
    data = answer.model_dump(mode="json")
    if not answer.facts:
        return "没有查到相关记录。", data
    return "查询结果：\n" + "\n".join(f"{one.name}：{one.value}" for one in answer.facts), data


def own_case(case: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A case of this citizen (the fields of CASE in the architecture page)."""
    data = {name: case.get(name) for name in ("case_no", "status", "department")}
    lines = [f"工单 {case['case_no']}：{told_as(str(case.get('status')))}"]
    if case.get("department"):
        lines.append(f"承办部门：{case['department']}")
    if case.get("clerk"):
        lines.append(f"经办：{case['clerk']}")
        data["clerk"] = case["clerk"]
    for name, title in (
        ("created_at", "提交时间"),
        ("first_response_at", "首次答复"),
        ("next_due_at", "答复期限"),
        ("resolved_at", "办结时间"),
    ):
        moment = case.get(name)
        if not moment:
            continue
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        lines.append(f"{title}：{_local(moment)}")
        data[name] = moment.isoformat()
    return "\n".join(lines), data


def is_open(hours: list[OpeningHours], now: datetime) -> bool | None:
    """Whether a point is open at this moment, by the local weekday and time; None when its hours are not known."""
    if not hours:
        return None
    local = now.astimezone(SHANGHAI)
    time = f"{local:%H:%M}"
    return any(local.isoweekday() in one.days and one.opens <= time < one.closes for one in hours)


def nearby(
    answer: NearbyAnswer, parameters: Mapping[str, str], texts: Mapping[str, str], now: datetime
) -> tuple[str, dict[str, Any]]:
    what = parameters.get("service") or "服务网点"
    points = sorted(answer.points, key=lambda one: one.distance)[:SHOWN_POINTS]
    data = {"points": [{**one.model_dump(mode="json"), "open_now": is_open(one.hours, now)} for one in points]}
    if not points:
        return f"附近没有找到{what}。可以换个说法，或发送更准确的位置再试。", data
    lines = [f"离您最近的{what}："]
    for number, one in enumerate(points, 1):
        lines.append(
            f"\n{number}. {one.name}（{_distance(one.distance)}{_OPEN[is_open(one.hours, now)]}）\n地址：{one.address}"
        )
        if one.phone:
            lines.append(f"电话：{one.phone}")
        lines.append(f"开放时间：{_hours(one.hours)}")
        if "map_link" in texts:
            lines.append(f"地图：{_map_link(texts['map_link'], one)}")
    return "\n".join(lines), data


def _distance(metres: int) -> str:
    return f"{metres} 米" if metres < 1000 else f"{metres / 1000:.1f} 公里"


def _hours(hours: list[OpeningHours]) -> str:
    if not hours:
        return "请电话确认"
    parts = []
    for one in hours:
        days = "每天" if len(one.days) == 7 else "周" + "".join(_DAYS[day - 1] for day in sorted(one.days))
        whole_day = (one.opens, one.closes) == ("00:00", "24:00")
        parts.append(f"{days} " + ("全天" if whole_day else f"{one.opens}-{one.closes}"))
    return "；".join(parts)


def _map_link(template: str, one: ServicePoint) -> str:
    filled = template.replace("{lat}", f"{one.lat:.6f}").replace("{lng}", f"{one.lng:.6f}")
    return filled.replace("{name}", quote(one.name))


def mismatch(kind: str) -> str:
    if kind == "violation":
        return "信息不匹配：您提供的号码与登记信息不一致，请核对后重新查询。"
    if kind == "progress":
        return "信息不匹配：编号与所留手机号的后四位对不上，或没有这个编号，请核对后重新查询。"
    return "信息不匹配，请核对后重新查询。"


def not_found(kind: str) -> str:
    return {
        "violation": "没有查到这辆车或这本驾驶证的登记信息，请核对后重新查询。",
        "bill": "没有查到这个户号，请核对户号和缴费类型后重新查询。",
        "progress": "没有查到这个编号的办件，请核对后重新查询。",
        "outage": "没有识别出这个地址，可以换成路名、小区名，或直接发送定位再试。",
    }.get(kind, "没有识别出这个位置，可以直接发送定位，或换一个附近的路名、标志建筑再试。")


def pending(system: str) -> str:
    return f"{system}回应较慢，我会继续查询，有结果马上发到这里。"


def system_down(system: str, elsewhere: str, since: datetime | None) -> str:
    text = f"{system}暂时没有回应，这次没有查到结果。"
    if since is not None:
        text += f"（自 {since.astimezone(SHANGHAI):%m-%d %H:%M} 起）"
    return text + (elsewhere or OTHERWISE)


def system_busy(system: str, elsewhere: str) -> str:
    return f"{system}现在查询的人较多，这次没有排上。" + (elsewhere or OTHERWISE)


def system_back(system: str) -> str:
    return f"您关心的{system}已经恢复，现在可以重新查询了。"


def last_known(trouble: str, earlier: str, at: datetime) -> str:
    """What was found before, under what is wrong now, marked with its time."""
    return f"{trouble}\n\n下面是 {_local(at)} 查到的结果，之后可能有变化：\n{earlier}"


def around(centre: str) -> str:
    return f"按“{centre}”附近查找："


def invalid(names: list[str]) -> str:
    return f"没有识别出{'、'.join(NAMES.get(name, '所填内容') for name in names)}，请重新提供。"


def not_served(kinds: list[str]) -> str:
    return f"这一种暂不能在这里查询，目前可查：{'、'.join(kinds)}。"


def incomplete(missing: list[str]) -> str:
    if missing == ["phone_tail"]:
        return "为保护隐私，请提供办理时所留手机号的后四位。"
    return "查询所需的信息还不齐全，请重新查询并按提示提供。"


def unknown_placeholder() -> str:
    return "您之前提供的号码已无法读取，请重新提供。"


def limited(wait: timedelta) -> str:
    minutes = math.ceil(wait / timedelta(minutes=1))
    after = "一小时" if minutes >= 60 else f" {minutes} 分钟"
    return f"查询次数较多，为保护信息安全，请{after}后再试，或回复“转人工”由工作人员协助。"


def no_connector() -> str:
    return "这项查询暂未开通，可回复“转人工”由工作人员协助。"
