"""The closed form finds planted planes of a generator, chooses its strength, and refuses what cannot be."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from ganstrata.core.errors import DataError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.learning.closed_form import (
    ClosedFormSettings,
    Sampled,
    pixel_miou,
    sample_pixels,
    solve_closed_form,
)
from ganstrata.core.semantics.learning.planes import Planes
from planted_semantics import planted_samples

SMALL = ClosedFormSettings(images=48, held_out=16, pixels=40)


@pytest.mark.parametrize("method", ["ridge", "lda"])
@pytest.mark.parametrize("sampling", ["plain", "balanced"])
def test_planted_planes_are_found(method: str, sampling: str):
    samples = planted_samples()
    found = solve_closed_form(samples, dataclasses.replace(SMALL, method=method, sampling=sampling))
    drawn = samples.draw(0, Stream.VERIFICATION)
    head = found.best.planes.head([described.channels for described in samples.maps])
    predicted = head(drawn.maps, tuple(drawn.labels.shape[-2:])).argmax(1)
    assert float((predicted == drawn.labels).double().mean()) > 0.9
    assert found.best.miou == max(candidate.miou for candidate in found.tried)
    assert found.absent == ()


def test_progress_counts_every_sample():
    counts: list[int] = []
    settings = dataclasses.replace(SMALL, images=9, held_out=5)
    solve_closed_form(planted_samples(), settings, counts.append)
    assert counts == [8, 1, 5]


@pytest.mark.parametrize("method", ["ridge", "lda"])
def test_the_batch_does_not_count(method: str):
    settings = ClosedFormSettings(method, images=21, held_out=9, pixels=40)
    one, other = (solve_closed_form(planted_samples(batch), settings) for batch in (4, 15))
    assert (one.best.strength, one.best.prior) == (other.best.strength, other.best.prior)
    assert one.best.miou == pytest.approx(other.best.miou, abs=1e-12)
    for a, b in (
        (one.best.planes.weight, other.best.planes.weight),
        (one.best.planes.bias, other.best.planes.bias),
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_features_that_are_not_finite_are_refused_by_name():
    samples = planted_samples()
    drawn = samples.draw(0, Stream.TRAINING)
    drawn.maps[1][3] = torch.nan
    with pytest.raises(DataError, match=r"stratum 1 \('middle'\) is not finite in sample 3"):
        sample_pixels(drawn, samples.maps, 20, 0, Stream.TRAINING, "plain")


def test_unknown_pixels_take_no_part():
    samples = planted_samples()
    drawn = samples.draw(0, Stream.TRAINING)
    drawn.labels[:, :4] = -1
    sampled = sample_pixels(drawn, samples.maps, 10**6, 0, Stream.TRAINING, "plain")
    assert len(sampled.labels) == int((drawn.labels >= 0).sum())


def test_miou_of_pixels_is_counted_by_hand():
    everywhere = torch.ones(3, dtype=torch.bool)
    planes = Planes(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), everywhere)
    features = torch.eye(3)[[0, 0, 1, 1]]  # found: 0, 0, 1, 1
    weight = torch.tensor([2.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    sampled = Sampled(features, torch.tensor([0, 1, 1, 1]), weight)
    assert pixel_miou(planes, [sampled]) == pytest.approx((2 / 3 + 2 / 3) / 2)  # the class 2 does not occur
    assert pixel_miou(planes, [sampled], first=1) == pytest.approx(2 / 3)
    assert math.isnan(pixel_miou(planes, []))
