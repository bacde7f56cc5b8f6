"""Rasa's rule policy with an index over its rules.

The stock policy compares every rule with every state of the conversation, up to three times a prediction: some 40 %
of a turn with the few hundred rules that the forms bring. What a rule's newest state names (the action before, the
intent) is looked up here instead; only the rules that can still apply are compared, by the stock code.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.constants import ACTION_LISTEN_NAME, PREVIOUS_ACTION, SHOULD_NOT_BE_SET, USER
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ACTION_NAME, INTENT

_ANY: Final = None


class RuleIndex:
    """The rules of one lookup by what their newest state asks for."""

    def __init__(self, lookup: dict[str, str]) -> None:
        """Index `lookup`, which maps a rule's key (its states as JSON) to what it predicts."""
        self.lookup: Final = lookup
        self._rules: dict[tuple[str | None, str | None], dict[str, str]] = defaultdict(dict)
        for key, predicted in lookup.items():
            newest = RulePolicy._rule_key_to_state(key)[-1]
            action = _asked(newest, PREVIOUS_ACTION, ACTION_NAME)
            self._rules[action, _asked(newest, USER, INTENT)][key] = predicted
        self.intents_alone: Final = all(
            intent is not _ANY for action, intent in self._rules if action in (_ANY, ACTION_LISTEN_NAME)
        )
        """Whether no rule applies to a message that is known by its text only."""

    def candidates(self, newest: State) -> dict[str, str]:
        """The rules that can apply to a conversation whose newest state is this; some of them may not."""
        if not newest.get(PREVIOUS_ACTION):
            # At the very start Rasa compares by other means.
            return self.lookup
        action = newest[PREVIOUS_ACTION].get(ACTION_NAME)
        intent = newest.get(USER, {}).get(INTENT)
        found: dict[str, str] = {}
        for wanted in ((action, intent), (action, _ANY), (_ANY, intent), (_ANY, _ANY)):
            found.update(self._rules.get(wanted, {}))
        return found


def _asked(state: State, part: str, feature: str) -> str | None:
    value = state.get(part, {}).get(feature)
    return value if isinstance(value, str) and value and value != SHOULD_NOT_BE_SET else _ANY


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT], is_trainable=True)
class IndexedRulePolicy(RulePolicy):
    """Predicts what `RulePolicy` predicts; trained by it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As the stock policy; a trained one, which is handed its lookup, is indexed."""
        super().__init__(*args, **kwargs)
        self._indexes: list[RuleIndex] = []
        if self.lookup:
            self._indexes = [RuleIndex(self.lookup[name]) for name in (RULES, RULES_FOR_LOOP_UNHAPPY_PATH)]

    def _get_possible_keys(self, lookup: dict[str, str], states: list[State]) -> set[str]:
        index = next((one for one in self._indexes if one.lookup is lookup), None)
        possible: set[str] = super()._get_possible_keys(
            index.candidates(states[-1]) if index is not None and states else lookup, states
        )
        return possible

    def _find_action_from_rules(
        self, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool
    ) -> tuple[str | None, str | None, bool]:
        if use_text_for_last_user_input and self._indexes and all(one.intents_alone for one in self._indexes):
            return None, None, False
        found: tuple[str | None, str | None, bool] = super()._find_action_from_rules(
            tracker, domain, use_text_for_last_user_input
        )
        return found
