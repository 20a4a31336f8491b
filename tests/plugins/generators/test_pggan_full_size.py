"""A ProgressiveGAN checkpoint of the size that GenForce published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from generator_files import codes_of, images_of, loader
from safetensors.torch import save_file
from torch import Tensor

load = loader("pggan")


def full_size() -> dict[str, Tensor]:
    """Random weights of the 256-pixel network that GenForce published, in half precision."""
    widths = tuple(min(16384 // (4 * 2**level), 512) for level in range(7))
    random = torch.Generator().manual_seed(0)
    tensors = {"lod": torch.zeros(())}
    for level, width in enumerate(widths):
        for i, (below, size) in enumerate([(widths[level - 1], 3) if level else (512, 4), (width, 3)]):
            row = torch.randn(below * size * size, generator=random)
            tensors[f"layer{2 * level + i}.weight"] = (
                torch.stack([row.roll(7 * o) for o in range(width)]).view(width, below, size, size).half()
            )
            tensors[f"layer{2 * level + i}.bias"] = torch.zeros(width).half()
        tensors[f"output{level}.weight"] = torch.randn(3, width, 1, 1, generator=random).half()
        tensors[f"output{level}.bias"] = torch.zeros(3).half()
    return tensors


def test_a_full_size_checkpoint_loads(tmp_path: Path) -> None:
    save_file(full_size(), tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size) == (256, 1, 512)
    assert [s.size for s in generator.strata[:4]] == [4, 4, 8, 8]
    assert codes_of(generator).shape == (3, 1, 512)


@pytest.mark.full
def test_a_full_size_checkpoint_renders(tmp_path: Path) -> None:
    save_file(full_size(), tmp_path / "bedroom.safetensors")
    images = images_of(load(tmp_path / "bedroom.safetensors", check=False), 1)
    assert images.shape == (1, 3, 256, 256)
    assert images.isfinite().all()
    assert images.std() > 0.0
