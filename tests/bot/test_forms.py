"""Form files: what is wrong is named with file and line, and what is right becomes domain and rules."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from components.forms import FormMistake, read_forms

from services.understanding.words import named_option

BOT = Path(__file__).parents[2] / "bot"
PARKING = """\
title: 停车费查询
intent: query_parking
route: query_bill
action: action_query_parking
lookup: parking
slots:
- name: parked_plate
  kind: identifier
  entity: plate
  ask: 请发一下车牌号。
- name: text_zone
  kind: options
  ask: 停在哪个区？
  options: [东区, 西区]
"""


def folder_with(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    return tmp_path


def problems(tmp_path, **files):
    with pytest.raises(FormMistake) as caught:
        read_forms(folder_with(tmp_path, **files))
    return caught.value.problems


def test_a_new_lookup_needs_one_file(tmp_path):
    (form,) = read_forms(folder_with(tmp_path, parking=PARKING)).values()
    assert (form.name, form.slot_names) == ("parking_form", ("parked_plate", "text_zone"))
    assert named_option(form.slot("text_zone").options, "停在西区了") == "西区"


@pytest.mark.parametrize(
    ("wrong", "right", "line", "says"),
    [
        ("kind: identifier", "kind: identifer", 8, "one of identifier"),
        ("route: query_bill", "route: parking", 3, "route: one of"),
        ("  ask: 停在哪个区？\n", "", 11, "ask: is missing"),
        ("lookup: parking", "lookups: parking", 5, "unknown; known are"),
        ("name: text_zone", "name: parked_plate", 11, "stands twice"),
        ("options: [东区, 西区]", "options: [东区", 15, "no YAML"),
        ("action: action_query_parking\n", "", 4, "a lookup needs the name of its action"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_line(tmp_path, wrong, right, line, says):
    found = problems(tmp_path, parking=PARKING.replace(wrong, right))
    assert any(one.startswith(f"parking.yml:{line}:") and says in one for one in found), found


def test_two_forms_may_share_neither_an_intent_nor_a_slot(tmp_path):
    found = problems(tmp_path, parking=PARKING, second=PARKING.replace("text_zone", "text_other"))
    assert found[0] == "second.yml:2: intent: query_parking opens parking_form already"
    assert found[1] == "second.yml:7: slots.0.name: parked_plate is a slot of parking_form already"


def test_the_generator_writes_domain_and_rules_and_refuses_a_mistake_in_one_line(tmp_path):
    forms = folder_with(tmp_path / "forms", parking=PARKING) if (tmp_path / "forms").mkdir() is None else None
    made = generate(tmp_path, forms)
    assert made.returncode == 0, made.stderr
    domain = yaml.safe_load((tmp_path / "out" / "domain" / "generated_forms.yml").read_text())
    assert domain["forms"] == {"parking_form": {"required_slots": ["parked_plate", "text_zone"]}}
    assert domain["responses"]["utter_ask_parking_form_text_zone"][0]["custom"]["options"][1]["title"] == "西区"
    rules = yaml.safe_load((tmp_path / "out" / "rules" / "forms.yml").read_text())["rules"]
    assert {"intent": "query_parking"} in rules[0]["steps"]
    (forms / "parking.yml").write_text(PARKING.replace("kind: options", "kind: option"), encoding="utf-8")
    refused = generate(tmp_path, forms)
    assert refused.returncode == 1
    assert refused.stderr.startswith("parking.yml:12: slots.1.kind:")
    assert "Traceback" not in refused.stderr


def generate(tmp_path, forms):
    command = [sys.executable, BOT / "generate.py", "--out", tmp_path / "out", "--forms", forms]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_only_a_lookup_can_want_more_than_it_was_asked_with(tmp_path):
    wrong = PARKING.replace("lookup: parking", "completes: true")
    assert problems(tmp_path, parking=wrong) == [
        "parking.yml:5: completes: only a lookup can want more than it was first asked with"
    ]
