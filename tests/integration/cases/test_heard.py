"""A citizen who writes to an open case makes it rise, unread for whoever has it; on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from services.accounts.schemas import StaffUser
from services.cases import repository, sight_repository
from services.cases import service as cases
from services.core.errors import Conflict, NotFound
from services.sla import service as sla
from tests.integration.cases.conftest import CIVIL, POLICE, Desk

CONVERSATION = "conversation-1"


def opened(desk: Desk, conversation: str = CONVERSATION, **values: Any) -> str:
    return desk.open(conversation_id=conversation, **values).case_no


def adds(desk: Desk, text: str, conversation: str = CONVERSATION, *, after: int = 0) -> None:
    """The citizen adds to the open case, so many minutes later."""
    desk.clock.set(desk.clock.now() + timedelta(minutes=after))
    case_no = desk.run(cases.open_case_of, conversation_id=conversation).case_no
    desk.run(cases.citizen_adds, case_no=case_no, conversation_id=conversation, text=text)


def listed(desk: Desk, user: StaffUser, **values: Any) -> Any:
    return desk.run(cases.list_cases, user=user, **values)


def numbers(desk: Desk, user: StaffUser, **values: Any) -> list[str]:
    return [one.case_no for one in listed(desk, user, **values).cases]


def unread(desk: Desk, case_no: str, user: StaffUser | None = None) -> int:
    news = desk.detail(case_no, user).news
    return news.unread if news is not None else 0


def reads(desk: Desk, case_no: str, user: StaffUser, upto: int = 1000) -> None:
    now = desk.clock.now()
    desk.database.write(lambda uow: cases.mark_read(uow, case_no=case_no, user=user, upto=upto, now=now))


def test_a_case_whose_citizen_writes_rises_above_all_but_urgent_ones(desk: Desk) -> None:
    first, second = opened(desk, "a"), opened(desk, "b")
    third, urgent = opened(desk, "c"), opened(desk, "d", kind="urgent")
    assert numbers(desk, desk.li) == [urgent, first, second, third]
    adds(desk, "还在漏水", "c", after=5)
    adds(desk, "还在漏水", "b", after=5)
    # Who has waited longest for a reader comes first, however often somebody else writes.
    adds(desk, "有人吗", "b", after=1)
    assert numbers(desk, desk.li) == [urgent, third, second, first]


def test_the_list_says_how_many_since_when_and_the_last_words_in_short(desk: Desk) -> None:
    case_no = opened(desk)
    assert listed(desk, desk.li).cases[0].news is None
    adds(desk, "路灯也坏了", after=10)
    since = desk.clock.now()
    adds(desk, "在东门\n" + "很黑" * 100, after=12)
    page = listed(desk, desk.li)
    news = page.cases[0].news
    assert (page.cases[0].case_no, page.unread) == (case_no, 1)
    assert (news.unread, news.since, news.at) == (2, since, desk.clock.now())
    assert news.words.startswith("在东门 很黑")
    assert (len(news.words), news.words[-1]) == (60, "…")


def test_the_words_are_encrypted_at_rest(desk: Desk) -> None:
    case_no = opened(desk)
    adds(desk, "路灯也坏了")
    with desk.database.unit_of_work(read_only=True) as uow:
        row = repository.find_case(uow.session, case_no)
        assert row is not None
        assert row.words_encrypted is not None
        assert "路灯" not in row.words_encrypted


def test_pressing_asking_again_and_opening_again_are_words_too(desk: Desk) -> None:
    case_no = opened(desk)
    desk.run(cases.citizen_presses, case_no=case_no, conversation_id=CONVERSATION)
    assert (unread(desk, case_no), desk.detail(case_no).news.words) == (1, "（催办）")
    opened(desk, words="怎么还没人来")
    assert (unread(desk, case_no), desk.detail(case_no).news.words) == (2, "怎么还没人来")
    desk.do(cases.reply, case_no, desk.li, text="已派人", resolve=True)
    assert desk.detail(case_no).news is None
    reopen = {"case_no": case_no, "conversation_id": CONVERSATION, "reason": "没有人来"}
    desk.run(cases.citizen_reopens, **reopen)
    assert (unread(desk, case_no), desk.detail(case_no).news.words) == (3, "没有人来")


def test_only_the_clerk_who_has_the_case_reads_it_for_good(desk: Desk) -> None:
    case_no = opened(desk)
    desk.do(cases.claim, case_no, desk.li)
    adds(desk, "路灯也坏了")
    for other in (desk.wang, desk.boss):
        reads(desk, case_no, other)
        assert unread(desk, case_no) == 1
    reads(desk, case_no, desk.li)
    assert (unread(desk, case_no), listed(desk, desk.li).unread) == (0, 0)
    assert desk.detail(case_no).news.since is None


def test_an_unclaimed_case_is_read_for_its_department_by_one_of_its_clerks_and_by_no_supervisor(desk: Desk) -> None:
    case_no = opened(desk, department=POLICE)
    adds(desk, "路灯也坏了")
    reads(desk, case_no, desk.boss)
    assert unread(desk, case_no, desk.officer) == 1
    with pytest.raises(NotFound):
        reads(desk, case_no, desk.social)
    reads(desk, case_no, desk.officer)
    colleague = StaffUser("colleague", "clerk", POLICE)
    assert unread(desk, case_no, colleague) == 0


def test_what_was_not_read_goes_with_the_case_into_other_hands(desk: Desk) -> None:
    case_no = opened(desk, department=POLICE)
    desk.do(cases.claim, case_no, desk.officer)
    adds(desk, "这其实是民政的事")
    desk.do(cases.transfer, case_no, desk.officer, department=CIVIL, reason="不属本部门")
    assert listed(desk, desk.social).unread == 1
    reads(desk, case_no, desk.officer.__class__("officer", "clerk", None))
    desk.do(cases.claim, case_no, desk.social)
    reads(desk, case_no, desk.social)
    assert listed(desk, desk.social).unread == 0


def test_words_that_came_after_the_look_stay_unread(desk: Desk) -> None:
    case_no = opened(desk)
    desk.do(cases.claim, case_no, desk.li)
    adds(desk, "一")
    seen = desk.detail(case_no).news.upto
    adds(desk, "二", after=1)
    reads(desk, case_no, desk.li, upto=seen)
    news = desk.detail(case_no).news
    assert (news.unread, news.since) == (1, desk.clock.now())
    reads(desk, case_no, desk.li, upto=seen)
    assert unread(desk, case_no) == 1


def test_words_of_a_confidential_case_are_in_the_lists_of_the_named_only(desk: Desk) -> None:
    case_no = opened(desk, kind="report", title="有人受贿")
    desk.database.write(lambda uow: name_reader(uow, desk, case_no))
    adds(desk, "收钱的是局长")
    for stranger in (desk.wang, desk.boss, StaffUser("root", "admin", None), StaffUser("chief", "manager", None)):
        page = listed(desk, stranger)
        assert (page.cases, page.total, page.unread) == ([], 0, 0)
        with pytest.raises(NotFound):
            reads(desk, case_no, stranger)
    page = listed(desk, desk.li)
    assert (page.unread, page.cases[0].news.words) == (1, "收钱的是局长")
    reads(desk, case_no, desk.li)
    assert listed(desk, desk.li).unread == 0


def name_reader(uow: Any, desk: Desk, case_no: str) -> None:
    case = repository.find_case(uow.session, case_no)
    assert case is not None
    sight_repository.insert_access(uow.session, case.id, "li", "test", desk.clock.now())


def test_the_citizen_of_a_merged_case_is_heard_where_it_goes_on(desk: Desk) -> None:
    duplicate, other = opened(desk, "a"), opened(desk, "b")
    desk.do(cases.merge, duplicate, desk.li, into=other)
    spoken = {"conversation_id": "a", "words": "我这边也还在漏水", "title": None, "seq": 3}
    assert desk.run(cases.citizen_spoke, **spoken) == other
    assert (unread(desk, other), desk.detail(other).news.words) == (1, "我这边也还在漏水")
    desk.do(cases.close, other, desk.boss, reason="完毕")
    assert desk.run(cases.citizen_spoke, **spoken) is None


def test_a_case_without_a_title_takes_the_first_words_that_say_something(desk: Desk) -> None:
    case_no = opened(desk, title="（市民尚未说明事由）", titled=False)
    desk.run(cases.citizen_spoke, conversation_id=CONVERSATION, words="在吗", title=None, seq=4)
    assert desk.detail(case_no).title == "（市民尚未说明事由）"
    for seq, words in ((5, "路灯坏了"), (6, "还有井盖")):
        desk.run(cases.citizen_spoke, conversation_id=CONVERSATION, words=words, title=words, seq=seq)
    assert (desk.detail(case_no).title, desk.detail(case_no).title_seq) == ("路灯坏了", 5)


def test_a_title_is_edited_by_whoever_may_answer_and_the_log_says_what_it_was(desk: Desk) -> None:
    case_no = opened(desk, title="它又坏了")
    desk.do(cases.claim, case_no, desk.li)
    with pytest.raises(Conflict):
        desk.do(cases.retitle, case_no, desk.wang, title="别的")
    assert desk.do(cases.retitle, case_no, desk.li, title="幸福路路灯损坏").title == "幸福路路灯损坏"
    desk.do(cases.retitle, case_no, desk.li, title="幸福路路灯损坏")
    edits = [event for event in desk.detail(case_no).events if event.type == "retitled"]
    assert [(one.actor, one.text) for one in edits] == [("li", "“它又坏了”改为“幸福路路灯损坏”")]
    assert sla.UNASSIGNED in desk.detail(case_no).department
    with pytest.raises(NotFound):
        desk.do(cases.retitle, opened(desk, "b", department=POLICE), desk.social, title="别的")


def test_a_draft_holds_every_answer_once_in_their_order(desk: Desk) -> None:
    case_no = opened(desk, title="居住证满几年可以落户")
    for text in ("连续居住满五年可以申请。", "请带居住证到户政窗口。", "连续居住满五年可以申请。"):
        desk.do(cases.reply, case_no, desk.li, text=text)
    desk.do(cases.resolve, case_no, desk.li)
    made: Any = desk.do(cases.draft, case_no, desk.li, hide=lambda text: text, question="满几年可以落户？我是租房的。")
    assert made.question == "满几年可以落户？我是租房的。"
    assert made.answer == "连续居住满五年可以申请。\n\n请带居住证到户政窗口。"
