"""What becomes of the classifier's guess once knowledge, identifiers and the open form are weighed in."""

from components.decision import Settings, decide
from components.turn import Entity, Turn, read_turn

SETTINGS = Settings()


def turn(text, intent="faq", probability=0.9, **known):
    ranking = known.pop("ranking", ((intent, probability),))
    metadata = known.pop("metadata", {})
    read = read_turn(text, [{"name": n, "confidence": p} for n, p in ranking], metadata)
    return Turn(**{**read.__dict__, **known})


def final(text, intent="faq", probability=0.9, **known):
    return decide(turn(text, intent, probability, **known), SETTINGS).intent


def slots(decision):
    return {entity.type: entity.value for entity in decision.entities}


def test_a_question_follows_the_band_of_the_knowledge_base():
    assert final("护照怎么换", band="answer", confidence=0.95) == "faq_answer"
    assert final("护照怎么换", band="candidates", confidence=0.6) == "faq_candidates"
    assert final("护照怎么换", band="none") == "faq_miss"


def test_the_second_miss_in_a_row_offers_a_human():
    assert final("护照怎么换", band="none", misses=1) == "faq_offer_human"
    assert final("护照怎么换", band="candidates", misses=1) == "faq_candidates"


def test_a_certain_hit_turns_an_unsure_lookup_into_a_question_and_leaves_a_sure_one():
    unsure = (("query_violation", 0.5), ("faq", 0.46))
    assert final("违章多久能处理", ranking=unsure, band="answer", confidence=0.96) == "faq_answer"
    assert final("违章多久能处理", ranking=unsure, band="answer", confidence=0.7) == "query_violation"
    leaning = (("query_violation", 0.58), ("faq", 0.41))
    assert final("还是先查违章吧", ranking=leaning, band="answer", confidence=0.96) == "query_violation"
    sure = (("query_violation", 0.95), ("faq", 0.04))
    assert final("查一下我的违章", ranking=sure, band="answer", confidence=0.96) == "query_violation"


def test_an_unsure_grievance_gives_way_to_an_answer_that_is_known_and_opens_no_case():
    unsure = (("complaint", 0.5), ("faq", 0.45))
    assert final("路灯坏了报给谁", ranking=unsure, band="answer", confidence=0.96) == "faq_answer"
    assert final("路灯坏了报给谁", ranking=unsure, band="candidates", confidence=0.7) == "complaint"
    assert final("路灯坏了半年没人管", "complaint", 0.9, band="answer", confidence=0.96) == "complaint"


def test_a_bare_identifier_leads_to_its_lookup():
    assert final("【车牌1】", "inform") == "query_violation"
    assert final("【户号1】 电", "inform", 0.4) == "query_bill"
    assert final("20260311-00452", "abuse", 0.5) == "query_progress"
    assert final("GD202608123456", "abuse", 0.9) == "query_progress"


def test_a_grievance_that_names_a_plate_stays_a_grievance():
    assert final("投诉【车牌1】天天堵着我家大门", "complaint", 0.8) == "complaint"


def test_an_identity_number_without_a_plate_takes_the_licence_form():
    assert final("查违章，身份证【身份证1】", "query_violation") == "query_licence"
    assert final("查违章，【车牌1】，身份证【身份证1】", "query_violation") == "query_violation"


def test_a_new_lookup_takes_what_is_said_and_empties_what_an_earlier_one_left():
    decision = decide(turn("查违章【车牌1】，黄牌货车", "query_violation"), SETTINGS)
    assert slots(decision) == {
        "plate": "【车牌1】",
        "plate_kind": "大型汽车",
        "engine_tail": None,
        "id_card": None,
        "license_file_no": None,
    }
    bill = slots(decide(turn("【户号1】 水", "query_bill"), SETTINGS))
    assert bill == {"household_no": "【户号1】", "bill_kind": "水费"}


def test_an_answer_to_the_form_is_taken_whatever_the_classifier_thinks():
    assert final("【车牌1】", "abuse", 0.9, requested_slot="plate") == "inform"
    assert slots(decide(turn("2", "abuse", requested_slot="plate_kind"), SETTINGS)) == {"plate_kind": "大型汽车"}
    assert slots(decide(turn("绿牌的", "faq", 0.4, requested_slot="plate_kind"), SETTINGS)) == {
        "plate_kind": "小型新能源汽车"
    }
    place = decide(turn("解放路小学", "faq", 0.4, requested_slot="location"), SETTINGS)
    assert (place.intent, slots(place)) == ("inform", {"location": "解放路小学"})


def test_an_answer_that_does_not_fit_is_refused_and_the_third_one_offers_a_human():
    assert final("粤B12", "abuse", 0.9, requested_slot="plate") == "invalid_slot"
    assert final("不知道", "deny", 0.9, requested_slot="plate", failures=1) == "invalid_slot"
    assert final("qwer", "abuse", 0.9, requested_slot="plate", failures=2) == "invalid_offer_human"


def test_a_form_can_be_left_in_many_words():
    for text in ("取消", "算了", "不查了", "返回", "我不想查了", "那算了吧", "不用了，谢谢", "下次再说"):
        assert final(text, "faq", 0.3, requested_slot="plate") == "cancel", text
    assert final("取消我周四的预约", "book_appointment", 0.9, requested_slot="plate") == "book_appointment"


def test_a_question_in_the_middle_of_a_form_is_answered():
    assert final("发动机号在行驶证哪里", band="answer", confidence=0.9, requested_slot="engine_tail") == "faq_answer"
    assert final("新能源车牌丢了怎么补", band="answer", confidence=0.95, requested_slot="plate_kind") == "faq_answer"


def test_a_person_danger_and_grievance_break_into_a_form():
    assert final("转人工", "human", requested_slot="plate") == "human"
    assert final("我家着火了", "urgent", requested_slot="plate") == "urgent"
    assert final("我要投诉", "complaint", requested_slot="plate") == "complaint"


def test_another_lookup_replaces_the_form_and_the_same_one_goes_on():
    assert final("查一下水费", "query_bill", requested_slot="plate") == "query_bill"
    assert final("查违章", "query_violation", requested_slot="plate") == "continue_form"
    assert final("按驾驶证查", "query_licence", requested_slot="plate") == "query_licence"


def test_malformed_metadata_counts_as_absent():
    broken = {"knowledge": {"band": "answer", "hits": "x"}, "entities": [1, {"type": 2}], "misses": "many"}
    read = read_turn("你好【车牌1】", [{"name": "faq", "confidence": 0.5}], broken)
    assert (read.confidence, read.misses) == (0.0, 0)
    assert read.entities == (Entity("plate", "【车牌1】", 2, 7),)
    assert read_turn("x", [], None).intent == "faq"
