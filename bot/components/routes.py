"""Which route each intent belongs to.

Several intents may share a route: the finer intent only picks a better wording or the better of two
forms. The routes are those of docs/architecture.md ("What goes to Rasa"); those of forms stand in bot/forms.
"""

from __future__ import annotations

from typing import Final

from components.forms import forms

ROUTE_OF_INTENT: Final[dict[str, str]] = {
    "faq": "faq",
    "faq_answer": "faq",
    "faq_candidates": "faq",
    "faq_miss": "faq",
    "faq_offer_human": "faq",
    "book_appointment": "book_appointment",
    "human": "human",
    "urgent": "urgent",
    "suggestion": "complaint",
    "chitchat": "chitchat",
    "chitchat_greet": "chitchat",
    "chitchat_thanks": "chitchat",
    "chitchat_bye": "chitchat",
    "chitchat_identity": "chitchat",
    "affirm": "chitchat",
    "deny": "chitchat",
    "cancel": "chitchat",
    "inform": "chitchat",
    "abuse": "abuse",
    "expire": "chitchat",
    "lookup_detail": "chitchat",
    "enough": "complaint",
    **{form.intent: form.route for form in forms().values()},
}
"""Intent -> route of a turn that is outside every form."""

_ANSWERS: Final = frozenset({"affirm", "deny", "cancel", "inform"})

FAMILY_OF_INTENT: Final[dict[str, str]] = {
    intent: intent if intent in _ANSWERS else route for intent, route in ROUTE_OF_INTENT.items()
}
"""Intents of one route are ways to say one thing, except those that answer something: they stand for themselves."""

FORM_OF_INTENT: Final[dict[str, str]] = {form.intent: form.name for form in forms().values()}
"""The intents that open a form, and the form."""

LOOKUP_FORMS: Final = frozenset(form.name for form in forms().values() if form.lookup)
"""The forms that end in a lookup."""

SLOTS_OF_FORM: Final[dict[str, tuple[str, ...]]] = {form.name: form.slot_names for form in forms().values()}
"""The slots a form asks for, in order; a slot belongs to one form only."""

SIBLINGS: Final[dict[str, tuple[str, ...]]] = {
    form.name: tuple(other.name for other in forms().values() if form.action and other.action == form.action)
    for form in forms().values()
}
"""The forms that end in the same action, a form itself among them: several ways to one lookup."""

FORM_OF_SLOT: Final[dict[str, str]] = {slot: form for form, slots in SLOTS_OF_FORM.items() for slot in slots}
"""Slot -> the form that asks for it."""

ROUTE_OF_FORM: Final[dict[str, str]] = {form.name: form.route for form in forms().values()}
"""Form -> its route."""

ROUTE_OF_SLOT: Final[dict[str, str]] = {slot: ROUTE_OF_FORM[form] for slot, form in FORM_OF_SLOT.items()}
"""Slot that a form asks for -> route of that form."""
