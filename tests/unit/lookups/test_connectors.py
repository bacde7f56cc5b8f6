from pathlib import Path

import pytest

import services
from services.lookups.connectors import ConnectorMistake, load_connectors, read_connector, secrets_from

GOOD = """\
kind: progress
system: 办件系统
base_url: ${url}/progress
auth: {header: X-Api-Key, secret: city}
requests:
  - parameters: [case_no]
    method: GET
    path: /query
    query: {no: case_no}
    result: "{title: t, department: d, status: s, stages: `[]`}"
"""


def _mistakes(folder: Path, text: str) -> list[str]:
    (folder / "one.yaml").write_text(text)
    with pytest.raises(ConnectorMistake) as caught:
        read_connector(folder / "one.yaml", {"url": "http://city"}, {"city": "key"})
    return caught.value.problems


def test_the_demonstration_city_connectors_are_sound() -> None:
    folder = Path(services.__file__).parent / "demo_city" / "connectors"
    connectors = load_connectors(folder, {"sandbox_url": "http://127.0.0.1:1"}, {"sandbox": "key"})
    for_citizens = {"violation", "bill", "outage", "progress", "nearby"}
    assert set(connectors) == for_citizens | {"vehicle_status", "licence_status", "outage_notice"}
    assert all(request.is_safe for one in connectors.values() for request in one.requests)


def test_variables_and_secrets_are_filled_in_and_the_key_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    connector = load_connectors(tmp_path, {"url": "http://city"}, {"city": "top-secret"})["progress"]
    assert connector.base_url == "http://city/progress"
    assert connector.key is not None
    assert connector.key.get_secret_value() == "top-secret"
    assert "top-secret" not in repr(connector)
    assert "top-secret" not in connector.model_dump_json()


def test_a_lookup_of_one_s_own_answers_with_facts_and_takes_plain_text(tmp_path: Path) -> None:
    text = GOOD.replace("kind: progress", "answer: facts\nkind: parking").replace("[case_no]", "[plate, text_zone]")
    text = text.replace("{no: case_no}", "{zone: text_zone}").replace(
        "{title: t, department: d, status: s, stages: `[]`}", "{facts: rows[].{name: n, value: v}}"
    )
    (tmp_path / "one.yaml").write_text(text)
    connector = read_connector(tmp_path / "one.yaml", {"url": "http://city"}, {"city": "top-secret"})
    assert (connector.kind, connector.requests[0].parameters) == ("parking", ["plate", "text_zone"])


@pytest.mark.parametrize(
    ("was", "becomes", "line", "words"),
    [
        ("kind: progress", "kind: progres", 1, "kind"),
        ("system: 办件系统\n", "", 1, "system: Field required"),
        ("${url}", "${adress}", 3, "unknown variable ${adress}"),
        ("${url}", "ftp:/", 3, "base_url"),
        ("secret: city", "secret: town", 4, "no secret named town"),
        ("secret: city", "secret: city, colour: red", 4, "auth.colour"),
        ("[case_no]", "[case_nr]", 6, "unknown parameter"),
        ("method: GET", "method: FETCH", 7, "requests.0.method"),
        ("{no: case_no}", "{no: 'case_no[?'}", 9, "no JMESPath expression"),
        ("    result:", "    retries: 3\n    result:", 10, "requests.0.retries"),
        ("    path: /query\n", "    path: /query\n    path: /other\n", 9, "path stands twice"),
        ("kind: progress", "kind: {a: b", 2, "no YAML"),
        ("header: X-Api-Key, ", "", 4, "auth: either header"),
        ("header: X-Api-Key", "header: X-Api-Key, user: huiying", 4, "auth: either header"),
        ("requests:", "rate: {calls: 0, seconds: 1}\nrequests:", 5, "rate.calls"),
        ("requests:", "probe: {path: ping}\nrequests:", 5, "probe.path"),
        ("requests:", "probe: {path: /ping, up: 'a =='}\nrequests:", 5, "no JMESPath expression"),
        ("requests:", "last_known_hours: 999\nrequests:", 5, "last_known_hours"),
        ("requests:", "texts: {hotline: x}\nrequests:", 5, "texts.hotline"),
        (GOOD, "- a list", 1, "a mapping is needed"),
        (GOOD, "", 1, "a mapping is needed"),
        ("system: 办件系统", "system: 办件系统\nkey: abc", 1, "named under auth.secret"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_line_number(
    tmp_path: Path, was: str, becomes: str, line: int, words: str
) -> None:
    text = GOOD.replace(was, becomes)
    assert text != GOOD
    problem, *_ = _mistakes(tmp_path, text)
    assert problem.startswith(f"one.yaml:{line}: "), problem
    assert words.replace("named under auth.secret", "auth.secret") in problem
    assert "\n" not in problem


def test_all_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("GET", "PUT").replace("/query", "query"))
    (tmp_path / "b.yaml").write_text(GOOD)
    (tmp_path / "c.yaml").write_text(GOOD)
    with pytest.raises(ConnectorMistake) as caught:
        load_connectors(tmp_path, {"url": "http://city"}, {"city": "key"})
    assert [problem.split(": ")[0] for problem in caught.value.problems] == ["a.yaml:7", "a.yaml:8", "c.yaml:1"]
    assert caught.value.detail.endswith("(and 2 more)")


def test_only_get_is_safe_unless_the_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD.replace("method: GET", "method: POST"))
    connector = load_connectors(tmp_path, {"url": "http://city"}, {"city": "key"})["progress"]
    assert not connector.requests[0].is_safe


def test_words_that_old_yaml_took_for_booleans_and_numbers_stay_texts(tmp_path: Path) -> None:
    codes = 'codes: {plate_kind: {no: 02, 小型汽车: "52"}}'
    (tmp_path / "one.yaml").write_text(
        GOOD.replace("    query:", f"    {codes}\n    statuses: {{404: not_found}}\n    query:")
    )
    request = read_connector(tmp_path / "one.yaml", {"url": "http://city"}, {"city": "key"}).requests[0]
    assert request.codes == {"plate_kind": {"no": "02", "小型汽车": "52"}}
    assert request.statuses == {404: "not_found"}


def test_secrets_are_read_from_the_environment_by_name() -> None:
    assert secrets_from({"CONNECTOR_SECRET_TRAFFIC": "a", "PATH": "/bin", "CONNECTOR_SECRET_EMPTY": ""}) == {
        "traffic": "a"
    }
