"""The closed form of SeFa: planted singular directions, the authors' numbers, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Boundaries, DataError, Generator, LayerError, UserError, render
from ganstrata.core.rescoring.naming import named_directions
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.plugins.boundaries.sefa import factorise, stacked_weights
from numpy.typing import NDArray
from planted_factors import NAMES, WIDTH
from reference_numbers import DATA, PARITY, needs_parity, tensor
from safetensors.torch import load_file
from styled_factors import COPIES, NOISE, Styled

LATENTS, SCORES = np.zeros((2, WIDTH), np.float32), np.zeros((2, 0), np.float32)


def found(generator: Generator | None, **options: Any) -> Boundaries:
    learner = ganstrata.load_learner("sefa", **options)
    return learner.learn(LATENTS, SCORES, [], generator=generator)


@pytest.fixture
def styled(planted: ModuleType, register: Any) -> Generator:
    register("generator", "styled_factors", Styled)
    return ganstrata.load_generator("styled_factors", device="cpu")


@pytest.mark.parametrize("normalisation", ["genforce", "rosinality"])
def test_it_finds_planted_singular_directions_in_their_order(styled: Generator, normalisation: str) -> None:
    directions = found(styled, directions=4, normalisation=normalisation)
    assert directions.names == ("sefa/0", "sefa/1", "sefa/2", "sefa/3")
    for i, direction in enumerate(directions):
        assert abs(direction.normal[i]) > 1.0 - 4.0 * NOISE
        assert direction.facts["eigenvalue"] == pytest.approx(COPIES[i], rel=0.05)
        assert direction.facts["share"] == pytest.approx(COPIES[i] / sum(COPIES), rel=0.05)
        assert direction.layers is None
    lower = found(styled, directions=2, layers="2-3")
    assert [int(np.abs(direction.normal).argmax()) for direction in lower] == [2, 3]
    assert {direction.layers for direction in lower} == {(2, 3)}


def test_a_run_names_what_it_found(styled: Generator, planted: ModuleType, tmp_path: Path) -> None:
    config = planted.config()
    config["generator"] = {"use": "styled_factors"}
    config["boundary"] = {"use": "sefa", "with": {"directions": 4}}
    config["rescoring"]["null_directions"] = 100
    effects = read_effects(ganstrata.run(config, tmp_path / "run"))
    assert [b.concept for b in effects.boundaries] == [f"a/{name}" for name in NAMES]
    words = [direction.words.partition(",")[0] for direction in named_directions(effects)]
    assert words == [f"+a/{name}" for name in NAMES]
    assert not effects.replicates.any()  # no sample was used, so none is drawn again


def test_the_two_normalisations_differ_where_rows_have_other_lengths() -> None:
    weights = torch.tensor([[10.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]).double()
    for unit_rows, first in ((True, [0.0, 1.0]), (False, [1.0, 0.0])):
        _, vectors = factorise(weights, unit_rows=unit_rows)
        np.testing.assert_allclose(np.abs(vectors[0]), first, atol=1e-12)


def test_the_last_torgb_counts_with_genforce_and_none_with_rosinality(rooms: Generator) -> None:
    last = rooms.card.layers - 1
    readers = [stratum.is_feature for stratum in rooms.strata if stratum.reads == last]
    assert readers == [False]  # ToRGB alone
    of_last = rooms.strata[-1].style_width
    everything = sum(stratum.style_width or 0 for stratum in rooms.strata)
    convolutions = sum(stratum.style_width or 0 for stratum in rooms.strata if stratum.is_feature)
    layers = range(rooms.card.layers)
    rows = {kind: len(stacked_weights(rooms, layers, kind)) for kind in ("published", "none", "all")}
    assert rows == {"published": convolutions + of_last, "none": convolutions, "all": everything}
    with pytest.raises(DataError, match=f"no affine map that counts reads layer {last}; .*to_rgb: all"):
        found(rooms, normalisation="rosinality", layers=str(last))


def test_rosinality_is_the_singular_vectors_of_the_stored_modulation() -> None:
    stored = load_file(DATA / "stylegan2_rosinality_32.safetensors")
    wanted = [
        weight for name, weight in stored.items() if "modulation.weight" in name and "to_rgb" not in name
    ]
    assert len(wanted) == 7  # all convolutions of 32 pixels
    generator = ganstrata.load_generator(
        "stylegan2", checkpoint=str(DATA / "stylegan2_rosinality_32.safetensors"), device="cpu"
    )
    vectors = torch.linalg.svd(torch.cat(wanted).double()).Vh  # by row
    directions = found(generator, normalisation="rosinality", directions=5)
    for direction, vector in zip(directions, vectors, strict=False):
        assert abs(direction.normal.astype(np.float64) @ vector.numpy()) > 1.0 - 1e-5


def test_progressive_gan_has_the_directions_of_its_first_layer() -> None:
    generator = ganstrata.load_generator(
        "pggan", checkpoint=str(DATA / "pggan_genforce_32.safetensors"), device="cpu"
    )
    wanted, values = (
        tensor("pggan_genforce_32", "sefa_directions"),
        tensor("pggan_genforce_32", "sefa_eigenvalues"),
    )
    compare(found(generator, directions=3), wanted.numpy(), values.numpy())


def compare(directions: Boundaries, wanted: NDArray[Any], values: NDArray[Any]) -> None:
    """Check directions up to their sign, and eigenvalues to 1e-4."""
    for i, direction in enumerate(directions):
        assert abs(direction.normal.astype(np.float64) @ wanted[i]) > 1.0 - 1e-4
        assert direction.facts["eigenvalue"] == pytest.approx(float(values[i]), rel=1e-4)
        assert direction.facts["share"] == pytest.approx(float(values[i] / values.sum()), rel=1e-4)


@needs_parity
@pytest.mark.parametrize(
    ("family", "name", "layers"),
    [
        *(("stylegan", "genforce_stylegan_32", layers) for layers in ("all", "0-1", "2-5", "6-7")),
        *(("stylegan2", "genforce_stylegan2_64", layers) for layers in ("all", "0-1", "2-5", "8-9")),
        ("pggan", "genforce_pggan_32", "all"),
    ],
)
def test_directions_and_edited_images_are_those_of_the_authors(family: str, name: str, layers: str) -> None:
    folder = Path(str(PARITY))
    generator = ganstrata.load_generator(
        family, checkpoint=str(folder / name / "state.safetensors"), device="cpu"
    )
    with np.load(folder / f"sefa_{name}" / "outputs.npz") as stored:
        reference = dict(stored)
    wanted, values = reference[f"{layers}.directions"], reference[f"{layers}.eigenvalues"]
    directions = found(generator, directions=10, layers=layers)
    compare(directions, wanted, values)
    edited = "all" if family == "pggan" else "0-1"
    if layers != edited:
        return
    codes = torch.from_numpy(reference["codes"])
    codes = codes[:, None] if codes.ndim == 2 else codes  # (N, L, D)
    moved = list(directions[0].layers or range(codes.shape[1]))
    for i, direction in enumerate(directions[:3]):
        sign = np.sign(direction.normal @ wanted[i])  # the images were made with the authors' sign
        for j, distance in enumerate((-2.0, 3.0)):
            other = codes.clone()
            other[:, moved] += distance * torch.from_numpy(sign * direction.normal)
            images = render(generator, other) * 2.0 - 1.0
            assert (images - torch.from_numpy(reference["edited_images"][i, j])).abs().max() < 2e-4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"directions": 13}, DataError, "13 are asked for, but codes of this generator have 12 dimensions"),
        (
            {"directions": 3, "layers": "3"},
            DataError,
            "only 2 change the styles of layer 3; ask for at most 2",
        ),
        ({"layers": "2-9"}, LayerError, "there is no layer 9; this generator has layers 0 to 3"),
        ({"layers": ""}, LayerError, "an empty part"),
    ],
)
def test_what_cannot_be_found_is_refused(
    styled: Generator, options: dict[str, Any], error: type[UserError], message: str
) -> None:
    with pytest.raises(error, match=message):
        found(styled, **options)


def test_a_generator_without_weights_is_refused_before_the_run(
    fakes: ModuleType, config: dict[str, Any], tmp_path: Path
) -> None:
    config["boundary"] = {"use": "sefa"}
    with pytest.raises(ganstrata.ConfigError, match=r"boundary -> with: this .* no weights of affine"):
        ganstrata.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match="needs the generator"):
        found(None)


def test_weights_that_are_zero_have_no_direction() -> None:
    for value in (0.0, float("nan")):
        with pytest.raises(DataError, match="3 rows of affine weights are 0 or not finite"):
            factorise(torch.full((3, 2), value).double(), unit_rows=True)
