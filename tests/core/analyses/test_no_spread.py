"""An interval that is a point, because no sample changed, is never shown as if the effect were known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.analyses.layer_effects import layer_effect
from ganstrata.core.analyses.right_layers_chart import layer_effects
from ganstrata.core.analyses.wording import bracketed, point_sentences
from ganstrata.core.report.rows import concept_row
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.rescoring.tables import html_of, ranked, rows_of
from ganstrata.core.statistics import most_unseen, without_spread

NAME = "seen/left"


def flattened(effects: Effects, change: float, set_name: str = "all") -> Effects:
    """The effects if every sample had changed by this much along one boundary at a layer set."""
    i, s = effects.boundaries.names.index(NAME), list(effects.sets).index(set_name)
    arrays = {name: getattr(effects, name).copy() for name in ("mean", "low", "high", "in_sd")}
    for name, array in arrays.items():
        unit = effects.units[effects.own[i]] if name == "in_sd" else 1.0
        array[i, s, 0, effects.own[i]] = change / unit
    return replace(effects, **arrays)


@pytest.mark.parametrize(("change", "seen"), [(0.0, "none of 64 samples changed"), (0.5, "all 64 samples")])
def test_tables_and_figures_say_so_in_words(effects: Effects, change: float, seen: str) -> None:
    flat, i = flattened(effects, change), effects.boundaries.names.index(NAME)
    row = ranked(flat, i, flat.all_set)
    assert f"{row.value:.2f} [no spread]" in row.note
    assert row.numbers[-1] is True
    assert "[no spread]" in html_of(flat)
    assert concept_row(flat, i).is_point
    (marked,) = [row for row in rows_of(flat) if row.no_spread and row.boundary == row.concept == NAME]
    assert (marked.layers, marked.step > 0.0) == ("all", True)
    beyond = np.zeros(flat.p[:, :, 0].shape, dtype=bool)
    drawn = layer_effects([layer_effect(flat, i, flat.all_set, beyond, is_right=True)], ())
    assert f"own concept: {row.value:.2f} [no spread]" in drawn.inline
    (sentence,) = point_sentences(flat, [(name, "all") for name in flat.boundaries.names])
    assert sentence.startswith(f"{NAME}: {seen}")
    assert "up to 4.6 % of all samples may change" in sentence  # 1 - 0.05 ** (1 / 64)


def test_what_has_a_spread_is_shown_as_it_was(effects: Effects) -> None:
    assert not any(row.no_spread for row in rows_of(effects) if row.concept == NAME)
    assert point_sentences(effects, [(NAME, name) for name in effects.sets]) == []
    assert bracketed(0.0, -0.001, 0.001) == "0.00 [0.00, 0.00]"
    assert "no spread" not in html_of(effects)


def test_places_and_numbers_of_samples_are_named(effects: Effects) -> None:
    flat = flattened(flattened(effects, 0.0), 0.0, "upper")
    i, s = flat.boundaries.names.index(NAME), list(flat.sets).index("upper")
    flat.count[i, s] = 16
    sentences = point_sentences(flat, [(NAME, "all"), (NAME, "upper"), ("seen/red", "all")])
    flat.count[i, s] = 64  # `replace` shares it
    assert [sentence.split(",")[0] for sentence in sentences] == [
        f"{NAME}: none of 64 samples changed",
        f"{NAME} at the upper layers: none of 16 samples changed",
    ]
    assert "up to 17 % of all samples may change without one of these 16 showing it" in sentences[1]


def test_the_most_unseen_share_would_be_missed_in_one_of_twenty_draws() -> None:
    for count in (1, 16, 128):
        assert (1.0 - most_unseen(count)) ** count == pytest.approx(0.05)
    nan = float("nan")
    mean, low = np.array([0.0, nan, 1.0, -2.0]), np.array([nan, nan, 1.0 - 1e-9, -3.0])
    assert without_spread(mean, low, 2.0 * mean - low).tolist() == [False, False, True, False]


def test_the_report_says_so(invoke, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ganstrata.core.report.content.read_effects", lambda run: flattened(read_effects(run), 0.0)
    )
    (copied / "report.html").unlink()
    assert invoke("report", copied, "--quiet").exit_code == 0
    page = (copied / "report.html").read_text(encoding="utf-8")
    assert '<td class="n">no spread</td>' in page
    assert f"<li>{NAME}: none of 64 samples changed, so the interval is a point (no spread)." in page
