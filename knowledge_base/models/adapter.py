"""Low-rank additions to the bundled model's weights (``data/adapter.npz``, made by ``training/adapt.py``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

DEFAULT_ADAPTER = Path(__file__).resolve().parent.parent / "data" / "adapter.npz"
# Endings of the names of the layers that carry an addition.
LAYERS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)


def merge(state: dict[str, torch.Tensor], adapter: Path) -> None:
    """Add the adapter's products to the weights in `state` (float32), in place. KeyError for an unknown layer."""
    with np.load(adapter) as arrays:
        for name in sorted({key.rpartition(".")[0] for key in arrays.files}):
            up = torch.from_numpy(arrays[f"{name}.up"].astype(np.float32))
            down = torch.from_numpy(arrays[f"{name}.down"].astype(np.float32))
            state[f"{name}.weight"] += up @ down
