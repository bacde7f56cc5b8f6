"""What citizens read about their appointments."""

from datetime import datetime

from services.core.clock import SHANGHAI

WEEKDAYS = "一二三四五六日"


def day_of(moment: datetime) -> str:
    """11月24日（周二）"""
    local = moment.astimezone(SHANGHAI)
    return f"{local.month}月{local.day}日（周{WEEKDAYS[local.weekday()]}）"


def hour_of(start_at: datetime, end_at: datetime) -> str:
    """上午9:00-10:00"""
    first, last = start_at.astimezone(SHANGHAI), end_at.astimezone(SHANGHAI)
    part = "上午" if first.hour < 12 else "下午" if first.hour < 18 else "晚上"
    return f"{part}{first.hour}:{first.minute:02d}-{last.hour}:{last.minute:02d}"


def when(start_at: datetime, end_at: datetime) -> str:
    return f"{day_of(start_at)}{hour_of(start_at, end_at)}"


def reminder(
    service: str, hall: str, address: str, start_at: datetime, end_at: datetime, bring: str, now: datetime
) -> str:
    # A reminder that comes late (nobody was there to send it) must not speak of tomorrow.
    day = "今天" if start_at.astimezone(SHANGHAI).date() == now.astimezone(SHANGHAI).date() else "明天"
    lines = [f"温馨提示：您预约了{day}（{day_of(start_at)}）办理{service}。"]
    lines += [f"时间：{hour_of(start_at, end_at)}", f"地点：{hall}{f'（{address}）' if address else ''}"]
    if bring:
        lines.append(f"请带：{bring}")
    return "\n".join([*lines, "不能来的话，请回复“取消预约”，把号留给需要的人。"])


def filled(service: str, hall: str, start_at: datetime, end_at: datetime) -> str:
    return (
        f"您排队等候的{service}有空位了，已经为您约好：{when(start_at, end_at)}，{hall}。\n"
        "不需要的话，请回复“取消预约”。"
    )


def expired(service: str, hall: str) -> str:
    return (
        f"很抱歉，您在{hall}排队等候的{service}，直到截止都没有空出名额，排队已结束。"
        f"您可以回复“预约{service}”另选时间。"
    )


def closed(service: str, hall: str, start_at: datetime, end_at: datetime) -> str:
    return (
        f"很抱歉，{hall}在{when(start_at, end_at)}临时不对外办理，您预约的{service}需要改期。"
        "请回复“改预约时间”另选时间，或回复“取消预约”。"
    )


def changed(service: str, hall: str, start_at: datetime, end_at: datetime) -> str:
    return (
        f"{hall}的对外办理时间有调整，您预约的{service}仍然有效，请在{when(start_at, end_at)}到场。"
        "不方便的话，请回复“改预约时间”，不来请回复“取消预约”。"
    )


def reopened(service: str, hall: str, start_at: datetime, end_at: datetime) -> str:
    return f"{hall}在{when(start_at, end_at)}恢复对外办理，您预约的{service}仍然有效，请按时到场。"


def no_hours(service: str, hall: str) -> str:
    return (
        f"很抱歉，您在{hall}排队等候的{service}，所选的时间已不再对外办理，排队已结束。"
        f"您可以回复“预约{service}”另选时间。"
    )


def missed(service: str, start_at: datetime, end_at: datetime, until: datetime | None) -> str:
    text = f"您预约的{service}（{when(start_at, end_at)}）没有签到，已记为爽约。"
    return text + (f"因多次爽约，{day_of(until)}之前暂不能再预约。" if until else "")
