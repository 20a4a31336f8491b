"""The leaderboard on planted factors: what it says of known directions."""

from __future__ import annotations

import numpy as np
import pytest
from board_learners import IDLE, KNOWN, LEAKING, TRUTH, values
from closeness import assert_near
from ganstrata.core.leaderboard.measures import MEASURES


def test_known_directions_get_the_numbers_they_must(compare):
    board = compare(*KNOWN)
    chance = {m.name: board.chance[m.name][0] for m in MEASURES}
    # The unit of a step is the spread of w and that of an effect the concept's sd, which are both about 1.
    target = values(board, "target")
    assert target[TRUTH] == pytest.approx(2.0, rel=0.1)
    assert target[IDLE] == pytest.approx(target[TRUTH] / 2.0, rel=1e-3)
    assert target[LEAKING] == pytest.approx(target[TRUTH] * np.cos(np.pi / 6), rel=1e-3)
    assert abs(chance["target"].value) < 0.5
    # Pure directions have an endless precision, random ones one of 1, and the leaking one that of its angle.
    precision = values(board, "precision")
    assert min(precision[TRUTH], precision[IDLE]) > 1000.0
    assert precision[LEAKING] == pytest.approx(3.0 / np.tan(np.pi / 6), rel=0.1)  # one of three others moves
    assert chance["precision"].value == pytest.approx(1.0, abs=0.25)
    assert chance["precision"].low < 1.0 < chance["precision"].high < 2.0
    # When the target has changed by d, the leaking direction has changed one of three others by d tan 30.
    for amount in (0.25, 0.5):
        dependency = values(board, f"dependency_mean_{amount}")
        assert dependency[TRUTH] == pytest.approx(0.0, abs=1e-4)
        assert dependency[LEAKING] == pytest.approx(amount * np.tan(np.pi / 6) / 3.0, rel=0.1)
        assert values(board, f"dependency_max_{amount}")[LEAKING] == pytest.approx(
            amount * np.tan(np.pi / 6), rel=0.1
        )
        assert board.chance[f"dependency_mean_{amount}"][0].value > 0.02
    assert values(board, "disentanglement")[TRUTH] == pytest.approx(1.0, abs=1e-6)
    assert values(board, "completeness")[TRUTH] == pytest.approx(1.0, abs=1e-6)
    assert values(board, "disentanglement")[LEAKING] < 0.7
    assert chance["disentanglement"].high < 0.7
    assert values(board, "informativeness")[TRUTH] > 0.98
    assert chance["informativeness"].value < 0.6
    assert values(board, "gap")[TRUTH] > 0.9
    assert chance["gap"].high < 0.2
    assert values(board, "separability")[TRUTH] == pytest.approx(1.0, abs=0.01)
    assert 1.6 < chance["separability"].value < 2.0
    assert values(board, "accuracy")[TRUTH] == 1.0
    assert chance["accuracy"].value == pytest.approx(0.5, abs=0.1)
    for name in ("steadiness", "straightness"):
        assert values(board, name)[TRUTH] == pytest.approx(1.0)
    # A linear picture: a step of one along a factor is GAIN of the 2 FACTORS GAIN^2 between two pictures.
    length = values(board, "path_length")
    assert length[TRUTH] == pytest.approx(1.0 / (2.0 * 4.0), rel=0.15)
    assert length[IDLE] == pytest.approx(length[TRUTH] / 4.0, rel=1e-3)
    assert chance["path_length"].value == pytest.approx(length[TRUTH] * 4.0 / 12.0, rel=0.3)
    assert [board.rows[e].label for e in board.front] == [TRUTH]
    assert board.share(0)[0] == 1.0
    assert board.cosine(1) == pytest.approx(0.5, abs=1e-6)
    assert board.rows[0].along == pytest.approx(np.ones(4), abs=0.15)
    full, end, apart = board.space
    assert full.found.value[0] == pytest.approx(1.0, abs=0.25)  # of a linear generator
    assert end.found.value[0] == pytest.approx(full.found.value[0], rel=0.01)
    assert full.found.low[0] < 1.0 < full.found.high[0]
    assert apart.found.value[0] < 1.1 < 1.6 < apart.chance.value
    for m in MEASURES:
        found = board.estimates[m.name]
        room = 1e-9 * np.maximum(np.abs(found.value), 1.0)
        assert (found.low <= found.value + room).all(), m.name
        assert (found.value <= found.high + room).all(), m.name


def test_correlated_factors_lead_learners_of_means_astray_but_not_those_of_hyperplanes(compare):
    board = compare("planted_truth", "mean_difference", "ridge", correlation=0.6)
    leak = values(board, "dependency_mean_0.5")
    assert leak["mean_difference"] > 0.15
    assert leak["ridge"] < 0.02
    assert values(board, "precision")["mean_difference"] < 4.0
    # Learners of means follow the spread of w, which random directions do not.
    assert board.chance["dependency_mean_0.5"][1].value > 0.05


def test_differences_are_paired(compare):
    board = compare(*KNOWN[:2])
    estimate, apart = board.estimates["target"], board.estimates["target"].against(0)
    assert apart.value[0] == apart.low[0] == apart.high[0] == 0.0
    assert apart.value[1] == pytest.approx(estimate.value[1] - estimate.value[0])
    assert apart.low[1] < apart.value[1] < apart.high[1] < 0.0
    # Half the effect has half the scatter, so that of the difference is half too: unpaired it would be
    # sqrt(1 + 1/4).
    assert apart.high[1] - apart.low[1] == pytest.approx((estimate.high[0] - estimate.low[0]) / 2.0, rel=0.2)


def test_directions_without_labels_stand_for_the_concepts_they_correlate_with(compare):
    board = compare("planted_truth", "unlabelled")
    assert [row.supervised for row in board.rows] == [True, False]
    normals = [np.stack([b.normal for b in row.boundaries]) for row in board.rows]
    assert_near(normals[1], normals[0])  # the way round too
    assert [b.direction for b in board.rows[1].boundaries] == ["axis/0", "axis/1", "axis/2", "axis/3"]
    for name in ("target", "path_length", "gap", "disentanglement"):
        assert board.estimates[name].value[1] == pytest.approx(board.estimates[name].value[0], rel=1e-4)
    assert board.single["accuracy"][1] == pytest.approx(np.ones(4), abs=0.05)


def test_directions_are_moved_at_their_own_layers_and_random_ones_with_them(compare):
    board = compare("planted_truth", "elsewhere")
    assert board.single["target"][1, :3] == pytest.approx(np.zeros(3), abs=1e-4)
    assert board.single["target"][1, 3] == pytest.approx(board.single["target"][0, 3], rel=1e-4)
    assert board.rows[1].where == "layer 3"
    everywhere, there = board.chance["path_length"]
    assert there.value < 0.6 * everywhere.value  # a random direction changes one factor there instead of four
    assert (board.q[1, :3] > 0.05).all()


def test_learners_of_w_plus_take_part_in_mixed_styles(compare):
    board = compare("perlayer", "mean_difference", mixing=0.5)
    assert not board.left
    assert board.rows[0].boundaries[0].normal.shape == (4, 12)
    assert np.isnan(board.cosine(1))
    assert (board.single["target"][0] > 0.5).all()


def test_judges_that_agree_and_one_that_is_the_wrong_way_round(compare):
    scorers = [{}, {"noise": 0.3}, {"noise": 0.3, "salt": "other", "inverted": ["two"]}]
    named = ("a/one,b/one", "a/two, b/two, c/two")
    board = compare(*KNOWN, "mean_difference", scorers=scorers, judges=named)
    agreed, split = board.judges
    assert agreed.names == ("a/one", "b/one")
    assert agreed.ranks.value[0] > 0.7
    assert agreed.signs.value[0] == 1.0
    assert agreed.chance_ranks.value > 0.8
    assert split.signs.value[0] == 0.0
    assert split.ranks.value[0] < 0.0
    assert split.effects[0, 2] == pytest.approx(-split.effects[0, 0], rel=0.15)
    assert [concept.name for concept in board.concepts] == ["a/one", "a/two", "a/three", "a/four"]
