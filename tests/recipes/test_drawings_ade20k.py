"""What a real network of other people makes of our drawings: DeepLab, trained on photographs of ADE20K.

It comes as another person's plugin.

GANSTRATA_REAL names a folder that holds `ade20k_deeplab`: a list of operations (*.graph.json) and their
weights (*.safetensors), as they are in mlcommons/mobile_models (Apache-2.0).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Rendering, Segmenter
from ganstrata.core.errors import ConfigError
from ganstrata.core.plugins.scoring import checked_scores
from torch import Tensor

from recipes.rooms.factors import LABELS
from recipes.rooms.render import render

FOLDER = Path(os.environ.get("GANSTRATA_REAL", "")) / "ade20k_deeplab"
pytestmark = pytest.mark.skipif(
    not ("GANSTRATA_REAL" in os.environ and FOLDER.is_dir()),
    reason="GANSTRATA_REAL names no folder with ade20k_deeplab in it",
)
DEEPLAB = Path(__file__).parents[1] / "guests" / "deeplab"


@pytest.fixture
def deeplab(register: Callable[[str, str, type], None], monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    monkeypatch.syspath_prepend(str(DEEPLAB))
    import guest_deeplab

    register("scorer", "deeplab", guest_deeplab.DeepLab)
    scorer = ganstrata.load_scorer("deeplab", folder=str(FOLDER), device="cpu")
    assert isinstance(scorer, Segmenter)
    return scorer


@pytest.fixture(scope="module")
def drawn() -> tuple[Tensor, Tensor]:
    """Four rendered rooms (N, 3, 512, 512) with their true labels (N, 512, 512)."""
    pictures, labels, _ = zip(*(render(5, i, 512) for i in range(4)), strict=True)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255.0, torch.from_numpy(
        np.stack(labels)
    )


def test_it_sees_the_furniture_of_drawn_rooms(deeplab: Segmenter, drawn: tuple[Tensor, Tensor]) -> None:
    images, truth = drawn
    names = [concept.name for concept in deeplab.concepts]
    rendering = Rendering(images)
    assert np.allclose(checked_scores(deeplab, rendering).sum(axis=1), 1.0, atol=1e-5)
    labels = deeplab.labels(rendering)

    def share(ours: str, theirs: str) -> float:
        return float((labels[truth == LABELS.index(ours)] == names.index(theirs)).float().mean())

    assert min(share(wall, "wall") for wall in ("left_wall", "right_wall")) > 0.9
    assert share("window", "windowpane") > 0.4
    assert share("table", "table") > 0.4
    assert share("bed", "bed") > 0.5
    assert share("ceiling", "ceiling") < 0.5, "ceilings of our colours are walls to it"


def test_it_finds_rooms_in_the_generators_pictures(deeplab: Segmenter, rooms: ganstrata.Generator) -> None:
    images = ganstrata.render(
        rooms, rooms.broadcast(rooms.map(rooms.sample(3, 0, 0, ganstrata.Stream.PROBING).z))
    )
    shares = dict(
        zip(
            [c.name for c in deeplab.concepts],
            deeplab.score(Rendering(images)).mean(dim=0).tolist(),
            strict=True,
        )
    )
    assert shares["wall"] > 0.4
    assert (
        shares["wall"]
        + sum(shares[name] for name in ("floor", "ceiling", "bed", "table", "chair", "windowpane", "sofa"))
        > 0.8
    )


def test_layout_on_its_labels_needs_two_walls(deeplab: Segmenter, drawn: tuple[Tensor, Tensor]) -> None:
    """ADE20K has one class of wall, which no line can be read off; any two classes that are named will do."""
    used = {"use": "deeplab", "with": {"folder": str(FOLDER)}}
    with pytest.raises(
        ConfigError, match="no two classes of the segmenter are called left, right or front wall"
    ):
        ganstrata.load_scorer("layout", segmenter=used, device="cpu")
    with pytest.raises(
        ConfigError, match=r"'windowpan' is not a class of the segmenter\. Did you mean 'windowpane'"
    ):
        ganstrata.load_scorer("layout", segmenter=used, walls=["wall", "windowpan"], device="cpu")
    scorer = ganstrata.load_scorer("layout", segmenter=used, walls=["wall", "windowpane"], device="cpu")
    assert scorer.checkpoint == deeplab.checkpoint
    rendering = Rendering(drawn[0])
    deeplab.score(rendering)
    edge = checked_scores(scorer, rendering)
    assert np.isfinite(edge[0, 0]), "this room has a window, whose edge is upright"
    assert edge[0, 0] < -0.3, "it is on the left"
