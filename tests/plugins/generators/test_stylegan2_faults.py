"""StyleGAN2 files that are incomplete, mixed or of senseless sizes: refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Generator
from ganstrata.core.checkpoints import Part
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from generators_stylegan2 import LAYOUTS, small_state
from safetensors.torch import save_file
from torch import Tensor


def load(
    folder: Path, tensors: dict[str, Tensor], settings: dict[str, Any] | None = None, **config: Any
) -> Generator:
    path = folder / f"{len(list(folder.iterdir()))}.safetensors"
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings or {})})
    return ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **config)


def test_other_networks_are_not_recognised() -> None:
    others = (
        [
            "b64.fromrgb.weight",
            "b64.conv0.weight",
            "b64.skip.weight",
            "b4.conv.weight",
            "b4.fc.weight",
            "b4.out.weight",
        ],  # NVIDIA's discriminator
        [
            "convs.0.0.weight",
            "convs.0.1.bias",
            "final_conv.0.weight",
            "final_linear.0.weight",
        ],  # rosinality's
        [
            "mapping.fc0.weight",
            "mapping.w_avg",
            "synthesis.input.weight",
            "synthesis.L0_36_512.weight",
        ],  # StyleGAN3
        [
            "mapping.dense0.fc.weight",
            "synthesis.layer0.const",
            "synthesis.layer0.epilogue.style_mod.dense.fc.weight",
        ],  # StyleGAN
        [
            "mapping.dense0.weight",
            "synthesis.layer0.const",
            "synthesis.layer0.style.weight",
            "truncation.w_avg",
        ],  # GenForce's
        [
            "Dense0/weight",
            "4x4/Const/const",
            "4x4/Const/StyleMod/weight",
            "4x4/Conv/StyleMod/weight",
            "ToRGB_lod0/weight",
        ],  # TensorFlow's
        ["conv1.weight", "layer1.0.conv1.weight", "fc.weight"],
    )
    for names in others:
        assert StyleGAN2.recognise(dict.fromkeys(names, (8, 8, 3, 3)), {}) is None
        assert StyleGAN2.examine(Part("", {name: torch.zeros(8, 8, 3, 3) for name in names}, {})) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_faults_are_reported_by_the_names_in_the_file(layout: str, tmp_path: Path) -> None:
    tensors = small_state(layout)
    conv, bias = {
        "nvidia": ("synthesis.b8.conv0.weight", "synthesis.b16.conv1.bias"),
        "higan": ("synthesis.layer1.weight", "synthesis.layer4.bias"),
        "genforce": ("synthesis.layer1.weight", "synthesis.layer4.bias"),
        "rosinality": ("convs.0.conv.weight", "convs.3.activate.bias"),
        "mmgeneration": ("convs.0.conv.weight_orig", "convs.3.activate.bias"),
        "tensorflow": ("8x8/Conv0_up/weight", "16x16/Conv1/bias"),
    }[layout]
    faulty = {**tensors, conv: tensors[conv][..., :2, :].clone(), "extra": torch.zeros(1)}
    mean = next(
        name for name in tensors if name in ("mapping.w_avg", "truncation.w_avg", "latent_avg", "dlatent_avg")
    )
    noise = next(name for name in tensors if "noise" in name and tensors[name].shape[-2:] == (8, 8))
    del faulty[noise]
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, faulty)
    assert f"{conv} is (" in str(caught.value)
    assert "superfluous extra" in str(caught.value)
    here = "" if layout == "nvidia" else " (probably its name; here synthesis.b8.conv"
    assert f"missing {noise}{here}" in str(caught.value)
    with pytest.raises(CheckpointError, match="StyleGAN2"):
        load(tmp_path, {name: t for name, t in tensors.items() if name != bias})
    wrong = {**tensors, mean: torch.zeros(4)}
    with pytest.raises(CheckpointError, match=rf"{mean} is \(4,\), expected \(5,\)"):
        load(tmp_path, wrong)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (0, 2**40), (2, 2, 2, 2, 2)])
def test_tensors_of_senseless_shapes_are_found_by_name(layout: str, shape: tuple[int, ...]) -> None:
    """Nothing but a CheckpointError, or a list of what does not fit, whichever tensor it is."""
    tensors = small_state(layout, channels={4: 6, 8: 5}, mapping_layers=2)
    for name, tensor in tensors.items():
        if tensor.numel() > 1 and not name.endswith("conv1.resample_filter"):  # not needed, so not judged
            try:
                examined = StyleGAN2.examine(Part("", {**tensors, name: torch.zeros(shape)}, {}))
            except CheckpointError:
                continue
            assert examined is not None
            assert examined.misshapen or examined.superfluous, name


@pytest.mark.parametrize("other", ["rosinality", "tensorflow"])
def test_two_layouts_in_one_file_are_refused(other: str, tmp_path: Path) -> None:
    mixed = {**small_state("nvidia"), **small_state(other)}
    with pytest.raises(CheckpointError, match="superfluous"):
        load(tmp_path, mixed)


def test_a_tensor_under_two_names_is_refused(tmp_path: Path) -> None:
    tensors = small_state("tensorflow")
    tensors["mapping/Dense0/bias"] = tensors["Dense0/bias"].clone()
    with pytest.raises(CheckpointError, match="superfluous mapping/Dense0/bias"):
        load(tmp_path, tensors)


def test_nvidias_layout_requires_the_mean_w(tmp_path: Path) -> None:
    tensors = small_state("nvidia")
    del tensors["mapping.w_avg"]
    with pytest.raises(CheckpointError, match=r"missing mapping\.w_avg"):
        load(tmp_path, tensors)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mapping_kwargs": {"activation": "relu"}}, "activation 'relu'"),
        ({"nonlinearity": "linear"}, "activation 'linear'"),
        ({"normalize_latents": False}, "does not normalise"),
        ({"resample_kernel": [1] * 17}, "low-pass filters of the shape"),
        ({"resample_kernel": [1, -1]}, "expected a list of numbers whose sum is not 0"),
        ({"synthesis_kwargs": {"resample_filter": "nearest"}}, "low-pass filter 'nearest'"),
        ({"synthesis_kwargs": {"resample_filter": []}}, "sum is not 0"),
        ({"mapping_lrmul": "small"}, "lr_multiplier stored in the file is 'small'"),
        ({"network": {"clamp": -1}}, "conv_clamp stored in the file is -1"),
    ],
)
def test_unsupported_settings_are_refused(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path, small_state("tensorflow"), settings)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("synthesis.b16.torgb.weight", (5, 4, 1, 1), "have 5 channels"),
        ("synthesis.b4.const", (6, 0, 4), r"learned constant .* \(6, 0, 4\)"),
        ("synthesis.b4.const", (6, 4), r"synthesis\.b4\.const of shape \(6, 4\) has the wrong number"),
        ("mapping.fc0.weight", (0, 9), r"mapping\.fc0\.weight has the shape \(0, 9\), without numbers"),
        ("synthesis.b4.const", (6, 20000, 1), "would be 80000 pixels"),
        ("synthesis.b16.conv0.resample_filter", (3, 5), "only square filters of 1 to 16 taps"),
        ("synthesis.b16.conv0.resample_filter", (0, 0), "only square filters of 1 to 16 taps"),
        ("synthesis.b16.conv0.resample_filter", (17,), "only square filters of 1 to 16 taps"),
        ("mapping.embed.weight", (9, 2), "are inconsistent"),
    ],
)
def test_unsupported_networks_are_refused(
    name: str, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    tensors = {key: t for key, t in small_state().items() if not key.endswith("resample_filter")}
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path, {**tensors, name: torch.ones(shape)})


def test_names_with_numbers_out_of_bounds_are_refused(tmp_path: Path) -> None:
    """No name makes a resolution of astronomical size."""
    for layout, name in (
        ("rosinality", "convs.99999999999.conv.weight"),
        ("higan", "synthesis.layer4000000000.bias"),
        ("nvidia", "mapping.fc999.bias"),
    ):
        with pytest.raises(CheckpointError, match="superfluous"):
            load(tmp_path, {**small_state(layout), name: torch.zeros(1)})
