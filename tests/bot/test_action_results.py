"""The compiled check refuses and accepts what Rasa's own does."""

import pytest
from action_results import check_action_result
from jsonschema import ValidationError
from rasa.core.actions.action import RemoteAction

GOOD = [
    {},
    {"events": [], "responses": []},
    {"events": [{"event": "slot", "name": "plate", "value": None}], "responses": [{"custom": {"type": "text"}}]},
]
BAD = [
    {"events": "none"},
    {"events": [{"event": "no such event"}]},
    {"events": [{"event": "slot", "value": 1}]},
    {"responses": ["text"]},
]


def rasa_s_own(result: dict) -> None:
    from jsonschema import validate

    validate(result, RemoteAction.action_response_format_spec())


@pytest.mark.parametrize("result", GOOD)
def test_a_well_formed_reply_passes_both(result: dict) -> None:
    rasa_s_own(result)
    assert check_action_result(RemoteAction("action_x", None), result)


@pytest.mark.parametrize("result", BAD)
def test_a_malformed_reply_fails_both(result: dict) -> None:
    with pytest.raises(ValidationError):
        rasa_s_own(result)
    with pytest.raises(ValidationError):
        check_action_result(RemoteAction("action_x", None), result)
