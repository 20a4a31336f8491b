"""Pools are fair and end, and cosines are those of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata.core.errors import DataError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.extractor import MadeFor
from ganstrata.core.semantics.heads import enlarge
from ganstrata.core.semantics.measuring.centres import class_centres
from ganstrata.core.semantics.measuring.geometry import (
    IN_ALL,
    PER_IMAGE,
    closest_to_itself,
    cosine_matrix,
    fair_sampling,
)
from planted_semantics import planted_samples


def test_pools_fill_with_equally_many_features_of_each_image():
    counts: list[int] = []
    pools = fair_sampling(planted_samples(), 4, 40, 400, counts.append)
    assert pools.counts.tolist() == [40, 40, 40]
    assert pools.unfilled == ()
    assert sum(counts) == pools.images < 400


def test_classes_that_never_cover_enough_end_and_are_named():
    pools = fair_sampling(planted_samples(), 50, 1000, 19)  # of 64 pixels
    assert pools.images == 19
    assert pools.unfilled == pools.classes
    assert (pools.counts % 50 == 0).all()
    cosines = cosine_matrix(pools)
    empty = pools.counts == 0
    assert np.isnan(cosines[empty]).all()
    assert not np.isnan(cosines[~empty][:, ~empty]).any()


def test_cosines_are_the_means_over_all_pairs():
    """Whole images of one class each: all their pixels are in the pools."""
    samples = planted_samples(batch=4)
    drawn = samples.draw(0, Stream.TRAINING)
    labels = torch.arange(4)[:, None, None].expand(-1, 8, 8) % 3
    object.__setattr__(drawn, "labels", labels.contiguous())
    object.__setattr__(samples, "draw", lambda start, stream, late: drawn)
    pools = fair_sampling(samples, 64, 64, 4)
    everywhere = torch.cat([enlarge(x, (8, 8)) for x in drawn.maps], dim=1)[:3]
    units = torch.nn.functional.normalize(everywhere.flatten(2).double(), dim=1)  # (3, F, 64)
    pairs = torch.einsum("afi,bfj->abij", units, units).mean((2, 3)).numpy()
    np.testing.assert_allclose(cosine_matrix(pools), pairs, atol=1e-6)


def test_features_that_are_not_finite_are_refused():
    samples = planted_samples()
    drawn = samples.draw(0, Stream.TRAINING)
    drawn.maps[2][:] = torch.inf
    object.__setattr__(samples, "draw", lambda start, stream, late: drawn)
    with pytest.raises(DataError, match=r"stratum 2 \('late'\) is not finite"):
        fair_sampling(samples, 4, 40, 8)


@pytest.mark.parametrize(("per_image", "in_all"), [(0, 10), (3, 10), (20, 10)])
def test_numbers_that_do_not_fit_are_refused(per_image: int, in_all: int):
    with pytest.raises(ValueError, match="multiple"):
        fair_sampling(planted_samples(), per_image, in_all)


def test_pools_are_as_large_as_the_papers():
    assert (PER_IMAGE, IN_ALL) == (200, 4000)


def test_a_class_is_closest_to_itself_or_not():
    cosines = np.array([[0.8, 0.7], [0.7, 0.6]])
    assert closest_to_itself(cosines).tolist() == [True, False]


def test_class_centres_are_mean_directions_and_label_pixels_by_the_smallest_angle():
    samples = planted_samples(batch=8)
    centres = class_centres(samples, MadeFor.of(samples.generator), 20)  # 256 pixels: all 64 of a picture
    units, labels = [], []
    for start in (0, 8, 16):
        drawn = samples.draw(start, Stream.TRAINING)
        n = min(8, 20 - start)
        features = torch.cat([enlarge(x, (8, 8)) for x in drawn.maps], dim=1)[:n]
        units.append(
            torch.nn.functional.normalize(features.double(), dim=1).permute(0, 2, 3, 1).flatten(0, 2)
        )
        labels.append(drawn.labels[:n].flatten())
    all_units, all_labels = torch.cat(units), torch.cat(labels)
    means = torch.stack([all_units[all_labels == k].mean(0) for k in range(3)])
    expected = torch.nn.functional.normalize(means, dim=1)
    weight = torch.cat([part.detach().flatten(1) for part in centres.heads[0].T], dim=1)
    torch.testing.assert_close(weight.double(), expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        found = centres.logits(drawn.rendering.features)[:n].argmax(1).flatten()
    assert torch.equal(found, (units[-1] @ expected.T).argmax(1))
