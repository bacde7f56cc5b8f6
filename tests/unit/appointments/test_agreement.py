"""Entries of the knowledge base beside the city's own files."""

from pathlib import Path
from typing import Any

import pytest

import knowledge_base
import services
from knowledge_base import Entry, import_file
from services.appointments import service as appointments
from services.appointments.agreement import CityFacts, contradictions
from services.appointments.schemas import AppointmentsFile
from services.sla.calendar import Span

DEMO_CITY = Path(services.__file__).parent / "demo_city"
STARTER = Path(knowledge_base.__file__).parent / "starter"
RULES = AppointmentsFile.model_validate(
    {
        "services": [
            {
                "code": "notary",
                "name": "公证办理",
                "aliases": ["公证"],
                "bring": "身份证、户口簿，再带两张一寸照片；代办的带委托书",
            },
            {"code": "hospital", "name": "医院挂号"},
        ],
        "halls": [
            {
                "code": "north",
                "name": "北城办事大厅",
                "aliases": ["北城大厅"],
                "address": "云州市北城区柳林街 27 号",
                "windows": [{"code": "a", "name": "A", "per_hour": 2, "services": ["notary"]}],
            },
            {
                "code": "clinic",
                "name": "云州医院",
                "address": "云州市梅岭路 3 号",
                "windows": [
                    {
                        "code": "a",
                        "name": "A",
                        "per_hour": 2,
                        "services": ["hospital"],
                        "days": "every_day",
                        "hours": [{"start": "08:00", "end": "12:00"}],
                    }
                ],
            },
        ],
    }
)
FACTS = CityFacts(RULES, (Span(540, 720), Span(840, 1020)), {"梅岭公园停车场": "云州市梅岭路8号"})


def notes(answer: str, question: str = "在哪里", **fields: Any) -> list[str]:
    found = contradictions([Entry(id="x", question=question, answer=answer, **fields)], FACTS)
    assert all((one.kind, one.entries) == ("contradicts_city", ("x",)) for one in found)
    return [one.note for one in found]


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("请到北城办事大厅（柳林街27号）办理。", 0),
        ("北城大厅在柳林街 27 号二楼。", 0),
        ("请到北城办事大厅（松山街27号）办理。", 1),
        ("北城大厅公证窗口：柳林街72号。", 1),
        ("<p>北城大厅在<b>柳林街72号</b></p>", 1),
        ("云州医院在梅岭路3号，北城大厅在柳林街27号。", 0),
        ("云州医院在柳林街27号，北城大厅在柳林街27号。", 1),
        ("仲裁院在松山街5号。不在北城大厅办理。", 0),
        ("先到北城大厅取号，再到档案中心（松山街5号）。", 0),
        ("梅岭公园停车场在梅岭路8号。", 0),
        ("梅岭公园停车场在梅岭路18号。", 1),
    ],
)
def test_an_address_behind_the_name_of_a_hall_or_point_is_that_of_the_citys_files(answer: str, count: int) -> None:
    assert len(notes(answer)) == count


def test_a_note_says_what_each_side_says() -> None:
    (note,) = notes("北城大厅在松山街5号。")
    assert note == "条目说北城办事大厅在松山街5号，城市资料里是云州市北城区柳林街 27 号"


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("北城大厅工作日9:00至12:00、14:00至17:00办公。", 0),
        ("北城大厅工作日9:00-12:00、13:30-17:30办公。", 1),
        ("北城大厅工作日9:00至12:00、14:00至17:00办公，周六9:00至11:00也办。", 1),
        ("北城大厅周末和节假日不办。", 0),
        ("北城大厅自助区7:00至22:00开放。", 0),
        ("云州医院每天8:00至12:00开诊，周日8:00至12:00也看。", 0),
        ("医保电话9:00至18:00有人接听。", 0),
    ],
)
def test_hours_in_the_sentence_of_a_hall_are_those_that_can_be_booked(answer: str, count: int) -> None:
    assert len(notes(answer)) == count


@pytest.mark.parametrize(
    ("question", "answer", "count"),
    [
        ("公证办理需要什么材料", "带身份证、户口本和2张一寸照片。", 0),
        ("公证办理需要什么材料", "带身份证、户口本和4张一寸照片。", 1),
        ("公证办理需要什么材料", "带身份证和两张照片，不用带户口簿。", 1),
        ("公证办理需要什么材料", "带身份证和两张照片。", 1),
        ("公证办理需要什么材料", "带身份证、户口簿、结婚证和两张照片。", 1),
        ("办公证要带户口本吗", "不用带户口本。", 1),
        ("办公证要带什么", "带身份证。", 0),
        ("公证办理多久出证", "不用带户口簿，十天出证。", 0),
        ("低保要什么材料", "带身份证。", 0),
    ],
)
def test_what_an_entry_asks_for_is_what_a_booking_says_to_bring(question: str, answer: str, count: int) -> None:
    assert len(notes(answer, question)) == count


def test_the_demo_contradicts_itself_nowhere_and_a_planted_pair_is_found() -> None:
    facts = appointments.read_city_facts(DEMO_CITY)
    entries = [entry for path in sorted(STARTER.glob("*.jsonl")) for entry in import_file(path).entries]
    assert [(one.entries, one.note) for one in contradictions(entries, facts)] == []
    planted = [
        Entry(id="p1", question="车管所在哪", answer="示范市车辆管理所在示范西路9号。"),
        Entry(id="p2", question="结婚登记要带什么材料", answer="双方带身份证、户口簿和3张合影。"),
        Entry(id="p3", question="周末能去吗", answer="政务服务中心周六9:00至12:00开放窗口。"),
    ]
    assert [one.entries[0] for one in contradictions([*entries, *planted], facts)] == ["p1", "p2", "p3"]


def test_every_hall_whose_address_the_starter_base_names_is_compared() -> None:
    """The check above has something to say: with other addresses the same entries are named."""
    facts = appointments.read_city_facts(DEMO_CITY)
    moved = [hall.model_copy(update={"address": "示范市别处路 999 号"}) for hall in facts.rules.halls]
    elsewhere = CityFacts(facts.rules.model_copy(update={"halls": tuple(moved)}), facts.hours)
    entries = [entry for path in sorted(STARTER.glob("*.jsonl")) for entry in import_file(path).entries]
    assert len(contradictions(entries, elsewhere)) > 20
