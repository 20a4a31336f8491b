"""Drawing: scales with round ticks, and text that is always well-formed."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from ganstrata.core.figures.svg import Canvas, Scale, nice_step
from hypothesis import given
from hypothesis import strategies as st

finite = st.floats(-1e3, 1e3)


@given(finite, st.floats(1e-3, 1e6))
def test_ticks_are_round_and_hold_the_numbers(low: float, width: float) -> None:
    scale = Scale(low, low + width, 0.0, 100.0)
    ticks = scale.ticks()
    assert ticks[0] <= low + 1e-6 * width
    assert ticks[-1] >= low + width - 1e-6 * width
    assert 3 <= len(ticks) <= 9
    places = [scale(tick) for tick in ticks]
    assert places == sorted(places)
    assert places[0] == pytest.approx(0.0, abs=1e-3)
    assert places[-1] == pytest.approx(100.0, abs=1e-3)


@given(st.floats(1e-9, 1e9))
def test_a_step_is_the_next_round_number(raw: float) -> None:
    step = nice_step(raw)
    assert raw * 0.999 <= step <= 2.51 * raw
    mantissa = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - m) for m in (1.0, 2.0, 2.5, 5.0)) < 1e-6


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (math.nan, 1.0), (0.0, math.inf), (2.0, 1.0)])
def test_a_scale_of_nothing_is_still_a_scale(low: float, high: float) -> None:
    scale = Scale(low, high, 0.0, 10.0)
    assert scale.high > scale.low
    assert math.isfinite(scale(0.5))


def test_places_beyond_the_scale_stay_near_it() -> None:
    scale = Scale(0.0, 1.0, 0.0, 100.0)
    assert scale(50.0) == pytest.approx(105.0)
    assert scale(-50.0) == pytest.approx(-5.0)


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cn", "Cf", "Zl", "Zp")), min_size=1))
def test_any_words_are_well_formed(words: str) -> None:
    canvas = Canvas(10, 10)
    canvas.text(1, 1, words, turn=-48)
    canvas.rect(0, 0, 1, 1, "up", title=words)
    root = ET.fromstring(canvas.svg(words, alone=True))
    assert [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")] == [words]
    assert root.get("aria-label") == words


def test_ticks_show_as_many_digits_as_the_step_needs() -> None:
    scale = Scale(-0.5, 0.5, 0.0, 1.0)
    assert [scale.show(tick) for tick in (-0.4, 0.0, 1e-15, 0.25)] == ["-0.4", "0", "0", "0.2"]
