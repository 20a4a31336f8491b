"""Planes from sums are those of independent solvers; class centres are those of the authors' rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata.core.errors import DataError
from ganstrata.core.semantics.heads import enlarge
from ganstrata.core.semantics.learning.planes import (
    PixelSums,
    euclidean_centres,
    lda,
    ridge,
    spherical_centres,
)
from reference_numbers import reference
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

NUMBERS = reference("klish_class_centroid")


def _data(classes: int = 4, features: int = 6, pixels: int = 3000) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(classes, (pixels,), generator=generator)
    centres = 2.0 * torch.randn(classes, features, generator=generator)
    mixing = torch.randn(features, features, generator=generator)
    noise = torch.randn(pixels, features, generator=generator) @ mixing
    return (centres[labels] + noise + 3.0).float(), labels


def _sums(features: torch.Tensor, labels: torch.Tensor, classes: int = 4) -> PixelSums:
    sums = PixelSums(classes, features.shape[1])
    for part in torch.arange(len(labels)).split(700):
        sums.add(features[part], labels[part], torch.ones(len(part)))
    return sums


def test_ridge_is_that_of_scikit_learn():
    features, labels = _data()
    x, y = features.double().numpy(), np.eye(4)[labels.numpy()]
    strength = 0.3
    penalty = strength * x.var(axis=0).mean() * len(x)
    theirs = Ridge(alpha=penalty).fit(x, y)
    ours = ridge(_sums(features, labels), strength)
    np.testing.assert_allclose(ours.weight.numpy(), theirs.coef_, atol=1e-9)
    np.testing.assert_allclose(ours.bias.numpy(), theirs.intercept_, atol=1e-9)


def test_lda_gives_the_posteriors_of_scikit_learn():
    features, labels = _data()
    x = features.double().numpy()
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x, labels.numpy())
    ours = lda(_sums(features, labels), 0.0)
    logits = torch.from_numpy(x) @ ours.weight.T + ours.bias
    np.testing.assert_allclose(logits.softmax(1).numpy(), theirs.predict_proba(x), atol=1e-6)


def test_weights_count_as_repeated_pixels():
    features, labels = _data(pixels=400)
    weight = (labels % 3 + 1).double()
    times = weight.long()
    weighted, repeated = PixelSums(4, 6), PixelSums(4, 6)
    weighted.add(features, labels, weight)
    repeated.add(
        features.repeat_interleave(times, 0), labels.repeat_interleave(times), torch.ones(int(times.sum()))
    )
    torch.testing.assert_close(lda(weighted, 0.1).weight, lda(repeated, 0.1).weight)
    torch.testing.assert_close(ridge(weighted, 0.1).bias, ridge(repeated, 0.1).bias)


@pytest.mark.parametrize("solve", [lambda s: ridge(s, 1e-3), lambda s: lda(s, 1e-3), euclidean_centres])
def test_a_class_that_never_occurs_is_never_given(solve):
    features, labels = _data()
    planes = solve(_sums(features, labels, classes=6))
    assert planes.present.tolist() == [True] * 4 + [False] * 2
    assert bool(torch.isneginf(planes.logits(features)[:, 4:]).all())
    assert int(planes.classes(features).max()) < 4
    assert float((planes.classes(features) == labels).double().mean()) > 0.7


def test_one_class_alone_is_refused():
    features, _ = _data(pixels=50)
    with pytest.raises(DataError, match="1 of 4 classes occur"):
        lda(_sums(features, torch.zeros(50, dtype=torch.int64)), 0.1)


@pytest.mark.parametrize("solve", [ridge, lda])
def test_features_that_repeat_or_never_vary_are_allowed(solve):
    features, labels = _data()
    features = torch.cat([features, features, torch.ones(len(features), 2)], dim=1)
    planes = solve(_sums(features, labels), 0.0)
    alone = solve(_sums(features[:, :6], labels), 0.0)
    same = planes.classes(features) == alone.classes(features[:, :6])
    assert float(same.double().mean()) > 0.999


def test_the_head_computes_the_same_logits_on_maps():
    torch.manual_seed(0)
    maps = [torch.randn(2, 4, 3, 3), torch.randn(2, 2, 6, 6)]
    features, labels = _data()
    planes = lda(_sums(features, labels), 0.1)
    everywhere = torch.cat([enlarge(x, (6, 6)) for x in maps], dim=1).double()
    expected = torch.einsum("mf,nfhw->nmhw", planes.weight, everywhere) + planes.bias[:, None, None]
    with torch.no_grad():
        found = planes.head([4, 2])(maps, (6, 6)).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def _klish() -> tuple[list[torch.Tensor], torch.Tensor, PixelSums]:
    maps = [torch.from_numpy(NUMBERS[f"input/feature{i}"]) for i in range(3)]
    labels = torch.from_numpy(NUMBERS["input/label"]).long()
    everywhere = torch.cat([enlarge(x, (24, 24)) for x in maps], dim=1)
    sums = PixelSums(5, everywhere.shape[1])
    sums.add(everywhere.permute(0, 2, 3, 1).flatten(0, 2), labels.flatten(), torch.ones(labels.numel()))
    return maps, labels, sums


def test_euclidean_centres_are_those_of_the_authors():
    maps, _, sums = _klish()
    planes = euclidean_centres(sums)
    centroids = np.concatenate([NUMBERS[f"output/centroid{i}"] for i in range(3)], axis=1)
    np.testing.assert_allclose(planes.weight.numpy(), centroids, rtol=0, atol=1e-6)
    bias = sum(NUMBERS[f"output/bias{i}"] for i in range(3))
    np.testing.assert_allclose(planes.bias.numpy(), bias, rtol=0, atol=1e-6)
    with torch.no_grad():
        logits = planes.head([x.shape[1] for x in maps])(maps, (24, 24)).numpy()
    np.testing.assert_allclose(logits, NUMBERS["output/logits"], rtol=0, atol=1e-5)


def test_spherical_centres_take_the_smallest_angle():
    features, labels = _data()
    units = torch.nn.functional.normalize(features.double(), dim=1)
    planes = spherical_centres(_sums(units, labels))
    centres = np.stack([units[labels == k].mean(0).numpy() for k in range(4)])
    cosines = units.numpy() @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
    np.testing.assert_array_equal(planes.classes(features).numpy(), cosines.argmax(1))
