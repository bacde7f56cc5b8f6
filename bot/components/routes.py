"""Which route each intent belongs to.

Several intents may share a route: the finer intent only picks a better wording or the better of two
forms. The routes are those of docs/architecture.md ("What goes to Rasa").
"""

from __future__ import annotations

from typing import Final

ROUTE_OF_INTENT: Final[dict[str, str]] = {
    "faq": "faq",
    "faq_answer": "faq",
    "faq_candidates": "faq",
    "faq_miss": "faq",
    "faq_offer_human": "faq",
    "query_violation": "query_violation",
    "query_licence": "query_violation",
    "book_appointment": "book_appointment",
    "query_bill": "query_bill",
    "query_progress": "query_progress",
    "nearby_service": "nearby_service",
    "human": "human",
    "urgent": "urgent",
    "complaint": "complaint",
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
}
"""Intent -> route of a turn that is outside every form."""

FORM_OF_INTENT: Final[dict[str, str]] = {
    "query_violation": "violation_form",
    "query_licence": "licence_form",
    "query_bill": "bill_form",
    "query_progress": "progress_form",
    "nearby_service": "nearby_form",
}
"""The intents that open a form, and the form."""

SLOTS_OF_FORM: Final[dict[str, tuple[str, ...]]] = {
    "violation_form": ("plate", "plate_kind", "engine_tail"),
    "licence_form": ("id_card", "license_file_no"),
    "bill_form": ("bill_kind", "household_no"),
    "progress_form": ("case_no",),
    "nearby_form": ("location",),
}
"""The slots a form asks for, in order; a slot belongs to one form only."""

ROUTE_OF_SLOT: Final[dict[str, str]] = {
    slot: ROUTE_OF_INTENT[intent] for intent, form in FORM_OF_INTENT.items() for slot in SLOTS_OF_FORM[form]
}
"""Slot that a form asks for -> route of that form."""

FORM_OF_SLOT: Final[dict[str, str]] = {slot: form for form, slots in SLOTS_OF_FORM.items() for slot in slots}
"""Slot -> the form that asks for it."""
