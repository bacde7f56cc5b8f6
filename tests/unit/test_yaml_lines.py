import pytest
import yaml

from services.core import yaml_lines
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
