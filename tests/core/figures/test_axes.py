"""Plot areas: numbers land where the scales put them, and bars span the numbers they show."""

from __future__ import annotations

import re

import pytest
from ganstrata.core.figures.axes import Axes
from ganstrata.core.figures.svg import Canvas


def area() -> Axes:
    """A plot area from -1 to 3 along x and from 0 to 10 along y, 40 and 20 pixels per unit."""
    return Axes(
        Canvas(200, 240), left=20, right=180, top=10, bottom=210, x=(-1.0, 3.0), y=(0.0, 10.0), x_ticks=4
    )


def shapes(axes: Axes, kind: str) -> list[dict[str, str]]:
    drawn = axes.canvas.svg("d")
    return [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in re.findall(rf"<{kind} [^>]*>", drawn)]


def test_numbers_grow_to_the_right_and_upwards() -> None:
    axes = area()
    assert [axes.x(v) for v in (-1.0, 0.0, 3.0)] == pytest.approx([20.0, 60.0, 180.0])
    assert [axes.y(v) for v in (0.0, 5.0, 10.0)] == pytest.approx([210.0, 110.0, 10.0])


def test_a_grid_marks_and_names_every_tick() -> None:
    axes = area()
    axes.x_grid()
    assert [float(line["x1"]) for line in shapes(axes, "line")] == pytest.approx([20, 60, 100, 140, 180])
    assert {(line["x1"] == line["x2"], line["y1"], line["y2"]) for line in shapes(axes, "line")} == {
        (True, "10.0", "210.0")
    }
    assert re.findall(r">([^<>]+)</text>", axes.canvas.svg("d")) == ["-1", "0", "1", "2", "3"]
    chosen = area()
    chosen.x_grid([0, 2])
    assert [float(line["x1"]) for line in shapes(chosen, "line")] == pytest.approx([60, 140])


def test_a_level_bar_spans_its_numbers_in_either_order() -> None:
    for first, last in ((-0.5, 2.0), (2.0, -0.5)):
        axes = area()
        axes.level_bar(first, last, 100.0, 12.0, "null", title="t")
        (bar,) = shapes(axes, "rect")
        assert (bar["x"], bar["width"], bar["y"], bar["height"]) == ("40.0", "100.0", "94.0", "12.0")


def test_an_upright_bar_stands_on_zero_with_its_interval() -> None:
    axes = area()
    axes.upright_bar(4.0, 3.0, 6.0, 50.0, 20.0, "f-layout", title="t")
    (bar,) = shapes(axes, "rect")
    assert (bar["x"], bar["width"], bar["y"], bar["height"]) == ("51.0", "18.0", "130.0", "80.0")
    stem = shapes(axes, "line")[-1]
    assert {stem["x1"], stem["x2"]} == {"60.0"}
    assert {stem["y1"], stem["y2"]} == {"150.0", "90.0"}


def test_columns_divide_the_area_evenly() -> None:
    axes = area()
    assert axes.slot_width(4) == pytest.approx(40.0)
    assert [axes.slot(i, 4) for i in range(4)] == pytest.approx([40.0, 80.0, 120.0, 160.0])
    assert axes.slot_width(0) == pytest.approx(160.0)
