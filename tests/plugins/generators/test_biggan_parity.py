"""The same numbers as the reference implementations, on random weights in their own layouts.

`tests/data/biggan_deep_64.*` hold a state dict of pytorch-pretrained-BigGAN and what it made of the
inputs. The other references are read from the folder that the environment variable GANSTRATA_PARITY
names: images in [-1, 1] within 1e-4.
"""

from __future__ import annotations

from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Inputs, Pass, render
from generators_biggan import plain
from reference_numbers import DATA, PARITY, needs_parity, reference
from safetensors.torch import load_file
from torch import Tensor

DEEP = "biggan_deep_64"


def folder(name: str) -> tuple[Path, dict[str, Tensor]]:
    """The checkpoint of a reference folder, and its inputs and outputs."""
    assert PARITY is not None
    arrays = {}
    for part in ("inputs", "outputs"):
        with np.load(Path(PARITY) / name / f"{part}.npz") as stored:
            arrays.update({key: torch.from_numpy(stored[key]) for key in stored})
    return Path(PARITY) / name / "state.safetensors", arrays


def load(path: Path, **config: object) -> Generator:
    return ganstrata.load_generator("biggan", checkpoint=str(path), device="cpu", **config)


def made(generator: Generator, z: Tensor, condition: Tensor) -> Tensor:
    """Images as the network's own [-1, 1]."""
    return render(generator, generator.broadcast(generator.map(z)), condition=condition) * 2.0 - 1.0


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    assert actual.shape == expected.shape
    assert expected.std() > 0.05, "the reference itself says nothing"
    assert (actual - expected).abs().max() < tolerance


@pytest.mark.parametrize(
    ("key", "truncation", "condition"),
    [("t1", 1.0, "y"), ("t0.437", 0.437, "y"), ("mixed_t0.4", 0.4, "class_mixed")],
)
def test_images_of_deep_are_those_of_the_reference(key: str, truncation: float, condition: str) -> None:
    arrays = {name: torch.from_numpy(array) for name, array in reference(DEEP).items()}
    generator = load(DATA / f"{DEEP}.safetensors", truncation=truncation)
    assert_near(made(generator, arrays["z"] * truncation, arrays[condition]), arrays[f"image_{key}"])


def test_a_feature_map_of_deep_is_that_of_the_reference() -> None:
    arrays = {name: torch.from_numpy(array) for name, array in reference(DEEP).items()}
    generator = load(DATA / f"{DEEP}.safetensors", truncation=0.437)
    codes = generator.broadcast(arrays["z"][:1] * 0.437)
    features = Pass(generator, codes, condition=arrays["y"][:1], features=[2]).rendering.features
    assert_near(features[2], arrays["feat.generator.layers.1"])


@needs_parity
@pytest.mark.parametrize("truncation", [1.0, 0.4, 0.437, 0.7])
def test_every_array_of_deep(truncation: float) -> None:
    path, arrays = folder("hf_biggan_deep_64")
    generator = load(path, truncation=truncation)
    z = arrays["z"] * truncation
    for condition in ("y", "class_onehot"):
        assert_near(made(generator, z, arrays[condition]), arrays[f"image_t{truncation:g}"])
    state = generator.begin(Inputs(4, arrays["y"], torch.arange(4)))
    assert_near(state.kept["class"], arrays["class_embedding"], 1e-5)
    if truncation == 0.4:
        assert_near(made(generator, z, arrays["class_mixed"]), arrays["image_mixed_t0.4"])
    if truncation != 0.437:
        return
    rendering = Pass(
        generator, generator.broadcast(z), condition=arrays["y"], features=range(len(generator.strata))
    ).rendering
    first = (
        rendering.features[0][:1].permute(0, 2, 3, 1).flatten(1)
    )  # the reference's linear map ends in channels
    assert_near(first, arrays["feat.generator.gen_z"], 1e-5)
    for s in range(9):
        features = rendering.features[s + 1]
        if s < 5:
            assert_near(features[:1], arrays[f"feat.generator.layers.{s}"])
        else:
            spread = torch.stack([features.flatten(2).mean(2), features.flatten(2).std(2)], dim=2)
            assert_near(spread, arrays[f"featstat.generator.layers.{s}"])


@needs_parity
def test_every_array_of_the_original() -> None:
    path, arrays = folder("ajbrock_biggan_64")
    generator = load(path)
    assert_near(made(generator, arrays["z"], arrays["y"]), arrays["image"])
    mixed = torch.tensor([0.3, 0.7, 0.0, 0.0, 0.0]).expand(4, -1)
    assert_near(made(generator, arrays["z"], mixed), arrays["image_mixed_class"])
    codes = generator.broadcast(arrays["z"])
    state = generator.begin(Inputs(4, arrays["y"], torch.arange(4)))
    assert_near(state.kept["class"], arrays["y_embedding"], 1e-5)
    rendering = Pass(generator, codes, condition=arrays["y"], features=range(len(generator.strata))).rendering
    by_name = {stratum.name: rendering.features[s] for s, stratum in enumerate(generator.strata)}
    assert_near(by_name["linear"][:1].flatten(1), arrays["feat.linear"], 1e-5)
    for i in range(3):
        assert_near(by_name[f"block{i}.conv2"][:1], arrays[f"feat.blocks.{i}.0"])
    assert_near(by_name["block2.attention"][:1], arrays["feat.blocks.2.1"])
    last = by_name["block3.conv2"].flatten(2)
    assert_near(torch.stack([last.mean(2), last.std(2)], dim=2), arrays["featstat.blocks.3.0"])


@needs_parity
def test_the_plain_forward_that_other_tests_compare_with_is_the_reference_too() -> None:
    path, arrays = folder("ajbrock_biggan_64")
    assert_near(plain(load_file(path), arrays["z"], torch.eye(5)[arrays["y"]]).float(), arrays["image"], 2e-5)
