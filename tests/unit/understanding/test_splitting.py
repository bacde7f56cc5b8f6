"""Two requests in one message, and questions that only say the rest."""

import pytest

from services.understanding.following import continues
from services.understanding.splitting import split


def parts(text: str) -> list[str]:
    return [request.text for request in split(text, [])]


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("帮我查下违章，另外水费多少", ["帮我查下违章", "水费多少"]),
        ("查一下违章，还有附近的厕所在哪", ["查一下违章", "附近的厕所在哪"]),
        ("护照怎么换，另外帮我查下违章", ["护照怎么换", "帮我查下违章"]),
        ("预约婚姻登记，顺便帮我查下水费", ["预约婚姻登记", "帮我查下水费"]),
        ("查违章。另外，查水费；还有查下进度", ["查违章", "查水费", "查下进度"]),
    ],
)
def test_two_requests_are_told_apart(text: str, requests: list[str]) -> None:
    assert parts(text) == requests


@pytest.mark.parametrize(
    "text",
    [
        "我想查违章和水费",
        "查水费，还有电费",
        "我要投诉小区噪音，另外需要什么材料",
        "违章多久能处理，顺便问下怎么交罚款",
        "你好，还有多久到",
        "查违章，另外谢谢你",
        "查一下违章，还有",
        "另外",
        "",
    ],
)
def test_one_request_stays_one_message(text: str) -> None:
    assert parts(text) == [text]


def test_each_part_keeps_its_own_entities_where_they_stand_in_it() -> None:
    text = "查【车牌1】的违章，另外查水费【户号1】"
    plate, household = text.index("【车"), text.index("【户")
    entities = [
        {"type": "plate", "value": "【车牌1】", "start": plate, "end": plate + 5},
        {"type": "household_no", "value": "【户号1】", "start": household, "end": household + 5},
    ]
    requests = split(text, entities)
    assert [[entity["type"] for entity in request.entities] for request in requests] == [["plate"], ["household_no"]]
    for request in requests:
        (entity,) = request.entities
        assert request.text[entity["start"] : entity["end"]] == entity["value"]


@pytest.mark.parametrize(
    "text", ["那需要什么材料呢", "在哪办", "多久能拿到", "那要多少钱", "可以代办吗？", "周末上班吗"]
)
def test_a_question_without_a_topic_continues_the_one_before(text: str) -> None:
    assert continues(text)


@pytest.mark.parametrize("text", ["护照需要什么材料", "居住证在哪办", "你好", "谢谢", "查水费", "那罚款多少"])
def test_a_question_that_names_its_topic_stands_for_itself(text: str) -> None:
    assert not continues(text)
