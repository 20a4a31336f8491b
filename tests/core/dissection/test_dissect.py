"""A unit that is the mask of a class is found, removes the class, and puts it in; others do not."""

from __future__ import annotations

from dataclasses import replace

import ganstrata
import numpy as np
import pytest
import torch
from fakes import Readings
from ganstrata import PluginConfig
from ganstrata.core.dissection import forecast
from ganstrata.core.dissection.curves import curve_points, places_of
from ganstrata.core.dissection.dissect import Dissection, dissected
from ganstrata.core.dissection.interventions import Shares, squares
from ganstrata.core.dissection.request import DissectRequest
from ganstrata.core.dissection.strips import strips, top_pictures
from ganstrata.core.figures.outlines import OUTLINE
from ganstrata.core.runs.progress import Progress
from ganstrata.core.semantics.feature_maps import FeatureMap
from planted_semantics import Linear, Smooth
from planted_units import CLASSES, CONSTANT, CPU, FIRST_NOISE, MASK, NOISE, PLACE, Blobs, Sees, planted_units

FEW = DissectRequest(samples=96, permutations=999, counts=(1, 2, 4), curve_samples=48, random_sets=12)


@pytest.fixture(scope="module")
def found() -> Dissection:
    return dissected(planted_units(), FEW, Progress(quiet=True))


def test_the_planted_unit_has_an_iou_of_one_and_noise_is_at_chance(found):
    (best,) = found.detectors()
    assert (best.unit, best.concept, best.iou) == (MASK, "blob", 1.0)
    assert best.q < 0.05
    assert 0.1 < best.chance < 0.3
    noise = slice(FIRST_NOISE, FIRST_NOISE + NOISE)
    np.testing.assert_allclose(found.units.own.value[noise], found.units.chance[noise], atol=0.03)
    assert found.units.iou[MASK, CLASSES.index("blob")] == 1.0


def test_constant_units_have_no_class_and_classes_without_pixels_no_iou(found):
    assert found.units.label[CONSTANT] == -1
    assert np.isnan(found.units.p[CONSTANT])
    assert np.isnan(found.units.iou[:, CLASSES.index("never")]).all()
    assert "No picture shows never, so no unit can be measured by it." in found.sentences
    assert any(text.startswith("1 unit went with no class") for text in found.sentences)


def test_switched_off_it_removes_the_class_and_random_units_do_not(found):
    points = found.curves.of("ablation", 1)
    assert [len(p.units) for p in points] == [1, 2, 4]
    for point in points:
        assert point.units[0] == MASK
        assert (point.value, point.low, point.high) == (0.0, 0.0, 0.0)
        assert point.null > 0.7
    assert points[0].q < 0.05


def test_painted_in_it_puts_the_class_there_and_random_units_do_not(found):
    (single, *_) = found.curves.of("insertion", 1)
    before = found.units.share[1]
    assert single.value == pytest.approx(1.0 - before, abs=0.15)
    assert single.q < 0.05
    assert abs(single.null) < 0.3
    (effect,) = found.curves.of("causal effect", 1)
    assert effect.value == pytest.approx(1.0, abs=0.05)
    assert effect.q < 0.05
    assert {place.under for place in found.curves.places} == {0, 2}
    assert sum(place.pictures for place in found.curves.places) <= FEW.curve_samples
    assert min(place.value for place in found.curves.places) > 0.6


def test_a_dissection_says_beforehand_how_many_images_it_makes(monkeypatch, capsys):
    made: list[int] = []
    labels = Sees.logits
    monkeypatch.setattr(
        Sees, "logits", lambda self, seen: (made.append(len(seen.images)), labels(self, seen))[1]
    )
    request = replace(FEW, counts=(1, 2), random_sets=3)
    samples = planted_units()
    result = dissected(samples, request, Progress())
    units, curves = forecast.images_of(request, len(CLASSES))
    assert units == 4 * 96
    detected = len(result.curves.labels)
    assert sum(made) == units + forecast.images_of(request, detected)[1] + 2 * samples.batch
    said = capsys.readouterr().err
    assert said.index(f"At most {units + curves} images to synthesise and label: 384 for units") < said.index(
        "quantiles"
    )
    assert forecast.images_of(replace(request, counts=()), 4) == (384, 0)
    assert forecast.forecast(replace(request, counts=()), samples).startswith("384 images")


def test_batches_do_not_matter(found):
    other = dissected(planted_units(batch=7), FEW, Progress(quiet=True))
    np.testing.assert_array_equal(other.units.label, found.units.label)
    np.testing.assert_allclose(other.units.iou, found.units.iou, atol=1e-9)
    np.testing.assert_allclose(
        [p.value for p in other.curves.points], [p.value for p in found.curves.points], atol=1e-9
    )


@pytest.mark.parametrize("threshold", ["iou", 0.3])
def test_other_thresholds_find_it_too(threshold):
    request = DissectRequest(samples=96, permutations=999, threshold=threshold, counts=())
    units = dissected(planted_units(), request, Progress(quiet=True)).units
    assert units.classes[units.label[MASK]] == "blob"
    assert units.own.value[MASK] > 0.9
    assert units.above_chance(0.05)[MASK]
    if threshold == 0.3:
        assert np.all(np.abs(units.on[FIRST_NOISE:] - 0.3) < 0.05)


def test_the_interval_of_an_iou_covers_it_in_other_pictures():
    def measured(seed, samples):
        request = DissectRequest(samples=samples, permutations=19, threshold=0.3, counts=())
        return dissected(planted_units(seed), request, Progress(quiet=True)).units

    truth = measured(99, 800).iou
    hits = []
    for seed in range(6):
        units = measured(seed, 48)
        low, high = units.own.bounds
        hits += [
            low[u] <= truth[u, units.label[u]] <= high[u]
            for u in range(FIRST_NOISE, FIRST_NOISE + NOISE)
            if units.label[u] >= 0
        ]
    assert len(hits) > 80
    assert np.mean(hits) > 0.85


def test_python_gives_the_same_as_the_engine(found):
    again = ganstrata.dissect(
        Blobs(), Sees(), samples=96, permutations=999, counts=[1, 2, 4], curve_samples=48, batch=16
    )
    assert again.tables["units"].csv == found.tables["units"].csv
    assert again.tables["curves"].csv == found.tables["curves"].csv
    assert "stratum 0, unit 0" in again._repr_html_()
    assert repr(again) == "Dissection(23 units, 1 above chance)"
    with pytest.raises(ganstrata.UserError, match=r"no class 'blub'\. Did you mean 'blob'"):
        again.detectors("blub")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"strata": [1]}, "strata 1 have no feature map"),
        ({"strata": [7]}, "strata 7 have no feature map"),
        ({"strata": []}, "list of strata is empty"),
        ({"classes": ["blop"]}, "no class 'blop'"),
        ({"samples": 1}, "samples of a dissection must be at least 2; got 1"),
        ({"threshold": 1.0}, "threshold of a dissection must be iqr, iou or a share"),
        ({"threshold": "best"}, "iqr, iou or a share"),
        ({"permutations": 5}, "permutations of a dissection must be at least 19"),
        ({"counts": [4, 2]}, "rising whole numbers"),
        ({"counts": [0]}, "rising whole numbers"),
        ({"counts": [1, 4000]}, "counts: 4000 units at once are too many; at most .* of the strata"),
        ({"counts": [4000], "curve_stratum": 0}, "at most .* of stratum 0 can be set"),
        ({"curve_stratum": 1}, "curve_stratum 1 is not among the strata"),
        ({"ablate": "noise"}, "zero or mean"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, words):
    with pytest.raises(ganstrata.GanstrataError, match=words):
        ganstrata.dissect(Blobs(), Sees(), **arguments)


def test_a_scorer_that_labels_no_pixels_is_refused():
    with pytest.raises(
        ganstrata.UserError, match=r"needs a Segmenter as `segmenter`.*it was given a Readings"
    ):
        ganstrata.dissect(Blobs(), Readings(PluginConfig(), CPU))


def test_chosen_classes_leave_a_background_that_no_unit_detects():
    found = ganstrata.dissect(
        Blobs(), Sees(), classes=["blob", "lower"], samples=64, permutations=999, counts=[], batch=16
    )
    assert found.classes == ("background", "blob", "lower")
    assert [one.concept for one in found.detectors()] == ["blob"]
    assert (found.units.label != 0).all()


def test_without_units_above_chance_there_are_no_curves():
    found = ganstrata.dissect(Blobs(), Sees(), classes=["never"], samples=16, permutations=19, batch=16)
    assert found.curves is None
    assert found.detectors() == ()
    assert "none detects never" in found.sentences[1]


def test_a_map_that_is_not_finite_is_refused():
    class Broken(Blobs):
        def stratum(self, s, state, code, style=None):
            state = super().stratum(s, state, code, style)
            if s == 0:
                state.x[0, CONSTANT] = torch.nan
            return state

    with pytest.raises(ganstrata.DataError, match=r"feature map of stratum 0 .* is not finite in sample 0"):
        ganstrata.dissect(Broken(), Sees(), samples=16, batch=16)


def test_squares_stay_inside_and_reach_every_place():
    described = FeatureMap(0, "a", 1, 8, 6)
    planes = squares(described, list(range(200)), 0)
    assert planes.sum(dim=(1, 2)).unique().tolist() == [2.0]
    assert (planes.sum(dim=0) > 0).all()
    assert squares(FeatureMap(0, "a", 1, 1, 2), [0], 0).sum() == 1.0


def test_curves_rank_the_class_s_units_against_random_ones():
    rng = np.random.default_rng(0)
    before = np.full((40, 2), 0.25)
    ablated = before + 0.01 * rng.standard_normal((6, 40, 2))
    ablated[0, :, 1] *= 0.5
    nothing = np.full((6, 40, 2), 0.25)
    shares = Shares(before, ablated, before, nothing, nothing)
    points = curve_points(shares, [(i,) for i in range(6)], [1], 1, 0)
    (ablation, insertion, effect) = points
    assert ablation.value == pytest.approx(0.5, abs=0.02)
    assert ablation.low < ablation.value < ablation.high
    assert ablation.p < 1e-3
    assert ablation.rank == pytest.approx(1 / 6)
    assert ablation.acts(0.05)
    assert not replace(ablation, high=1.01).acts(0.05)  # in other pictures it may do nothing
    assert not insertion.acts(0.05)
    assert (insertion.value, insertion.p, effect.p) == (0.0, 1.0, 1.0)


def test_where_random_units_do_nothing_the_rank_is_the_p_value():
    before = np.full((40, 2), 0.25)
    ablated = np.repeat(before[None], 6, axis=0)
    ablated[0] = 0.1
    (ablation, *_) = curve_points(
        Shares(before, ablated, before, ablated, ablated), [(i,) for i in range(6)], [1], 1, 0
    )
    assert ablation.p == ablation.rank == pytest.approx(1 / 6)


def test_places_with_few_pictures_are_left_out():
    before = np.repeat(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), (9, 3), axis=0)
    after = before.copy()
    after[:, 1] = np.linspace(0.1, 0.3, 12)
    (place,) = places_of(before, after, 1)
    assert (place.under, place.pictures) == (0, 9)
    assert place.value == pytest.approx(after[:9, 1].mean())


def test_strips_show_the_highest_pictures_with_the_region_of_the_unit_outlined(found):
    shown = strips(planted_units(), found.units, [MASK, PLACE], Progress(quiet=True))
    assert set(shown) == {MASK, PLACE}
    tops = top_pictures(found.units, MASK)
    highest = found.units.highest[:, MASK]
    assert (highest[tops] == np.sort(highest)[::-1][: len(tops)]).all()
    side = shown[MASK].shape[0]
    assert shown[MASK].shape == (side, len(tops) * (side + 4) - 4, 3)
    frame = shown[PLACE][:, :side]  # the lower half is on in every picture
    yellow = (frame == np.array(OUTLINE)).all(axis=-1)
    assert yellow[[side // 2 - 1, side // 2]].all()
    assert yellow.sum() == 2 * side


def test_a_segmenter_that_reads_feature_maps_sees_them_with_the_units_set():
    generator, segmenter = Smooth(), Linear()
    arguments = {"samples": 32, "permutations": 499, "curve_samples": 16, "batch": 16, "counts": [1, 2]}
    found = ganstrata.dissect(generator, segmenter, curve_stratum=1, strata=[1], **arguments)
    assert found.detectors()
    (first, *_) = found.curves.of("ablation", found.curves.labels[0])
    latents = generator.sample(16, 0, 0, ganstrata.Stream.EDITING)
    codes = generator.broadcast(generator.map(latents.z))
    off = ganstrata.UnitEdit(1, first.units)
    areas = []
    for units in ((), (off,)):
        rendering = ganstrata.Pass(generator, codes, features=segmenter.features, units=units).rendering
        areas.append(float((segmenter.labels(rendering) == first.label).sum()))
    assert first.value == pytest.approx(areas[1] / areas[0])
    assert areas[1] != areas[0]
