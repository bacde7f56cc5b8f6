"""The index over the rules: what it leaves out would not have applied."""

import json
import random

import pytest
from components.rule_policy import IndexedRulePolicy, RuleIndex
from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.resource import Resource
from rasa.shared.core.constants import SHOULD_NOT_BE_SET

ACTIONS = ["action_listen", "utter_faq_answer", "bill_form", "violation_form"]
INTENTS = ["faq_answer", "query_bill", "inform", "cancel"]
LOOPS = ["bill_form", "violation_form"]


def a_state(rng, *, rule):
    """A state as a rule or as a conversation has it; a rule leaves out what it does not mind."""
    state = {}
    if rng.random() < 0.9:
        state["prev_action"] = {"action_name": rng.choice(ACTIONS)}
    elif rule and rng.random() < 0.3:
        state["prev_action"] = {"action_text": "text"}
    if rng.random() < (0.7 if rule else 0.9):
        state["user"] = {"intent": rng.choice(INTENTS)} if rng.random() < 0.9 else {"text": "text"}
    if rng.random() < 0.4:
        state["active_loop"] = {"name": rng.choice([*LOOPS, SHOULD_NOT_BE_SET] if rule else LOOPS)}
    return state


def a_lookup(rng):
    rules = ([a_state(rng, rule=True) for _ in range(rng.randint(1, 3))] for _ in range(200))
    return {json.dumps(states, sort_keys=True): rng.choice(ACTIONS) for states in rules}


def policy_of(kind, lookup):
    context = ExecutionContext(GraphSchema({}))
    return kind(kind.get_default_config(), None, Resource("rules"), context, lookup=lookup)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_rules_apply_as_in_the_stock_policy(seed):
    rng = random.Random(seed)
    lookup = {RULES: a_lookup(rng), RULES_FOR_LOOP_UNHAPPY_PATH: a_lookup(rng)}
    stock, indexed = policy_of(RulePolicy, lookup), policy_of(IndexedRulePolicy, lookup)
    applied = 0
    for _ in range(100):
        states = [a_state(rng, rule=False) for _ in range(rng.randint(1, 4))]
        for part in lookup.values():
            expected = stock._get_possible_keys(part, states)
            assert indexed._get_possible_keys(part, states) == expected
            applied += len(expected)
    assert applied > 100


def test_only_rules_that_can_still_apply_are_compared():
    asks = json.dumps([{"prev_action": {"action_name": "action_listen"}, "user": {"intent": "query_bill"}}])
    other = json.dumps([{"prev_action": {"action_name": "action_listen"}, "user": {"intent": "cancel"}}])
    index = RuleIndex({asks: "bill_form", other: "utter_cancelled"})
    newest = {"prev_action": {"action_name": "action_listen"}, "user": {"intent": "query_bill"}}
    assert index.candidates(newest) == {asks: "bill_form"}
    assert index.candidates({"user": {"intent": "query_bill"}}) == index.lookup


def test_a_rule_that_a_text_can_meet_is_noticed():
    by_intent = json.dumps([{"prev_action": {"action_name": "action_listen"}, "user": {"intent": "cancel"}}])
    by_text = json.dumps([{"prev_action": {"action_name": "action_listen"}, "user": {"text": "算了"}}])
    after_action = json.dumps([{"prev_action": {"action_name": "bill_form"}}])
    assert RuleIndex({by_intent: "utter_cancelled", after_action: "action_listen"}).intents_alone
    assert not RuleIndex({by_text: "utter_cancelled"}).intents_alone


def test_a_policy_that_is_being_trained_has_no_index_yet():
    assert policy_of(IndexedRulePolicy, None)._indexes == []
