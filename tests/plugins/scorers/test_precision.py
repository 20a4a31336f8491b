"""Networks of scorers follow the precision of a run if they say so; what that changes in scores is small."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.conformance.scores import scores_of
from ganstrata.core.strata.composition import Pass

PICTURES = 24
ALLOWED = 0.03  # root mean square of the change, in standard deviations of the score


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Pictures of the bundled generator, in float32."""
    g = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    latents = g.sample(PICTURES, 0, 0, ganstrata.Stream.PROBING)
    with torch.inference_mode():
        return ganstrata.render(g, g.broadcast(g.map(latents.z)))


def scored(scorer: ganstrata.Scorer, images: torch.Tensor, precision: str) -> np.ndarray:
    with torch.inference_mode():
        given = ganstrata.Rendering(images, composed=True, precision=precision)
        return scorer.score(given).numpy()


@pytest.mark.parametrize("name", ["category", "attribute", "layout", "segmentation"])
def test_bf16_is_used_and_changes_scores_little(name: str, images: torch.Tensor) -> None:
    scorer = ganstrata.load_scorer(name, checkpoint="bundled:rooms", device="cpu")
    exact, low = scored(scorer, images, "fp32"), scored(scorer, images, "bf16")
    assert low.dtype == np.float32
    assert not np.array_equal(exact, low)
    spread = np.nanstd(exact, axis=0)
    apart = np.sqrt(np.nanmean((low - exact) ** 2, axis=0))
    assert (apart[spread > 1e-4] < ALLOWED * spread[spread > 1e-4]).all()


def test_scorers_that_do_not_ask_for_it_stay_in_float32(images: torch.Tensor) -> None:
    hue = ganstrata.load_scorer("hue", device="cpu")
    assert np.array_equal(scored(hue, images, "fp32"), scored(hue, images, "bf16"))


def test_heads_stay_in_float32(images: torch.Tensor) -> None:
    """Margins have more digits than bfloat16 holds."""
    attribute = ganstrata.load_scorer("attribute", checkpoint="bundled:rooms", device="cpu")
    margins = torch.from_numpy(scored(attribute, images, "bf16"))
    assert (margins.bfloat16().float() != margins).float().mean() > 0.9


def test_a_pass_tells_scorers_its_precision_and_checks_are_in_float32() -> None:
    g = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    latents = g.sample(2, 0, 0, ganstrata.Stream.PROBING)
    codes = g.broadcast(g.map(latents.z))
    passed = Pass(g, codes, precision="bf16", restarts={0})
    renderings = [passed.rendering, passed.edited(codes + 0.1, [1])]
    assert [rendering.precision for rendering in renderings] == ["bf16", "bf16"]
    assert Pass(g, codes, precision="bf16", tolerant=True).rendering.precision == "bf16"
    category = ganstrata.load_scorer("category", checkpoint="bundled:rooms", device="cpu")
    checked = scores_of(category, passed.rendering, slice(None))
    assert np.array_equal(checked, scored(category, passed.rendering.images, "fp32"))
