"""Class colours and mask sheets."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.figures.masks import GAP, LINE, class_colours, comparison, lab, sheet
from ganstrata.core.figures.pictures import read_picture


def test_a_class_keeps_its_colour_however_many_there_are() -> None:
    many = class_colours(150)
    assert len({tuple(colour) for colour in many.tolist()}) == 150
    for count in (0, 1, 18, 149):
        assert (class_colours(count) == many[:count]).all()


def test_colours_differ_from_each_other_and_from_the_page() -> None:
    places = np.concatenate(
        [lab(class_colours(20) / 255.0), lab(np.array([[255, 255, 255], [21, 26, 33]]) / 255.0)]
    )
    distances = np.linalg.norm(places[:, None] - places, axis=2)[~np.eye(22, dtype=bool)]
    assert distances.min() > 25.0


@pytest.mark.parametrize(
    ("colour", "wanted"),
    [((1, 1, 1), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20))],
)
def test_lab_is_that_of_the_textbook(colour: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    assert lab(np.array(colour, dtype=float)) == pytest.approx(np.array(wanted), abs=0.05)


def test_a_sheet_shows_every_picture_beside_its_mask() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 3, 16, 16, 3), dtype=np.uint8)
    labels = rng.integers(0, 5, (2, 3, 8, 8))  # coarser than the pictures
    drawn = read_picture(sheet(pictures, labels, ["a", "b", "c", "d", "e"], ["x", "y"]))
    width = 16 * 8
    colours = class_colours(5)
    for k in range(2):
        for stage in range(3):
            y, x = 2 * LINE + k * (width + GAP), 2 * stage * (width + GAP)
            assert (drawn[y : y + width : 8, x : x + width : 8] == pictures[k, stage]).all()
            mask = drawn[y : y + width, x + width + GAP : x + 2 * width + GAP]
            assert (mask == colours[labels[k, stage]].repeat(16, axis=0).repeat(16, axis=1)).all()


def test_the_legend_names_the_classes_that_occur() -> None:
    pictures = np.zeros((1, 1, 128, 128, 3), np.uint8)
    labels = np.zeros((1, 1, 128, 128), int)
    labels[..., :4] = 30

    def colours_below(drawn: np.ndarray) -> set[tuple[int, ...]]:
        return {tuple(colour) for colour in drawn[2 * LINE + 128 + GAP :].reshape(-1, 3).tolist()}

    shown = colours_below(read_picture(sheet(pictures, labels, [f"class {i}" for i in range(40)], [])))
    palette = [tuple(colour) for colour in class_colours(40).tolist()]
    assert {palette[0], palette[30]} <= shown
    assert not shown & {palette[1], palette[29]}


def test_many_classes_take_more_lines() -> None:
    pictures, labels = (
        np.zeros((1, 1, 128, 128, 3), np.uint8),
        np.arange(128 * 128).reshape(1, 1, 128, 128) % 40,
    )
    names = [f"a rather long name {i}" for i in range(40)]
    few = read_picture(sheet(pictures, np.zeros_like(labels), names, []))
    many = read_picture(
        sheet(
            pictures,
            labels,
            names,
            ["along/something-with-a-name-that-cannot-fit-over-two-columns-of-pictures"],
        )
    )
    assert many.shape[1] == few.shape[1]
    assert many.shape[0] > few.shape[0] + 10 * LINE


def test_a_comparison_has_a_row_per_picture_and_a_column_per_mask():
    """Frames of 4 pixels are enlarged by 32; columns are the picture, then its masks."""
    pictures = np.full((2, 4, 4, 3), 90, np.uint8)
    labels = np.array([[[[0, 1], [1, 2]]] * 3, [[[2, 2], [2, -1]]] * 3])  # (2, 3, 2, 2)
    labels[0, 1] = 0
    drawn = read_picture(comparison(pictures, labels, ["wall", "bed", "lamp"], ["picture", "a", "b", "c"]))
    colours = class_colours(3)

    def frame(row: int, column: int) -> np.ndarray:
        y, x = 2 * LINE + row * (128 + GAP), column * (128 + GAP)
        return drawn[y : y + 128, x : x + 128]

    assert (frame(0, 0) == 90).all()
    assert (frame(0, 2) == colours[0]).all()
    assert (frame(0, 1)[:64, :64] == colours[0]).all()
    assert (frame(0, 3)[64:, 64:] == colours[2]).all()
    assert (frame(1, 1)[64:, 64:] == 0).all()  # unknown
    assert (frame(1, 1)[:64] == colours[2]).all()
