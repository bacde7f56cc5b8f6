"""A case opens with what the classifier takes it for; where that is unsure a clerk decides."""

from typing import Any

import pytest

from knowledge_base.testing import FakeEmbedder
from services.cases import learning
from services.cases import service as cases
from services.cases.models import CaseModelRow
from services.cases.proposing import LiveClassifier, Proposal
from services.understanding.classifier.model import Classifier


def proposal(
    kind: Any = "suggestion", sure: float = 0.9, department: str | None = "城管", place: float = 0.9
) -> Proposal:
    return Proposal(kind, kind or "咨询件", sure, department, place, 0)


def test_a_sure_proposal_decides_kind_department_and_with_them_the_clocks(desk: Any) -> None:
    case = desk.open(kind="help", proposal=proposal("consultation"))
    assert (case.kind, case.department, case.undecided) == ("consultation", "市城市管理局", False)
    assert case.clocks[0].policy == desk.open(kind="consultation").clocks[0].policy
    assert "1 个工作日" in case.clocks[0].source


def test_an_unsure_proposal_leaves_the_kind_to_a_clerk_who_decides_once(desk: Any) -> None:
    case = desk.open(kind="help", proposal=proposal("complaint", 0.41, "城管", 0.3))
    assert (case.kind, case.department, case.undecided) == ("help", "未分配", True)
    assert case.proposal is not None
    assert (case.proposal.kind, case.proposal.kind_confidence) == ("complaint", 0.41)
    decided = desk.do(cases.classify, case.case_no, desk.li, kind="help")
    assert (decided.kind, decided.undecided) == ("help", False)
    assert desk.events(case.case_no)[-1] == "reclassified"
    again = desk.do(cases.classify, case.case_no, desk.li, kind="help")
    assert (again.undecided, desk.events(case.case_no).count("reclassified")) == (False, 1)


def test_changing_only_the_department_does_not_decide_the_kind(desk: Any) -> None:
    case = desk.open(kind="help", proposal=proposal("complaint", 0.41))
    assert desk.do(cases.classify, case.case_no, desk.li, department="民政局").undecided


def test_what_the_citizen_called_it_stays_but_a_tip_off_among_complaints_is_confidential(desk: Any) -> None:
    assert desk.open(kind="complaint", proposal=proposal("suggestion", 0.99)).kind == "complaint"
    assert desk.open(kind="urgent", proposal=proposal("suggestion", 0.99)).kind == "urgent"
    told = desk.open(kind="complaint", proposal=proposal("report", 0.9))
    assert (told.kind, told.confidential) == ("report", True)


def test_a_label_or_department_that_the_city_does_not_have_is_shown_and_decides_nothing(desk: Any) -> None:
    case = desk.open(kind="help", proposal=proposal(None, 0.99, "渔业局", 0.99))
    assert (case.kind, case.department, case.undecided) == ("help", "未分配", True)
    assert case.proposal is not None
    assert (case.proposal.kind_label, case.proposal.department) == ("咨询件", "渔业局")


ROWS = [
    *(
        {"text": f"请问第{word}类证件怎么办理，需要什么材料", "kind": "询问", "domain": "证照"}
        for word in "甲乙丙丁戊己庚辛壬癸" * 3
    ),
    *(
        {"text": f"楼下{word}店半夜太吵，投诉多次没人管", "kind": "反映", "domain": "市容"}
        for word in "甲乙丙丁戊己庚辛壬癸" * 3
    ),
]
MAPPING = {"kinds": {"询问": "consultation", "反映": ["complaint", "help"]}, "departments": {"市容": "城管"}}


def train(rows: list[dict[str, str]], embedder: Any = None) -> Classifier:
    labelled = [learning.LabelledCase.model_validate(row) for row in rows]
    return learning.train(labelled, embedder, None, say=lambda line: None)[0]


@pytest.mark.parametrize("embedder", [None, FakeEmbedder()])
def test_a_running_process_uses_a_newly_stored_model_from_its_next_case_on(desk: Any, embedder: Any) -> None:
    live = LiveClassifier(desk.database, lambda: embedder or FakeEmbedder())
    before = live.propose("请问补办证件怎么办理，需要什么材料")
    assert before is not None
    assert (before.model, before.kind_label) == (0, "consultation")
    model = train(ROWS, embedder)
    desk.database.write(lambda uow: learning.store(uow, model, {}, MAPPING, actor="test", now=desk.clock.now()))
    after = live.propose("请问补办证件怎么办理，需要什么材料")
    assert after is not None
    assert (after.model, after.kind_label, after.kind, after.department) == (1, "询问", "consultation", "证照")
    loud = live.propose("隔壁饭店半夜太吵，投诉多次没人管")
    assert loud is not None
    assert (loud.kind, loud.department) == ("complaint", "城管")
    assert loud.sure_of_kind


def test_a_model_that_cannot_be_read_leaves_the_one_before_in_use(desk: Any) -> None:
    live = LiveClassifier(desk.database, FakeEmbedder)
    desk.database.write(
        lambda uow: uow.session.add(
            CaseModelRow(
                version=1, created_at=desk.clock.now(), created_by="test", figures={}, mapping={}, model=b"nothing"
            )
        )
    )
    found = live.propose("建议在公园里多修几个公共厕所")
    assert found is not None
    assert found.kind == "suggestion"


def test_a_text_without_words_gets_no_proposal(desk: Any) -> None:
    assert LiveClassifier(desk.database, FakeEmbedder).propose(" ？！ ") is None
