"""The flow figure: lengths are in proportion, and no flow is lost."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from ganstrata.core.analyses.objects_chart import OTHER_OBJECTS, OTHER_STUFF, TALL, flow, merged
from ganstrata.core.figures.masks import class_colours, hexadecimal
from ganstrata.core.rescoring.transitions import Transition

CLASSES = ("wall", "sofa", "bed", "crumb", "grass")
SPACE = "{http://www.w3.org/2000/svg}"


def row(hop: int, source: str, target: str, share: float) -> Transition:
    return Transition(hop, source, target, round(1e4 * share), share, 0.5, 0.4, 0.6, 10)


ROWS = [
    *(
        row(1, "wall", "wall", 0.5),
        row(1, "wall", "bed", 0.1),
        row(1, "sofa", "bed", 0.297),
        row(1, "sofa", "sofa", 0.1),
    ),
    *(row(1, "crumb", "bed", 0.002), row(1, "grass", "wall", 0.001)),
    *(
        row(2, "wall", "wall", 0.501),
        row(2, "bed", "sofa", 0.3),
        row(2, "bed", "bed", 0.099),
        row(2, "sofa", "sofa", 0.1),
    ),
]


@pytest.fixture(scope="module")
def drawing() -> ET.Element:
    return ET.fromstring(flow(ROWS, CLASSES, {"wall", "grass"}, ["to <bed>", "and & back"]).file)


def test_small_classes_are_put_together_and_nothing_is_lost() -> None:
    flows, order = merged(ROWS, {"wall", "grass"})
    assert [sum(hop.values()) for hop in flows] == pytest.approx([1.0, 1.0])
    assert flows[0][OTHER_OBJECTS, "bed"] == 0.002
    assert flows[0][OTHER_STUFF, "wall"] == 0.001
    assert order == ["sofa", "bed", OTHER_OBJECTS, "wall", OTHER_STUFF]


def test_the_bars_of_a_stage_are_as_tall_as_the_picture(drawing: ET.Element) -> None:
    bars: dict[str, list[float]] = {}
    for bar in drawing.iter(f"{SPACE}rect"):
        if bar.get("class") == "bar":
            bars.setdefault(bar.attrib["x"], []).append(float(bar.attrib["height"]))
    assert len(bars) == 3
    for heights in bars.values():
        assert sum(heights) == pytest.approx(TALL, abs=2.0)  # the smallest are drawn a little taller


def test_ribbons_join_bars_and_are_as_thick_as_their_share(drawing: ET.Element) -> None:
    colours = dict(zip(CLASSES, map(hexadecimal, class_colours(5)), strict=True))
    ribbons = {}
    for path in drawing.iter(f"{SPACE}path"):
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
        thickness = numbers[9] - numbers[7]  # from the end of the upper edge to the begin of the lower one
        title = path.find(f"{SPACE}title")
        assert title is not None
        ribbons[title.text] = (thickness, path.attrib["fill"], float(path.attrib["fill-opacity"]))
    moved = ribbons["hop 1: sofa to bed, 29.7 % of the picture, 75 % of sofa"]
    assert moved[0] == pytest.approx(0.297 * TALL, abs=0.02)
    assert moved[1] == colours["sofa"]
    stayed = ribbons["hop 2: wall to wall, 50.1 % of the picture, 100 % of wall"]
    assert stayed[0] == pytest.approx(0.501 * TALL, abs=0.02)
    assert stayed[2] < moved[2] / 2
    assert len(ribbons) == len(ROWS)


def test_ribbons_fill_the_bar_that_they_leave_without_overlapping(drawing: ET.Element) -> None:
    spans: dict[tuple[str, float], list[tuple[float, float]]] = {}
    for path in drawing.iter(f"{SPACE}path"):
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
        thickness = numbers[9] - numbers[7]
        for x, y in ((numbers[0], numbers[1]), (numbers[6], numbers[7])):
            spans.setdefault(("x", x), []).append((y, y + thickness))
    assert len(spans) == 4
    for ends in spans.values():
        ordered = np.array(sorted(ends))
        assert (ordered[1:, 0] - ordered[:-1, 1] > -0.05).all()


def test_the_table_holds_what_is_drawn_and_names_are_escaped(drawing: ET.Element) -> None:
    figure = flow(ROWS, CLASSES, {"wall", "grass"}, ["to <bed>", "and & back"])
    assert figure.table.columns == ("hop", "along", "from", "to", "share_of_picture")
    assert sum(line[4] for line in figure.table.rows) == pytest.approx(2.0)
    assert figure.table.rows[0][:4] == [1, "to <bed>", "wall", "wall"]
    words = [text.text for text in drawing.iter(f"{SPACE}text")]
    assert "hop 1: to <bed>" in words
    assert "hop 2: and & back" in words
    assert "bed to sofa, 30.0 % of the picture" in drawing.attrib["aria-label"]


def test_a_single_hop_of_a_single_class_can_be_drawn() -> None:
    figure = flow([row(1, "wall", "wall", 1.0)], ["wall"], ["wall"], ["x"])
    assert len(ET.fromstring(figure.file).findall(f"{SPACE}path")) == 1
    assert "largest flow" not in figure.description
