"""Make hostile files of every kind that ganstrata reads, reproducibly from a seed and a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hostile_archives import damaged, plain_pickle, torch_legacy, torch_zip
from hostile_arrays import npy, npz
from hostile_safetensors import generator, safetensors, scorers
from hostile_texts import ballot, names, table

# How a file is made, how its name ends, and how often.
KINDS: dict[str, tuple[Callable[[np.random.Generator], bytes], str, float]] = {
    "torch zip": (torch_zip, ".pt", 3),
    "torch legacy": (torch_legacy, ".pth", 3),
    "pickle": (plain_pickle, ".pkl", 4),
    "damaged": (damaged, ".pt", 1),
    "safetensors": (safetensors, ".safetensors", 1),
    "generator": (generator, ".safetensors", 3),
    "scorer": (scorers, ".scorer", 1),
    "npy": (npy, ".npy", 2),
    "npz": (npz, ".npz", 1),
    "table": (table, ".csv", 1),
    "names": (names, ".txt", 0.5),
    "ballot": (ballot, ".json", 0.5),
}


def hostile_file(seed: int, number: int) -> tuple[str, str, bytes]:
    """The kind of a file, how its name ends, and what it holds."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([weight for _, _, weight in KINDS.values()])
    kind = list(KINDS)[rng.choice(len(KINDS), p=weights / weights.sum())]
    make, suffix, _ = KINDS[kind]
    return kind, suffix, make(rng)
