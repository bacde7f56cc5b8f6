from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from services.citizens.city import read_file
from services.core import yaml_lines
from services.core.errors import Unprocessable
from services.core.yaml_lines import YamlMistake


def test_each_value_has_its_line_and_what_is_missing_that_of_what_holds_it() -> None:
    document = yaml_lines.parse("a: 1\nb:\n- c: 2\n  d: {e: 3}\n")
    assert document.content == {"a": 1, "b": [{"c": 2, "d": {"e": 3}}]}
    assert [document.line_of(place) for place in (("a",), ("b", 0, "c"), ("b", 0, "d", "e"))] == [1, 3, 4]
    assert document.line_of(("b", 0, "d", "f")) == 4
    assert document.line_of(("z",)) == 1


def test_keys_that_stand_twice_are_told() -> None:
    assert yaml_lines.parse("a: 1\nb: {c: 1,\n  c: 2}\na: 2\n").repeated == ((3, "c"), (4, "a"))


def test_an_empty_file_is_empty() -> None:
    assert yaml_lines.parse("").content is None


def test_what_is_no_yaml_is_named_with_line_and_column() -> None:
    with pytest.raises(YamlMistake) as caught:
        yaml_lines.parse("a: 1\nb: [\n")
    assert (caught.value.line, caught.value.column) == (3, 1)


def test_an_impossible_date_is_a_mistake_and_no_crash() -> None:
    with pytest.raises(YamlMistake):
        yaml_lines.parse("day: 2026-13-45")


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "[" * 200 + "]" * 200,
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)),
    ],
    ids=["endless", "deep", "unfolding"],
)
def test_what_unfolds_without_end_is_refused(text: str) -> None:
    with pytest.raises(YamlMistake):
        yaml_lines.parse(text)


def test_a_loader_of_one_s_own_is_used() -> None:
    class Plain(yaml.SafeLoader):
        pass

    Plain.yaml_implicit_resolvers = {}
    assert yaml_lines.parse("a: 1", Plain).content == {"a": "1"}


def test_places_are_named_as_people_read_them() -> None:
    assert yaml_lines.name_of(("halls", 0, "windows", 2, "code")) == "halls[0].windows[2].code"
    assert yaml_lines.name_of(()) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n" + "- x\n" * 3000, "more than 1000 values"),
        ("base: &a {" + ", ".join(f"k{n}: 1" for n in range(50)) + "}\n"
         + "".join(f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}' if n else '*a'] * 20)}]}}\n" for n in range(6)),
         "more than 1000 values"),
        ("a: " + "1:" * 50_000 + "1", "a number of more than 100 digits"),
        ("a: " + "9" * 5_000, "a number of more than 100 digits"),
        ("{a: " * 30_000, "recursion"),
        ("[" * 60 + "]" * 60, "nested too deeply (more than 40 levels)"),
    ],
    ids=["many", "merged", "sixties", "digits", "deep", "levels"],
)  # fmt: skip
def test_each_bound_of_a_city_s_file_says_its_name(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_lines, "MOST_VALUES", 1000)
    with pytest.raises(YamlMistake) as caught:
        yaml_lines.parse(text)
    assert said in caught.value.problem


def test_reading_a_city_s_file_stops_at_its_time() -> None:
    def clock() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += 100

    ticks = clock()
    with pytest.raises(YamlMistake, match="takes longer than 60 seconds"):
        yaml_lines.parse("- a\n" * 2000, clock=lambda: next(ticks))


def test_a_city_s_file_beyond_the_bound_in_bytes_is_one_line_of_its_command(tmp_path: Path) -> None:
    (tmp_path / "citizens.yaml").write_bytes(b"#" * (yaml_lines.MOST_BYTES + 1))
    with pytest.raises(Unprocessable, match=r"citizens\.yaml:1: not valid YAML \(larger than 4 MB\)"):
        read_file(tmp_path)
