"""BigGANs of PyTorch-StudioGAN, and its StyleGAN2 and StyleGAN3, which have NVIDIA's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Stream, render
from ganstrata.core.checkpoints import Part
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.plugins.generators.biggan.generator import BigGAN
from generators_biggan_studio import State, pictures, studio
from generators_stylegan2 import small_state as stylegan2
from generators_stylegan3 import small_state as stylegan3
from torch import Tensor

BESIDE = {"seed": 1, "run_name": "CIFAR10-BigGAN", "step": 100, "best_fid": None, "optimizer": {"state": {}}}


def images_of(path: Path) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pictures of a file in [-1, 1], z (N, Z), and class weights (N, Y)."""
    generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu")
    latents = generator.sample(3, 0, 0, Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition))
    images = render(generator, codes, condition=latents.condition) * 2.0 - 1.0
    if latents.condition is None:
        return images, latents.z, None
    count = generator.architecture.classes  # type: ignore[attr-defined]
    return images, latents.z, torch.nn.functional.one_hot(latents.condition, count)


@pytest.mark.parametrize(
    ("options", "family", "layers"),
    [
        ({}, "BigGAN", 4),
        ({"attention": 1}, "BigGAN", 4),
        ({"attention": None, "spectral": False}, "BigGAN", 4),
        ({"classes": 0}, "BigGAN", 4),
        ({"deep": True, "attention": 1}, "BigGAN-deep", 4),
        ({"deep": True, "skip": True}, "BigGAN-deep", 4),
        ({"deep": True, "classes": 0}, "BigGAN-deep", 4),
    ],
)
def test_studiogans_bigGANs(options: dict[str, Any], family: str, layers: int, tmp_path: Path) -> None:
    state = studio(**options)
    path = tmp_path / "model=G_ema-best-weights-step=100.pth"
    torch.save({"state_dict": state, **BESIDE}, path)
    images, z, weights = images_of(path)
    assert (images - pictures(state, z, weights)).abs().max() < 1e-5
    facts = inspect(str(path))
    assert (facts.family, facts.layers, facts.resolution, facts.faults) == (family, layers, 16, ())
    convert(str(path), tmp_path / "a.safetensors")
    assert (images_of(tmp_path / "a.safetensors")[0] - images).abs().max() < 1e-5


def test_at_32_pixels_a_deep_network_of_equal_widths_has_three_stages(tmp_path: Path) -> None:
    state = studio((8, 8, 8, 8), deep=True, attention=None)
    torch.save(state, tmp_path / "a.pth")
    images, z, weights = images_of(tmp_path / "a.pth")
    assert images.shape[-1] == 32
    assert (images - pictures(state, z, weights)).abs().max() < 1e-4


def test_the_activation_is_assumed() -> None:
    examined = BigGAN.examine(Part("", studio(), {}))
    assert examined is not None
    assert any("ReLU" in told for told in examined.assumptions)


@pytest.mark.parametrize(
    ("plugin", "state"), [("stylegan2", stylegan2("nvidia")), ("stylegan3", stylegan3())], ids=["2", "3"]
)
def test_studiogans_stylegans_have_nvidias_names(plugin: str, state: State, tmp_path: Path) -> None:
    torch.save({"state_dict": state, **BESIDE}, tmp_path / "a.pth")
    facts = inspect(str(tmp_path / "a.pth"))
    assert (facts.plugin, facts.faults) == (plugin, ())


def test_no_tensor_can_be_left_out() -> None:
    state: State = studio()
    for name in state:
        if name.endswith("num_batches_tracked"):
            continue
        part = Part("", {key: value for key, value in state.items() if key != name}, {})
        if BigGAN.recognise(part.shapes, {}) is None:
            continue
        try:
            examined = BigGAN.examine(part)
        except ganstrata.CheckpointError:
            continue
        # Without the embedding the network is another one, whose linear maps have other sizes.
        assert examined is not None
        assert examined.faults, name
