"""Each check of a scorer fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
import torch
from ganstrata import Concept, DataError, Generator, PluginConfig, Scorer, Segmenter
from ganstrata.testing import check_plugin, checks_of, conformance
from kit_outcomes import assert_told_once, failure, outcome
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


class SometimesUndefined(Sound):
    """Contrast has no meaning in dark pictures."""

    concepts = (Concept("lightness", "colour"), Concept("contrast", "attribute", may_be_undefined=True))

    def score(self, rendering):
        scores = super().score(rendering)
        scores[scores[:, 0] < 0.5, 1] = torch.nan
        return scores


class NoExtras(Sound):
    extras = ("confidence",)


class Anew(Sound):
    numbers = itertools.count()

    def __init__(self, config, device):
        super().__init__(config, device)
        self.shift = 0.1 * next(self.numbers)

    def score(self, rendering):
        return super().score(rendering) + self.shift


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
        return scores + torch.arange(len(scores), device=self.device)[:, None]


class Writing(Sound):
    def score(self, rendering):
        rendering.images.clamp_(0.3, 0.6)
        return super().score(rendering)


class GlobalNumbers(Sound):
    def score(self, rendering):
        return super().score(rendering) + 0.0 * torch.rand(1, device=self.device)


class OneSize(Sound):
    def score(self, rendering):
        weights = torch.ones(64 * 64, device=self.device)
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


class Detached(Sound):
    def feature_stages(self, rendering):
        return [rendering.images, rendering.images.detach()]


class Mixed(Sound):
    def feature_stages(self, rendering):
        return [rendering.images - rendering.images.mean(dim=0)]


class Dead(Sound):
    def feature_stages(self, rendering):
        return [0.0 * rendering.images]


class Pooled(Sound):
    def feature_stages(self, rendering):
        return [rendering.images.mean(dim=(2, 3))]


class Absent(Sound):
    def feature_stages(self, rendering):
        return None


class Clamping(Sound):
    def score(self, rendering):
        rendering.images.clamp_(0.0, 1.0)
        return super().score(rendering)


class Failing(Sound):
    def score(self, rendering):
        if float(rendering.images.min()) < 0.0:
            raise ValueError("too dark")
        return super().score(rendering)


class Wide(Segmenter):
    """Gives planes for more classes than it has concepts."""

    concepts = tuple(Concept(f"class {i}", "object") for i in range(3))
    planes = 5

    def logits(self, rendering):
        return torch.arange(1.0, 1.0 + self.planes)[:, None, None] * rendering.images[:, :1]


class Narrow(Wide):
    planes = 2


class Numbering(Wide):
    """Numbers its classes from 1."""

    planes = 3

    def labels(self, rendering):
        return super().labels(rendering) + 1


class Forgiving(Sound):
    class Config(PluginConfig):
        checkpoint: str = "none"


class Deep(Sound):
    """Reads a feature map of the generator."""

    features = (1,)

    def score(self, rendering):
        x = rendering.features[1].flatten(1)
        return torch.stack([x.mean(dim=1), x.std(dim=1)], dim=1)


class Flat(Sound):
    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        return rendering.images.mean(dim=(1, 2, 3))


class Spread(Sound):
    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        means = rendering.images.mean(dim=(1, 2, 3))
        return ((means - means.min()) / (means.max() - means.min()))[:, None]


BROKEN: Mapping[str, tuple[type[Scorer], str]] = {
    "declarations are complete": (Twice, "two concepts called 'lightness'"),
    "config is strict": (LooseConfig, "extra='forbid'"),
    "networks are in evaluation mode": (Training, "call .eval()"),
    "scores are a table": (OneColumn, "(images, concepts)"),
    "pictures are left alone": (Writing, ".clone()"),
    "global random state is untouched": (GlobalNumbers, "torch's global random numbers"),
    "score can be repeated": (Counting, "scored again"),
    "order does not change a score": (ByPlace, "at another place of its batch"),
    "batch does not change a score": (Standardised, "in a batch than alone"),
    "other sizes are scored or refused": (OneSize, "say which sizes it scores"),
    "extreme pictures are scored": (Logarithm, "may be NaN"),
    "feature maps lead back to pictures": (Detached, "leave out .detach()"),
    "everything is on its device": (OnTheProcessor, "device=self.device"),
    "missing file is named": (Forgiving, "is accepted"),
}


def test_there_is_a_broken_plugin_for_every_check() -> None:
    assert list(BROKEN) == [check.name for check in checks_of("scorer")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_told_with_its_cure_and_once(name: str) -> None:
    plugin, cure = BROKEN[name]
    assert_told_once("scorer", plugin, name, cure)


@pytest.mark.parametrize(
    ("plugin", "name", "cure"),
    [
        (Undefined, "scores are a table", "may be NaN"),
        (Flat, "scores are a table", ": return scores[:, None]"),
        (Spread, "batch does not change a score", "may use the statistics of the batch"),
        (NoExtras, "scores are a table", "returned extras of shape"),
        (Clamping, "pictures are left alone", ".clone()"),
        (Failing, "extreme pictures are scored", "pictures with values from -0.2 to 1.2 are not scored: "),
        (Wide, "scores are a table", "so of 5 classes, and declares 3 concepts"),
        (Narrow, "scores are a table", "so of 2 classes, and declares 3 concepts"),
        (Numbering, "scores are a table", "returned the label 3; it has 3 classes"),
        (Anew, "score can be repeated", "seeded from the config"),
        (Mixed, "feature maps lead back to pictures", "depend on the others of its batch"),
        (Dead, "feature maps lead back to pictures", "do not reach the pictures"),
        (Pooled, "feature maps lead back to pictures", "(N, C, H, W)"),
    ],
)
def test_the_same_promise_can_be_broken_in_other_ways(plugin: type[Scorer], name: str, cure: str) -> None:
    assert cure in failure("scorer", plugin, name)


def test_scores_may_be_undefined_where_the_concept_says_so() -> None:
    verdicts = {o.check.name: o.verdict for o in check_plugin("scorer", SometimesUndefined)}
    assert set(verdicts.values()) <= {"ok", "skipped"}
    assert verdicts["scores are a table"] == verdicts["batch does not change a score"] == "ok"


def test_feature_maps_may_be_absent_or_there() -> None:
    name = "feature maps lead back to pictures"
    assert [outcome("scorer", plugin, name).verdict for plugin in (Sound, Absent)] == ["skipped", "skipped"]
    assert outcome("scorer", "category", name, {"checkpoint": "bundled:rooms"}).verdict == "ok"


def test_a_size_may_be_refused_in_words() -> None:
    assert outcome("scorer", SaysSo, "other sizes are scored or refused").verdict == "ok"


def test_a_scorer_of_feature_maps_is_checked_with_a_generator(rooms: Generator) -> None:
    alone = {o.check.name: o for o in check_plugin("scorer", Deep)}
    assert alone["scores are a table"].verdict == "skipped"
    assert "generator=" in alone["scores are a table"].message
    with_one = {o.check.name: o.verdict for o in check_plugin("scorer", Deep, generator=rooms)}
    assert with_one["batch does not change a score"] == with_one["pictures are left alone"] == "ok"
    assert set(with_one.values()) == {"ok", "skipped"}


test_a_sound_plugin = conformance("scorer", Sound)
test_hue = conformance("scorer", "hue")
test_layout = conformance("scorer", "layout", {"checkpoint": "bundled:rooms"})
test_segmentation = conformance("scorer", "segmentation", {"checkpoint": "bundled:rooms"})
