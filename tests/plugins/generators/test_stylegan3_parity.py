"""The same numbers as NVIDIA's stylegan3, on random weights in its own layout, for -t and -r.

`tests/data/stylegan3_*.safetensors` hold the state dicts, the `.npz` beside them what the reference
made of the inputs: w within 1e-5, images in [-1, 1] within 1e-4. The whole of the reference's numbers
is looked at where GANSTRATA_PARITY names the folder that holds them.
"""

from __future__ import annotations

import os
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Pass, render
from numpy.typing import NDArray
from reference_numbers import DATA, as_reference, reference, tensor
from torch import Tensor

NAMES = ("stylegan3_t_32", "stylegan3_r_32")
FOLDERS = {"stylegan3_t_32": "nv_sg3t_32", "stylegan3_r_32": "nv_sg3r_32"}


def load(name: str, **config: object) -> Generator:
    return ganstrata.load_generator(
        "stylegan3", checkpoint=str(DATA / f"{name}.safetensors"), device="cpu", **config
    )


def codes_of(generator: Generator, name: str) -> Tensor:
    return generator.broadcast(generator.map(tensor(name, "z")))


def near(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    assert actual.shape == expected.shape
    assert expected.std() > 0.1, "the reference itself says nothing"
    assert (actual - expected).abs().max() < tolerance


def movement(stored: NDArray[np.generic]) -> list[list[float]]:
    """The config that leads to a reference's `transform`, which is the inverse of the movement."""
    matrix = np.linalg.inv(stored.astype(np.float64))
    matrix[2] = (0.0, 0.0, 1.0)
    return matrix.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", NAMES)
def test_w_and_images_are_those_of_the_reference(name: str) -> None:
    generator = load(name)
    codes = codes_of(generator, name)
    near(codes, tensor(name, "ws"), 1e-5)
    near(as_reference(render(generator, codes)), tensor(name, "image"), 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_images_of_a_code_per_layer_are_those_of_the_reference(name: str) -> None:
    near(as_reference(render(load(name), tensor(name, "ws_in"))), tensor(name, "image_from_ws_in"), 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_truncated_codes_and_images_are_those_of_the_reference(name: str) -> None:
    generator = load(name, truncation_psi=0.7)
    near(codes_of(generator, name), tensor(name, "ws_psi0.7"), 1e-5)
    generator = load(name, truncation_psi=0.5, truncation_layers=4)
    codes = codes_of(generator, name)
    near(codes, tensor(name, "ws_psi0.5_cutoff"), 1e-5)
    near(as_reference(render(generator, codes)), tensor(name, "image_psi0.5_cutoff"), 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_moved_images_are_those_of_the_reference(name: str) -> None:
    generator = load(name, input_transform=movement(reference(name)["input_transform"]))
    near(
        as_reference(render(generator, codes_of(generator, name))),
        tensor(name, "image_input_transform"),
        1e-4,
    )


@pytest.mark.parametrize("name", NAMES)
def test_styles_and_feature_maps_are_those_of_the_reference(name: str) -> None:
    generator = load(name)
    codes = codes_of(generator, name)
    features = Pass(generator, codes, features=range(len(generator.strata))).rendering.features
    compared = 0
    for s, stratum in enumerate(generator.strata):
        style = generator.style(s, codes[:, s])
        assert style is not None
        assert style.shape[1] == stratum.style_width
        near(style, tensor(name, f"style.synthesis.{stratum.name}.affine"), 1e-5)
        if f"feat.synthesis.{stratum.name}" in reference(name):
            near(features[s][:1], tensor(name, f"feat.synthesis.{stratum.name}"), 1e-4)
            compared += 1
            assert features[s].shape[2] == stratum.size + 2 * stratum.margin
    assert compared == 4


@pytest.mark.parametrize("name", NAMES)
def test_every_array_of_the_reference_is_reproduced(name: str) -> None:
    folder = os.environ.get("GANSTRATA_PARITY")
    if folder is None:
        pytest.skip("GANSTRATA_PARITY names no folder of reference numbers")
    place = Path(folder) / FOLDERS[name]
    with np.load(place / "inputs.npz") as stored:
        inputs = dict(stored)
    with np.load(place / "outputs.npz") as stored:
        wanted = {key: torch.from_numpy(value) for key, value in stored.items()}

    def made(z: Tensor, **config: object) -> tuple[Generator, Tensor, Tensor]:
        generator = ganstrata.load_generator(
            "stylegan3", checkpoint=str(place / "state.safetensors"), device="cpu", **config
        )
        codes = generator.broadcast(generator.map(z))
        return generator, codes, as_reference(render(generator, codes))

    z = torch.from_numpy(inputs["z"])
    for key, config in (
        ("", {}),
        ("_psi0.7", {"truncation_psi": 0.7}),
        ("_psi0.5_cutoff", {"truncation_psi": 0.5, "truncation_layers": 4}),
    ):
        _, codes, images = made(z, **config)
        near(codes, wanted[f"ws{key}"], 1e-5)
        near(images, wanted[f"image{key}"], 1e-4)
    generator, codes, images = made(z)
    pixels = (images * 127.5 + 128.0).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    assert (pixels.int() - wanted["image_uint8"].int()).abs().max() <= 1
    near(
        made(z, input_transform=movement(inputs["input_transform"]))[2], wanted["image_input_transform"], 1e-4
    )
    near(as_reference(render(generator, torch.from_numpy(inputs["ws_in"]))), wanted["image_from_ws_in"], 1e-4)
    features = Pass(generator, codes, features=range(len(generator.strata) - 1)).rendering.features
    for s, x in features.items():
        near(x[:1], wanted[f"feat.synthesis.{generator.strata[s].name}"], 1e-4)
