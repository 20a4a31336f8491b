"""Small generators in files: write them with their settings, load them, and draw their codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import torch
from ganstrata import Generator, Stream, render
from safetensors.torch import save_file
from torch import Tensor


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    """Write a checkpoint with its settings in the header; gives its path."""
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


def loader(plugin: str) -> Callable[..., Generator]:
    """Make load(path, **config), which loads a checkpoint by this plugin on the CPU."""

    def load(path: Path | str, **config: Any) -> Generator:
        return ganstrata.load_generator(plugin, checkpoint=str(path), device="cpu", **config)

    return load


def codes_of(generator: Generator, n: int = 3) -> Tensor:
    """Draw n samples and give each sample's code to all layers, (N, L, D)."""
    latents = generator.sample(n, 0, 0, Stream.PROBING)
    return generator.broadcast(generator.map(latents.z, latents.condition))


def images_of(generator: Generator, n: int = 3, condition: Tensor | None = None, **how: Any) -> Tensor:
    """Render n samples under a condition; nothing is drawn for one that is not given."""
    z = generator.sample(n, 0, 0, Stream.PROBING).z
    return render(generator, generator.broadcast(generator.map(z, condition)), condition=condition, **how)


def codes_by_layer(generator: Generator, n: int = 2, seed: int = 1) -> Tensor:
    """Draw n samples with a code of its own for every layer, (N, L, D)."""
    return torch.randn(
        n, generator.card.layers, generator.card.code_size, generator=torch.Generator().manual_seed(seed)
    )
