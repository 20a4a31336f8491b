"""HiGAN's whole re-scoring, compared with genforce/higan 2088e23: generator, steps, scores and figure.

w and codes agree within 1e-6 (root mean square) and 5e-6 (maximum): in single precision, the reference itself
deviates up to 1.1e-6 from the w of double precision, and ganstrata up to 2e-6. Scores agree within 2e-3: the
reference scored images of 8 bits, where single values may round the other way.
"""

from __future__ import annotations

import os
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.rescoring.sums import FIELDS, sums_of
from ganstrata.core.strata.composition import Pass
from ganstrata.core.strata.moves import edit_direction, move
from numpy.typing import NDArray

DATA = Path(__file__).parents[2] / "data"
PARITY = os.environ.get("GANSTRATA_PARITY")
STEP = 2.0
Arrays = dict[str, NDArray[np.float32]]


def scored(images: torch.Tensor, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scorer used in place of the reference's: 8 bits, means of a 4 x 4 grid, three linear attributes."""
    pixels = to_pixels(images).astype(np.float32) / 255.0
    n, height, width, _ = pixels.shape
    cells = pixels.reshape(n, 4, height // 4, 4, width // 4, 3).mean(axis=(2, 4))
    return np.asarray(cells.reshape(n, 48) @ weights.T)


def rescored(generator: ganstrata.Generator, given: Arrays, wanted: Arrays) -> None:
    layers = generator.card.layers
    z = torch.from_numpy(given["z"])
    w = generator.map(z)
    codes = generator.broadcast(w)
    for values, key in ((w, "w"), (codes, "wp")):
        difference = values - torch.from_numpy(wanted[key])
        assert float(difference.square().mean().sqrt()) < 1e-6
        assert float(difference.abs().max()) < 5e-6
    base = Pass(generator, codes, restarts=range(len(generator.strata)))
    # In w a step shrinks as truncation shrinks w; boundaries of w+ the reference takes as they stand.
    for name, space, key in (("attr_a", "w", 0), ("attr_b", "w", 1), ("attr_c", "wp", 2)):
        scale = generator.layer_scale if space == "w" else np.ones(layers, np.float32)
        normal = given[f"boundary_{name}"][0]
        columns = [scored(base.rendering.images, given["scorer_W"])[:, key]]
        for chosen in [tuple(range(layers)), *((layer,) for layer in range(layers))]:
            rendering = base.edited(move(codes, edit_direction(normal, chosen, scale), STEP), chosen)
            columns.append(scored(rendering.images, given["scorer_W"])[:, key])
        compare(np.stack(columns, axis=1), wanted, f"{name}.{space}")
    moved = generator.broadcast(generator.map(z + STEP * torch.from_numpy(given["boundary_z_attr_b"])))
    images = [base.rendering.images, ganstrata.render(generator, moved)]
    compare(np.stack([scored(part, given["scorer_W"])[:, 1] for part in images], axis=1), wanted, "attr_b.z")


def compare(scores: NDArray[np.float32], wanted: Arrays, key: str) -> None:
    np.testing.assert_allclose(scores, wanted[f"scores.{key}"], atol=2e-3)
    sums = sums_of(np.repeat(scores[:, :1], scores.shape[1] - 1, axis=1), scores[:, 1:])
    clipped = sums[:, FIELDS.index("clipped")] / sums[:, FIELDS.index("count")]
    np.testing.assert_allclose(clipped, wanted[f"values.{key}"], atol=4e-3)


def load(state: Path) -> ganstrata.Generator:
    return ganstrata.load_generator(
        "auto", checkpoint=str(state), device="cpu", truncation_psi=0.7, truncation_layers=8
    )


@torch.inference_mode()
def test_end_to_end() -> None:
    with np.load(DATA / "higan_rescore_end_to_end.npz", allow_pickle=False) as file:
        arrays = dict(file)
    rescored(load(DATA / "stylegan_higan_32.safetensors"), arrays, arrays)


@pytest.mark.skipif(not PARITY, reason="GANSTRATA_PARITY names no folder of reference numbers")
@torch.inference_mode()
def test_end_to_end_from_the_folder_of_references() -> None:
    folder = Path(str(PARITY))
    item = folder / "rescore_end_to_end"
    with (
        np.load(item / "inputs.npz", allow_pickle=False) as given,
        np.load(item / "outputs.npz", allow_pickle=False) as wanted,
    ):
        rescored(load(folder / "higan_stylegan_32" / "state.safetensors"), dict(given), dict(wanted))
