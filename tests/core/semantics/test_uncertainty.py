"""The divergence is that of its definition; choices are uncertain and not alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata.core.errors import UserError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.annotation.uncertainty import choose_next, doubts, image_weights, jensen_shannon
from ganstrata.core.semantics.learning.annotated import draw_samples
from ganstrata.core.semantics.learning.few_shot_solution import image_sums, solve_few_shot
from planted_semantics import planted_samples
from scipy.spatial.distance import jensenshannon


def test_divergence_of_two_heads_is_that_of_scipy():
    torch.manual_seed(0)
    p = torch.randn(2, 3, 5, 4, 6, dtype=torch.float64).softmax(2)
    expected = jensenshannon(p[0].numpy(), p[1].numpy(), axis=1) ** 2
    np.testing.assert_allclose(jensen_shannon(p).numpy(), expected, atol=1e-12)


def test_heads_that_agree_do_not_diverge_however_unsure():
    p = torch.full((4, 1, 3, 2, 2), 1 / 3)
    assert float(jensen_shannon(p).abs().max()) < 1e-6
    sure = torch.zeros(3, 1, 2, 1, 1)
    sure[:, :, 0] = 1.0  # 0 log 0 is no NaN
    assert float(jensen_shannon(sure)) == 0.0


def test_weights_leave_no_image_out():
    weights = image_weights(4, 50, seed=1)
    assert weights.min() > 0
    np.testing.assert_allclose(weights.mean(axis=1), 1.0)
    assert weights.std() > 0.5
    np.testing.assert_array_equal(image_weights(4, 1, seed=1), 1.0)


def test_heads_that_could_not_differ_are_refused():
    with pytest.raises(UserError, match="with one picture they would all be the same"):
        image_weights(1, 4, seed=1)
    assert image_weights(1, 1, seed=1).tolist() == [[1.0]]


def test_doubts_add_up_over_classes_and_are_larger_where_less_was_seen():
    samples = planted_samples()
    seen = draw_samples(samples, range(2), Stream.TRAINING)
    sums = image_sums(samples, seen.maps, seen.labels, range(2))
    heads = [solve_few_shot(sums, "lda", [6, 5, 4], w) for w in image_weights(2, 6, 0).tolist()]
    amounts, profiles = doubts(heads, seen.maps, (8, 8))
    np.testing.assert_allclose(profiles.sum(axis=1), amounts, rtol=1e-4)
    new = draw_samples(samples, range(100, 108), Stream.TRAINING)
    assert doubts(heads, new.maps, (8, 8))[0].mean() > amounts.mean()
    same = doubts([heads[0], heads[0]], new.maps, (8, 8))[0]
    assert same.max() < 1e-6


def test_a_duplicate_is_not_chosen_twice():
    amounts = np.array([1.0, 0.99, 0.4, 0.1])
    profiles = np.array([[1.0, 0.1], [1.0, 0.1], [0.1, 1.0], [0.5, 0.5]])
    assert choose_next(amounts, profiles, 2).tolist() == [0, 2]
    assert sorted(choose_next(amounts, profiles, 9).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("profiles", [np.zeros((3, 2)), np.ones((3, 2))])
def test_pictures_that_are_all_alike_are_chosen_by_amount(profiles):
    assert choose_next(np.array([0.1, 0.3, 0.2]), profiles, 2).tolist() == [1, 2]
