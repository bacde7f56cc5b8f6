"""The classifier that comes with the project, and learning a city's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.cases import learning, subjects
from services.cases.proposing import InUse
from services.cases.subjects import KINDS, prepare, read_examples
from services.core.errors import BadRequest
from services.understanding.classifier.model import ModelDamaged

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "messages_dev.jsonl"
SCHEME = {"咨询": "consultation", "投诉/求助": ["complaint", "help", "report"], "建言": "suggestion"}


def labelled(rows: list[dict[str, Any]]) -> list[learning.LabelledCase]:
    return [learning.LabelledCase.model_validate(row) for row in rows]


@pytest.mark.parametrize(
    ("text", "kind", "department"),
    [
        ("请问办理港澳通行证要带什么材料", "consultation", "出入境"),
        ("建议在体育公园增设几个直饮水点", "suggestion", "城管"),
        ("我要举报一家药店套刷医保卡，有照片", "report", "医保"),
        ("公交车司机甩站还骂人，投诉了也没人处理", "complaint", "交通运输"),
        ("家里停水两天了，老人小孩都没法做饭，请帮忙尽快来修", "help", "供水"),
    ],
)
def test_the_shipped_model_knows_plain_messages_by_their_n_grams_alone(text: str, kind: str, department: str) -> None:
    found = subjects.shipped().predict(text)
    assert (found["kind"].label, found["department"].label) == (kind, department)


def test_the_examples_hold_every_kind_often_enough_and_no_message_twice() -> None:
    examples = read_examples()
    assert len({example.text for example in examples}) == len(examples)
    for kind in KINDS:
        assert sum(example.kind == kind for example in examples) >= 70


def test_a_model_is_the_same_after_its_bytes_and_damaged_bytes_are_refused() -> None:
    model = subjects.shipped()
    data = model.to_bytes()
    again = subjects.read(data)
    assert again.to_bytes() == data
    assert again.predict("地铁几点收班") == model.predict("地铁几点收班")
    for broken in (b"", data[:500], b"PK" + data[2:900]):
        with pytest.raises(ModelDamaged):
            subjects.read(broken)


def test_a_text_of_nothing_known_gets_a_guess_without_confidence_of_one() -> None:
    for text in ("", "𪚥" * 30):
        guess = subjects.shipped().predict(text)["kind"]
        assert 0 < guess.confidence < 0.9


def test_numbers_and_masks_do_not_reach_the_vocabulary() -> None:
    assert prepare("电话13812345678，车牌【车牌1】，**小区") == "电话0，车牌*，*小区"


def test_a_bad_row_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    lines = [
        '{"text": "路灯坏了", "kind": "求助"}',
        "",
        "{",
        "[1]",
        '{"kind": "求助"}',
        '{"text": " ", "kind": "求助"}',
    ]
    file.write_text("\n".join([*lines, '{"text": "没有标签"}']), encoding="utf-8")
    found = learning.read_labelled(file)
    assert [row.kind for row in found.rows] == ["求助"]
    assert [row.row for row in found.rejected] == [3, 4, 5, 6, 7]


def test_labelled_cases_come_from_a_sheet_too_and_a_mapping_has_its_bounds(tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("内容,类型,部门\n路灯坏了,求助,城管局\n,求助,城管局\n", encoding="gb18030")
    found = learning.read_labelled(file)
    assert [(row.text, row.kind, row.place) for row in found.rows] == [("路灯坏了", "求助", "城管局")]
    assert [(row.row, row.reason) for row in found.rejected] == [(3, "内容缺失或不是文字")]
    (tmp_path / "map.yaml").write_text("kinds: &a [*a]", encoding="utf-8")
    with pytest.raises(BadRequest, match=r"map\.yaml 第 1 行"):
        learning.read_mapping(tmp_path / "map.yaml")


def test_too_few_rows_and_a_single_kind_are_refused_in_one_line() -> None:
    with pytest.raises(BadRequest, match="至少需要"):
        learning.train(labelled([{"text": "路灯坏了", "kind": "求助"}] * 3), None, None, say=lambda line: None)
    one_kind = labelled([{"text": f"路灯坏了{n}", "kind": "求助"} for n in range(60)])
    with pytest.raises(BadRequest, match="至少要有两种"):
        learning.train(one_kind, None, None, say=lambda line: None)


def test_a_mapping_with_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text("kinds: {咨询: question}", encoding="utf-8")
    with pytest.raises(BadRequest, match="question"):
        learning.read_mapping(file)
    file.write_text("kind: {}", encoding="utf-8")
    with pytest.raises(BadRequest):
        learning.read_mapping(file)


def shared_rows() -> list[dict[str, Any]]:
    if not SHARED.is_file():
        pytest.skip(f"{SHARED.name} is not at hand (it may not be redistributed)")
    return [json.loads(line) for line in SHARED.read_text(encoding="utf-8").splitlines()]


def test_the_shipped_model_tells_the_kinds_of_real_messages_apart() -> None:
    using = InUse(0, subjects.shipped(), {})
    figures = learning.measure(using, labelled(shared_rows()), None, None, mapping={"kinds": SCHEME})
    assert figures["kind_accuracy"] >= 0.70
    assert figures["kind_sure_accuracy"] > figures["kind_accuracy"]


def test_a_model_of_half_of_the_real_messages_beats_the_shipped_one_on_the_other_half() -> None:
    rows = labelled(shared_rows())
    half = len(rows) // 2
    model, _ = learning.train(rows[:half], None, None, say=lambda line: None)
    figures = learning.measure(InUse(1, model, {"kinds": SCHEME}), rows[half:], None, None, mapping={"kinds": SCHEME})
    # By n-grams alone; docs/benchmarks.md has the figures with the embedding, which takes minutes.
    assert figures["kind_accuracy"] >= 0.81
    assert figures["domain_accuracy"] >= 0.72
    assert np.isfinite(figures["kind_sure_accuracy"])
