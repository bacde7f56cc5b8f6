"""Outcomes of turns that need no dialogue."""

from services.conversations.schemas import Outgoing, TurnContext, TurnOutcome
from services.sla.policies import Kind


def unchanged(
    context: TurnContext, *, route: str | None, replies: list[Outgoing] | None = None, case_kind: Kind | None = None
) -> TurnOutcome:
    """An outcome that leaves an open form as it is."""
    return TurnOutcome(
        replies=replies or [],
        route=route,
        case_kind=case_kind,
        misses=context.misses,
        requested_slot=context.requested_slot,
        deferred_seq=context.deferred_seq,
        deferred_payloads=context.deferred_payloads,
        topic=context.topic,
    )
