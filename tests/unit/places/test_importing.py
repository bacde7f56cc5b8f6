import pytest

from services.places.importing import hours_in, read_points

CSV = "id,name,kind,lat,lng,address,words\na,甲,公园,22.5,114.0,一路,绿地|花园\n"


def test_csv_and_json_lines_say_the_same() -> None:
    line = (
        '{"id": "a", "name": "甲", "kind": "公园", "lat": 22.5, "lng": 114.0, "address": "一路",'
        ' "words": ["绿地", "花园"], "extra": 1}\n'
    )
    from_csv, no_problems = read_points(CSV, json_lines=False, coordinates="gcj02")
    from_json, none_either = read_points(line, json_lines=True, coordinates="gcj02")
    assert from_csv == from_json
    assert no_problems == none_either == []


def test_a_byte_order_mark_and_empty_cells_do_no_harm() -> None:
    rows, _ = read_points("\ufeff" + CSV.replace("一路", ""), json_lines=False, coordinates="gcj02")
    assert rows[0].address == ""


@pytest.mark.parametrize(
    ("text", "json_lines", "problem"),
    [
        (CSV.replace("22.5", "north"), False, "lat: "),
        (CSV.replace("a,甲", ",甲"), False, "id: Field required"),
        (CSV.replace("花园", "花园,1,2"), False, "more cells than columns"),
        ('{"id": "a"', True, "no JSON"),
        ("[1]", True, "no JSON object"),
        ('{"id":"a","name":"n","kind":"k","lat":1,"lng":1,"hours":"always"}', True, "hours: write them as"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(text: str, json_lines: bool, problem: str) -> None:
    rows, rejected = read_points(text, json_lines=json_lines, coordinates="gcj02")
    assert rows == []
    assert rejected[0][0] == (1 if json_lines else 2)
    assert rejected[0][1].startswith(problem)


def test_a_file_without_rows_or_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        read_points("", json_lines=True, coordinates="gcj02")
    with pytest.raises(ValueError, match="the columns kind, lat, lng are missing"):
        read_points("id,name\n1,x\n", json_lines=False, coordinates="gcj02")


def test_hours_are_read_day_by_day() -> None:
    assert hours_in("1-2 9:00-12:00；7 10:00-24:00") == [
        {"days": [1, 2], "opens": "09:00", "closes": "12:00"},
        {"days": [7], "opens": "10:00", "closes": "24:00"},
    ]
    with pytest.raises(ValueError, match="hours"):
        hours_in("5-1 09:00-12:00")
