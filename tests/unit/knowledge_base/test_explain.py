from __future__ import annotations

from knowledge_base import KnowledgeBase, explain


def test_a_hit_says_which_wording_and_which_pieces_of_it_matched(base: KnowledgeBase) -> None:
    text = "請問身份證遺失如何補領呢"
    hit = base.search(text).hits[0]
    why = explain(base, text, hit)
    assert (why.wording, why.similar, why.matched) == ("身份证遗失如何补领", True, ("身份证遗失如何补领",))
    assert why.band == base.bands.of(hit.confidence)
    assert {"dense", "dense_answer", "lexical"} <= why.parts.keys()
    assert why.parts["dense"] == hit.dense


def test_the_question_itself_is_not_called_similar(base: KnowledgeBase) -> None:
    hit = base.search("公积金怎么提取").hits[0]
    assert not explain(base, "公积金怎么提取", hit).similar
