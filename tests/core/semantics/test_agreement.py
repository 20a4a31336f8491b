"""IoU is that of the authors' code, pooled and per-image averages differ, and intervals cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata.core.errors import ShapeError
from ganstrata.core.semantics.agreement import (
    Measured,
    Overlaps,
    image_ious,
    iou_per_image,
    iou_pooled,
    mean_over_classes,
    overlaps,
    picture_mious,
    pixel_accuracy,
    pixels_of_classes,
    relative_gap,
    selected_classes,
    semantic_agreement,
)
from ganstrata.core.statistics import bootstrap_weights
from reference_numbers import reference

NUMBERS = reference("lineargan_iou")


def _theirs() -> Overlaps:
    """Overlaps of the authors' labels: 6 pictures, 7 classes with a background."""
    predicted, target = (torch.from_numpy(NUMBERS[f"input/{name}"]) for name in ("prediction", "target"))
    return overlaps(predicted, target, 7)


def _theirs_or_nan(name: str) -> np.ndarray:
    """A number of the authors as ours: NaN where they have -1."""
    found = NUMBERS[f"output/{name}"]
    return np.where(found < -0.5, np.nan, found)


def test_iou_of_every_picture_is_exactly_that_of_the_authors():
    ours = image_ious(_theirs()).T[:, 1:]  # they drop class 0
    np.testing.assert_array_equal(ours.astype(np.float32), _theirs_or_nan("per_image_iou"))


def test_averages_are_those_of_the_authors():
    found, weights = _theirs(), np.ones((1, 6))
    classes = iou_per_image(found, weights)
    np.testing.assert_allclose(classes.value[1:], _theirs_or_nan("class_iou"), rtol=0, atol=1e-7)
    np.testing.assert_array_equal(
        iou_pooled(found, weights).value[1:].astype(np.float32), _theirs_or_nan("pooled_iou_same_function")
    )
    mean = mean_over_classes(classes, 6, np.arange(7) > 0)
    np.testing.assert_allclose(mean.value, NUMBERS["output/miou"], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(
        (found.correct / found.known).astype(np.float32), NUMBERS["output/pixel_accuracy"]
    )
    # A resampling that draws each picture once is the sample itself.
    np.testing.assert_allclose(classes.replicates[0], classes.value, rtol=1e-12)
    np.testing.assert_allclose(mean.replicates[0], mean.value, rtol=1e-12)


def _slow(predicted: torch.Tensor, target: torch.Tensor, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Intersections and unions, class by class with sets of pixels."""
    both, either = (np.zeros((len(target), classes), dtype=int) for _ in range(2))
    for n in range(len(target)):
        pixels = [(y, x) for y, x in np.ndindex(*target.shape[1:]) if target[n, y, x] >= 0]
        for m in range(classes):
            a = {p for p in pixels if predicted[n][p] == m}
            b = {p for p in pixels if target[n][p] == m}
            both[n, m], either[n, m] = len(a & b), len(a | b)
    return both, either


def test_pixels_without_a_target_are_left_out():
    rng = np.random.default_rng(0)
    predicted = torch.from_numpy(rng.integers(0, 4, (5, 6, 7)))
    target = torch.from_numpy(rng.integers(-1, 4, (5, 6, 7)))
    target[3] = -1
    found = overlaps(predicted, target, 4)
    both, either = _slow(predicted, target, 4)
    np.testing.assert_array_equal(found.intersections, both)
    np.testing.assert_array_equal(found.unions, either)
    np.testing.assert_array_equal(found.known, (target >= 0).sum(dim=(1, 2)).numpy())
    np.testing.assert_array_equal(found.correct, both.sum(axis=1))
    assert np.isnan(image_ious(found)[:, 3]).all()
    changed = torch.where(target < 0, 3 - predicted, predicted)
    np.testing.assert_array_equal(overlaps(changed, target, 4).unions, found.unions)


def test_a_spurious_pixel_counts_in_the_per_image_average_but_hardly_in_the_pooled_one():
    target = torch.zeros(2, 10, 10, dtype=torch.long)
    target[0, :5] = 1
    predicted = target.clone()
    predicted[1, 0, 0] = 1
    found, weights = overlaps(predicted, target, 2), np.ones((1, 2))
    assert iou_per_image(found, weights).value[1] == pytest.approx((1.0 + 0.0) / 2)
    assert iou_pooled(found, weights).value[1] == pytest.approx(50 / 51)


def test_a_class_in_no_label_is_undefined_and_not_zero():
    labels = torch.zeros(3, 4, 4, dtype=torch.long)
    found, weights = overlaps(labels, labels, 3), bootstrap_weights(3, 50, 0)
    for measured in (iou_per_image(found, weights), iou_pooled(found, weights)):
        assert measured.value[0] == 1.0
        assert np.isnan(measured.value[1:]).all()
        assert np.isnan(np.stack(measured.bounds)[:, 1:]).all()
    mean = mean_over_classes(iou_per_image(found, weights), 3, np.array([False, True, True]))
    assert np.isnan(mean.value)


def _noisy(rng: np.random.Generator, pictures: int, right: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets of two classes, and predictions; the share that is right varies from picture to picture."""
    target = torch.from_numpy(rng.integers(0, 2, (pictures, 8, 8)))
    share = np.clip(rng.normal(right, 0.1, (pictures, 1, 1)), 0.0, 1.0)
    wrong = torch.from_numpy(rng.random((pictures, 8, 8)) > share)
    return torch.where(wrong, 1 - target, target), target


def test_intervals_cover_the_truth_and_shrink_with_pictures():
    rng = np.random.default_rng(1)
    truth = {}
    for measure in (iou_per_image, iou_pooled, pixel_accuracy):
        value = measure(overlaps(*_noisy(rng, 5_000, 0.8), 2), np.ones((1, 5_000))).value
        truth[measure] = float(np.ravel(value)[-1])
    covered = dict.fromkeys(truth, 0)
    for trial in range(50):
        found = overlaps(*_noisy(rng, 12, 0.8), 2)
        for measure, true in truth.items():
            low, high = measure(found, bootstrap_weights(12, 200, trial)).bounds
            covered[measure] += np.ravel(low)[-1] <= true <= np.ravel(high)[-1]
    assert all(42 <= count <= 50 for count in covered.values()), covered

    def width(pictures: int) -> float:
        found = overlaps(*_noisy(rng, pictures, 0.8), 2)
        low, high = iou_per_image(found, bootstrap_weights(pictures, 200, 0)).bounds
        return float(high[1] - low[1])

    assert width(400) < 0.5 * width(25)


def test_the_gap_is_resampled_in_pairs():
    """Two readings that fail on the same pictures differ by a certain gap, though each is uncertain."""
    rng = np.random.default_rng(2)
    better, target = _noisy(rng, 40, 0.7)
    worse = better.clone()
    worse[:, 0] = 1 - target[:, 0]
    weights = bootstrap_weights(40, 400, 0)
    y, best = (
        mean_over_classes(iou_per_image(overlaps(p, target, 2), weights), 40, np.array([True, True]))
        for p in (worse, better)
    )
    gap = relative_gap(y, best)
    assert gap.value == pytest.approx((y.value - best.value) / best.value)
    alone = np.subtract(*y.bounds[::-1]) / best.value
    paired = np.subtract(*gap.bounds[::-1])
    assert paired < 0.6 * alone
    assert gap.bounds[0] < gap.value < gap.bounds[1] < 0.0
    assert relative_gap(best, best).value == 0.0


def test_a_gap_to_nothing_is_undefined():
    nothing = Measured(np.asarray(0.0), np.zeros(5), np.asarray(9))
    assert np.isnan(relative_gap(nothing, nothing).value)


def test_one_picture_has_no_interval():
    found = overlaps(*_noisy(np.random.default_rng(3), 1, 0.8), 2)
    measured = iou_per_image(found, bootstrap_weights(1, 20, 0))
    assert np.isfinite(measured.value).all()
    assert np.isnan(np.stack(measured.bounds)).all()


def test_semantic_agreement_averages_pictures_within_targets():
    target = torch.tensor([[[1, 1], [2, 0]], [[1, 2], [2, 2]]])
    pictures = torch.stack([target, target.flip(2)], dim=1)  # (T, J, H, W): one right, one mirrored
    found = overlaps(pictures.flatten(0, 1), target.repeat_interleave(2, dim=0), 3)
    each = picture_mious(found, background=True).reshape(2, 2)
    # Mirrored, the first keeps both pixels of class 1 and misses class 2; the second keeps 2 of 4 of class 2.
    np.testing.assert_allclose(each, [[1.0, 0.5], [1.0, 0.25]])
    whole = semantic_agreement(each, bootstrap_weights(2, 100, 0))
    assert whole.value == pytest.approx(0.6875)
    assert whole.bounds[0] <= whole.value <= whole.bounds[1]
    missing = np.array([[1.0, np.nan], [0.5, 0.25]])
    assert semantic_agreement(missing, np.ones((1, 2))).value == pytest.approx((1.0 + 0.375) / 2)


def test_the_background_is_never_selected_and_the_threshold_is_exceeded():
    ious = np.array([[0.9, 0.1, 0.11, np.nan, 0.0], [0.9, 0.1, 0.02, np.nan, 0.5]])
    assert selected_classes(ious, background=True) == (2, 4)
    assert selected_classes(ious, 0.2) == (0, 4)
    assert selected_classes(ious, 0.99) == ()


def test_pictures_fill_their_places_and_what_is_too_many_is_cut_off():
    found = _theirs()
    whole = Overlaps.empty(8, 7)
    whole.put(0, found)
    whole.put(6, found)
    np.testing.assert_array_equal(whole.unions, np.concatenate([found.unions, found.unions[:2]]))
    np.testing.assert_array_equal(whole.known, np.concatenate([found.known, found.known[:2]]))


def test_pixels_of_classes_are_counted_by_picture():
    labels = torch.tensor([[[0, 2], [2, -1]], [[1, 1], [-1, -1]]])
    assert pixels_of_classes(labels, 3).tolist() == [[1, 0, 2], [0, 2, 0]]


@pytest.mark.parametrize(
    ("predicted", "target", "words"),
    [
        (torch.zeros(1, 2, 2), torch.zeros(1, 2, 3), "shape (1, 2, 2) cannot be compared"),
        (torch.zeros(2, 2), torch.zeros(2, 2), "both must be (N, H, W)"),
        (torch.full((1, 2, 2), 3), torch.zeros(1, 2, 2), "predicted labels go from 3 to 3"),
        (torch.full((1, 2, 2), -1), torch.zeros(1, 2, 2), "predicted labels go from -1 to -1"),
        (torch.zeros(1, 2, 2), torch.full((1, 2, 2), 3), "target labels go from 3 to 3; there are 3 classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(predicted: torch.Tensor, target: torch.Tensor, words: str):
    with pytest.raises(ShapeError) as caught:
        overlaps(predicted, target, 3)
    assert words in str(caught.value)
