"""The files of `dialogue evaluate`: a wrong row refuses the file, since a measure of a part would mislead."""

from pathlib import Path

import pytest

from services.core.errors import Unprocessable
from services.evaluation.dialogue import Row, read_rows


def test_rows_come_from_json_lines_and_from_sheets(tmp_path: Path) -> None:
    entities = '[{"type": "plate", "value": "粤B12345"}]'
    line = f'{{"text": "查违章 粤B12345", "route": "query_violation", "entities": {entities}}}\n'
    (tmp_path / "a.jsonl").write_text(line, encoding="utf-8")
    sheet = 'text,route,entities\n查违章 粤B12345,query_violation,"[{""type"": ""plate"", ""value"": ""粤B12345""}]"\n'
    (tmp_path / "a.csv").write_text(sheet, encoding="utf-8")
    wanted = [Row("查违章 粤B12345", "query_violation", (("plate", "粤B12345"),))]
    assert read_rows(tmp_path / "a.jsonl") == read_rows(tmp_path / "a.csv") == wanted


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "a", "route": "faq"}\n{"text": "b", "route": "somewhere"}\n', "第 2 行的 route 不在十一种之内"),
        ('{"text": "a"}\n', "第 1 行不是"),
        ('{"text": "a", "route": "faq", "entities": 7}\n', "第 1 行不是"),
        ("[]\n", "第 1 行：应为一个 JSON 对象"),
        ('{"text": ' + "[" * 99_999, "第 1 行：JSON 嵌套过深"),
        ("", "文件是空的"),
    ],
)
def test_the_first_wrong_row_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(Unprocessable, match=said):
        read_rows(tmp_path / "a.jsonl")
