"""What managers count as overdue and still unanswered, what lists show of it, and what it leaves out."""

from pathlib import Path
from typing import Any

import pytest

from services.accounts.schemas import StaffUser
from services.cases import service as cases
from tests.integration.cases.conftest import CIVIL, DEMO_CITY

CHIEF = StaffUser("chief", "manager", None)
SETTLED = "      - {target: resolution, kind: complaint, limit: 2, unit: working_days, source: 办结时限（示范）}\n"


@pytest.fixture
def office(bare_desk: Any, tmp_path: Path) -> Any:
    """A desk whose complaints are to be settled within two working days, and answered within five."""
    for file in DEMO_CITY.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with (tmp_path / "policies.yaml").open("a", encoding="utf-8") as policies:
        policies.write(SETTLED)
    bare_desk.apply_city(tmp_path)
    return bare_desk


def counted(desk: Any) -> tuple[int, int, int]:
    """Overdue and unanswered by the report; by the list; and overdue by any limit."""
    report = desk.report()
    with desk.database.unit_of_work(read_only=True) as uow:
        listed = cases.list_cases(uow, desk.secrets, user=CHIEF, now=desk.clock.now(), unanswered=True)
        late = cases.list_cases(uow, desk.secrets, user=CHIEF, now=desk.clock.now(), overdue=True)
    assert late.total == report["overdue_cases"]
    assert len(listed.cases) == listed.total
    return report["unanswered_overdue_cases"], listed.total, report["overdue_cases"]


def test_a_case_that_was_answered_is_not_unanswered_however_late_it_is_settled(office: Any) -> None:
    complaint = office.open(kind="complaint", department=CIVIL).case_no
    office.do(cases.reply, complaint, office.boss, text="已转办，正在核查")
    assert counted(office.at("2026-11-26T10:00")) == (0, 0, 1)
    unanswered = office.open(kind="urgent").case_no
    assert counted(office.at("2026-11-26T11:00")) == (1, 1, 2)
    office.do(cases.reply, unanswered, office.boss, text="已派人到场")
    # An answer that came late is an answer.
    assert counted(office) == (0, 0, 1)


def test_a_limit_that_is_past_counts_only_for_the_one_it_is_a_limit_of(office: Any) -> None:
    office.open(kind="complaint", department=CIVIL)
    # Two working days are over, five are not: late, but its first answer is still in time.
    assert counted(office.at("2026-11-25T10:00")) == (0, 0, 1)
    assert counted(office.at("2026-11-30T10:00")) == (1, 1, 1)


def test_what_waits_for_its_citizen_or_is_closed_is_no_overdue_answer(office: Any) -> None:
    waiting, closed = office.open().case_no, office.open().case_no
    office.do(cases.claim, waiting, office.li)
    office.do(cases.hold, waiting, office.li, question="请补充地址")
    assert counted(office.at("2026-11-24T10:00")) == (1, 1, 1)
    office.do(cases.close, closed, office.boss, reason="重复来信")
    assert counted(office) == (0, 0, 0)


def test_a_reopened_case_waits_for_an_answer_again(office: Any) -> None:
    number = office.open().case_no
    office.do(cases.reply, number, office.boss, text="已办理", resolve=True)
    office.do(cases.reopen, number, office.boss, reason="没有解决")
    assert counted(office) == (0, 0, 0)
    assert counted(office.at("2026-11-25T10:00")) == (1, 1, 1)
