"""The examples of the dialogue with their embeddings, as the training of the Rasa model reads them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from knowledge_base.embedding.protocol import Vectors
from knowledge_base.testing import FakeEmbedder
from services.supervision.rasa_model import embed_examples
from services.understanding.examples import dialogue_examples


class Counting(FakeEmbedder):
    def __init__(self, identity: str) -> None:
        super().__init__(identity=identity)
        self.asked: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return super().embed_queries(texts)


def test_only_new_examples_are_embedded_and_another_model_begins_anew(tmp_path: Path) -> None:
    first = Counting("a")
    embed_examples(tmp_path / "1.npz", first)
    with np.load(tmp_path / "1.npz") as file:
        texts, vectors = file["texts"].tolist(), file["vectors"]
    assert len(first.asked) == len(texts) > 1000
    # An earlier file that lacks some of them, as before an editor added lines.
    np.savez(tmp_path / "1.npz", texts=np.array(texts[5:]), vectors=vectors[5:], model="a")
    again = Counting("a")
    embed_examples(tmp_path / "2.npz", again)
    assert again.asked == texts[:5]
    with np.load(tmp_path / "2.npz") as file:
        assert file["texts"].tolist() == texts
        assert (file["vectors"] == vectors).all()
    other = Counting("b")
    embed_examples(tmp_path / "3.npz", other)
    assert other.asked == texts


def test_a_sticker_is_embedded_as_rasa_reads_it(tmp_path: Path) -> None:
    embedder = Counting("a")
    embed_examples(tmp_path / "1.npz", embedder)
    doubled = [example.text for example in dialogue_examples() if "][" in example.text]
    assert doubled
    assert {text.split("]")[0].strip("[") for text in doubled} <= set(embedder.asked)
    assert not [text for text in embedder.asked if "][" in text]


def test_a_damaged_file_of_an_earlier_training_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "old.npz").write_bytes(b"PK\x03\x04 cut off")
    embedder = Counting("a")
    embed_examples(tmp_path / "1.npz", embedder)
    assert len(embedder.asked) > 1000
