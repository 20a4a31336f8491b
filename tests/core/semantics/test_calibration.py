"""Scaled logits give probabilities that fit, and the same classes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.learning.calibration import best_scale
from ganstrata.core.semantics.learning.closed_form import Method, Sampled, calibrated
from ganstrata.core.semantics.learning.few_shot_solution import few_shot_scale, image_sums, solve_few_shot
from ganstrata.core.semantics.learning.planes import BELOW, Planes
from planted_semantics import planted_samples


def _drawn(scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are `scale` times too large, and labels drawn by the probabilities of the right ones."""
    right = 2.0 * torch.randn(20_000, 4)
    return scale * right, torch.multinomial(right.softmax(dim=1), 1)[:, 0]


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_the_right_scale_is_found(scale: float) -> None:
    logits, labels = _drawn(scale)
    assert scale * best_scale(logits, labels, torch.ones(len(labels))) == pytest.approx(1.0, rel=0.05)


def test_weights_count() -> None:
    logits, labels = _drawn(1.0)
    wrong = (labels + 1) % 4
    both = torch.cat([labels, wrong])
    weight = torch.cat([torch.ones(len(labels)), torch.zeros(len(labels))])
    assert best_scale(logits.repeat(2, 1), both, weight) == pytest.approx(1.0, rel=0.05)
    assert best_scale(logits.repeat(2, 1), both, torch.ones(len(both))) < 0.7


def test_labels_that_are_all_right_do_not_make_it_infinitely_sure() -> None:
    labels = torch.arange(100) % 4
    logits = F.one_hot(labels, 4).float()
    surest = (best_scale(logits, labels, torch.ones(100)) * logits).softmax(1).amax(1)
    # (1 - e) + e / 4 with e = 1 / 102
    assert surest.numpy() == pytest.approx(1.0 - 0.75 / 102, abs=1e-4)


def test_a_calibrated_solution_decides_as_before_and_never_gives_absent_classes() -> None:
    planes = Planes(
        torch.cat([50.0 * torch.randn(3, 5, dtype=torch.float64), torch.zeros(1, 5, dtype=torch.float64)]),
        torch.tensor([0.0, 10.0, -10.0, 0.0], dtype=torch.float64),
        torch.tensor([True, True, True, False]),
    )
    features = torch.randn(4000, 5)
    labels = torch.where(torch.rand(4000) < 0.2, torch.randint(0, 3, (4000,)), planes.classes(features))
    found = calibrated(planes, [Sampled(features, labels, torch.ones(4000))])
    assert (found.classes(features) == planes.classes(features)).all()
    assert int(found.classes(features).max()) < 3
    before, after = (F.cross_entropy(x.logits(features), labels) for x in (planes, found))
    assert float(after) < 0.5 * float(before)
    assert calibrated(planes, []) is planes
    # Pixels of a class that cannot be given say nothing about the scale.
    strangers = Sampled(torch.randn(1000, 5), torch.full((1000,), 3), torch.ones(1000))
    again = calibrated(planes, [Sampled(features, labels, torch.ones(4000)), strangers])
    torch.testing.assert_close(again.weight, found.weight)
    assert calibrated(planes, [strangers]) is planes


@pytest.mark.parametrize("offset", [0.0, -1e6, 1e6])
def test_the_head_never_gives_an_absent_class_however_low_its_logits_are(offset: float) -> None:
    planes = Planes(
        torch.cat([torch.randn(3, 5, dtype=torch.float64), torch.zeros(1, 5, dtype=torch.float64)]),
        torch.tensor([offset, offset, offset, 0.0], dtype=torch.float64),
        torch.tensor([True, True, True, False]),
    )
    with torch.no_grad():
        logits = planes.head([5])([torch.randn(2, 5, 8, 8)], (8, 8))
    assert float((logits[:, :3].mean(1) - logits[:, 3]).min()) == pytest.approx(BELOW, rel=1e-3)
    assert float(logits.softmax(1)[:, 3].max()) == 0.0


@pytest.mark.parametrize("method", ["lda", "ridge"])
def test_a_few_images_find_the_scale_that_fits_new_ones(method: Method) -> None:
    samples, widths = planted_samples(batch=8), [6, 5, 4]
    drawn, new = samples.draw(0, Stream.TRAINING), samples.draw(0, Stream.VERIFICATION)
    maps, labels = [x[:4] for x in drawn.maps], drawn.labels[:4]
    sums = image_sums(samples, maps, labels, range(4))
    scale = few_shot_scale(samples, maps, labels, range(4), sums, method)
    with torch.no_grad():
        raw, fit = (solve_few_shot(sums, method, widths, scale=s)(new.maps, (8, 8)) for s in (1.0, scale))
    assert torch.equal(raw.argmax(1), fit.argmax(1))
    truth = new.labels.flatten()
    best = best_scale(raw.permute(0, 2, 3, 1).reshape(-1, 3), truth, torch.ones(len(truth)))
    assert 0.5 < scale / best < 2.0
    if method == "ridge":  # it aims at 0 and 1, and so is far too unsure
        assert scale > 2.0


def test_a_single_image_is_calibrated_by_itself() -> None:
    samples = planted_samples(batch=1)
    drawn = samples.draw(0, Stream.TRAINING)
    sums = image_sums(samples, drawn.maps, drawn.labels, [0])
    assert few_shot_scale(samples, drawn.maps, drawn.labels, [0], sums, "ridge") > 2.0


def test_images_of_one_class_each_are_calibrated_by_what_there_is() -> None:
    """No image can be left out: the other would have one class."""
    samples = planted_samples(batch=2)
    drawn = samples.draw(0, Stream.TRAINING)
    labels = torch.arange(2)[:, None, None].expand(-1, 8, 8).contiguous()
    sums = image_sums(samples, drawn.maps, labels, range(2))
    scale = few_shot_scale(samples, drawn.maps, labels, range(2), sums, "lda")
    assert 0.0 < scale < 1e6
