"""A few annotated images train an extractor; unknown pixels do not count; fresh noise is drawn anew."""

from __future__ import annotations

import pytest
import torch
from fakes import Grainy, Layered
from ganstrata.core.errors import DataError
from ganstrata.core.plugins.pending import DONE, Pending
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.heads import LSE, enlarge, lines
from ganstrata.core.semantics.learning.annotated import annotated, draw_samples, has_fresh_noise
from ganstrata.core.semantics.learning.few_shot import FewShotSettings, KeptMaps, train_few_shot
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.semantics.teacher import Teacher
from planted_semantics import Linear, planted_samples

QUICK = FewShotSettings(steps=150, learning_rate=3e-2)


def test_samples_of_any_indices_are_those_of_the_grid():
    samples = planted_samples()
    grid = samples.draw(8, Stream.TRAINING)
    some = draw_samples(samples, [13, 9], Stream.TRAINING)
    for x, all_of_them in zip(some.maps, grid.maps, strict=True):
        torch.testing.assert_close(x, all_of_them[[5, 1]])
    assert torch.equal(some.labels, grid.labels[[5, 1]])
    assert some.latents.index.tolist() == [13, 9]


@pytest.mark.parametrize(("small", "large"), [(4, 9), (1, 5), (5, 5), (7, 3), (3, 1)])
def test_lines_enlarge_as_interpolation_does(small: int, large: int):
    torch.manual_seed(0)
    plane = torch.randn(2, 3, small, 4)
    expected = torch.nn.functional.interpolate(plane, size=(large, 9), mode="bilinear", align_corners=True)
    torch.testing.assert_close(lines(small, large) @ plane @ lines(4, 9).T, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(enlarge(plane, (large, 9)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_kept_maps_give_the_logits_of_the_head(bias: bool):
    torch.manual_seed(0)
    maps = [torch.randn(2, c, h, w) for c, h, w in ((4, 3, 2), (3, 6, 5), (2, 6, 5), (5, 6, 10))]
    head = LSE([4, 3, 2, 5], 3, bias=bias)
    if bias:
        torch.nn.init.normal_(head.bias)
    expected = head(maps, (6, 10)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(KeptMaps(maps, (6, 10)).logits(head), expected, rtol=1e-5, atol=1e-5)


def _accuracy(head: LSE) -> float:
    drawn = planted_samples().draw(0, Stream.VERIFICATION)
    return float((head(drawn.maps, (8, 8)).argmax(1) == drawn.labels).double().mean())


def test_few_images_are_enough_for_linear_classes():
    drawn = draw_samples(planted_samples(), range(4), Stream.TRAINING)
    head = train_few_shot(drawn.maps, drawn.labels, 3, QUICK)
    assert _accuracy(head) > 0.85
    assert not any(p.requires_grad for p in head.parameters())


def test_training_is_repeatable_and_depends_on_its_seed():
    drawn = draw_samples(planted_samples(), range(2), Stream.TRAINING)
    first, again, other = (
        train_few_shot(drawn.maps, drawn.labels, 3, FewShotSettings(steps=5, seed=seed)) for seed in (1, 1, 2)
    )
    torch.testing.assert_close(first.T[0], again.T[0])
    assert not torch.allclose(first.T[0], other.T[0])


def test_maps_drawn_anew_give_the_same_if_they_are_the_same():
    drawn = draw_samples(planted_samples(), range(3), Stream.TRAINING)
    steps: list[int] = []

    def redraw(step: int) -> tuple[list[torch.Tensor], Pending[None]]:
        steps.append(step)
        return drawn.maps, DONE

    settings = FewShotSettings(steps=6)
    kept = train_few_shot(drawn.maps, drawn.labels, 3, settings)
    redrawn = train_few_shot(drawn.maps, drawn.labels, 3, settings, redraw=redraw)
    torch.testing.assert_close(kept.T[1], redrawn.T[1], rtol=1e-3, atol=1e-5)
    assert steps == list(range(6))


def test_unknown_pixels_do_not_count():
    drawn = draw_samples(planted_samples(), range(2), Stream.TRAINING)
    labels = drawn.labels.clone()
    labels[:, :, 4:] = -1
    changed = [x.clone() for x in drawn.maps]
    changed[1][:, :, :, 6:] = 9.0  # read by unknown pixels alone
    settings = FewShotSettings(steps=4)
    one, other = (train_few_shot(maps, labels, 3, settings) for maps in (drawn.maps, changed))
    torch.testing.assert_close(one.T[1], other.T[1], rtol=1e-4, atol=1e-6)


def test_an_image_of_weight_two_counts_as_two():
    drawn = draw_samples(planted_samples(), [0, 1], Stream.TRAINING)
    twice = draw_samples(planted_samples(), [0, 1, 1], Stream.TRAINING)
    settings = FewShotSettings(steps=5)
    weighted = train_few_shot(drawn.maps, drawn.labels, 3, settings, weight=torch.tensor([1.0, 2.0]))
    repeated = train_few_shot(twice.maps, twice.labels, 3, settings)
    torch.testing.assert_close(weighted.T[2], repeated.T[2], rtol=1e-3, atol=1e-5)


def test_fresh_noise_is_recognised():
    assert not has_fresh_noise(planted_samples())
    for generator, fresh in ((Layered, False), (Grainy, True)):
        built = generator(generator.Config(), torch.device("cpu"))
        samples = LabelledSamples(built, Teacher(Reader()), (0, 7), 4)
        assert has_fresh_noise(samples) is fresh


class Reader(Linear):
    """Read the last map of the fake generator."""

    features = (7,)

    def logits(self, rendering):
        return rendering.features[7]


@pytest.mark.parametrize(
    ("value", "message"),
    [(-1, "no pixel of the annotated images has a label"), (2, "all annotated pixels are of one class")],
)
def test_annotations_of_nothing_are_refused(value: int, message: str):
    drawn = draw_samples(planted_samples(), [0], Stream.TRAINING)
    with pytest.raises(DataError, match=message):
        train_few_shot(drawn.maps, torch.full_like(drawn.labels, value), 3)


def test_maps_that_are_not_finite_are_refused():
    samples = planted_samples(batch=2)
    render = samples.generator.stratum

    def damaged(s, state, code, style=None):
        after = render(s, state, code, style)
        if s == 1 and len(after.x) == 1:  # the last batch
            after.x[0, 0, 0, 0] = torch.nan
        return after

    assert len(annotated(samples, [7, 9, 4])[1]) == 3
    samples.generator.stratum = damaged
    with pytest.raises(DataError, match=r"stratum 1 \('middle'\) is not finite in sample 4; leave that"):
        annotated(samples, [7, 9, 4])
