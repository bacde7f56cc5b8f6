from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.lookups import rendering
from services.lookups.schemas import (
    BillAnswer,
    BillPeriod,
    NearbyAnswer,
    OpeningHours,
    ProgressAnswer,
    ServicePoint,
    Stage,
    Violation,
    ViolationAnswer,
)

NOON_SATURDAY = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
BY_PLATE = {"plate": "粤B7K392", "plate_kind": "小型汽车", "engine_tail": "3F0712"}


def _violation(day: int, **changes: Any) -> Violation:
    values = {
        "place": "湖滨路",
        "behaviour": "闯红灯",
        "points": 6,
        "fine": Decimal("200.00"),
        "handled": False,
    } | changes
    return Violation(at=datetime(2026, 10, day, 0, 30, tzinfo=UTC), **values)


def test_violations_are_listed_newest_first_with_the_sum_of_what_is_unhandled() -> None:
    answer = ViolationAnswer(
        violations=[_violation(1, handled=True), _violation(9), _violation(5, points=3, fine=Decimal("150.50"))]
    )
    text, data = rendering.violations(answer, BY_PLATE, {"pay": "到窗口办理。"})
    assert text.startswith("车辆 粤B7**92：共 3 条交通违法记录，其中未处理 2 条。")
    assert text.index("2026-10-09 08:30") < text.index("2026-10-05") < text.index("2026-10-01")
    assert "未处理合计：记 9 分，罚款 350.50 元。\n到窗口办理。" in text
    assert "粤B7K392" not in text + str(data)
    assert (data["count"], data["unhandled"], data["points"], data["fine"]) == (3, 2, 9, "350.50")


def test_no_violation_is_said_plainly() -> None:
    text, _ = rendering.violations(ViolationAnswer(violations=[]), {"license_file_no": "440300123456"}, {"pay": "x"})
    assert text == "驾驶证 44******3456：没有查到交通违法记录。"


def test_a_long_list_is_cut_and_says_so_and_only_handled_ones_name_no_payment() -> None:
    answer = ViolationAnswer(violations=[_violation(day, handled=True) for day in range(1, 13)])
    text, data = rendering.violations(answer, BY_PLATE, {"pay": "到窗口办理。"})
    assert "这里列出最近 10 条。" in text
    assert "\n10. " in text
    assert "\n11. " not in text
    assert len(data["violations"]) == 12
    assert "到窗口办理" not in text


def test_a_bill_tells_what_is_owed_and_what_is_overdue() -> None:
    periods = [
        BillPeriod(
            period="2026-09",
            usage=Decimal(120),
            unit="度",
            amount=Decimal("81.60"),
            paid=False,
            due=date(2026, 11, 20),
            tier=1,
        ),
        BillPeriod(
            period="202610", usage=Decimal(300), unit="度", amount=Decimal("204.00"), paid=False, due=date(2026, 11, 25)
        ),
        BillPeriod(period="2026-08", amount=Decimal(50), paid=True),
    ]
    parameters = {"household_no": "80013327", "bill_kind": "电费"}
    text, data = rendering.bill(BillAnswer(periods=periods), parameters, {"pay": "可网上缴费。"}, NOON_SATURDAY)
    assert text.splitlines()[0] == "户号 80***327 的电费：待缴 285.60 元（2 期）。"
    assert "2026-10：204 元，用量 300 度，未缴（2026-11-25 前）" in text
    assert "2026-09：81.60 元，用量 120 度，第一档，已逾期（应于 2026-11-20 前缴）" in text
    assert text.endswith("可网上缴费。")
    assert data["overdue"] == ["2026-09"]
    assert "80013327" not in text + str(data)


def test_a_settled_account_shows_its_balance() -> None:
    answer = BillAnswer(balance=Decimal("12.30"), periods=[BillPeriod(period="2026-08", amount=Decimal(50), paid=True)])
    text, _ = rendering.bill(answer, {"household_no": "80013327", "bill_kind": "水费"}, {"pay": "x"}, NOON_SATURDAY)
    assert "没有欠费。账户余额 12.30 元。" in text
    assert text.endswith("2026-08：50 元，已缴")


def test_progress_shows_which_stages_are_done() -> None:
    stages = [Stage(name="受理", at=datetime(2026, 11, 1, 1, 0, tzinfo=UTC)), Stage(name="审核")]
    answer = ProgressAnswer(title="护照签发", department="出入境", status="正在审核", stages=stages)
    text, _ = rendering.progress(answer, {"case_no": "BJ202608150021"})
    assert "✓ 受理　2026-11-01 09:00\n○ 审核" in text
    assert "BJ202608150021" not in text


def test_an_own_case_shows_its_times_in_local_time() -> None:
    case = {
        "case_no": "GD1",
        "status": "in_progress",
        "department": "城管局",
        "created_at": "2026-11-20T02:00:00+00:00",
        "next_due_at": NOON_SATURDAY,
    }
    text, data = rendering.own_case(case)
    assert text == "工单 GD1：办理中\n承办部门：城管局\n提交时间：2026-11-20 10:00\n答复期限：2026-11-21 12:00"
    assert data["next_due_at"] == NOON_SATURDAY.isoformat()


def test_places_are_open_by_local_weekday_and_time() -> None:
    weekdays = OpeningHours(days=[1, 2, 3, 4, 5], opens="09:00", closes="17:00")
    whole_day = OpeningHours(days=[6], opens="00:00", closes="24:00")
    assert not rendering.is_open([weekdays], NOON_SATURDAY)
    assert rendering.is_open([weekdays, whole_day], NOON_SATURDAY)
    friday_closing_time = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    assert not rendering.is_open([weekdays], friday_closing_time)


def test_nearby_places_come_with_distance_hours_and_a_map_link() -> None:
    def point(name: str, distance: int, hours: list[OpeningHours]) -> ServicePoint:
        return ServicePoint(
            name=name, kind="图书馆", address="湖滨路1号", lat=22.5, lng=114.0, distance=distance, hours=hours
        )

    far = point("远馆", 1460, [])
    near = point("近 馆", 320, [OpeningHours(days=[1, 2, 3, 4, 5, 6, 7], opens="09:00", closes="21:00")])
    text, data = rendering.nearby(
        NearbyAnswer(points=[far, near]),
        {"service": "图书馆"},
        {"map_link": "https://map.example/?p={lng},{lat}&n={name}"},
        NOON_SATURDAY,
    )
    assert "1. 近 馆（320 米，现在开放）" in text
    assert "2. 远馆（1.5 公里）" in text
    assert "每天 09:00-21:00" in text
    assert "p=114.000000,22.500000&n=%E8%BF%91%20%E9%A6%86" in text
    assert [one["open_now"] for one in data["points"]] == [True, None]


def test_nothing_nearby_is_said() -> None:
    text, _ = rendering.nearby(NearbyAnswer(points=[]), {"service": "机场"}, {}, NOON_SATURDAY)
    assert "没有找到机场" in text


def test_a_system_that_is_down_says_since_when() -> None:
    assert "（自 11-21 12:00 起）" in rendering.system_down("交管系统", "", NOON_SATURDAY)
