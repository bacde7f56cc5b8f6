"""What is settled before the classifier: ratings of answers, menus, keyword replies. None of it touches an open form.

The order (docs/menus.md): a human who holds the conversation, then danger, then an open question for consent come
before this module. Then: tapped options of menus and ratings; a rating typed right after an answer; words about an own
case (case_words.py); an open form, which only "菜单" passes; the list shown last and the menu; keyword replies. What is
left goes to the dialogue.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from knowledge_base import Entry, KnowledgeBase
from services.conversations import feedback, rendering, repository, texts
from services.conversations import menus as menu_texts
from services.conversations.models import Conversation, Message
from services.conversations.outcomes import unchanged
from services.conversations.schemas import (
    CaseAction,
    Outgoing,
    RatedAnswer,
    Rating,
    Shortcuts,
    TurnContext,
    TurnOutcome,
)
from services.core.clock import SHANGHAI
from services.core.database import UnitOfWork
from services.knowledge import service as knowledge_service
from services.menus import service as menus
from services.understanding.entities import IDENTIFIER_TYPES, extract

PLACE_KEPT = timedelta(hours=1)
RECENT = 12

# -- what the database knows ----------------------------------------------------------------------------------------


def load(
    uow: UnitOfWork, row: Conversation, message: Message, text: str, entities: list[dict[str, Any]], now: datetime
) -> Shortcuts:
    """Everything that `decide` looks at; asks only for what this message can need."""
    account = menus.find_account(uow, row.account)
    found = Shortcuts(
        account=account,
        department=account.department if account else None,
        region=account.region if account else None,
    )
    choice = message.extra.get("choice")
    if choice is not None:
        return _of_choice(uow, row, choice, found)
    if row.handler == "human":
        return found
    kinds = {entity["type"] for entity in entities}
    command = menus.read(text)
    helpful = feedback.typed(text)
    if command is not None or helpful is not None:
        turn = _turn_before(uow, row, message)
        answers = [said for said in turn if "entry" in said.extra]
        if not answers and row.requested_slot is None and feedback.names_answer(text):
            recent = repository.latest_messages(uow.session, row.id, RECENT)
            answers = [said for said in recent if "entry" in said.extra]
        listed = turn[-1] if turn and turn[-1].type == "candidates" else None
        found = replace(
            found,
            place=_place(row, now),
            command=command,
            rating=_rated(answers[-1], helpful) if answers and helpful is not None else None,
            listed=tuple(option["payload"] for option in listed.extra.get("options") or ()) if listed else (),
            others=tuple(listed.extra.get("others") or ()) if listed else (),
        )
    if row.requested_slot is None and "location" not in kinds:
        found = replace(
            found,
            keyword=menus.reply_to(
                uow,
                account.key if account else "",
                text,
                now.astimezone(SHANGHAI).date(),
                whole=bool(kinds & IDENTIFIER_TYPES),
            ),
        )
    return found


def _of_choice(uow: UnitOfWork, row: Conversation, choice: str, found: Shortcuts) -> Shortcuts:
    rating = feedback.chosen(choice)
    if rating is not None:
        answer = repository.message(uow.session, row.id, rating[0])
        return replace(found, rating=_rated(answer, rating[1]) if answer and "entry" in answer.extra else None)
    if choice.startswith(texts.ENTRY_CHOICE):
        recent = repository.latest_messages(uow.session, row.id, RECENT)
        for message in reversed(recent):
            if any(option["payload"] == choice for option in message.extra.get("options") or ()):
                return replace(found, others=tuple(message.extra.get("others") or ()))
    return found


def _turn_before(uow: UnitOfWork, row: Conversation, message: Message) -> list[Message]:
    """What was said in answer to the newest message that has one; what only thanks for a rating does not count."""
    recent = repository.latest_messages(uow.session, row.id, RECENT)
    ratings = {one.seq for one in recent if one.type == "feedback"}
    said = [
        one
        for one in recent
        if one.sender != "citizen"
        and one.in_reply_to not in (None, message.seq)
        and not (one.in_reply_to in ratings and one.sender == "system")
    ]
    return [one for one in said if one.in_reply_to == said[-1].in_reply_to]


def _rated(answer: Message, helpful: bool) -> RatedAnswer:
    return RatedAnswer(
        seq=answer.seq,
        helpful=helpful,
        before=answer.extra.get("helpful"),
        others=tuple(answer.extra.get("others") or ()),
    )


def _place(row: Conversation, now: datetime) -> menus.Place:
    if row.menu_place is None or row.menu_at is None or now - row.menu_at > PLACE_KEPT:
        return ()
    return menus.place_from(row.menu_place) or ()


def store(uow: UnitOfWork, row: Conversation, outcome: TurnOutcome, now: datetime) -> None:
    """Keep the menu's place and the rating that a turn decided. The caller holds the conversation's lock."""
    if outcome.menu_place is not None:
        row.menu_place, row.menu_at = outcome.menu_place, now
    if outcome.rating is None:
        return
    answer = repository.message(uow.session, row.id, outcome.rating.seq)
    if answer is None or "entry" not in answer.extra:
        return
    answer.extra = {**answer.extra, "helpful": outcome.rating.helpful}
    knowledge_service.record_feedback(
        uow,
        conversation_id=row.id,
        seq=answer.seq,
        entry_id=answer.extra["entry"],
        helpful=outcome.rating.helpful,
        now=now,
    )


# -- what is decided ------------------------------------------------------------------------------------------------


def decide(context: TurnContext, knowledge: KnowledgeBase | None) -> TurnOutcome | TurnContext | None:
    """An outcome; or the context as if something else had been typed or tapped; or None: go on as usual."""
    found = context.shortcuts
    if found.rating is not None:
        return _rate(context, found.rating, knowledge)
    if context.kind == "choice":
        return _tapped(context, knowledge) if context.text.startswith(menu_texts.PAYLOAD) else None
    if found.case is not None:
        return _about_case(context, found.case)
    if context.requested_slot is not None:
        asked = found.command is not None and found.command.kind == "show"
        return _shown(context, ()) if asked and found.account and found.account.menu else None
    command = found.command
    if command is not None:
        if command.kind == "number" and command.path[0] <= len(found.listed):
            return replace(context, kind="choice", text=found.listed[command.path[0] - 1])
        if found.account is not None and found.account.menu:
            result = menus.step(found.account.menu, found.place, command)
            if isinstance(result, menus.Shown):
                return _shown(context, result.place, unknown=result.unknown)
            return _does(context, result.item, knowledge)
    if found.keyword is not None:
        return _reply(context, found.keyword, knowledge)
    return None


def rating_of(context: TurnContext) -> Rating | None:
    """The rating that a message is, to be kept even while a person holds the conversation."""
    rated = context.shortcuts.rating
    return Rating(rated.seq, rated.helpful) if rated else None


def _about_case(context: TurnContext, found: CaseAction | Outgoing) -> TurnOutcome:
    outcome = unchanged(context, route="query_progress")
    if isinstance(found, Outgoing):
        outcome.replies = [found]
    else:
        outcome.case_action = found
    return outcome


def _rate(context: TurnContext, rated: RatedAnswer, knowledge: KnowledgeBase | None) -> TurnOutcome:
    outcome = unchanged(context, route="faq")
    outcome.rating = Rating(rated.seq, rated.helpful)
    # Candidates are shown once: who says it again would rather speak to a person.
    others = rated.others if rated.before is not False else ()
    if rated.helpful:
        outcome.replies = [texts.RATED_HELPFUL]
    else:
        more = rendering.suggestions(knowledge, others, texts.OTHER_CANDIDATES) if knowledge else None
        outcome.replies = [more] if more else [texts.NOT_HELPED, texts.OFFER_HUMAN]
    return outcome


def _tapped(context: TurnContext, knowledge: KnowledgeBase | None) -> TurnOutcome | TurnContext | None:
    account = context.shortcuts.account
    if account is None or not account.menu:
        return unchanged(context, route=None, replies=[texts.MENU_GONE])
    place = menu_texts.place_of(account, context.text)
    if place is None:
        return _shown(context, ())
    item = account.menu.item(place)
    if item is None or item.items:
        return _shown(context, place)
    return _does(context, item, knowledge)


def _shown(context: TurnContext, place: menus.Place, *, unknown: bool = False) -> TurnOutcome:
    account = context.shortcuts.account
    if account is None:
        raise ValueError("no account, no menu")
    message = menu_texts.shown(account, place, unknown=unknown, in_form=context.requested_slot is not None)
    outcome = unchanged(context, route=None, replies=[message])
    outcome.menu_place = menus.place_text(place)
    return outcome


def _does(context: TurnContext, item: menus.Item, knowledge: KnowledgeBase | None) -> TurnOutcome | TurnContext | None:
    action = item.action
    if action is None:
        return None
    match action.does:
        case "say":
            return _as_typed(context, action.value)
        case "entry":
            entry = _entry(knowledge, action.value)
            return _answered(context, rendering.answer(entry) if entry else texts.ENTRY_GONE)
        case "text":
            return unchanged(context, route=None, replies=[Outgoing(action.value)])
        case "link":
            return unchanged(context, route=None, replies=[Outgoing(f"{item.title}：\n{action.value}")])
        case "human":
            return unchanged(context, route="human", case_kind="help")


def _as_typed(context: TurnContext, text: str) -> TurnContext:
    entities = [
        {"type": entity.type, "value": entity.value, "start": entity.start, "end": entity.end}
        for entity in extract(text)
        if entity.type not in IDENTIFIER_TYPES
    ]
    return replace(context, kind="text", text=text, entities=entities)


def _reply(context: TurnContext, reply: menus.Reply, knowledge: KnowledgeBase | None) -> TurnOutcome | None:
    if reply.text is not None:
        return unchanged(context, route=None, replies=[Outgoing(reply.text)])
    entry = _entry(knowledge, reply.entry_id or "")
    return _answered(context, rendering.answer(entry)) if entry else None


def _answered(context: TurnContext, reply: Outgoing) -> TurnOutcome:
    outcome = unchanged(context, route="faq", replies=[reply])
    outcome.misses = 0
    outcome.topic = reply.entry_id or context.topic
    return outcome


def _entry(knowledge: KnowledgeBase | None, entry_id: str) -> Entry | None:
    try:
        return knowledge.entry(entry_id) if knowledge else None
    except KeyError:
        return None
