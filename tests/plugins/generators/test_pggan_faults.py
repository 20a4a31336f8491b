"""ProgressiveGAN files that are incomplete, of other networks or of senseless sizes: refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ganstrata.core.checkpoints import Part
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.pggan.generator import ProgressiveGAN
from generator_files import loader, write
from generators_pggan import LAYOUTS, small_state, weights

load = loader("pggan")


def test_pictures_of_two_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="have 2 channels"):
        load(write(tmp_path / "a.safetensors", small_state(own=weights(colours=2))))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("label_size", -1),
        ("label_size", "3"),
        ("label_size", 7),
        ("label_size", True),
        ("pixelnorm_epsilon", "small"),
        ("use_wscale", 1),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load(write(tmp_path / "a.safetensors", small_state("tensorflow"), **{setting: value}))


@pytest.mark.parametrize("lod", [-1.0, 2.5, float("nan")])
def test_levels_of_detail_outside_the_network_are_refused(lod: float, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="levels of detail 0 to 2"):
        load(write(tmp_path / "a.safetensors", small_state(lod=lod)))


KERNEL = (4, 4, 3, 3)
LAYERS = ("layer0", "layer1", "layer2", "input0", "input1", "output0")
OTHERS: dict[str, dict[str, tuple[int, ...]]] = {
    "a classifier": {
        "conv1.weight": KERNEL,
        "layer1.0.conv1.weight": KERNEL,
        "fc.weight": (10, 4),
        "fc.bias": (10,),
    },
    "GenForce's discriminator": {f"{name}.{what}": KERNEL for name in LAYERS for what in ("weight", "bias")},
    "a perceptron": {
        f"{name}.{what}": (4, 4) for name in ("layer0", "layer1", "output0") for what in ("weight", "bias")
    },
    "NVIDIA's discriminator": {
        "4x4/Conv/weight": (3, 3, 5, 4),
        "4x4/Dense0/weight": (64, 4),
        "FromRGB_lod0/weight": (1, 1, 3, 4),
    },
    "StyleGAN of TensorFlow": {
        "4x4/Const/const": (1, 4, 4, 4),
        "4x4/Conv/weight": (3, 3, 4, 4),
        "ToRGB_lod0/weight": (1, 1, 4, 3),
    },
    "StyleGAN of GenForce": {
        "mapping.dense0.weight": (4, 4),
        "synthesis.layer0.weight": KERNEL,
        "synthesis.output0.weight": (3, 4, 1, 1),
    },
    "WGAN-GP of MMGeneration": {
        "noise2feat.linear.weight": (64, 4),
        "noise2feat.norm.weight": (64,),
        "to_rgb.conv.weight": (3, 4, 3, 3),
    },
    "nothing": {},
}


@pytest.mark.parametrize("shapes", OTHERS.values(), ids=OTHERS)
def test_other_networks_are_not_recognised(shapes: dict[str, tuple[int, ...]]) -> None:
    assert ProgressiveGAN.recognise(shapes, {}) is None
    assert (
        ProgressiveGAN.examine(Part("", {name: torch.zeros(shape) for name, shape in shapes.items()}, {}))
        is None
    )


def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    tensors = small_state("higan")
    del tensors["layer4.conv.weight"]
    tensors["mapping.fc0.weight"] = torch.zeros(2, 2)
    tensors["layer1.conv.weight"] = torch.zeros(6, 5, 3, 3)
    tensors["output9.conv.weight"] = torch.zeros(3, 4, 1, 1)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", tensors))
    message = str(caught.value)
    for words in (
        "missing layer4.conv.weight",
        "superfluous mapping.fc0.weight",
        "superfluous output9.conv.weight",
        "layer1.conv.weight is (6, 5, 3, 3), expected (6, 6, 3, 3)",
    ):
        assert words in message


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(4))
def test_any_missing_or_flattened_tensor_is_refused_without_a_crash(
    layout: str, seed: int, tmp_path: Path
) -> None:
    tensors = small_state(layout)
    used = [
        n
        for n in tensors
        if n != "lod"
        and not n.startswith(("output0", "output1", "outputs.0", "outputs.1", "ToRGB_lod1", "ToRGB_lod2"))
    ]
    used = [
        n
        for n in used
        if ".torgb_layers" not in f".{n}"
        and not (layout == "mmgen_ema" and not n.startswith("generator_ema."))
    ]
    name = sorted(used)[seed * len(used) // 4]
    shapes = ((3, 5, 2), (), (0, 16), (0, 0, 3, 3))
    for damaged in (
        {k: v for k, v in tensors.items() if k != name},
        *(tensors | {name: torch.zeros(shape)} for shape in shapes),
    ):
        with pytest.raises(CheckpointError):
            load(write(tmp_path / "a.safetensors", damaged))


def test_sizes_that_a_file_claims_take_no_memory(tmp_path: Path) -> None:
    tensors = small_state()
    for i in range(6):
        tensors[f"layer{i}.bias"] = torch.zeros(1_000_000)
    with pytest.raises(CheckpointError, match="does not fit a ProgressiveGAN"):
        load(write(tmp_path / "a.safetensors", tensors))
