"""What a citizen has bound fills the forms: nothing is asked for twice, and nothing that was said is replaced."""

from components.decision import Settings, decide
from components.turn import read_turn

CAR = {"plate": "【车牌1】", "plate_kind": "小型汽车", "engine_tail": "【发动机号1】"}
GREEN = {"plate": "【车牌2】", "plate_kind": "小型新能源汽车", "engine_tail": "【发动机号2】"}
LICENCE = {"id_card": "【身份证1】", "license_file_no": "【档案编号1】"}
WATER = {"bill_kind": "水费", "household_no": "【户号1】"}
POWER = {"bill_kind": "电费", "household_no": "【户号2】"}


def decided(text, intent, *bound, slot=None, filled=None):
    turn = read_turn(text, [{"name": intent, "confidence": 0.95}], {"bound": list(bound)})
    known = {**turn.__dict__, "requested_slot": slot, "filled": filled or {}}
    return decide(type(turn)(**known), Settings())


def slots(decision):
    return {entity.type: entity.value for entity in decision.entities if entity.value is not None}


def test_the_only_car_fills_the_whole_form_and_is_named():
    decision = decided("查违章", "query_violation", CAR)
    assert slots(decision) == CAR
    assert "【车牌1】" in decision.before[0]["text"]


def test_of_two_cars_none_is_taken_until_one_is_named():
    assert slots(decided("查违章", "query_violation", CAR, GREEN)) == {}
    assert slots(decided("查违章【车牌2】", "query_violation", CAR, GREEN)) == GREEN
    chosen = decided("【车牌2】", "inform", CAR, GREEN, slot="plate")
    assert (chosen.intent, slots(chosen)) == ("inform", GREEN)


def test_another_plate_than_the_bound_one_is_asked_for_as_ever():
    assert slots(decided("查违章【车牌3】", "query_violation", CAR)) == {"plate": "【车牌3】"}
    assert slots(decided("查违章【车牌1】黄牌货车", "query_violation", CAR)) == {
        "plate": "【车牌1】",
        "plate_kind": "大型汽车",
    }


def test_the_household_follows_from_the_kind_of_bill():
    assert slots(decided("查电费", "query_bill", WATER, POWER)) == POWER
    assert slots(decided("查账单", "query_bill", WATER, POWER)) == {}
    asked = decided("水费", "inform", WATER, POWER, slot="bill_kind")
    assert slots(asked) == WATER
    assert slots(decided("查燃气费", "query_bill", WATER, POWER)) == {"bill_kind": "燃气费"}


def test_a_licence_fills_its_own_form_only():
    assert slots(decided("按驾驶证查违章", "query_licence", LICENCE, CAR)) == LICENCE
    assert slots(decided("查违章", "query_violation", LICENCE)) == {}


def test_a_value_that_is_called_wrong_is_asked_for_and_not_filled_again():
    decision = decided("车牌说错了", "inform", CAR, slot="engine_tail", filled={"plate": "【车牌1】"})
    assert [(entity.type, entity.value) for entity in decision.entities] == [("plate", None)]


def test_a_kind_that_was_named_in_other_words_is_the_bound_one():
    assert slots(decided("查【车牌2】绿牌的违章", "query_violation", GREEN))["engine_tail"] == "【发动机号2】"


def test_malformed_bindings_count_as_none():
    turn = read_turn("查违章", [{"name": "query_violation", "confidence": 0.9}], {"bound": ["x", {"plate": 3}, None]})
    assert turn.bound == ({},)
    assert slots(decide(turn, Settings())) == {}
