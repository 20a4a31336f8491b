"""Each check of a scorer fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
import torch
from ganstrata import Concept, DataError, Generator, PluginConfig, Scorer
from ganstrata.testing import DoesNotApply, check_plugin, checks_of, conformance
from ganstrata.testing.second_device import device
from pydantic import ConfigDict
from torch import nn


class Sound(Scorer):
    """Mean and spread of lightness."""

    concepts = (Concept("lightness", "colour"), Concept("contrast", "attribute"))

    def score(self, rendering):
        lightness = rendering.images.mean(dim=1).flatten(1)  # (N, H*W)
        return torch.stack([lightness.mean(dim=1), lightness.std(dim=1)], dim=1)


class Twice(Sound):
    concepts = (Concept("lightness", "colour"), Concept("lightness", "colour"))


class LooseConfig(Sound):
    class Config(PluginConfig):
        model_config = ConfigDict(extra="ignore", frozen=True)


class Training(Sound):
    def __init__(self, config, device):
        super().__init__(config, device)
        self.network = nn.Linear(1, 1)


class OneColumn(Sound):
    def score(self, rendering):
        return super().score(rendering)[:, :1]


class Undefined(Sound):
    def score(self, rendering):
        return super().score(rendering) * torch.nan


class Counting(Sound):
    numbers = itertools.count()

    def score(self, rendering):
        return super().score(rendering) + 0.1 * next(self.numbers)


class Standardised(Sound):
    def score(self, rendering):
        scores = super().score(rendering)
        return scores - scores.mean(dim=0)


class ByPlace(Sound):
    def score(self, rendering):
        scores = super().score(rendering)
        return scores + torch.arange(len(scores))[:, None]


class Writing(Sound):
    def score(self, rendering):
        rendering.images.clamp_(0.3, 0.6)
        return super().score(rendering)


class GlobalNumbers(Sound):
    def score(self, rendering):
        return super().score(rendering) + 0.0 * torch.rand(1)


class OneSize(Sound):
    def score(self, rendering):
        weights = torch.ones(64 * 64)
        first = rendering.images.mean(dim=1).flatten(1) @ weights / weights.sum()
        return torch.stack([first, first], dim=1)


class SaysSo(OneSize):
    def score(self, rendering):
        if rendering.images.shape[2:] != (64, 64):
            raise DataError("it scores pictures of 64 x 64 pixels only")
        return super().score(rendering)


class Logarithm(Sound):
    def score(self, rendering):
        return super().score(rendering).log()


class OnTheProcessor(Sound):
    def score(self, rendering):
        return super().score(rendering) * torch.tensor([1.0, 2.0])


class Forgiving(Sound):
    class Config(PluginConfig):
        checkpoint: str = "none"


class Deep(Sound):
    """Reads a feature map of the generator."""

    features = (1,)

    def score(self, rendering):
        x = rendering.features[1].flatten(1)
        return torch.stack([x.mean(dim=1), x.std(dim=1)], dim=1)


BROKEN: Mapping[str, tuple[type[Scorer], str]] = {
    "declarations_are_complete": (Twice, "two concepts called 'lightness'"),
    "config_is_strict": (LooseConfig, "extra='forbid'"),
    "networks_are_in_evaluation_mode": (Training, "call .eval()"),
    "scores_are_a_table": (OneColumn, "(images, concepts)"),
    "score_can_be_repeated": (Counting, "scored again"),
    "batch_does_not_change_a_score": (Standardised, "in a batch than alone"),
    "order_does_not_change_a_score": (ByPlace, "in a batch than alone"),
    "pictures_are_left_alone": (Writing, ".clone()"),
    "global_random_state_is_untouched": (GlobalNumbers, "torch's global random numbers"),
    "other_sizes_are_scored_or_refused": (OneSize, "say which sizes it scores"),
    "extreme_pictures_are_scored": (Logarithm, "may be NaN"),
    "everything_is_on_its_device": (OnTheProcessor, "device=self.device"),
    "missing_file_is_named": (Forgiving, "is accepted"),
}


def failures(plugin: type[Scorer]) -> dict[str, str]:
    """Names and messages of the checks that a plugin fails."""
    return {o.check.name: o.message for o in check_plugin("scorer", plugin) if o.verdict == "failed"}


def skip_without_a_device(name: str) -> None:
    if name == "everything_is_on_its_device":
        try:
            device()
        except DoesNotApply as reason:
            pytest.skip(str(reason))


def test_there_is_a_broken_plugin_for_every_check() -> None:
    assert list(BROKEN) == [check.name for check in checks_of("scorer")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_told_with_its_cure(name: str) -> None:
    skip_without_a_device(name)
    plugin, cure = BROKEN[name]
    assert cure in failures(plugin).get(name, "it passes")


def test_a_score_that_is_not_a_number_is_told() -> None:
    assert "may be NaN" in failures(Undefined)["scores_are_a_table"]


def test_a_size_may_be_refused_in_words() -> None:
    assert "other_sizes_are_scored_or_refused" not in failures(SaysSo)


def test_a_scorer_of_feature_maps_is_checked_with_a_generator(rooms: Generator) -> None:
    alone = {o.check.name: o for o in check_plugin("scorer", Deep)}
    assert alone["scores_are_a_table"].verdict == "skipped"
    assert "generator=" in alone["scores_are_a_table"].message
    with_one = {o.check.name: o.verdict for o in check_plugin("scorer", Deep, generator=rooms)}
    assert with_one["batch_does_not_change_a_score"] == with_one["pictures_are_left_alone"] == "ok"
    assert set(with_one.values()) == {"ok", "skipped"}


test_a_sound_plugin = conformance("scorer", Sound)
test_hue = conformance("scorer", "hue")
test_layout = conformance("scorer", "layout", {"checkpoint": "bundled:rooms"})
test_segmentation = conformance("scorer", "segmentation", {"checkpoint": "bundled:rooms"})
