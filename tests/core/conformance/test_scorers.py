"""Test that scorers that break the contract in one way each are refused by name."""

from __future__ import annotations

import math
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Concept, DataError, GanstrataError, PluginBroken, PluginConfig, Rendering, ScoreError
from ganstrata.core.conformance.scores import check_scorers
from ganstrata.core.errors import MemoryExhausted
from ganstrata.core.plugins.scoring import checked_extras, checked_scores
from torch import Tensor, nn

CPU = torch.device("cpu")


class Sound(ganstrata.Scorer):
    """Lightness and redness."""

    concepts: Any = (Concept("light", "colour"), Concept("red", "colour"))

    def score(self, rendering: Rendering) -> Tensor:
        return rendering.images.mean(dim=(2, 3))[:, :2]


class Array(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering).numpy()  # type: ignore[return-value]


class Lists(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering).tolist()  # type: ignore[return-value]


class Nothing(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return None  # type: ignore[return-value]


class Complex(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering) * (1.0 + 0.0j)


class Narrow(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering)[:, :1]


class Chance(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering) + torch.rand(1)


class OwnChance(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering) + float(np.random.default_rng().random())


class Standardised(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        scores = super().score(rendering)
        return scores - scores.mean(dim=0)


class Training(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.network = nn.Dropout()


class Clamping(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(Rendering(rendering.images.clamp_(0.2, 0.8)))


class Flipping(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        rendering.images.copy_(rendering.images.flip(-1))
        return super().score(rendering)


class ThroughNumpy(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        rendering.images.numpy()[0, 0, 0, 0] += 0.25
        return super().score(rendering)


class Replacing(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        rendering.images = rendering.images.flip(-1)
        return super().score(rendering)


class Features(Sound):
    features = (0,)

    def score(self, rendering: Rendering) -> Tensor:
        rendering.features[0].zero_()
        return super().score(rendering)


class Index(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        assert rendering.index is not None
        rendering.index.add_(1)
        return super().score(rendering)


class Raising(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        raise KeyError("weights")


class Full(Sound):
    def score(self, rendering: Rendering) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


class Extra(Sound):
    extras = ("sure",)

    def extra(self, rendering: Rendering) -> Tensor:
        return torch.zeros(len(rendering.images), 2)


def pictures() -> Rendering:
    """Three pictures of a generator, with features and index."""
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, 8, 8, generator=rng)
    return Rendering(images, {0: torch.rand(3, 5, 4, 4, generator=rng)}, torch.arange(3), composed=True)


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (
            Array,
            r"returned scores as numpy\.ndarray; a torch\.Tensor was expected; torch\.from_numpy makes one",
        ),
        (Lists, r"returned scores as list; a torch\.Tensor"),
        (Nothing, r"returned scores as NoneType; a torch\.Tensor"),
        (Complex, "returned complex scores"),
        (Narrow, r"scores of shape \(3, 1\); \(3, 2\) was expected"),
        (Chance, "draws from or seeds torch's global random numbers in scoring"),
        (OwnChance, "gives the same picture another score when it is scored again.*'light' is"),
        (Standardised, "scores a picture differently in a batch than alone.*'light' is"),
        (Training, "leaves network in training mode"),
        (Clamping, r"writes into the images that it is given.*\(\.clone\(\)\)"),
        (Flipping, "writes into the images"),
        (ThroughNumpy, "writes into the images"),
        (Replacing, "writes into the images"),
        (Features, "writes into the features of stratum 0"),
        (Index, "writes into the index"),
        (Raising, r"failed in score: KeyError: 'weights' \(.*test_scorers\.py:\d+\)"),
        (Full, "failed in score: OutOfMemoryError: CUDA out of memory.*smaller synthesis"),
        (Extra, r"returned extras of shape \(3, 2\); \(3, 1\) was expected"),
    ],
)
def test_what_a_scorer_gives_is_checked(plugin: type[Sound], words: str, register) -> None:
    register("scorer", "broken", plugin)
    with pytest.raises(GanstrataError, match=words) as caught:
        check_scorers([ganstrata.load_scorer("broken", device="cpu")], pictures())
    assert caught.value.exit_code == 1
    assert "scorer 'broken' from test 0" in str(caught.value)


@pytest.mark.parametrize("plugin", [Clamping, Flipping, ThroughNumpy, Replacing, Features, Index])
def test_writing_is_seen_in_every_batch(plugin: type[Sound]) -> None:
    with torch.inference_mode(), pytest.raises(PluginBroken, match="writes into the"):
        checked_scores(plugin(PluginConfig(), CPU), pictures())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_one_changed_value_shows_in_every_kind_of_tensor(
    kind: torch.dtype, layout: torch.memory_format
) -> None:
    class Poking(Sound):
        def score(self, rendering: Rendering) -> Tensor:
            rendering.images[1, 2, 3, 4] *= 1.01
            return rendering.images.float().mean(dim=(2, 3))[:, :2]

    images = torch.rand(2, 3, 7, 5).to(kind).contiguous(memory_format=layout)
    with pytest.raises(PluginBroken, match="writes into the images"):
        checked_scores(Poking(PluginConfig(), CPU), Rendering(images, composed=True))


def test_a_sound_scorer_passes_and_shares_nothing_between_the_checks(register) -> None:
    register("scorer", "sound", Sound)
    scorer, rendering = ganstrata.load_scorer("sound", device="cpu"), pictures()
    rendering.once("key", lambda: 1)
    check_scorers([scorer], rendering)
    assert torch.equal(torch.from_numpy(checked_scores(scorer, rendering)), scorer.score(rendering))


def test_pictures_that_are_not_finite_have_no_scores() -> None:
    class Trusting(Sound):
        extras = ("sure",)

        def extra(self, rendering: Rendering) -> Tensor:
            return torch.ones(len(rendering.images), 1)

    rendering = Rendering(
        torch.full((3, 3, 4, 4), 0.5), finite=torch.tensor([True, False, True]), composed=True
    )
    scorer = Trusting(PluginConfig(), CPU)
    assert np.isnan(checked_scores(scorer, rendering)).tolist() == [
        [False, False],
        [True, True],
        [False, False],
    ]
    assert np.isnan(checked_extras(scorer, rendering)).tolist() == [[False], [True], [False]]


@pytest.mark.parametrize(
    ("concepts", "words"),
    [
        (None, r"has no concepts; a tuple of ganstrata\.Concept"),
        ("light", r"has str for concepts"),
        (
            ("light", "red"),
            r"has str among its concepts; "
            r"each must be a ganstrata\.Concept, such as Concept\('light', 'attribute'\)",
        ),
        ((), "has no concepts"),
        ((Concept("a", "object"), Concept("a", "colour")), "two concepts called 'a'"),
    ],
)
def test_concepts_that_are_none(concepts: Any, words: str, register) -> None:
    class Odd(Sound):
        pass

    Odd.concepts = concepts
    globals()["Odd"] = Odd
    Odd.__qualname__ = "Odd"
    register("scorer", "odd", Odd)
    with pytest.raises(PluginBroken, match=words) as caught:
        ganstrata.load_scorer("odd", device="cpu")
    assert "scorer 'odd' from test 0" in str(caught.value)


class Levels(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.concepts = (Concept("red", "color"),)


def test_a_level_that_is_none(register) -> None:
    register("scorer", "levels", Levels)
    with pytest.raises(
        PluginBroken,
        match=(
            r"'levels' from test 0 failed in its constructor: "
            r".*level 'color' is not one of .* \(.*test_scorers"
        ),
    ):
        ganstrata.load_scorer("levels", device="cpu")


UNIT = torch.linspace(0.0, 1.0, 192).view(1, 3, 8, 8)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (2.0 * UNIT - 1.0, r"go from -1 to 1 and seem to be in \[-1, 1\]; give images\.add\(1\)\.div\(2\)"),
        (255.0 * UNIT, r"go from 0 to 255 and seem to be in \[0, 255\]; give images\.div\(255\)"),
        ((9.0 * UNIT).round(), r"seem to be in \[0, 255\]"),
        ((255.0 * UNIT).byte(), r"pictures of torch\.uint8; floats .* give images\.float\(\)\.div\(255\)"),
        (UNIT.numpy(), "pictures as ndarray"),
        (UNIT[0], r"pictures of shape \(3, 8, 8\); floats \(N, 3, height, width\)"),
        (
            UNIT.permute(0, 2, 3, 1),
            r"pictures of shape \(1, 8, 8, 3\); .*give images\.permute\(0, 3, 1, 2\)",
        ),
        (torch.where(UNIT > 0.5, math.nan, UNIT), "not finite"),
    ],
)
def test_pictures_from_python_that_are_none(given: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        Sound(PluginConfig(), CPU).score(Rendering(given))
    assert caught.value.exit_code == 2


def test_a_tensor_in_place_of_a_rendering() -> None:
    with pytest.raises(
        DataError,
        match=r"was given Tensor; it takes a ganstrata\.Rendering: write ganstrata\.Rendering\(images\)",
    ):
        Sound(PluginConfig(), CPU).score(UNIT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        1.6 * UNIT - 0.3,
        0.02 * UNIT - 0.01,
        0.0 * UNIT,
        0.0 * UNIT + 1.0,
        4.0 * UNIT - 2.0,
        (UNIT > 0.5).float(),
    ],
)
def test_edited_and_plain_pictures_are_taken_as_they_are(given: Tensor) -> None:
    assert Sound(PluginConfig(), CPU).score(Rendering(given)).shape == (1, 2)


def test_the_range_is_judged_once_and_can_be_left_alone(register) -> None:
    register("scorer", "sound", Sound)
    scorer = ganstrata.load_scorer("sound", device="cpu")
    with pytest.raises(DataError):
        scorer.score(Rendering(2.0 * UNIT - 1.0))
    with pytest.raises(DataError):
        scorer.score(Rendering(2.0 * UNIT - 1.0))
    scorer.score(Rendering(UNIT))
    scorer.score(Rendering(2.0 * UNIT - 1.0))
    ganstrata.load_scorer("sound", device="cpu", check=False).score(Rendering(2.0 * UNIT - 1.0))


def test_errors_have_their_kinds() -> None:
    for plugin, kind in ((Array, ScoreError), (Full, MemoryExhausted), (Raising, PluginBroken)):
        with pytest.raises(kind):
            checked_scores(plugin(PluginConfig(), CPU), pictures())


@pytest.mark.parametrize(("checks", "caught"), [(True, True), (False, False)])
def test_a_run_checks_its_scorers_before_anything_is_written(
    checks: bool, caught: bool, fakes, register, config, tmp_path
) -> None:
    register("scorer", "chancy", Chance)
    config |= {"scorers": [*config["scorers"], {"use": "chancy", "as": "mine"}], "checks": checks}
    if not caught:
        ganstrata.run(config, tmp_path / "run")
        return
    with pytest.raises(
        PluginBroken, match=r"scorer 'mine' \('chancy' from test 0\) draws from or seeds torch's global"
    ):
        ganstrata.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
