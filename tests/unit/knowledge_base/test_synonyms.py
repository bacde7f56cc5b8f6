from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from knowledge_base import Entry, ImportRejected, KnowledgeBase, Synonyms
from knowledge_base.testing import FakeEmbedder

CREATED = datetime(2026, 3, 2, tzinfo=UTC)
ENTRIES = [
    Entry(id="car", question="小型汽车检验周期", answer="六年内免检。"),
    Entry(id="bike", question="电动自行车登记", answer="到车管所登记。"),
    Entry(id="household", question="新生儿户口登记", answer="到派出所办理。"),
]


def test_everyday_words_become_official_ones_and_official_ones_stay_whole() -> None:
    lexicon = Synonyms({"轿车": "小型汽车", "汽车": "机动车", "驾照": "机动车驾驶证"})
    assert lexicon.official("轿车和汽车的驾照") == "小型汽车和机动车的机动车驾驶证"
    assert lexicon.official("小型汽车年检") == "小型汽车年检"


def test_the_longest_everyday_word_wins() -> None:
    lexicon = Synonyms({"户口": "户籍", "上户口": "户口登记"})
    assert lexicon.official("给孩子上户口") == "给孩子户口登记"


def test_words_are_matched_whatever_their_script() -> None:
    assert Synonyms({"駕照": "機動車駕駛證"}).official("驾照") == "机动车驾驶证"


def test_the_lexicon_that_comes_along_is_whole() -> None:
    lexicon = Synonyms.load()
    assert len(lexicon) >= 300
    assert lexicon.official("小轿车") == "小型汽车"


def test_a_later_file_wins_and_comments_say_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("# 说明\n\n户口登记 = 上户口，落户\n", encoding="utf-8")
    second.write_text("户籍登记 = 落户\n", encoding="utf-8")
    lexicon = Synonyms.load(first, second)
    assert (lexicon.official("上户口"), lexicon.official("落户")) == ("户口登记", "户籍登记")


@pytest.mark.parametrize("line", ["没有等号", "= 上户口", "户口登记 ="])
def test_a_line_without_both_sides_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "s.txt").write_text(f"户口登记 = 上户口\n{line}\n", encoding="utf-8")
    with pytest.raises(ImportRejected, match=r"s\.txt 第 2 行"):
        Synonyms.load(tmp_path / "s.txt")


def test_an_empty_lexicon_changes_nothing() -> None:
    assert Synonyms({}).official("小轿车") == "小轿车"


def test_a_lexicon_of_its_own_makes_a_base_find_what_citizens_call_it(tmp_path: Path) -> None:
    directory = tmp_path / "1"
    without = KnowledgeBase.build(ENTRIES, FakeEmbedder(), directory, created_at=CREATED, synonyms=Synonyms({}))
    assert all(hit.lexical == 0 for hit in without.search("铁包肉").hits)
    base = KnowledgeBase.open(directory, FakeEmbedder(), synonyms=Synonyms({"铁包肉": "小型汽车"}))
    hit = max(base.search("铁包肉").hits, key=lambda hit: hit.lexical)
    assert hit.entry_id == "car"
    assert hit.lexical > 0.9
