"""A StyleGAN checkpoint of the size that HiGAN published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ganstrata import render
from generator_files import codes_of, loader
from generators_stylegan import small_state
from safetensors.torch import save_file
from torch import Tensor

load = loader("stylegan")


def full_size() -> dict[str, Tensor]:
    """Random weights of the 256-pixel network that HiGAN published, in half precision."""
    widths = tuple(min(16384 // (4 * 2**level), 512) for level in range(7))
    shapes = {
        name: tuple(t.shape)
        for name, t in small_state(
            "higan", widths=(1, 1, 1, 1, 1, 1, 1), z_dim=1, w_dim=1, depth=8, hidden=1
        ).items()
    }
    random = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        made = _full_shape(name, shape, widths)
        row = torch.randn(max(made[-1:], default=1) + 1, generator=random)
        scale = (
            100.0
            if name.startswith("mapping") and name.endswith("fc.weight")
            else 0.3
            if "bias" in name or "apply_noise.weight" in name
            else 1.0
        )
        values = (
            row.repeat(max(1, torch.Size(made).numel()) // len(row) + 1)[: torch.Size(made).numel()].view(
                made
            )
            * scale
        )
        tensors[name] = torch.zeros(()) if name.endswith("lod") else values.half()
        if name.endswith("kernel"):
            tensors[name] = (
                (torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16.0)
                .expand(made)
                .contiguous()
            )
    return tensors


def _full_shape(name: str, small: tuple[int, ...], widths: tuple[int, ...]) -> tuple[int, ...]:
    """The published shape of a tensor whose channels are all 1 in the small network."""
    part, *rest = name.split(".")
    if part in ("mapping", "truncation"):
        return small if rest == ["truncation"] else tuple(512 for _ in small)
    number = int("".join(c for c in rest[0] if c.isdigit()) or 0)
    if rest[0].startswith("output"):
        return (3, widths[number], 1, 1) if len(small) == 4 else (3,)
    if rest[0] == "lod" or rest[-1] == "noise":
        return small
    width, below = widths[number // 2], widths[max(number - 1, 0) // 2]
    if rest[-1] == "const":
        return (1, width, 4, 4)
    if rest[-1] == "kernel":
        return (width, 1, 3, 3)
    if "style_mod" in rest:
        return (2 * width, 512) if len(small) == 2 else (2 * width,)
    if len(small) == 4:
        return (width, below, 3, 3) if "conv" in rest else (3, 3, below, width)
    return (width,)


def test_a_full_size_checkpoint_loads(tmp_path: Path) -> None:
    tensors = full_size()
    assert len(tensors) == 123
    save_file(tensors, tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False, truncation_psi=0.7, truncation_layers=8)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (256, 14, 512, 512)
    assert [s.style_width for s in generator.strata] == [1024] * 8 + [512] * 2 + [256] * 2 + [128] * 2 + [
        None
    ]
    assert codes_of(generator).shape == (3, 14, 512)


@pytest.mark.full
def test_a_full_size_checkpoint_renders(tmp_path: Path) -> None:
    save_file(full_size(), tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False)
    images = render(generator, codes_of(generator, 1))
    assert images.shape == (1, 3, 256, 256)
    assert images.isfinite().all()
    assert images.std() > 0.0
