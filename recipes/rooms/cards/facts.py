"""Read the facts of a card, about weights and their training data, from the files themselves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from ganstrata.core.checkpoints import read_checkpoint

from ..render import render


def counts(path: Path) -> dict[str, Any]:
    """Read a checkpoint's settings and shapes, and count its parameters (without buffers) and bytes."""
    checkpoint = read_checkpoint(path)
    kept = ("running_", "num_batches", "resample_filter", "noise_const", "w_avg")
    numbers = sum(
        tensor.numel()
        for name, tensor in checkpoint.tensors.items()
        if not any(part in name for part in kept)
    )
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    return {
        "parameters": numbers,
        "bytes": path.stat().st_size,
        "sha256": checkpoint.sha256,
        "settings": checkpoint.settings,
        "shapes": shapes,
    }


def seed_of(folder: Path) -> int:
    """Find the seed of a set of renders, by rendering its first picture again.

    Raises:
        ValueError: none of the first hundred seeds gives this picture.
    """
    first = np.load(folder / "images.npy", mmap_mode="r")[0]
    for seed in range(100):
        for independent in (False, True):
            if np.array_equal(render(seed, 0, first.shape[0], independent=independent)[0], first):
                return seed
    raise ValueError(f"{folder} was rendered by other code, or with a seed above 99")


def common(weights: dict[str, Any], path: Path, machine: str) -> list[tuple[str, ...]]:
    """List the facts that every card has."""
    return [
        ("file", f"`{path.name}`, {weights['bytes'] / 2**20:.2f} MiB, float16 safetensors"),
        ("sha256", f"`{weights['sha256']}`"),
        ("parameters", f"{weights['parameters']:,}"),
        ("machine", machine),
        ("licence", "MIT, weights and data"),
    ]


def data_facts(args: argparse.Namespace) -> list[tuple[str, ...]]:
    """List the training data and the held-out data."""
    sets = [np.load(folder / "images.npy", mmap_mode="r") for folder in (args.data, args.held_out)]
    return [
        (
            "training data",
            f"{len(sets[0]):,} rooms of `recipes/rooms/render.py`, seed {seed_of(args.data)}; "
            "no photographs, no people",
        ),
        ("held-out data", f"{len(sets[1]):,} other rooms, seed {seed_of(args.held_out)}"),
    ]
