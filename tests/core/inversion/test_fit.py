"""Rules by which pictures are cropped and resized."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata import DataError
from ganstrata.core.inversion.fit import cropped, fitted, parse_rule, resized
from PIL import Image


@pytest.mark.parametrize(
    ("size", "rule", "to", "box", "placed"),
    [
        ((600, 400), "centre", (64, 64), (100, 0, 400, 400), (0, 0, 64, 64)),
        ((400, 600), "centre", (64, 64), (0, 100, 400, 400), (0, 0, 64, 64)),
        ((401, 400), "centre", (64, 64), (0, 0, 400, 400), (0, 0, 64, 64)),
        ((600, 400), "centre", (64, 128), (200, 0, 200, 400), (0, 0, 64, 128)),  # width x height
        ((600, 400), "centre", (128, 64), (0, 50, 600, 300), (0, 0, 128, 64)),
        ((10000, 1), "centre", (64, 64), (4999, 0, 1, 1), (0, 0, 64, 64)),
        ((1, 1), "centre", (64, 32), (0, 0, 1, 1), (0, 0, 64, 32)),
        ((600, 400), "whole", (64, 64), (0, 0, 600, 400), (0, 0, 64, 64)),
        ((600, 400), "pad", (64, 64), (0, 0, 600, 400), (0, 10, 64, 43)),
        ((400, 600), "pad", (64, 64), (0, 0, 400, 600), (10, 0, 43, 64)),
        ((10000, 1), "pad", (64, 64), (0, 0, 10000, 1), (0, 31, 64, 1)),
        ((64, 64), "pad", (64, 64), (0, 0, 64, 64), (0, 0, 64, 64)),
        ((600, 400), "10,20,300,380", (64, 64), (10, 20, 300, 380), (0, 0, 64, 64)),
        ((600, 400), " 0, 0, 600, 400", (64, 64), (0, 0, 600, 400), (0, 0, 64, 64)),
    ],
)
def test_boxes_of_the_rules(size, rule, to, box, placed):
    fit = fitted(*size, parse_rule(rule), *to)
    assert (fit.box, fit.placed) == (box, placed)
    assert fit.padded == (placed != (0, 0, *to))


def test_what_stands_in_the_middle_stays_there():
    picture = np.zeros((40, 60), dtype=np.uint8)
    picture[:, :20] = 100
    picture[10:30, 25:35] = 255
    fit = fitted(60, 40, parse_rule("centre"), 40, 40)
    left = np.asarray(cropped(Image.fromarray(picture), fit))
    assert left.shape == (40, 40)
    assert left[20].tolist() == [100] * 10 + [0] * 5 + [255] * 10 + [0] * 15


def test_a_picture_that_fits_is_not_touched():
    image = Image.new("RGB", (64, 64))
    fit = fitted(64, 64, parse_rule("centre"), 64, 64)
    assert resized(cropped(image, fit), fit) is image
    assert fit.words == "centre: 64 x 64 px from (0, 0)"
    assert fit.notes == ()


def test_shrinking_averages():
    checks = np.uint8(255 * ((np.arange(128)[:, None] + np.arange(128)) % 2))
    fit = fitted(128, 128, parse_rule("centre"), 16, 16)
    small = np.asarray(resized(Image.fromarray(checks).convert("RGB"), fit))
    assert small.min() > 120
    assert small.max() < 136


def test_the_words_tell_the_rule_and_the_sizes():
    assert fitted(60, 40, parse_rule("pad"), 30, 30).words == (
        "pad: 60 x 40 px from (0, 0), resized to 30 x 20 px, in a margin to 30 x 30 px"
    )
    assert fitted(60, 40, parse_rule("1,2,3,4"), 30, 30).words == (
        "1,2,3,4: 3 x 4 px from (1, 2), resized to 30 x 30 px"
    )


@pytest.mark.parametrize(
    ("size", "rule", "notes"),
    [
        ((60, 40), "whole", ("stretched: 1.5 times as tall against its width as it was",)),
        ((40, 60), "whole", ("stretched: 1.5 times as wide against its height as it was",)),
        ((60, 60), "whole", ()),
        ((60, 40), "centre", ()),
        ((60, 40), "pad", ()),
        ((60, 40), "0,0,20,40", ("stretched: 2.0 times as wide against its height as it was",)),
        ((10, 10), "centre", ("enlarged 3.2 times",)),
        ((30, 30), "centre", ()),
    ],
)
def test_what_the_user_should_know(size, rule, notes):
    assert fitted(*size, parse_rule(rule), 32, 32).notes == notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("center", "Did you mean 'centre'"),
        ("", "is not a rule"),
        ("1,2,3", "LEFT,TOP,WIDTH,HEIGHT"),
        ("1,2,3,4,5", "is not a rule"),
        ("1.5,2,3,4", "is not a rule"),
        ("-1,0,5,5", "negative corner"),
        ("0,0,0,5", "no area"),
        ("0,0,5,-5", "no area"),
        ("0,0,5," + "9" * 50, "is not a rule"),
    ],
)
def test_wrong_rules_are_refused(text: str, message: str):
    with pytest.raises(DataError, match=message):
        parse_rule(text)


@pytest.mark.parametrize("box", ["1,0,60,40", "0,1,60,40", "60,0,1,1", "0,0,61,1"])
def test_a_box_outside_the_picture_is_refused(box: str):
    with pytest.raises(DataError, match=r"outside the picture, which is 60 x 40 px \(width x height\)"):
        fitted(60, 40, parse_rule(box), 32, 32)
