"""Measuring, editing and sampling from Python give what the stages give, and refuse what does not fit."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream, UserError
from ganstrata.core.semantics.extractor import Extractor
from planted_semantics import CLASSES, Linear, Smooth, planted_samples


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return ganstrata.train_extractor(Smooth(), Linear(), method="whitened", images=200, batch=8)


def labels_of(sample: int) -> np.ndarray:
    """The teacher's labels of a sample of editing."""
    generator = Smooth()
    latents = generator.sample(1, 0, sample, Stream.EDITING)
    codes = generator.broadcast(generator.map(latents.z))
    samples = planted_samples()
    return samples.render(latents, codes, 0).labels[0].numpy()


def test_agreement_is_that_of_the_labels(extractor):
    (row,) = ganstrata.evaluate_extractor(Smooth(), Linear(), extractor, images=40, batch=8).records
    samples = planted_samples()
    drawn = [samples.draw(start, Stream.VERIFICATION) for start in range(0, 40, 8)]
    found = torch.cat([extractor.logits(one.rendering.features).argmax(1) for one in drawn])
    truth = torch.cat([one.labels for one in drawn])
    assert row["pixel_accuracy"] == pytest.approx(float((found == truth).double().mean()), abs=1e-9)
    ious = [((found == m) & (truth == m)).sum() / ((found == m) | (truth == m)).sum() for m in range(3)]
    assert row["miou_pooled"] == pytest.approx(float(torch.stack(ious).mean()), abs=1e-6)
    assert row["miou_per_image_low"] < row["miou_per_image"] < row["miou_per_image_high"]
    assert (row["extractor"], row["images"], row["classes"]) == ("extractor", 40, 3)


def test_several_extractors_are_measured_on_the_same_pictures(extractor):
    both = {"one": extractor, "other": extractor}
    one, other = ganstrata.evaluate_extractor(Smooth(), Linear(), both, images=16, batch=8).records
    assert one | {"extractor": ""} == other | {"extractor": ""}


def test_classes_that_were_left_out_are_the_background():
    few = ganstrata.train_extractor(Smooth(), Linear(), method="lda", images=64, classes=["tree"])
    (row,) = ganstrata.evaluate_extractor(Smooth(), Linear(), few, images=16).records
    assert row["classes"] == 1
    assert row["pixel_accuracy"] > 0.8


def test_an_edit_gives_painted_pixels_their_class(extractor):
    current = labels_of(3)
    strokes = np.full((8, 8), -1)
    strokes[2:6, 2:6] = (int(current[4, 4]) + 1) % 3
    edited = ganstrata.edit_by_painting(Smooth(), extractor, strokes, sample=3, steps=60, emphasis=1.0)
    there = strokes >= 0
    assert np.array_equal(edited.target.numpy()[there], strokes[there])
    reached = (edited.labels[0].numpy() == strokes)[there].mean()
    assert reached > (current == strokes)[there].mean() + 0.3
    assert edited.before.shape == edited.after.shape == (1, 3, 8, 8)
    assert not torch.equal(edited.before, edited.after)
    # The codes are those of the picture after.
    assert torch.equal(ganstrata.render(Smooth(), edited.codes), edited.after)
    still = ganstrata.edit_by_painting(Smooth(), extractor, strokes, sample=3, steps=0)
    assert torch.equal(still.before, still.after)
    assert torch.equal(still.before, edited.before)


def test_samples_have_the_mask(extractor):
    mask = torch.full((8, 8), -1)
    mask[:, :4] = CLASSES.index("road")
    found = ganstrata.sample_by_painting(Smooth(), extractor, mask, 3, candidates=4, steps=40)
    start = ganstrata.sample_by_painting(Smooth(), extractor, mask, 3, candidates=1, steps=0)
    after, before = ((x.labels[:, :, :4] == CLASSES.index("road")).double().mean() for x in (found, start))
    assert float(after) > float(before) + 0.2
    assert found.codes.shape[0] == found.before.shape[0] == found.after.shape[0] == 3
    assert torch.equal(found.target, mask)


@pytest.mark.parametrize("call", [ganstrata.edit_by_painting, ganstrata.sample_by_painting])
@pytest.mark.parametrize(
    ("painted", "message"),
    [
        (np.zeros((8, 4), int), r"has the shape \(8, 4\).* of shape \(8, 8\) are needed"),
        (np.zeros((8, 8)), "the type float64; whole numbers"),
        (np.full((8, 8), 3), "values from 3 to 3; the classes are 0 to 2"),
        (np.full((8, 8), -2), "values from -2 to -2"),
        (np.full((8, 8), -1), "nothing is painted"),
    ],
)
def test_what_cannot_be_painted_is_refused(extractor, call, painted, message):
    with pytest.raises(UserError, match=message):
        call(Smooth(), extractor, painted)


@pytest.mark.parametrize("call", [ganstrata.edit_by_painting, ganstrata.sample_by_painting])
@pytest.mark.parametrize(("name", "value"), [("steps", -1), ("seed", -1), ("learning_rate", float("nan"))])
def test_numbers_out_of_range_are_named(extractor, call, name, value):
    with pytest.raises(UserError, match=rf"{call.__name__}\(\): `{name}` is {value}; it must be"):
        call(Smooth(), extractor, np.zeros((8, 8), int), **{name: value})


def test_a_sample_and_an_emphasis_are_at_least_0(extractor):
    for wrong in ({"sample": -1}, {"emphasis": -0.1}):
        with pytest.raises(UserError, match="of at least 0"):
            ganstrata.edit_by_painting(Smooth(), extractor, np.zeros((8, 8), int), **wrong)
    for wrong in ({"seed": -1}, {"batch": 0}):
        with pytest.raises(UserError, match="it must be a whole number"):
            ganstrata.evaluate_extractor(Smooth(), Linear(), extractor, images=2, **wrong)


def test_arguments_that_do_not_fit_are_refused(extractor):
    rooms = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    mask = np.zeros((8, 8), int)
    with pytest.raises(UserError, match="its family"):
        ganstrata.sample_by_painting(rooms, extractor, mask)
    with pytest.raises(UserError, match="needs an Extractor as `extractor`"):
        ganstrata.edit_by_painting(Smooth(), Linear(), mask)
    with pytest.raises(UserError, match="`n` is 0; it must be a whole number of at least 1"):
        ganstrata.sample_by_painting(Smooth(), extractor, mask, 0)
    with pytest.raises(UserError, match="`images` is 0; it must be a whole number of at least 1"):
        ganstrata.evaluate_extractor(Smooth(), Linear(), extractor, images=0)
    with pytest.raises(UserError, match="needs an extractor; none was given"):
        ganstrata.evaluate_extractor(Smooth(), Linear(), {}, images=5)
    seen = ganstrata.sample_by_painting(Smooth(), extractor, mask, steps=0, candidates=1).labels[0]
    with pytest.raises(UserError, match="every painted pixel has its class already"):
        ganstrata.edit_by_painting(Smooth(), extractor, seen)
