"""What citizens do with their own cases from the chat, by button or by word."""

from datetime import datetime

from services.cases import service as cases
from services.conversations import texts, vault
from services.conversations.case_words import CaseWord, What
from services.conversations.models import Conversation
from services.conversations.restraint import Restraint
from services.conversations.schemas import CaseAction, Option, Outgoing
from services.core.crypto import Secrets
from services.core.database import UnitOfWork
from services.core.errors import HuiyingError
from services.core.wire import whole
from services.understanding.case_states import told_as

OPEN = ("new", "assigned", "in_progress", "waiting", "reopened", "transferred")
SETTLED = ("resolved", "closed")
LISTED = 5


def meant(
    uow: UnitOfWork, secrets: Secrets, conversation_id: str, word: CaseWord, now: datetime
) -> CaseAction | Outgoing | None:
    """What a case word comes to: something to do, something to say, or None when it speaks of something else.

    Without a number, the open case is meant, or for what is said of an answer the newest one that was settled.
    """
    own = cases.cases_of_citizen(uow, secrets, conversation_id=conversation_id, now=now)
    if word.what == "list":
        return _listed(own)
    if word.case_no is not None:
        # A number of somebody else's is refused when it is acted on, as one that there is not.
        return CaseAction(word.what, word.case_no, word.text)
    wanted = SETTLED if word.what in ("confirm", "reopen") else OPEN
    # Of an answer to come nobody says that it settled anything: then it is about something else.
    newest = own[:1] if wanted is SETTLED else own
    chosen = next((case for case in newest if case.status in wanted), None)
    if chosen is not None:
        return CaseAction(word.what, chosen.case_no, word.text)
    return texts.NO_OPEN_CASE if own and word.what in ("press", "withdraw") else None


def act(
    uow: UnitOfWork, secrets: Secrets, row: Conversation, action: CaseAction, restraint: Restraint, now: datetime
) -> Outgoing | None:
    """Do it in the caller's transaction. What is said at once, None when the case's own news says it all; a refusal is
    said, with its reason, instead of failing the message."""
    try:
        # A savepoint: what a refused action had begun is undone, the message stays.
        with uow.session.begin_nested():
            if action.what == "add":
                restraint.note_addition(uow, row, now)
            return _do(uow, secrets, row.id, action, now)
    except HuiyingError as refused:
        return Outgoing(refused.detail, sender="system")


def chosen(choice: str) -> CaseAction | None:
    """The action of a button, None for one that there is not any more."""
    case_no, _, what = choice.removeprefix(texts.CASE_CHOICE).partition(":")
    known: dict[str, What] = {"confirm": "confirm", "reopen": "reopen", "press": "press", "withdraw": "withdraw"}
    if what.startswith("rate") and whole(what[4:]) is not None:
        return CaseAction("rate", case_no, what[4:])
    return CaseAction(known[what], case_no) if what in known else None


def _do(uow: UnitOfWork, secrets: Secrets, conversation_id: str, action: CaseAction, now: datetime) -> Outgoing | None:
    number = action.case_no
    match action.what:
        case "rate":
            score = int(action.text)
            cases.citizen_rates(uow, secrets, case_no=number, conversation_id=conversation_id, score=score, now=now)
            return texts.CASE_RATED
        case "confirm":
            cases.citizen_confirms(uow, secrets, case_no=number, conversation_id=conversation_id, now=now)
        case "reopen":
            reason = "市民表示问题没有解决"
            cases.citizen_reopens(uow, secrets, case_no=number, conversation_id=conversation_id, reason=reason, now=now)
        case "press":
            cases.citizen_presses(uow, secrets, case_no=number, conversation_id=conversation_id, now=now)
            return texts.CASE_PRESSED
        case "withdraw":
            cases.citizen_withdraws(uow, secrets, case_no=number, conversation_id=conversation_id, now=now)
        case "add":
            shown = vault.show_masked(action.text, vault.masked_identifiers(uow, conversation_id))
            cases.citizen_adds(uow, secrets, case_no=number, conversation_id=conversation_id, text=shown, now=now)
            return texts.added(number)
        case "list":
            raise ValueError("a list is said, not done")
    return None


def _listed(own: list[cases.CaseOut]) -> Outgoing:
    if not own:
        return texts.NO_CASES
    lines: list[str] = []
    options: list[Option] = []
    for case in own[:LISTED]:
        due = case.next_due_at if case.first_response_at is None else None
        lines.append(texts.case_line(case.case_no, told_as(case.status), due))
        options += [
            Option(title=f"{title} {case.case_no}", payload=f"{texts.CASE_CHOICE}{case.case_no}:{what}")
            for title, what in _buttons(case.status)
        ]
    more = f"（共 {len(own)} 件，显示最近 {LISTED} 件）" if len(own) > LISTED else ""
    return Outgoing(f"您的工单{more}：\n" + "\n".join(lines), type="options", options=tuple(options))


def _buttons(status: str) -> tuple[tuple[str, str], ...]:
    if status in OPEN:
        return (("催办", "press"), ("撤回", "withdraw"))
    return (("确认已解决", "confirm"), ("没有解决，重新办理", "reopen")) if status == "resolved" else ()
