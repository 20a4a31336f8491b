"""Extractors are compared on the same new pictures, as a whole and stratum by stratum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganstrata.core.errors import ScoreError, UserError
from ganstrata.core.plugins.records import State
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.agreement import overlaps
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.heads import LSE, NSE1, NSE2, Head, enlarge
from ganstrata.core.semantics.measuring.evaluation import Evaluation, evaluate, strata_of
from ganstrata.core.semantics.measuring.quality import quality_of
from ganstrata.core.semantics.samples import LabelledSamples
from planted_semantics import CLASSES, WIDTHS, Linear, Smooth, planted_samples


def _extractor(samples: LabelledSamples, *heads: Head, **changes: object) -> Extractor:
    name = {LSE: "LSE", NSE1: "NSE-1", NSE2: "NSE-2"}[type(heads[0])]
    described = {"head": name, "maps": samples.maps, "classes": CLASSES, "size": (8, 8)} | changes
    return Extractor(Architecture(**described), heads, MadeFor.of(samples.generator))


def _exact() -> LSE:
    """The head by which the pictures are labelled."""
    return Linear().head


def _disturbed(amount: float) -> LSE:
    head, random = _exact(), torch.Generator().manual_seed(9)
    for weight in head.T:
        weight.data += amount * torch.randn(weight.shape, generator=random)
    return head


def _evaluated(samples: LabelledSamples, heads: Mapping[str, Head], images: int = 20) -> Evaluation:
    return evaluate(samples, {name: _extractor(samples, head) for name, head in heads.items()}, images)


def test_the_head_that_labels_agrees_everywhere_and_a_worse_one_less():
    heads = {"exact": _exact(), "close": _disturbed(0.2), "far": _disturbed(1.0), "none": NSE2(WIDTHS, 3)}
    found = quality_of(_evaluated(planted_samples(), heads, 40))
    means = {name: float(scores.mean_per_image.value) for name, scores in found.scores.items()}
    assert means["exact"] == 1.0
    assert found.scores["exact"].accuracy.value == 1.0
    assert 1.0 > means["close"] > means["far"] > means["none"]
    assert found.best_nonlinear == "none"
    assert found.gaps["none"].per_image.value == 0.0
    assert found.gaps["close"].per_image.value == pytest.approx(means["close"] / means["none"] - 1.0)
    low, high = found.gaps["close"].per_image.bounds
    assert 0.0 < low < found.gaps["close"].per_image.value < high


def test_without_a_nonlinear_extractor_there_is_no_gap():
    found = quality_of(_evaluated(planted_samples(), {"a": _exact(), "b": _disturbed(0.1)}))
    assert found.best_nonlinear == ""
    assert found.gaps == {}


@pytest.mark.parametrize("images", [1, 8, 19])
def test_pictures_do_not_depend_on_the_number_and_the_last_batch_is_cut(images: int):
    samples, head = planted_samples(), _disturbed(0.5)
    few = _evaluated(samples, {"it": head}, images)
    many = _evaluated(samples, {"it": head}, 24)
    assert few.images == images
    for name, part in vars(few.readings[0].whole).items():
        np.testing.assert_array_equal(part, getattr(many.readings[0].whole, name)[:images])
    np.testing.assert_array_equal(few.pixels, many.pixels[:images])
    assert len(few.pictures) == len(few.labels) == len(few.readings[0].shown) == min(images, 4)


def test_counts_are_those_of_labels_computed_one_by_one():
    samples, head = planted_samples(), _disturbed(0.5)
    reading = _evaluated(samples, {"it": head}, 16).readings[0]
    for start in (0, 8):
        drawn = samples.draw(start, Stream.VERIFICATION)
        with torch.no_grad():
            whole = head(drawn.maps, (8, 8)).argmax(1)
            alone = [enlarge(torch.einsum("mc,nchw->nmhw", t, x), (8, 8)).argmax(1)
                     for t, x in zip(head.T, drawn.maps, strict=True)]  # fmt: skip
        rows = slice(start, start + 8)
        np.testing.assert_array_equal(
            reading.whole.intersections[rows], overlaps(whole, drawn.labels, 3).intersections
        )
        for s, labels in enumerate(alone):
            np.testing.assert_array_equal(
                reading.strata[s].unions[rows], overlaps(labels, drawn.labels, 3).unions
            )
        if start == 0:
            np.testing.assert_array_equal(reading.shown, whole[:4].numpy())
            np.testing.assert_array_equal(reading.shown_strata[2], alone[2][:4].numpy())


def test_other_samples_than_those_of_training_are_taken():
    evaluation = _evaluated(planted_samples(), {"it": _exact()}, 8)
    drawn = planted_samples().draw(0, Stream.TRAINING)
    assert not np.array_equal(evaluation.labels, drawn.labels[:4].numpy())


def test_strata_are_read_alone_only_where_they_are_added_up():
    samples = planted_samples()
    extractors = {
        "LSE": _extractor(samples, _exact()),
        "ensemble": _extractor(samples, _exact(), _disturbed(0.2)),
        "NSE-1": _extractor(samples, NSE1(WIDTHS, 3, "softplus"), layer_weights="softplus"),
        "NSE-2": _extractor(samples, NSE2(WIDTHS, 3)),
    }
    readings = {r.name: r for r in evaluate(samples, extractors, 8).readings}
    assert {name: list(r.strata) for name, r in readings.items()} == {
        "LSE": [0, 1, 2],
        "ensemble": [],
        "NSE-1": [0, 1, 2],
        "NSE-2": [],
    }
    plain = evaluate(samples, extractors, 8, layerwise=False).readings
    assert all(not r.strata for r in plain)
    np.testing.assert_array_equal(plain[0].whole.unions, readings["LSE"].whole.unions)


def test_extractors_may_read_different_strata():
    samples = planted_samples()
    alone = LSE(WIDTHS[1:2], 3)
    alone.T[0].data = _exact().T[1].data
    extractors = {
        "all": _extractor(samples, _exact()),
        "middle": _extractor(samples, alone, maps=samples.maps[1:2]),
    }
    assert strata_of(list(extractors.values())) == (0, 1, 2)
    first, second = evaluate(samples, extractors, 8).readings
    # What is read off one stratum alone is what the whole reads there by itself.
    np.testing.assert_array_equal(second.whole.unions, first.strata[1].unions)


class _Rare(Linear):
    """A teacher that labels no pixel as the last class."""

    def logits(self, rendering):
        logits = super().logits(rendering).clone()
        logits[:, 2] = -1e6
        return logits


def test_a_class_that_no_label_shows_has_no_quality_even_if_it_is_predicted():
    samples = planted_samples()
    object.__setattr__(samples.teacher, "segmenter", _Rare())
    evaluation = _evaluated(samples, {"it": _exact()}, 16)
    assert evaluation.readings[0].whole.unions[:, 2].any()
    assert evaluation.occurs.tolist() == [True, True, False]
    scores = quality_of(evaluation).scores["it"]
    assert np.isnan(scores.per_image.value[2])
    assert np.isnan(scores.pooled.value[2])
    assert scores.mean_per_image.value == pytest.approx(scores.per_image.value[:2].mean())


def test_the_background_counts_in_no_mean():
    samples = planted_samples(chosen=(0, 1))
    classes = ("background", "sky", "tree")
    evaluation = evaluate(
        samples, {"it": _extractor(samples, _disturbed(0.3), classes=classes, background=True)}, 16
    )
    assert evaluation.background
    scores = quality_of(evaluation).scores["it"]
    assert np.isfinite(scores.per_image.value).all()
    assert scores.mean_pooled.value == pytest.approx(scores.pooled.value[1:].mean())


def test_progress_is_told_after_every_batch():
    told: list[int] = []
    samples = planted_samples()
    evaluate(samples, {"it": _extractor(samples, _exact())}, 19, progress=told.append)
    assert told == [8, 8, 3]


def test_an_extractor_of_another_generator_is_refused_by_name():
    samples = planted_samples()
    right = _extractor(samples, _exact())
    wrong = replace(right, made_for=replace(right.made_for, family="stylegan2"))
    with pytest.raises(UserError, match=r"second: the extractor was trained for another generator .*family"):
        evaluate(samples, {"first": right, "second": wrong}, 8)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (("sky", "tree", "sea"), "it has sea, which the teacher has not; it lacks road"),
        (("tree", "sky", "road"), "they are in another order"),
        (("sky", "tree"), "it lacks road"),
    ],
)
def test_other_classes_are_refused(classes: tuple[str, ...], words: str):
    samples = planted_samples()
    with pytest.raises(UserError, match="its classes are not those of the teacher") as caught:
        evaluate(samples, {"it": _extractor(samples, _exact(), classes=classes)}, 8)
    assert words in str(caught.value)


class _Broken(Smooth):
    """The maps of one sample hold NaN in one stratum, but its picture does not."""

    def stratum(self, s, state, code, style=None):
        if s == 3:
            return super().stratum(s, State(state.x.nan_to_num()), code, style)
        after = super().stratum(s, state, code, style)
        if s == 1 and len(after.x) > 1:
            x = after.x.clone()
            x[5, 0, 2, 2] = torch.nan
            return State(x)
        return after


def test_nan_in_feature_maps_is_an_error_that_names_stratum_and_sample():
    good = planted_samples()
    teacher = good.teacher
    object.__setattr__(teacher, "segmenter", _Blind())
    samples = LabelledSamples(_Broken(), teacher, (0, 1, 2), 8)
    with pytest.raises(ScoreError, match=r"it cannot read sample 5: .* stratum 1 \('middle'\) is not finite"):
        evaluate(samples, {"it": _extractor(samples, _exact())}, 8)


class _Blind(Linear):
    """A teacher that reads the picture alone."""

    features = ()

    def logits(self, rendering):
        return rendering.images - 0.5


def test_parameters_that_overflow_are_an_error():
    samples, head = planted_samples(), _exact()
    for weight in head.T:
        weight.data *= 3e38
    with pytest.raises(ScoreError, match="its parameters are too large"):
        evaluate(samples, {"it": _extractor(samples, head)}, 8)
