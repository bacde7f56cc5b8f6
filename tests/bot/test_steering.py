"""A citizen who changes the mind is never trapped: what each message becomes, by the state before it."""

import pytest
from components.decision import NOT_GIVEN, Settings, decide
from components.forms import forms
from components.turn import Memory, State, Turn, read_memory, read_turn

from services.understanding import phrases

SETTINGS = Settings()
BILL = Memory("bill_form", {"bill_kind": "水费", "household_no": "【户号1】"})
CAR = Memory("violation_form", {"plate": "【车牌1】", "plate_kind": "小型汽车", "engine_tail": "【发动机号1】"})


def decided(text, intent="faq", probability=0.9, **state):
    extra = {key: state.pop(key) for key in ("control", "idle", "band", "confidence", "on_topic") if key in state}
    read = read_turn(text, [{"name": intent, "confidence": probability}], {}, State(**state))
    return decide(Turn(**{**read.__dict__, **extra}), SETTINGS)


def slots(decision):
    return {entity.type: entity.value for entity in decision.entities}


def said(decision):
    return "".join(str(payload.get("text", "")) for payload in decision.before)


FILLED = {"plate": "【车牌1】", "plate_kind": "小型汽车"}


def test_a_correction_replaces_the_value_and_says_so():
    found = decided("不对，是【车牌2】", requested_slot="engine_tail", filled=FILLED)
    assert (found.intent, slots(found), said(found)) == ("inform", {"plate": "【车牌2】"}, "好的，已经改过来了。")


def test_another_car_takes_along_nothing_that_belongs_to_the_old_one():
    found = decided("换成【车牌2】", requested_slot="engine_tail", filled=FILLED)
    assert slots(found) == {"plate": "【车牌2】", "plate_kind": None}


def test_a_value_that_is_called_wrong_is_asked_for_again():
    assert slots(decided("车牌说错了", requested_slot="engine_tail", filled=FILLED)) == {"plate": None}
    assert slots(decided("不对", "deny", requested_slot="engine_tail", filled=FILLED)) == {"plate_kind": None}


def test_one_step_back_empties_the_question_before_and_at_the_first_leaves_the_form():
    assert slots(decided("返回", "cancel", requested_slot="engine_tail", filled=FILLED)) == {"plate_kind": None}
    assert decided("返回", "cancel", requested_slot="plate").intent == "cancel"


def test_from_the_beginning_empties_the_form():
    found = decided("重新开始", "cancel", requested_slot="engine_tail", filled=FILLED)
    assert (found.intent, slots(found)) == ("inform", {"plate": None, "plate_kind": None})
    assert decided("重新开始", "cancel", requested_slot="plate").intent == "continue_form"


def test_another_service_pauses_the_form_and_at_most_two_wait():
    found = decided("查一下水费", "query_bill", requested_slot="plate")
    assert slots(found)["paused"] == "violation_form"
    deep = decided("查进度", "query_progress", requested_slot="location", paused=("violation_form", "bill_form"))
    assert slots(deep)["paused"] == "bill_form nearby_form"


def test_a_paused_form_that_is_named_goes_on_with_what_it_had():
    found = decided(
        "查违章", "query_violation", requested_slot="household_no", paused=("violation_form",), filled=FILLED
    )
    assert (found.intent, slots(found)) == ("query_violation", {"paused": "bill_form"})
    assert said(found) == "我们接着刚才的违章查询："


def test_a_form_that_was_left_is_taken_up_on_继续_and_by_its_own_answer():
    for text in ("继续", "接着查", "继续办理", "那就继续吧"):
        assert slots(decided(text, parked="bill_form")) == {"parked": None}, text
    assert slots(decided("【户号1】", parked="bill_form")) == {"household_no": "【户号1】", "parked": None}
    assert decided("继续教育怎么报名", parked="bill_form").intent == "faq_miss"
    assert decided("继续").intent == "faq_miss"


def test_the_third_failure_parks_the_form():
    found = decided("qwer", "abuse", requested_slot="plate", failures=2)
    assert (found.intent, slots(found)["parked"]) == ("invalid_offer_human", "violation_form")


def test_a_person_parks_the_form_and_danger_does_so_silently():
    assert "说“继续”" in said(decided("转人工", "human", requested_slot="plate"))
    assert said(decided("我家着火了", "urgent", requested_slot="plate")) == ""


def test_silence_closes_a_form_kindly_and_a_day_forgets_it():
    closed = decided("expire", control="expire", idle=2000, requested_slot="plate")
    assert (closed.intent, slots(closed)["parked"]) == ("expire", "violation_form")
    assert "先收起来了" in said(closed)
    forgotten = decided("expire", control="expire", idle=90_000, requested_slot="plate", parked="bill_form")
    assert (slots(forgotten), said(forgotten)) == ({"parked": None, "memory": None}, "")


def test_silence_gives_up_the_hours_that_were_offered_for_an_appointment():
    draft = {"appointment": {"step": "datetime", "options": []}}
    given_up = decided("expire", control="expire", idle=2000, filled=draft)
    assert slots(given_up)["appointment"] is None
    assert "先收起来了" in said(given_up)
    assert said(decided("expire", control="expire", idle=90_000, filled=draft)) == ""


def test_an_optional_question_can_stay_open_and_a_complaint_can_be_cut_short():
    assert slots(decided("不方便", requested_slot="contact_phone")) == {"contact_phone": NOT_GIVEN}
    assert decided("就这些", requested_slot="incident_time").intent == "enough"
    assert decided("没有了", "deny", requested_slot="incident_place").intent == "enough"


def test_what_is_told_in_a_complaint_goes_into_the_case():
    found = decided("湖滨路12号一楼", "complaint", requested_slot="incident_place")
    assert found.before == ({"type": "case_addition", "route": "complaint", "label": "地点"},)
    assert found.intent == "inform"


def test_the_value_used_before_fills_the_question():
    found = decided("还是刚才那个", requested_slot="household_no", memory=BILL)
    assert slots(found) == {"household_no": "【户号1】"}
    assert decided("还是刚才那个", "inform", requested_slot="plate", memory=BILL).intent == "invalid_slot"


def test_a_kind_alone_after_a_result_takes_the_number_along():
    found = decided("那电费呢", memory=BILL)
    assert (found.intent, slots(found)) == (
        "query_bill",
        {"bill_kind": "电费", "household_no": "【户号1】", "carried": "household_no"},
    )
    assert decided("电费阶梯价格是怎么算的呢，谁来定", memory=BILL).intent == "faq_miss"


def test_a_correction_after_the_result_looks_up_again_with_the_rest():
    found = slots(decided("不对，是【车牌2】", memory=CAR))
    assert (found["plate"], found["engine_tail"]) == ("【车牌2】", "【发动机号1】")
    other = slots(decided("换成【车牌2】", memory=CAR))
    assert (other["plate"], other["plate_kind"], other["engine_tail"]) == ("【车牌2】", None, None)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("那罚款多少", "fine"),
        ("一共扣几分", "points"),
        ("上一个呢", "next"),
        ("还有呢", "more"),
        ("第二条呢", "nth:2"),
        ("怎么交", "pay"),
        ("在哪里", "place"),
    ],
)
def test_a_question_about_the_result_names_what_it_asks(text, about):
    found = decided(text, memory=CAR)
    assert (found.intent, found.route, slots(found)["about"]) == ("lookup_detail", "query_violation", about)


@pytest.mark.parametrize("text", ["闯红灯罚款多少", "违章多久能处理", "在哪里办身份证", "你好", "罚款逾期不交会怎样"])
def test_a_question_of_its_own_is_no_question_about_the_result(text):
    assert phrases.asked_detail(forms()["violation_form"].details, text) is None


def test_a_memory_of_a_form_that_is_gone_counts_as_none():
    assert read_memory({"form": "gone_form", "values": {}}) is None
    assert read_memory("x") is None
    assert read_memory({"form": "bill_form", "values": {"household_no": "【户号1】", "other": "x"}, "at": 2}) == Memory(
        "bill_form", {"household_no": "【户号1】"}, 2
    )


def test_the_check_of_a_progress_is_taken_out_of_its_first_sentence_and_asked_for_by_a_form_of_its_own():
    text = "查BJ202608150021的进度，手机后四位【手机尾号1】"
    ranking = [{"name": "query_progress", "confidence": 0.95}]
    entities = [{"type": "case_no", "value": "BJ202608150021", "start": 1, "end": 15}]
    first = decide(read_turn(text, ranking, {"entities": entities}, State()), SETTINGS)
    assert first.intent == "query_progress"
    assert slots(first) == {"case_no": "BJ202608150021", "phone_tail": "【手机尾号1】"}
    answer = decided("【手机尾号1】", requested_slot="phone_tail")
    assert (answer.intent, slots(answer)) == ("inform", {"phone_tail": "【手机尾号1】"})
    assert forms()["progress_check_form"].completes
