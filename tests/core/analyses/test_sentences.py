"""Sentences that are written by rule from numbers."""

from __future__ import annotations

import numpy as np
from ganstrata.core.analyses.sentences import (
    factor_summary,
    fewer_extremes,
    limited_samples,
    null_gaps,
    order,
    peaks,
)
from ganstrata.core.plugins.boundary import Boundary
from ganstrata.core.plugins.records import LEVELS
from ganstrata.core.rescoring.hierarchy import hierarchy_of

GROUPS = {"bottom": (0,), "lower": (1,), "upper": (2,), "top": (3,)}


def built(means: dict[str, list[float]], noise: float = 0.01):
    """Return a hierarchy of one factor per level, from the mean change at each of four layers."""
    rng = np.random.default_rng(0)
    changes = np.array(list(means.values()))[:, :, None] + noise * rng.standard_normal((len(means), 4, 60))
    return hierarchy_of(
        changes, [f"a/{level}" for level in means], list(means), LEVELS, GROUPS, bootstrap=300, seed=0
    )


def test_peaks_say_whether_the_paper_agrees() -> None:
    sentences = peaks(
        built({"layout": [1, 0, 0, 0], "colour": [0, 1, 0, 0], "object": [0, 0, 0, 1]}),
        ["layout", "colour", "object"],
    )
    assert sentences[0].startswith("Layout peaks at the bottom layers with 1.00 of its effect [")
    assert "in 100 % of resamplings. The paper's generators have it there too." in sentences[0]
    assert "Colour peaks at the lower layers" in sentences[1]
    assert "The paper's generators have it at the top layers instead." in sentences[1]
    assert "Object peaks at the top layers" in sentences[2]
    assert "paper" not in sentences[2]


def test_a_share_of_one_is_not_given_an_interval_of_no_width() -> None:
    (sentence,) = peaks(built({"category": [1, 0, 0, 0]}, noise=0.0), ["category"])
    assert sentence == (
        "Category peaks at the bottom layers alone: in the samples taken no layer of another group raises "
        "it, in 100 % of resamplings. The paper's generators have it at the lower layers instead."
    )


def test_a_peak_that_resamplings_do_not_agree_on_is_called_open() -> None:
    (sentence,) = peaks(built({"layout": [1, 1.001, 0, 0]}, noise=0.5), ["layout"])
    assert "which leaves its place open" in sentence


def test_a_level_that_nothing_moves_upwards_has_no_peak() -> None:
    (sentence,) = peaks(built({"layout": [-1, -1, -1, -1]}), ["layout"])
    assert sentence == "Layout: no single layer moves it upwards."


def test_levels_without_a_factor_are_named_once() -> None:
    sentences = peaks(built({"layout": [1, 0, 0, 0]}), ["layout", "colour", "layout", "colour"])
    assert len(sentences) == 2
    assert sentences[1].startswith("Colour: none of its concepts is a variation factor here")


def test_depths_are_put_in_order_and_compared_with_the_papers() -> None:
    sentences = order(built({"layout": [1, 0, 0, 0], "category": [0, 1, 0, 0], "colour": [0, 0, 0, 1]}))
    assert sentences[0].startswith("Mean depths in layers, counted from 0: layout ")
    assert (
        "Layout comes before category in 100 % of resamplings (p 0.02, corrected for 3 pairs)." in sentences
    )
    assert "The paper's order, layout, category, colour, is the order of these depths." in sentences
    sentences = order(built({"layout": [0, 0, 0, 1], "category": [0, 1, 0, 0], "colour": [1, 0, 0, 0]}))
    assert "The paper's order, layout, category, colour, is not the order of these depths." in sentences


def test_depths_that_overlap_do_not_differ() -> None:
    sentences = order(built({"layout": [0, 1, 0, 0], "category": [0, 1, 0, 0]}, noise=0.3))
    assert any("do not differ significantly" in sentence for sentence in sentences)
    assert not any("paper" in sentence for sentence in sentences)  # two levels are no order


def test_the_number_of_factors() -> None:
    assert (
        factor_summary([], 3, 0.05)
        == "None of 3 concepts is a variation factor at a false discovery rate of 0.05."
    )
    assert factor_summary(["a/b"], 3, 0.1).startswith(
        "1 of 3 concepts is a variation factor at a false discovery rate of 0.1; the strongest is a/b"
    )
    assert factor_summary(["a/b", "a/c"], 3, 0.1).startswith("2 of 3 concepts are variation factors")


def test_a_layer_without_any_score_is_named() -> None:
    changes = np.array([1.0, 0.0, 2.0, 0.0])[None, :, None] + 0.01 * np.random.default_rng(0).standard_normal(
        (1, 4, 40)
    )
    changes[0, [0, 3]] = np.nan
    hierarchy = hierarchy_of(changes, ["a/x"], ["layout"], LEVELS, GROUPS, bootstrap=100, seed=0)
    sentences = peaks(hierarchy, ["layout"])
    assert sentences[0].startswith("Layout peaks at the upper layers with 1.00")
    assert (
        sentences[1]
        == "a/x has no score in any sample edited at layers 0,3, which are left out of its share and depth."
    )


def test_missing_null_directions_are_reported_with_their_consequence() -> None:
    assert null_gaps({}, 20) == []
    few, none, one = null_gaps({"a/x": 19, "a/y": 0, "a/z": 1}, 20)
    assert few == (
        "a/x: p rests on 19 of 20 null directions; "
        "the others leave the concept without a score in every sample."
    )
    assert none.startswith(
        "a/y: none of 20 null directions has a defined effect on it, and a p value needs 2"
    )
    assert one.startswith("a/z: 1 of 20 null directions has a defined effect on it")
    assert none.endswith("so it cannot be a variation factor.")


def boundary(facts: dict, given: tuple[str, ...] = ()) -> Boundary:
    return Boundary(
        "a/x",
        "layout",
        np.eye(4, dtype=np.float32)[0],
        np.zeros((), np.float32),
        "w",
        "",
        given=given,
        facts=facts,
    )


def test_a_limit_on_the_samples_that_are_fitted_is_named_once() -> None:
    few, fewer = {"samples": 90, "samples_of": 500}, {"layers": [{"samples": 80, "samples_of": 500}]}
    assert limited_samples([boundary(few), boundary(fewer), boundary({"samples": 350})]) == [
        "Boundaries were learnt from at most 90 of 500 samples, drawn at random: "
        "the learner's `samples` allows no more."
    ]
    assert limited_samples([boundary({"samples": 350}), boundary(few, given=("a/y",))]) == []


def test_boundaries_learnt_from_fewer_samples_than_requested_are_named() -> None:
    short = {"positives": 80, "positives_asked": 100, "negatives": 80, "negatives_asked": 100}
    words = (
        "a/x: learnt from 80 of 100 positives and 80 of 100 negatives, "
        "because a class is too small or many of its scores are equal."
    )
    assert fewer_extremes([boundary(short), boundary({"layers": [short, short]})]) == [words, words]
    assert (
        fewer_extremes(
            [
                boundary(short | {"positives": 100, "negatives": 100}),
                boundary({}),
                boundary(short, given=("a/y",)),
            ]
        )
        == []
    )
