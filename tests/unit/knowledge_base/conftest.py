"""Shared fixtures: a small base with the deterministic embedder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from knowledge_base import Entry, KnowledgeBase
from knowledge_base.testing import FakeEmbedder

CREATED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

ENTRIES = (
    Entry(
        id="id-card",
        question="身份证丢了怎么补办",
        similar_questions=("身份证遗失如何补领", "补身份证要带什么"),
        answer="请带户口簿到任一派出所户籍窗口办理补领。",
        department="公安局",
        region="东区",
    ),
    Entry(id="fund", question="公积金怎么提取", answer="登录公积金网站，提交提取申请。", department="公积金中心"),
    Entry(
        id="heating",
        question="供暖什么时候开始",
        answer="每年十一月十五日开始供暖。",
        department="住建局",
        valid_from=date(2025, 11, 1),
        valid_to=date(2026, 3, 31),
    ),
    Entry(id="heating-twin", question="几号来暖气", answer="每年十一月十五日开始供暖。", department="住建局"),
    Entry(id="school", question="小学入学需要什么材料", answer="需要户口簿、房产证明和预防接种证。", region="西区"),
)

BuildBase = Callable[[Sequence[Entry]], KnowledgeBase]


@pytest.fixture
def build_base(tmp_path: Path) -> BuildBase:
    """Build a base of the given entries with the deterministic embedder."""

    def build(entries: Sequence[Entry]) -> KnowledgeBase:
        directory = tmp_path / f"snapshot-{len(list(tmp_path.iterdir()))}"
        return KnowledgeBase.build(entries, FakeEmbedder(), directory, created_at=CREATED)

    return build


@pytest.fixture
def base(build_base: BuildBase) -> KnowledgeBase:
    """The five entries above."""
    return build_base(ENTRIES)
