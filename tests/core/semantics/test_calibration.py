"""Scaled logits give probabilities that fit, and the same classes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ganstrata.core.semantics.learning.calibration import best_scale
from ganstrata.core.semantics.learning.closed_form import Sampled, calibrated
from ganstrata.core.semantics.learning.planes import NEVER, Planes


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


def test_a_calibrated_solution_decides_as_before_and_never_gives_absent_classes() -> None:
    planes = Planes(
        torch.cat([50.0 * torch.randn(3, 5, dtype=torch.float64), torch.zeros(1, 5, dtype=torch.float64)]),
        torch.tensor([0.0, 10.0, -10.0, NEVER], dtype=torch.float64),
    )
    features = torch.randn(4000, 5)
    labels = torch.where(torch.rand(4000) < 0.2, torch.randint(0, 3, (4000,)), planes.classes(features))
    found = calibrated(planes, [Sampled(features, labels, torch.ones(4000))])
    assert (found.classes(features) == planes.classes(features)).all()
    assert float(found.bias[3]) == NEVER
    before, after = (F.cross_entropy(x.logits(features), labels) for x in (planes, found))
    assert float(after) < 0.5 * float(before)
    assert calibrated(planes, []) is planes
