"""The same numbers as HiGAN's and GenForce's StyleGAN, on random weights in their own layouts.

`tests/data/stylegan_*` hold two small references; with GANSTRATA_PARITY naming a folder of references,
every one of this family in it is tested. w and codes within 1e-5, images in [-1, 1] within 1e-4.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Pass, render
from numpy.typing import NDArray
from reference_numbers import DATA, PARITY, needs_parity
from torch import Tensor

HIGAN, GENFORCE = "stylegan_higan_32", "stylegan_genforce_128"
FOLDERS = ("higan_stylegan_32", "higan_stylegan_256", "genforce_stylegan_32", "genforce_stylegan_128")


@cache
def arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    with np.load(path) as stored:
        return dict(stored)


def load(path: Path, **config: object) -> Generator:
    return ganstrata.load_generator("stylegan", checkpoint=str(path), device="cpu", **config)


def assert_near(actual: Tensor, expected: NDArray[np.generic], tolerance: float = 1e-4) -> None:
    assert actual.shape == expected.shape
    assert expected.std() > 0.05, "the reference itself says nothing"
    assert (actual - torch.from_numpy(expected)).abs().max() < tolerance


def check(state: Path, given: dict[str, NDArray[np.generic]], wanted: dict[str, NDArray[np.generic]]) -> None:
    """Everything that a folder of references may hold; psi 0.7 on eight layers, as everywhere in them."""
    generator = load(state, truncation_psi=0.7, truncation_layers=8)
    w = generator.map(torch.from_numpy(given["z_raw"] if "z_raw" in given else given["z"]))
    codes = generator.broadcast(w)
    assert_near(w, wanted["w"], 1e-5)
    assert_near(codes, wanted["wp"], 1e-5)
    done = Pass(generator, codes, features=range(generator.card.layers)).rendering
    assert_near(done.images * 2.0 - 1.0, wanted["image"])
    for key, expected in wanted.items():
        if key.startswith("style"):
            style = generator.style(int(key[5:]), codes[:, int(key[5:])])
            assert style is not None
            assert_near(style, expected, 1e-5)
        elif key.startswith("feat.synthesis.layer"):
            assert_near(done.features[int(key.removeprefix("feat.synthesis.layer"))][:1], expected)
        elif key.startswith("featstat.synthesis.layer"):
            x = done.features[int(key.removeprefix("featstat.synthesis.layer"))]
            assert_near(torch.stack([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=2), expected)
    if "w_in" in given and "wp_from_w_in" in wanted:
        assert_near(generator.broadcast(torch.from_numpy(given["w_in"])), wanted["wp_from_w_in"], 1e-5)
    if "image_from_wp_in" in wanted:
        assert_near(
            render(generator, torch.from_numpy(given["wp_in"])) * 2.0 - 1.0, wanted["image_from_wp_in"]
        )
    if "image_alt" in wanted:
        other = load(state, truncation_psi=0.5, truncation_layers=3)
        assert_near(other.broadcast(w), wanted["wp_alt"], 1e-5)
        assert_near(render(other, other.broadcast(w)) * 2.0 - 1.0, wanted["image_alt"])
    if "image_no_truncation" in wanted:
        other = load(state)
        assert_near(render(other, other.broadcast(w)) * 2.0 - 1.0, wanted["image_no_truncation"])


@pytest.mark.parametrize("name", [HIGAN, GENFORCE])
def test_w_codes_styles_features_and_images_are_those_of_the_reference(name: str) -> None:
    stored = arrays(DATA / f"{name}.npz")
    check(DATA / f"{name}.safetensors", stored, stored)


@needs_parity
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_reference_in_a_folder_is_reproduced(folder: str) -> None:
    path = Path(str(PARITY)) / folder
    check(path / "state.safetensors", arrays(path / "inputs.npz"), arrays(path / "outputs.npz"))


@needs_parity
@pytest.mark.parametrize("layers", ["all", "0-1", "2-5", "6-7"])
def test_directions_of_sefa_follow_from_style_weights(layers: str) -> None:
    path = Path(str(PARITY))
    wanted = arrays(path / "sefa_genforce_stylegan_32" / "outputs.npz")
    generator = load(path / "genforce_stylegan_32" / "state.safetensors")
    chosen = range(8) if layers == "all" else range(int(layers[0]), int(layers[-1]) + 1)
    matrices = []
    for s in chosen:
        matrix = generator.style_weights(s)
        assert matrix is not None
        matrices.append(matrix)
    rows = torch.cat(matrices).double()
    rows = rows / rows.norm(dim=1, keepdim=True)
    values, vectors = torch.linalg.eigh(rows.t() @ rows)
    assert torch.allclose(
        values.flip(0), torch.from_numpy(wanted[f"{layers}.eigenvalues"]).double(), rtol=1e-4
    )
    cosines = (
        (vectors.flip(1).t()[:10] * torch.from_numpy(wanted[f"{layers}.directions"]).double())
        .sum(dim=1)
        .abs()
    )
    assert cosines.min() > 1.0 - 1e-4
