"""StyleGAN2 of other proportions and channels, against a plain implementation in every layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Pass, render
from ganstrata.core.checkpoints.inspect import inspect
from generator_files import codes_by_layer, loader, write
from generators_stylegan2 import LAYOUTS, plain_images, random_state, stored
from reference_numbers import CASES, as_reference, needs_cases
from torch import Tensor


def load(folder: Path, state: dict[str, Tensor], **config: Any) -> Generator:
    return loader("stylegan2")(write(folder / f"{len(list(folder.iterdir()))}.safetensors", state), **config)


@pytest.mark.parametrize(
    ("start", "kind", "colours", "size"),
    [
        ((4, 2), "skip", 3, (16, 8)),  # StyleGAN-Human
        ((5, 3), "skip", 4, (20, 12)),  # eps696, with alpha
        ((2, 4), "resnet", 1, (8, 16)),
        ((3, 7), "orig", 4, (12, 28)),
        ((4, 4), "skip", 1, (16, 16)),
    ],
)
def test_pictures_of_any_proportion_and_channels(
    start: tuple[int, int], kind: str, colours: int, size: tuple[int, int], tmp_path: Path
) -> None:
    state = random_state(start=start, kind=kind, colours=colours)
    generator = load(tmp_path, state)
    card = generator.card
    assert (card.height, card.width, card.resolution, card.channels) == (*size, max(size), colours)
    assert card.layers == 6, "as many as a square network of three blocks"
    assert generator.groups == {"bottom": (0, 1), "upper": (2, 3), "top": (4, 5)}
    codes = codes_by_layer(generator)
    images = render(generator, codes)
    assert images.shape == (2, colours, *size)
    assert (as_reference(images) - plain_images(state, codes, kind)).abs().max() < 1e-4
    for stratum, state_x in zip(generator.strata, _features(generator, codes), strict=True):
        assert state_x is None or state_x.shape[2:] == (stratum.height, stratum.size)


def _features(generator: Generator, codes: Tensor) -> list[Tensor | None]:
    wanted = range(len(generator.strata))
    features = Pass(generator, codes, features=wanted).rendering.features
    return [features.get(s) for s in wanted]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_may_hold_another_constant_and_alpha(layout: str, tmp_path: Path) -> None:
    state = random_state(start=(4, 2), colours=4)
    generator = load(tmp_path, stored(state, layout))
    assert (generator.card.height, generator.card.width, generator.card.channels) == (16, 8, 4)
    codes = codes_by_layer(generator)
    assert (as_reference(render(generator, codes)) - plain_images(state, codes)).abs().max() < 1e-4


@pytest.mark.parametrize(
    "names", [("5x3", "10x6", "20x12"), ("5x3", "8x8", "16x16"), ("4x4", "8x8", "16x16")]
)
def test_blocks_of_tensorflow_forks_go_by_their_rank(names: tuple[str, ...], tmp_path: Path) -> None:
    state = random_state(start=(5, 3))
    renamed = {}
    for name, tensor in stored(state, "tensorflow").items():
        scope, slash, rest = name.partition("/")
        usual = {"4x4": names[0], "8x8": names[1], "16x16": names[2]}
        renamed[usual.get(scope, scope) + slash + rest] = tensor
    generator = load(tmp_path, renamed)
    assert (generator.card.height, generator.card.width) == (20, 12)
    codes = codes_by_layer(generator)
    assert (as_reference(render(generator, codes)) - plain_images(state, codes)).abs().max() < 1e-4


def test_noise_has_both_sides(tmp_path: Path) -> None:
    state = random_state(start=(4, 2))
    bare = {name: t for name, t in stored(state, "rosinality").items() if not name.startswith("noises.")}
    first, again = load(tmp_path, bare), load(tmp_path, bare)
    assert torch.equal(*(render(g, codes_by_layer(g)) for g in (first, again))), (
        "made-up noise is the same twice"
    )
    fresh = load(tmp_path, state, noise="fresh")
    codes = codes_by_layer(fresh)
    index = torch.tensor([5, 9])
    pictures = render(fresh, codes, index=index, noise=3)
    assert torch.allclose(pictures[1:], render(fresh, codes[1:], index=index[1:], noise=3), atol=1e-6)
    assert not torch.allclose(pictures, render(fresh, codes, index=index, noise=4), atol=1e-3)


def test_scorers_get_rgb_and_the_background_is_in_the_card(tmp_path: Path) -> None:
    state = random_state(colours=4, start=(4, 2))
    generator = load(tmp_path, state, background="red")
    assert generator.card.background == "#ff0000"
    rendering = Pass(generator, codes_by_layer(generator)).rendering
    pictures, alpha = rendering.pictures, rendering.pictures[:, 3:].clamp(0.0, 1.0)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    wanted = alpha * pictures[:, :3] + (1.0 - alpha) * red
    assert torch.allclose(rendering.images, wanted, atol=1e-5)
    grey = Pass(load(tmp_path, random_state(colours=1)), codes_by_layer(generator)).rendering
    assert grey.pictures.shape[1] == 1
    assert torch.equal(grey.images, grey.pictures.repeat(1, 3, 1, 1))


def test_inspect_tells_sides_and_channels(tmp_path: Path) -> None:
    facts = inspect(str(write(tmp_path / "a.safetensors", random_state(colours=4, start=(4, 2)))))
    assert (facts.height, facts.width, facts.resolution, facts.channels) == (16, 8, 16, 4)


@needs_cases
@pytest.mark.parametrize(
    ("file", "pictures"),
    [
        ("r02_rgba.pkl", "nv_rgba"),
        ("r03b_tf_32x16.pkl", "human_32x16"),
        ("r05a_human.pkl", "human_32x16"),
        ("r05a_human.pt", "human_32x16"),
    ],
)
def test_published_networks_give_the_pictures_of_their_own_code(file: str, pictures: str) -> None:
    with np.load(CASES / "reference" / f"{pictures}.npz") as arrays:
        known = {name: torch.from_numpy(array) for name, array in arrays.items()}
    for key, psi in (("images", 1.0), ("images_psi05", 0.5)):
        if key in known:
            generator = ganstrata.load_generator(
                "auto",
                checkpoint=str(CASES / "checkpoints" / file),
                device="cpu",
                truncation_psi=psi,
            )
            images = render(generator, generator.broadcast(generator.map(known["z"])))
            assert images.shape == known[key].shape
            assert (as_reference(images) - known[key]).abs().max() < 1e-4
