"""Annotating from Python gives what the commands give with folders, and refuses what does not fit."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import ConfigError, DataError, UserError
from ganstrata.core.config.reading import validate_annotate, validate_segment
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.semantics.annotation.annotate import annotate
from ganstrata.core.semantics.annotation.mask_heads import LearnRequest
from ganstrata.core.semantics.annotation.masks import label_png, read_mask
from ganstrata.core.semantics.annotation.painted_learning import learn, suggest
from ganstrata.core.semantics.learning import few_shot
from ganstrata.core.semantics.learning.folder import EXTRACTOR
from ganstrata.core.semantics.measuring.shots import ShotsRequest
from ganstrata.core.semantics.measuring.shots_folder import shots_into
from ganstrata.core.semantics.measuring.shots_tables import tables
from planted_semantics import Linear, Smooth

CLASSES = ("left", "right")
SIDES = np.repeat(np.arange(8)[None] // 4, 8, axis=0)  # (8, 8)
MASKS = {0: np.where(np.arange(8)[:, None] == 0, -1, SIDES), 2: SIDES.T}
NAMED = {"generator": {"use": "fake_layers"}, "device": "cpu", "training": {"seed": 5, "batch_size": 4}}


@pytest.fixture
def generator(fakes):
    return ganstrata.load_generator("fake_layers", device="cpu")


@pytest.fixture
def folder(fakes, tmp_path):
    """Pictures of a folder with the masks of MASKS."""
    made = annotate(validate_annotate(NAMED, "segment.yaml"), tmp_path / "paint", 3, CLASSES)
    for sample, mask in MASKS.items():
        made.file("mask", sample).write_bytes(label_png(mask, made.legend))
    return made


def test_pictures_are_those_of_the_command(generator, folder):
    drawn = ganstrata.draw_to_annotate(generator, [2, 0], seed=5, batch=4)
    assert (drawn.samples, drawn.labels, drawn.doubt) == ((2, 0), None, None)
    for sample, picture in zip(drawn.samples, ganstrata.to_pixels(drawn.pictures), strict=True):
        np.testing.assert_array_equal(picture, read_picture(folder.file("sample", sample).read_bytes()))


@pytest.mark.parametrize(("method", "heads"), [("lda", 3), ("ridge", 1), ("gradient", 1)])
def test_an_extractor_of_masks_is_that_of_the_command(
    generator, folder, tmp_path, monkeypatch, method, heads
):
    monkeypatch.setattr(few_shot, "MOST_STEPS", 20)
    learn(folder.path, tmp_path / "seg", LearnRequest(method, heads))
    there = ganstrata.load_extractor(tmp_path / "seg" / EXTRACTOR)
    here = ganstrata.train_from_masks(generator, MASKS, CLASSES, method=method, heads=heads, seed=5, batch=4)
    assert here.architecture == there.architecture
    assert here.made_for == there.made_for
    assert dict(here.facts) == dict(there.facts)
    for one, other in zip(here.heads, there.heads, strict=True):
        for name, value in one.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[name])


def test_labels_to_correct_are_those_of_the_command(generator, folder, tmp_path):
    extractor = ganstrata.train_from_masks(generator, MASKS, CLASSES, heads=2, seed=5, batch=4)
    file = tmp_path / "e.safetensors"
    ganstrata.save_extractor(extractor, file)
    there = annotate(validate_annotate(NAMED, "segment.yaml"), tmp_path / "more", 3, extractor=file)
    here = ganstrata.draw_to_annotate(generator, 3, extractor=extractor, seed=5, batch=2)
    assert here.labels is not None
    for sample, labels in enumerate(here.labels):
        np.testing.assert_array_equal(labels, read_mask(there.file("labels", sample), there.legend, (8, 8)))


def test_suggestions_are_those_of_the_command(generator, folder):
    there = suggest(folder.path, 2, 9, heads=4)
    here = ganstrata.suggest_to_annotate(generator, MASKS, CLASSES, 2, pool=9, heads=4, seed=5, batch=4)
    assert here.samples == tuple(one.sample for one in there)
    np.testing.assert_allclose(here.doubt, [one.doubt for one in there], rtol=1e-4)
    assert here.pictures.shape == (2, 3, 8, 8)
    assert here.labels is not None
    assert here.labels.shape == (2, 8, 8)


def test_a_pool_is_of_pictures_that_are_not_painted_yet(generator):
    first = ganstrata.suggest_to_annotate(generator, MASKS, CLASSES, 2, pool=5, heads=2)
    painted = max(first.samples) + 5  # beyond where the first pool ended
    more = ganstrata.suggest_to_annotate(generator, MASKS | {painted: SIDES}, CLASSES, 2, pool=2, heads=2)
    assert sorted(more.samples) == [painted + 1, painted + 2]


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        ({}, {}, r"`list\(masks\)` is .*whole numbers from 0"),
        ({-1: SIDES}, {}, "must be whole numbers from 0"),
        ({"first": SIDES}, {}, "must be whole numbers from 0"),
        ([SIDES], {}, "`masks` is not a dict"),
        ({0: SIDES[:4]}, {}, r"`masks\[0\]` has the shape \(4, 8\).* the size of the pictures"),
        ({0: SIDES / 2}, {}, "the type float64; whole numbers"),
        ({0: SIDES + 1}, {}, "values from 1 to 2; the classes are 0 to 1"),
        ({3: SIDES * 0 - 1}, {}, r"nothing is painted in `masks\[3\]`"),
        ({0: SIDES}, {"heads": 2}, "a mask on a second picture"),
        ({0: SIDES}, {"method": "svm"}, "'svm' was given"),
        ({0: SIDES}, {"heads": 0}, "`heads` is 0; it must be a whole number of at least 1"),
        ({0: SIDES}, {"seed": -1}, "`seed` is -1; it must be a whole number of at least 0"),
        ({0: SIDES}, {"batch": 0}, "`batch` is 0; it must be a whole number of at least 1"),
        ({0: SIDES}, {"learning_rate": float("nan")}, "`learning_rate` is nan; it must be a number from"),
        ({0: SIDES}, {"heads": 1.5}, "`heads` is 1.5"),
        ({0: SIDES}, {"classes": "ab"}, "one text, 'ab'"),
        ({0: SIDES}, {"classes": ["a", "a"]}, "not two or more different classes"),
        ({0: SIDES}, {"classes": ["a/b", "c"]}, "the class 'a/b'"),
        ({0: SIDES}, {"strata": [99]}, "strata 99 have no feature map"),
    ],
)
def test_masks_that_do_not_fit_are_refused(generator, masks, options, message):
    with pytest.raises(UserError, match=message):
        ganstrata.train_from_masks(generator, masks, **({"classes": CLASSES} | options))


def test_masks_of_one_class_are_refused(generator):
    with pytest.raises(DataError, match="all annotated pixels are of one class"):
        ganstrata.train_from_masks(generator, {0: SIDES * 0}, CLASSES)


def test_wrong_numbers_of_pictures_are_refused(generator):
    with pytest.raises(UserError, match="`samples` is 0; it must be a whole number of at least 1"):
        ganstrata.draw_to_annotate(generator, 0)
    for wrong in ([0, -2], [], [0.5], "ab", 1.5, [2**70]):
        with pytest.raises(UserError, match=r"`samples` is .* it must be whole numbers from 0"):
            ganstrata.draw_to_annotate(generator, wrong)
    with pytest.raises(UserError, match=r"`batch` is 1\.5; it must be a whole number"):
        ganstrata.draw_to_annotate(generator, 1, batch=1.5)
    with pytest.raises(UserError, match="`seed` is -3"):
        ganstrata.draw_to_annotate(generator, 1, seed=-3)
    with pytest.raises(UserError, match="larger pool"):
        ganstrata.suggest_to_annotate(generator, MASKS, CLASSES, 3, pool=2)
    with pytest.raises(UserError, match="`heads` is 1; it must be a whole number of at least 2"):
        ganstrata.suggest_to_annotate(generator, MASKS, CLASSES, 3, heads=1)
    for wrong in (0, 1.5, None):
        with pytest.raises(UserError, match=f"`count` is {wrong}; it must be a whole number of at least 1"):
            ganstrata.suggest_to_annotate(generator, MASKS, CLASSES, wrong)
    other = ganstrata.train_extractor(Smooth(), Linear(), method="lda", images=50)
    with pytest.raises(UserError, match="another generator"):
        ganstrata.draw_to_annotate(generator, 1, extractor=other)


def test_few_shot_extractors_are_those_of_the_command(generator, tmp_path):
    teacher = ganstrata.load_scorer("fake_regions", device="cpu")
    named = NAMED | {"teacher": {"use": "fake_regions"}}
    named["training"] = {**NAMED["training"], "method": "ridge"}
    found = shots_into(
        validate_segment(named, "segment.yaml"), tmp_path / "shots", ShotsRequest((2, 1), 2, 10)
    )
    table = ganstrata.evaluate_shots(
        generator, teacher, shots=[2, 1], repeats=2, images=10, method="ridge", seed=5, batch=4
    )
    expected = tables(found)["table_2"]
    assert [row["shots"] for row in table.records] == [1, 2]
    for name in ("miou_per_image", "max_deviation", "low", "high", "miou_pooled"):
        here, there = ([row[name] for row in x.records] for x in (table, expected))
        np.testing.assert_allclose(here, there, rtol=1e-4)
    full = ganstrata.train_extractor(generator, teacher, method="lda", images=50, batch=4)
    compared = ganstrata.evaluate_shots(
        generator, teacher, shots=[1], repeats=1, images=10, method="ridge", full=full, seed=5, batch=4
    )
    one, last = compared.records
    assert last["shots"] == "full"
    assert one["ratio_to_full"] == pytest.approx(one["miou_per_image"] / last["miou_per_image"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "whitened"}, ConfigError, "is whitened, which `evaluate_shots"),
        ({"learning_rate": 2.0}, ConfigError, "training -> learning_rate"),
        ({"shots": [0]}, UserError, r"`shots` is \[0\]; it must be whole numbers from 1 to 1000"),
        ({"shots": [1.5]}, UserError, r"`shots` is \[1\.5\]"),
        ({"shots": 4}, UserError, "`shots` is 4"),
        ({"shots": [1, 1]}, UserError, "there twice"),
        ({"classes": "floor"}, ConfigError, "extractor -> classes"),
        ({"shots": []}, UserError, "`shots` is .*must be whole numbers from 1 to 1000"),
        ({"repeats": 0}, UserError, "`repeats` is 0"),
        ({"images": 0}, UserError, "`images` is 0"),
    ],
)
def test_wrong_options_of_few_shots_are_named(options, error, message):
    with pytest.raises(error, match=message):
        ganstrata.evaluate_shots(Smooth(), Linear(), **({"shots": [1], "repeats": 1, "images": 2} | options))


def test_a_full_extractor_of_other_classes_is_refused():
    full = ganstrata.train_extractor(Smooth(), Linear(), method="lda", images=50, classes=["tree"])
    with pytest.raises(UserError, match="give its classes as `classes`"):
        ganstrata.evaluate_shots(Smooth(), Linear(), shots=[1], repeats=1, images=2, full=full)
