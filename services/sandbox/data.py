"""Seeded records of the stand-in systems. The demo identifiers are fixed, everything else follows from the seed."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

DEFAULT_SEED = 1
CENTRE = (22.5431, 114.0579)  # latitude, longitude in GCJ-02: where the fictional city lies on the map

# Behaviour, points, fine in yuan. Points as in the national rules of 2022 (公安部令第163号), fines as an example.
OFFENCES = [
    ("驾驶机动车违反道路交通信号灯通行", 6, 200),
    ("驾驶时拨打接听手持电话", 3, 200),
    ("驾驶机动车遇行人正在通过人行横道时未停车让行", 3, 200),
    ("机动车违反禁止标线指示", 1, 200),
    ("驾驶机动车在道路上行驶时未按规定使用安全带", 1, 50),
    ("机动车违反规定停放、临时停车且驾驶人不在现场", 0, 200),
]
ROADS = ["示范大道", "人民北路", "湖滨路", "创新二路", "和平街", "滨江东路", "学府路", "环城高架"]
CROSSINGS = ["与解放路交叉口", "由南往北方向", "体育馆路段", "市民中心路口", "第三小学门前", "地铁二号线A出口"]

UTILITIES = {
    # name, unit, price a unit, usage a period from .. to, first-tier and second-tier limits
    "water": ("吨", 3.45, 8, 26, 22, 30),
    "electricity": ("度", 0.68, 120, 480, 260, 600),
    "gas": ("立方米", 3.5, 10, 45, 40, 50),
    "heating": ("平方米", 5.5, 88, 88, 1000, 2000),
}
STAGES = ["提交申请", "受理", "审核", "决定", "制证", "送达"]
MATTERS = [
    ("居民身份证换领", "示范市公安局"),
    ("不动产转移登记", "示范市不动产登记中心"),
    ("个体工商户设立登记", "示范市市场监督管理局"),
    ("社会保障卡补领", "示范市人力资源和社会保障局"),
    ("普通护照签发", "示范市公安局出入境管理支队"),
    ("建筑工程施工许可", "示范市住房和城乡建设局"),
]
WEEK, WORKDAYS = [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5]
OFFICE = [(WORKDAYS, "09:00", "12:00"), (WORKDAYS, "13:30", "17:00")]
PLACES: dict[str, tuple[int, list[tuple[list[int], str, str]]]] = {
    # kind: how many, opening hours
    "公共厕所": (90, [(WEEK, "00:00", "24:00")]),
    "停车场": (60, [(WEEK, "00:00", "24:00")]),
    "政务服务大厅": (12, OFFICE),
    "派出所": (20, [(WEEK, "00:00", "24:00")]),
    "社区卫生服务中心": (36, [(WEEK, "08:00", "12:00"), (WEEK, "14:00", "17:30")]),
    "图书馆": (16, [([2, 3, 4, 5, 6, 7], "09:00", "21:00")]),
    "公园": (24, [(WEEK, "06:00", "22:00")]),
    "婚姻登记处": (6, OFFICE),
    "车管所": (6, OFFICE),
    "充电站": (40, [(WEEK, "00:00", "24:00")]),
}
LANDMARKS = {
    "市民中心": (22.5431, 114.0579),
    "火车站": (22.5318, 114.1171),
    "体育馆": (22.5582, 114.0946),
    "人民公园": (22.5550, 114.1070),
    "大学城": (22.5860, 113.9700),
    "滨江公园": (22.5230, 114.0340),
    "示范湖": (22.5680, 114.0260),
    "高铁北站": (22.6090, 114.0290),
    "科技园": (22.5400, 113.9500),
}


@dataclass(frozen=True)
class Place:
    name: str
    kind: str
    address: str
    phone: str
    lat: float
    lng: float
    hours: list[tuple[list[int], str, str]]


@dataclass
class Records:
    """Vehicles by (plate, plate-kind code), licences by file number, bills by (utility, household), outages by road."""

    vehicles: dict[tuple[str, str], tuple[str, list[dict[str, Any]]]] = field(default_factory=dict)
    licences: dict[str, tuple[str, list[dict[str, Any]]]] = field(default_factory=dict)
    bills: dict[tuple[str, str], tuple[str, list[dict[str, Any]]]] = field(default_factory=dict)
    matters: dict[str, dict[str, Any]] = field(default_factory=dict)
    outages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    # By plate, by licence file number, by household: what the reminders are about.
    vehicle_status: dict[str, dict[str, str]] = field(default_factory=dict)
    licence_status: dict[str, dict[str, str]] = field(default_factory=dict)
    outage_notices: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def make_records(seed: int, today: date) -> Records:
    """All records as they stand on this day."""
    rng = random.Random(seed)
    records = Records()
    _vehicles(records, rng, today)
    _bills(records, rng, today)
    _matters(records, rng, today)
    _places(records, rng)
    _outages(records, random.Random(seed + 1), today)
    _status(records, random.Random(seed + 2), today)
    return records


def _violation(number: int, offence: int, day: date, hour: int, minute: int, place: str, done: bool) -> dict[str, Any]:
    behaviour, points, fine = OFFENCES[offence]
    return {
        "xh": f"4499{number:08d}",
        "wfsj": f"{datetime.combine(day, time(hour, minute)):%Y-%m-%d %H:%M:%S}",
        "wfdz": place,
        "wfxw": behaviour,
        "wfjfs": points,
        "fkje": f"{fine}.00",
        "clbj": "1" if done else "0",
    }


def _vehicles(records: Records, rng: random.Random, today: date) -> None:
    three = [
        _violation(1, 0, today - timedelta(days=19), 8, 12, "示范大道与解放路交叉口", False),
        _violation(2, 5, today - timedelta(days=46), 18, 40, "湖滨路体育馆路段", False),
        _violation(3, 4, today - timedelta(days=131), 14, 5, "环城高架由南往北方向", True),
    ]
    records.vehicles[("粤B7K392", "02")] = ("3F0712", three)
    records.vehicles[("粤B00001", "02")] = ("A10001", [])
    records.vehicles[("粤BD12345", "52")] = (
        "E20468",
        [_violation(4, 2, today - timedelta(days=8), 17, 31, "学府路第三小学门前", False)],
    )
    records.licences["440300123456"] = ("002X", three[:2])
    records.licences["440300654321"] = ("0019", [])
    for number in range(200):
        letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(4))
        plate = f"粤B{letters}{rng.randrange(10)}"
        tail = "".join(rng.choice("ABCDEFGHJK0123456789") for _ in range(6))
        made = [
            _violation(
                100 + number * 10 + one,
                rng.randrange(len(OFFENCES)),
                today - timedelta(days=rng.randrange(3, 400)),
                rng.randrange(6, 22),
                rng.randrange(60),
                rng.choice(ROADS) + rng.choice(CROSSINGS),
                rng.random() < 0.5,
            )
            for one in range(rng.choice([0, 0, 1, 1, 2, 3, 12]))
        ]
        records.vehicles.setdefault((plate, rng.choice(["01", "02", "02", "02"])), (tail, made))


def _months_back(today: date, months: int) -> tuple[int, int]:
    index = today.year * 12 + today.month - 1 - months
    return index // 12, index % 12 + 1


def _bills(records: Records, rng: random.Random, today: date) -> None:
    # household -> how many of the newest bills are unpaid
    households = {"80013327": 1, "80013328": 3, "80020001": 0}
    households |= {f"8003{number:04d}": rng.choice([0, 0, 1, 2]) for number in range(60)}
    for household, unpaid in households.items():
        for utility, (unit, price, least, most, first, second) in UTILITIES.items():
            bills = []
            for back in range(1, 13):
                year, month = _months_back(today, back)
                usage = rng.randint(least, most)
                due_year, due_month = _months_back(today, back - 1)
                bills.append(
                    {
                        "zq": f"{year}{month:02d}",
                        "yl": usage,
                        "dw": unit,
                        "je": f"{usage * price:.2f}",
                        "jt": 1 if usage <= first else 2 if usage <= second else 3,
                        "zt": "WJ" if back <= unpaid else "YJ",
                        "jzrq": f"{due_year}-{due_month:02d}-25",
                    }
                )
            balance = "0.00" if unpaid else f"{rng.randrange(0, 20000) / 100:.2f}"
            records.bills[(utility, household)] = (balance, bills)


def _matters(records: Records, rng: random.Random, today: date) -> None:
    def matter(number: str, what: int, reached: int, started: int, phone: str) -> None:
        title, department = MATTERS[what]
        begun = datetime.combine(today - timedelta(days=started), time(9, 30))

        def reached_at(stage: int) -> str:
            return f"{begun + timedelta(days=stage * 1.2):%Y-%m-%d %H:%M:%S}"

        records.matters[number] = {
            "bjbh": number,
            "sjh4": phone,
            "sxmc": title,
            "bmmc": department,
            "zt": "已办结" if reached == len(STAGES) else f"正在{STAGES[reached]}",
            "jd": [
                {"mc": name, "sj": reached_at(place) if place < reached else None} for place, name in enumerate(STAGES)
            ],
        }

    matter("BJ202608150021", 1, 3, 6, "6125")
    matter("BJ202608010007", 4, 6, 20, "0007")
    for number in range(60):
        what, reached, started = rng.randrange(len(MATTERS)), rng.randrange(1, 7), rng.randrange(8, 40)
        matter(f"BJ2026070{number % 9 + 1}{number:04d}", what, reached, started, f"{number:04d}")


def _outages(records: Records, rng: random.Random, today: date) -> None:
    reasons = {"停水": "管网检修", "停电": "线路检修", "停气": "调压站维护", "停暖": "换热站检修"}
    for road in ROADS[:6]:
        made = []
        for what in rng.sample(sorted(reasons), 2):
            begins = datetime.combine(today + timedelta(days=rng.randrange(1, 6)), time(rng.randrange(6, 14)))
            made.append(
                {
                    "lx": what,
                    "fw": f"{road}{rng.randrange(1, 100)}号至{rng.randrange(100, 300)}号",
                    "kssj": f"{begins:%Y-%m-%d %H:%M:%S}",
                    "jssj": f"{begins + timedelta(hours=rng.randrange(3, 9)):%Y-%m-%d %H:%M:%S}",
                    "yy": reasons[what],
                }
            )
        records.outages[road] = made


def _status(records: Records, rng: random.Random, today: date) -> None:
    def day(ahead: int) -> str:
        return (today + timedelta(days=ahead)).isoformat()

    for plate, _ in records.vehicles:
        records.vehicle_status[plate] = {"jyyxqz": day(rng.randrange(-20, 700)), "hpyxqz": day(rng.randrange(40, 3000))}
    records.vehicle_status["粤B7K392"] = {"jyyxqz": day(20), "hpyxqz": day(2000)}
    records.licence_status["440300123456"] = {"yxqz": day(60), "ljjf": "9", "zq": str(today.year)}
    records.licence_status["440300654321"] = {"yxqz": day(1500), "ljjf": "0", "zq": str(today.year)}
    records.outage_notices["80013327"] = [
        {"bh": f"TD{today:%Y%m%d}01", "nr": f"{day(2)} 08:00 至 12:00，湖滨路一带计划停电（示范）"}
    ]


def _phone(rng: random.Random) -> str:
    return f"0000-8{rng.randrange(10**6, 10**7)}"


def _places(records: Records, rng: random.Random) -> None:
    for kind, (count, hours) in PLACES.items():
        for number in range(1, count + 1):
            lat = round(CENTRE[0] + rng.gauss(0, 0.035), 6)
            lng = round(CENTRE[1] + rng.gauss(0, 0.055), 6)
            road = rng.choice(ROADS)
            records.places.append(
                Place(
                    name=f"{road}{kind}（{number}号点）",
                    kind=kind,
                    address=f"示范市{road}{rng.randrange(1, 400)}号",
                    phone="" if kind in ("公共厕所", "停车场", "充电站", "公园") else _phone(rng),
                    lat=lat,
                    lng=lng,
                    hours=hours,
                )
            )
