"""From a settled case to a draft, and from a draft to an entry."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.cases import repository, sight_repository
from services.cases import service as cases
from services.core.database import UnitOfWork
from services.core.errors import Conflict, Forbidden
from services.knowledge import service as knowledge
from services.knowledge.models import KnowledgeDraft
from services.knowledge.schemas import DraftView


def settled(desk: Any, **values: Any) -> str:
    case_no: str = desk.open(**{"title": "居住证满几年可以落户", **values}).case_no
    desk.do(cases.reply, case_no, desk.li, text="连续居住满五年可以申请，带居住证到户政窗口。", resolve=True)
    return case_no


def drafted(desk: Any, case_no: str, user: Any = None) -> DraftView:
    made: DraftView = desk.do(cases.draft, case_no, user or desk.li, hide=lambda text: text)
    return made


def test_a_draft_is_no_entry_until_an_editor_takes_it_in(desk: Any) -> None:
    case_no = settled(desk, department="市公安局户政管理支队")
    made = drafted(desk, case_no)
    assert (made.question, made.department) == ("居住证满几年可以落户", "市公安局户政管理支队")
    now = desk.clock.now()

    def look(uow: UnitOfWork) -> tuple[int, int]:
        return len(knowledge.all_entries(uow)), knowledge.list_drafts(uow, "open", 20, 0).total

    assert desk.database.write(look) == (0, 1)
    values = {"question": "居住证满几年可以落户？", "answer": "连续居住满五年。", "department": made.department}
    entry = desk.database.write(lambda uow: knowledge.accept_draft(uow, made.id, values, actor="editor", now=now))
    assert entry.extra == {"case_no": case_no}
    assert desk.database.write(look) == (1, 0)
    shown = desk.detail(case_no).draft
    assert (shown.state, shown.entry_id) == ("accepted", entry.id)
    with pytest.raises(Conflict):
        desk.database.write(lambda uow: knowledge.drop_draft(uow, made.id, actor="editor", now=now))


def test_a_dropped_draft_does_not_come_back(desk: Any) -> None:
    case_no = settled(desk)
    made = drafted(desk, case_no)
    desk.database.write(lambda uow: knowledge.drop_draft(uow, made.id, actor="editor", now=desk.clock.now()))
    assert drafted(desk, case_no).state == "dropped"
    assert desk.count(KnowledgeDraft) == 1


def test_a_tip_off_is_never_drafted_also_by_those_who_may_know_of_it(desk: Any) -> None:
    case_no = desk.open(kind="report").case_no
    desk.database.write(lambda uow: name_reader(uow, desk, case_no))
    desk.do(cases.reply, case_no, desk.li, text="已经立案。", resolve=True)
    with pytest.raises(Forbidden):
        drafted(desk, case_no)
    assert desk.count(KnowledgeDraft) == 0


def name_reader(uow: UnitOfWork, desk: Any, case_no: str) -> None:
    case = repository.find_case(uow.session, case_no)
    assert case is not None
    sight_repository.insert_access(uow.session, case.id, "li", "test", desk.clock.now())


def test_an_open_case_and_one_without_an_answer_are_refused(desk: Any) -> None:
    open_one = desk.open().case_no
    desk.do(cases.reply, open_one, desk.li, text="正在核实。")
    with pytest.raises(Conflict):
        drafted(desk, open_one)
    unanswered = desk.open().case_no
    desk.do(cases.close, unanswered, desk.boss, reason="重复")
    with pytest.raises(Conflict):
        drafted(desk, unanswered)


def test_two_clerks_who_click_at_once_get_one_draft(postgres_desk: Any) -> None:
    case_no = settled(postgres_desk)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: drafted(postgres_desk, case_no), range(4)))
    assert len({one.id for one in made}) == 1
    assert postgres_desk.count(KnowledgeDraft) == 1
    assert postgres_desk.events(case_no).count("drafted") == 1
