"""Write what Rasa trains on from the form files: domain and rules.

    python bot/generate.py --out DIR      DIR/domain (the written parts and the generated one), DIR/rules/forms.yml
    rasa train --domain DIR/domain --data data DIR/rules

Runs on either runtime: standard library and PyYAML only. A mistake in a form is one line, `FILE:LINE: what`, exit 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

BOT = Path(__file__).resolve().parent
sys.path.insert(0, str(BOT))

from components.forms import Form, FormMistake, Slot, read_forms  # noqa: E402

from services.understanding.placeholders import PLACEHOLDER_NAMES  # noqa: E402

BETWEEN = (
    "faq_answer", "faq_candidates", "faq_miss", "chitchat_in_form", "chitchat_identity", "abuse", "continue_form",
    "invalid_slot",
)  # fmt: skip
"""Said in between, then the form goes on: intent X, utter_X."""
ENDING = {
    "human": "utter_open_case_human",
    "urgent": "utter_open_case_urgent",
    "suggestion": "utter_open_case_suggestion",
    "cancel": "utter_cancelled",
    "faq_offer_human": "utter_offer_human",
    "book_appointment": "action_book_appointment",
}
"""What ends a form, and what is done then."""
CONTROL_SLOTS = ("paused", "parked", "carried", "about", "memory", "appointment")
"""Slots of the dialogue itself (components/decision.py, actions/)."""


def domain(forms: dict[str, Form], folder: Path) -> dict[str, Any]:
    """The generated part of the domain. What the written parts say already is not said again."""
    written = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in sorted(folder.glob("*.yml"))]
    known = {
        key: {name for part in written for name in part.get(key) or ()} for key in ("intents", "entities", "actions")
    }
    slots: dict[str, Any] = {
        name: {"type": "any", "influence_conversation": False, "mappings": [{"type": "from_entity", "entity": name}]}
        for name in CONTROL_SLOTS
    }
    responses: dict[str, Any] = {}
    invalid, going_on, chatting = [], [], []
    for form in forms.values():
        openers = [other.intent for other in forms.values() if other is form or _same_action(form, other)]
        for slot in form.slots:
            slots[slot.name] = {
                "type": "text",
                "influence_conversation": False,
                "mappings": [{"type": "from_entity", "entity": slot.name, "intent": [*openers, "inform"]}],
            }
            responses[f"utter_ask_{form.name}_{slot.name}"] = [{"custom": _ask(form, slot)}]
            waits = [{"type": "slot", "name": "requested_slot", "value": slot.name}]
            if slot.invalid:
                invalid.append({"condition": waits, "custom": _text(form.route, slot.invalid)})
            going_on.append({"condition": waits, "custom": _text(form.route, "好的，我们继续。")})
            chatting.append({"condition": waits, "custom": _text(form.route, "嗯嗯，我在的。")})
        offer = {
            "type": "offer_human",
            "route": form.route,
            "text": f"试了几次都没对上。之后想再试，说“继续”就可以接着办{form.title}。",
        }
        responses[f"utter_offer_human_{form.name}"] = [{"custom": offer}]
        if form.done:
            responses[f"utter_done_{form.name}"] = [{"custom": _text(form.route, form.done)}]
    responses["utter_invalid_slot"] = [*invalid, {"custom": _text("chitchat", "这个我没看懂，麻烦再发一次。")}]
    responses["utter_continue_form"] = [*going_on, {"custom": _text("chitchat", "好的，我们继续。")}]
    responses["utter_chitchat_in_form"] = [*chatting, {"custom": _text("chitchat", "嗯嗯，我在的。")}]
    entities = {name for form in forms.values() for slot in form.slots for name in (slot.name, slot.entity)}
    return {
        "version": "3.1",
        "intents": sorted({form.intent for form in forms.values()} - known["intents"]),
        "entities": sorted((entities | set(CONTROL_SLOTS)) - known["entities"]),
        "actions": sorted(({form.action for form in forms.values()} - {""}) - known["actions"]),
        "forms": {form.name: {"required_slots": list(form.slot_names)} for form in forms.values()},
        "slots": slots,
        "responses": responses,
    }


def _same_action(form: Form, other: Form) -> bool:
    return bool(form.action) and form.action == other.action


def _text(route: str, text: str) -> dict[str, str]:
    return {"type": "text", "route": route, "text": text}


def _ask(form: Form, slot: Slot) -> dict[str, Any]:
    options = [{"title": option.title, "payload": option.title} for option in slot.options if option.shown]
    options += [{"title": title, "payload": payload} for title, payload in slot.buttons]
    if not slot.options:
        options.append({"title": form.stop, "payload": form.stop})
    return {
        "type": "ask",
        "route": form.route,
        # What is expected, by which the service knows a bare answer.
        "slot": slot.entity,
        "identifier": slot.kind == "identifier" and slot.entity in PLACEHOLDER_NAMES,
        "text": slot.ask,
        "options": options,
    }


def rules(forms: dict[str, Form]) -> dict[str, Any]:
    """The rules of all forms."""
    made: list[dict[str, Any]] = []
    openers = {form.intent for form in forms.values()}
    for form in forms.values():
        here = [{"active_loop": form.name}]
        case = [{"action": f"utter_open_case_{form.opens_case}"}] if form.opens_case else []
        done = {"action": form.action or f"utter_done_{form.name}"}
        made.append(_rule(f"{form.name} opens", [{"intent": form.intent}, *case, *_on(form)]))
        ended = [{"action": form.name}, {"active_loop": None}, {"slot_was_set": [{"requested_slot": None}]}, done]
        made.append(_rule(f"{form.name} is complete", ended, here))
        for intent in BETWEEN:
            steps = [{"intent": intent}, {"action": f"utter_{intent}"}, *_on(form)]
            made.append(_rule(f"{form.name}, {intent}", steps, here))
        ending = {**ENDING, "invalid_offer_human": f"utter_offer_human_{form.name}"}
        if form.done:
            ending["enough"] = f"utter_done_{form.name}"
        for intent, action in ending.items():
            if intent in openers:
                continue
            steps = [
                {"intent": intent},
                {"action": "action_deactivate_loop"},
                {"active_loop": None},
                {"action": action},
            ]
            made.append(_rule(f"{form.name}, {intent}", steps, here))
        consent = [
            {"action": f"utter_offer_human_{form.name}"}, {"intent": "affirm"}, {"action": "utter_open_case_human"}
        ]  # fmt: skip
        made.append(_rule(f"{form.name}, consent after the offer", consent))
    return {"version": "3.1", "rules": made}


def _on(form: Form) -> list[dict[str, Any]]:
    return [{"action": form.name}, {"active_loop": form.name}]


def _rule(name: str, steps: list[dict[str, Any]], condition: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"rule": name, **({"condition": condition} if condition else {}), "steps": steps}


def write(out: Path, folder: Path = BOT / "forms") -> None:
    """Write everything below `out`, which is emptied first. Raises FormMistake."""
    forms = read_forms(folder)
    shutil.rmtree(out, ignore_errors=True)
    (out / "rules").mkdir(parents=True)
    shutil.copytree(BOT / "domain", out / "domain")
    _dump(out / "domain" / "generated_forms.yml", domain(forms, BOT / "domain"))
    _dump(out / "rules" / "forms.yml", rules(forms))


def _dump(path: Path, content: dict[str, Any]) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    path.write_text(yaml.dump(content, Dumper=Plain, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write domain and rules from the form files.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--forms", type=Path, default=BOT / "forms")
    arguments = parser.parse_args()
    try:
        write(arguments.out, arguments.forms)
    except FormMistake as mistake:
        print("\n".join(mistake.problems), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
