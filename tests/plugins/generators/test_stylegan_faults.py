"""StyleGAN files that are incomplete, mixed or of senseless sizes: refused in words, without a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ganstrata import Generator, render
from ganstrata.core.errors import CheckpointError
from generator_files import codes_by_layer, loader, write
from generators_stylegan import LAYOUTS, small_state, weights

load = loader("stylegan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "small.safetensors", small_state("higan"))


@pytest.fixture
def small(path: Path) -> Generator:
    return load(path)


@pytest.mark.parametrize("layout", ["higan", "genforce", "tensorflow"])
@pytest.mark.parametrize("lod", [1.0, 0.3, -1.0, float("nan")])
def test_a_network_that_is_still_growing_is_refused(layout: str, lod: float, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"still growing: its level of detail \(lod\) is"):
        load(write(tmp_path / "a.safetensors", small_state(layout, lod=lod)))


def test_the_level_of_detail_and_lower_outputs_may_be_missing(tmp_path: Path, small: Generator) -> None:
    tensors = {
        n: t
        for n, t in small_state("higan", lod=None).items()
        if not n.startswith(("synthesis.output0", "synthesis.output1", "truncation.tr"))
    }
    codes = codes_by_layer(small)
    assert torch.equal(render(load(write(tmp_path / "a.safetensors", tensors)), codes), render(small, codes))


def test_a_filter_of_another_size_is_refused(tmp_path: Path) -> None:
    tensors = small_state("higan")
    tensors["synthesis.layer2.blur.kernel"] = torch.full((5, 1, 4, 4), 1.0 / 16.0)
    with pytest.raises(
        CheckpointError, match=r"synthesis\.layer2\.blur\.kernel has the shape \(5, 1, 4, 4\)"
    ):
        load(write(tmp_path / "a.safetensors", tensors))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("nonlinearity", "relu", "nonlinearity = 'relu'"),
        ("normalize_latents", False, "normalize_latents"),
        ("use_instance_norm", False, "use_instance_norm"),
        ("blur_filter", [1, 3, 3, 1], "low-pass filter"),
        ("blur_filter", None, "low-pass filter"),
        ("fused_scale", "sometimes", "fused_scale"),
        ("mapping_lrmul", 0, "above 0"),
        ("mapping_lrmul", "0.01", "above 0"),
        ("mapping_lrmul", True, "above 0"),
        ("network", {"lr_multiplier": -1.0}, "above 0"),
        ("network", {"tanh": 1}, "true or false"),
    ],
)
def test_unsupported_and_senseless_settings_are_refused(
    setting: str, value: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(write(tmp_path / "a.safetensors", small_state("tensorflow"), **{setting: value}))


def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    tensors = small_state("higan")
    del tensors["synthesis.layer4.conv.weight"]
    tensors["synthesis.b4.torgb.weight"] = torch.zeros(3, 4, 1, 1)
    tensors["synthesis.layer1.conv.weight"] = torch.zeros(6, 5, 3, 3)
    tensors["synthesis.output9.conv.weight"] = torch.zeros(3, 4, 1, 1)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", tensors))
    for words in (
        "missing synthesis.layer4.conv.weight",
        "superfluous synthesis.b4.torgb.weight",
        "superfluous synthesis.output9.conv.weight",
        "synthesis.layer1.conv.weight is (6, 5, 3, 3), expected (6, 6, 3, 3)",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(5))
def test_any_missing_or_flattened_tensor_is_refused_without_a_crash(
    layout: str, seed: int, tmp_path: Path
) -> None:
    tensors = small_state(layout)
    free = (
        "truncation.tr",
        "synthesis.output0",
        "synthesis.output1",
        "G_synthesis/ToRGB_lod1",
        "G_synthesis/ToRGB_lod2",
        "ToRGB_lod1",
        "ToRGB_lod2",
    )
    used = sorted(
        n
        for n in tensors
        if not n.startswith(free)
        and "lod" not in n.split(".")[-1:]
        and n != "lod"
        and not n.endswith(".kernel")
    )
    name = used[seed * (len(used) - 1) // 4]
    shapes = ((3, 5, 2), (), (0, 16), (0, 0, 3, 3), (1, 1, 1, 1, 1))
    for damaged in (
        {k: v for k, v in tensors.items() if k != name},
        *(tensors | {name: torch.zeros(shape)} for shape in shapes),
    ):
        with pytest.raises(CheckpointError):
            load(write(tmp_path / "a.safetensors", damaged))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_families_in_one_file_are_refused(layout: str, tmp_path: Path) -> None:
    tensors = small_state(layout) | {
        "mapping.fc0.weight": torch.zeros(4, 4),
        "synthesis.b4.const": torch.zeros(4, 4, 4),
    }
    with pytest.raises(CheckpointError, match="superfluous"):
        load(write(tmp_path / "a.safetensors", tensors))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sizes_that_a_file_claims_take_no_memory(layout: str, tmp_path: Path) -> None:
    """Biases of a million channels, or layers for a million pixels, claim terabytes that are not there."""
    own = weights()
    for i in range(6):
        own[f"synthesis.layers.{i}.bias"] = torch.zeros(1_000_000)
    with pytest.raises(CheckpointError, match="does not fit a StyleGAN"):
        load(write(tmp_path / "a.safetensors", small_state(layout, own)))


def test_networks_above_4096_pixels_are_refused(tmp_path: Path) -> None:
    tensors = small_state("lernapparat", widths=(1,))
    for level in range(1, 19):
        start = f"g_synthesis.blocks.{4 * 2**level}x{4 * 2**level}."
        for conv, epi in (("conv0_up", "epi1"), ("conv1", "epi2")):
            tensors |= {
                f"{start}{conv}.weight": torch.zeros(1, 1, 3, 3),
                f"{start}{conv}.bias": torch.zeros(1),
            }
            tensors |= {
                f"{start}{epi}.top_epi.noise.weight": torch.zeros(1),
                f"{start}{epi}.style_mod.lin.bias": torch.zeros(2),
            }
            tensors[f"{start}{epi}.style_mod.lin.weight"] = torch.zeros(2, 5)
    with pytest.raises(CheckpointError, match=r"up to 22, which is 4096 pixels"):
        load(write(tmp_path / "a.safetensors", tensors))
