"""Held-out quality of an encoder, for encoders whose quality is known."""

from __future__ import annotations

import pytest
import torch
from fakes import LAYERS, SIZE, WIDTH, Classes, Layered
from ganstrata.core.inversion.encoders.network import Encoded
from ganstrata.core.inversion.encoders.pairs import PairSource
from ganstrata.core.inversion.encoders.quality import in_words, measure, psnr
from ganstrata.core.inversion.encoders.real import RealPictures
from ganstrata.core.randomness import Stream
from ganstrata.core.strata.code_spaces import CodeSpace
from torch import Tensor

CLASSES = (0, 1, 2)


def source(kind: type[Layered] = Layered) -> PairSource:
    return PairSource(CodeSpace.of(kind(kind.Config(gain=0.1), torch.device("cpu")), "w+"), 0.0, 0)


class Known:
    """Answer the pictures of validation with their own codes, in the order in which they are asked for."""

    def __init__(self, source: PairSource, right_classes: int = 0) -> None:
        self.pairs = source.draw(0, 40, Stream.VALIDATION)
        self.right, self.at = right_classes, 0

    def __call__(self, pictures: Tensor) -> Encoded:
        rows = slice(self.at, self.at + len(pictures))
        self.at += len(pictures)
        torch.testing.assert_close(pictures, self.pairs.pictures[rows])
        variables = self.pairs.variables[rows]
        condition = self.pairs.space.condition
        if condition is None:
            logits = torch.zeros(len(pictures), 0)
        else:
            told = torch.where(torch.arange(40) < self.right, condition, (condition + 1) % 3)[rows]
            logits = torch.nn.functional.one_hot(told, 3).float()
        return Encoded(variables[:, 0], variables[:, 1:] - variables[:, :1], logits)


def mean_code(pictures: Tensor) -> Encoded:
    """Answer every picture with the mean code."""
    n = len(pictures)
    return Encoded(torch.zeros(n, WIDTH), torch.zeros(n, LAYERS - 1, WIDTH), torch.zeros(n, 0))


def test_the_codes_themselves_are_perfect_and_the_mean_is_not() -> None:
    pairs = source()
    best = measure(Known(pairs), pairs, LAYERS, samples=40)
    assert best.latent == pytest.approx(0.0, abs=1e-10)
    assert best.psnr > 100.0
    worst = measure(mean_code, pairs, LAYERS, samples=40)
    assert worst.latent == pytest.approx(1.0, abs=0.15)
    assert worst.psnr == pytest.approx(worst.mean_psnr)
    assert best.mean_psnr == pytest.approx(worst.mean_psnr)
    assert worst.psnr < 25.0
    assert (best.samples, best.real, best.real_psnr, best.classes) == (40, 0, None, None)


def test_only_rows_that_are_on_have_their_change() -> None:
    pairs = PairSource(source().space, 1.0, 0)
    assert measure(Known(pairs), pairs, LAYERS, samples=40).latent < 1e-9
    assert measure(Known(pairs), pairs, 1, samples=40).latent > 0.1


def test_real_pictures_are_measured_up_to_as_many_as_samples() -> None:
    pairs = source()
    grey = RealPictures(100, lambda numbers: torch.full((len(numbers), 3, SIZE, SIZE), 0.5))
    found = measure(mean_code, pairs, LAYERS, samples=33, real=grey)
    assert found.real == 33
    assert found.real_psnr == pytest.approx(found.real_mean_psnr)
    assert found.real_psnr is not None
    assert found.real_psnr > found.psnr
    few = RealPictures(3, grey.read)
    assert measure(mean_code, pairs, LAYERS, samples=33, real=few).real == 3


def test_the_share_of_classes_is_told() -> None:
    pairs = source(Classes)
    found = measure(Known(pairs, right_classes=30), pairs, LAYERS, samples=40, classes=CLASSES)
    assert found.classes == pytest.approx(0.75)
    assert "the class of 75.0 % of the samples is told" in in_words(found.as_data())


def test_psnr_is_that_of_its_definition() -> None:
    wanted = torch.zeros(2, 3, 4, 4)
    made = wanted.clone()
    made[0] += 0.1
    made[1, :, :2] += 0.1
    assert psnr(made, wanted).tolist() == pytest.approx([20.0, 23.0103], abs=1e-3)
