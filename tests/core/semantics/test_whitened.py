"""The pass in whitened features improves on LDA and never ends below it: a wild rate is undone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from ganstrata.core.errors import DataError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.learning.closed_form import best_solution, held_logits, sum_pixels
from ganstrata.core.semantics.learning.planes import Planes
from ganstrata.core.semantics.learning.whitened import Refined, WhitenedSettings, solve_whitened
from ganstrata.core.semantics.samples import Drawn, LabelledSamples
from planted_semantics import planted_samples

SMALL = WhitenedSettings(images=200, held_out=16)


def _accuracy(planes: Planes, samples: LabelledSamples) -> float:
    head = planes.head([described.channels for described in samples.maps])
    right = [
        head(drawn.maps, (8, 8)).argmax(1) == drawn.labels
        for drawn in (samples.draw(start, Stream.VERIFICATION) for start in (0, 8, 16, 24))
    ]
    return float(torch.cat(right).double().mean())


def _held_loss(planes: Planes, samples: LabelledSamples, settings: WhitenedSettings) -> float:
    held = sum_pixels(samples, settings.closed_form, lambda count: None).held
    logits, labels, weight = held_logits(planes, held)
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return float((each * weight).sum() / weight.sum())


def _start(found: Refined) -> Planes:
    return found.start.best.planes


def test_the_pass_is_nearer_to_planted_planes_than_lda():
    samples = planted_samples()
    found = solve_whitened(samples, dataclasses.replace(SMALL, rate=0.05))
    assert found.improved
    assert _accuracy(found.best.planes, samples) > _accuracy(_start(found), samples) + 0.005
    assert found.best.miou > found.start.best.miou
    assert found.sections[-1].held_loss < found.sections[0].held_loss
    assert found.sections[-1].images == 200


@pytest.mark.parametrize("rate", [1.0, 1e4, 1e30])
def test_a_wild_rate_is_halved_and_never_ends_below_lda(rate: float):
    samples, settings = planted_samples(), dataclasses.replace(SMALL, rate=rate)
    found = solve_whitened(samples, settings)
    refused = [not section.kept for section in found.sections]
    for one, after, wrong in zip(found.sections, found.sections[1:], refused, strict=False):
        assert after.rate == (one.rate / 2 if wrong else one.rate)
    assert sum(refused) > 0
    assert found.best.miou >= found.start.best.miou
    held = sum_pixels(samples, settings.closed_form, lambda count: None)
    begun = best_solution(samples, settings.closed_form, held).best.planes
    assert _accuracy(found.best.planes, samples) >= _accuracy(begun, samples) - 0.01
    if rate > 10.0:
        assert all(refused)
        assert not found.improved
        for a, b in ((found.best.planes.weight, begun.weight), (found.best.planes.bias, begun.bias)):
            ratio = found.best.planes.weight[0, 0] / begun.weight[0, 0]  # the scale that fits held-out pixels
            torch.testing.assert_close(a, b * ratio)


def test_held_out_pixels_are_read_better_after_every_section_that_is_kept():
    samples = planted_samples()
    found = solve_whitened(samples, dataclasses.replace(SMALL, rate=0.05))
    losses = [section.held_loss for section in found.sections if section.kept]
    assert losses == sorted(losses, reverse=True)
    assert _held_loss(found.best.planes, samples, SMALL) <= losses[-1] + 1e-6


def test_the_batch_does_not_count():
    settings = dataclasses.replace(SMALL, images=90, rate=0.05)
    one, other = (solve_whitened(planted_samples(batch), settings).best for batch in (4, 15))
    assert one.miou == pytest.approx(other.miou, abs=1e-3)
    torch.testing.assert_close(one.planes.weight, other.planes.weight, rtol=1e-2, atol=1e-2)


def test_the_spread_of_channels_does_not_count():
    """A channel in other units changes nothing, which plain gradient descent does not have."""

    class Scaled(LabelledSamples):
        def draw(self, start: int, stream: Stream, noise: int | None = None, *, late: bool = False) -> Drawn:
            drawn = super().draw(start, stream, noise, late=late)
            return dataclasses.replace(drawn, maps=[drawn.maps[0] * 100.0, *drawn.maps[1:]])

    samples, settings = planted_samples(), dataclasses.replace(SMALL, rate=0.05)
    scaled = Scaled(samples.generator, samples.teacher, samples.strata, samples.batch, samples.seed)
    one, other = (_accuracy(solve_whitened(x, settings).best.planes, x) for x in (samples, scaled))
    # The shrinkage is in units of the mean variance, so it is not exactly the same.
    assert other == pytest.approx(one, abs=0.05)


def test_a_class_that_lda_has_not_seen_is_never_given():
    class Rare(LabelledSamples):
        """Labels of class 2 occur in the pass alone."""

        def draw(self, start: int, stream: Stream, noise: int | None = None, *, late: bool = False) -> Drawn:
            drawn = super().draw(start, stream, noise, late=late)
            if stream == Stream.TRAINING and start >= SMALL.closed_form.images:
                return drawn
            return dataclasses.replace(drawn, labels=drawn.labels.masked_fill(drawn.labels == 2, 1))

    samples = planted_samples()
    rare = Rare(samples.generator, samples.teacher, samples.strata, 4, samples.seed)
    found = solve_whitened(rare, SMALL)
    assert found.start.absent == ("road",)
    drawn = samples.draw(0, Stream.VERIFICATION)
    head = found.best.planes.head([described.channels for described in samples.maps])
    assert not bool((head(drawn.maps, (8, 8)).argmax(1) == 2).any())


def test_a_feature_map_that_is_not_finite_in_the_pass_is_refused_by_name():
    class Broken(LabelledSamples):
        def draw(self, start: int, stream: Stream, noise: int | None = None, *, late: bool = False) -> Drawn:
            drawn = super().draw(start, stream, noise, late=late)
            if stream == Stream.TRAINING and start == 160:
                drawn.maps[1][3] = torch.nan
            return drawn

    samples = planted_samples()
    broken = Broken(samples.generator, samples.teacher, samples.strata, samples.batch, samples.seed)
    with pytest.raises(DataError, match=r"stratum 1 \('middle'\) is not finite in sample 163"):
        solve_whitened(broken, SMALL)


def test_progress_counts_every_sample():
    counts: list[int] = []
    solve_whitened(planted_samples(), WhitenedSettings(51, 5), counts.append)
    assert sum(counts) == 56
