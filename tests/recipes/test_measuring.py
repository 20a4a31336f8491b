"""The generator's quality on a few pictures: distinguished or not, scores by name, targets met and missed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recipes.rooms import measure
from recipes.rooms.factors import CATEGORIES
from recipes.rooms.two_sample_test import two_sample_test


@pytest.fixture(scope="module")
def scorers():
    return measure.load_scorers()


@pytest.fixture(scope="module")
def truth(renders):
    return np.load(renders / "factors.npz")["category"].astype(int)


def tiny(scored_a, scored_b, scored_c):
    return measure.measure(scored_a, scored_b, scored_c, passes=1, subset=20)


def test_sets_of_different_colours_are_distinguished_and_equal_sets_are_not():
    rng = np.random.default_rng(0)
    grey = rng.integers(80, 176, (480, 16, 16, 3), dtype=np.uint8)
    reddish = grey[:240] + np.uint8([24, 0, 0])
    comparison = two_sample_test(reddish, grey[240:], passes=4, batch=16)
    assert comparison.accuracy > 0.95
    assert comparison.held_out == 96
    assert 0.3 < two_sample_test(grey[:240], grey[240:], passes=4, batch=16).accuracy < 0.7
    assert two_sample_test(reddish, grey[240:], passes=1, batch=16) == two_sample_test(
        reddish, grey[240:], passes=1, batch=16
    )


def test_generated_pictures_do_not_depend_on_the_batch(rooms):
    a, b = measure.generate(rooms, 7, seed=3, batch=7), measure.generate(rooms, 7, seed=3, batch=3)
    assert a.shape == (7, 64, 64, 3)
    assert np.abs(a.astype(int) - b).max() <= 1


def test_scores_are_read_by_the_names_of_their_scorers(pictures, truth, scorers):
    scored = measure.score(pictures[:30], scorers, batch=8)
    categories, probability = scored.of("category")
    assert categories == CATEGORIES
    assert (probability.argmax(axis=1) == truth[:30]).mean() > 0.95
    classes, shares = scored.of("segmentation")
    assert shares.shape == (30, len(classes))
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert (scored.scores["layout/line_seen"] == ~np.isnan(scored.scores["layout/wall_line"])).all()
    assert scored.features.shape == (30, 256)


def test_renders_meet_every_target_against_themselves(pictures, scorers):
    scored = measure.score(pictures[:80], scorers)
    result = tiny(scored, scored, scored)
    assert all(row["met"] for row in result["targets"])
    assert all(row["distance"] == 0.0 for row in result["factors"])
    assert result["neighbours"]["generated"] == {"precision": 1.0, "recall": 1.0}
    assert result["factors_beyond_target"] == 0
    assert "MISSED" not in measure.table(result)


def test_missed_targets_are_listed_with_the_worst_factor_first(pictures, truth, scorers):
    bedrooms = measure.score(pictures[truth == 0][:30] // 2, scorers)
    rendered = measure.score(pictures[60:100], scorers)
    result = tiny(bedrooms, rendered, rendered)
    missed = {row["name"] for row in result["targets"] if not row["met"]}
    assert {
        "share of living_room",
        "share of dining_room",
        "KS distance, worst of hue",
        "KS distance, worst of category",
    } <= missed
    assert "share of bedroom" not in missed
    distances = [row["distance"] for row in result["factors"]]
    assert distances == sorted(distances, reverse=True)
    assert measure.table(result).count("MISSED") == len(missed)
    assert json.loads(json.dumps(result))["targets"] == result["targets"]


def test_too_few_renders_are_refused(renders, tmp_path, run, capsys):
    with pytest.raises(SystemExit):
        run(measure, "--held-out", renders, "--samples", 66, "--out", tmp_path / "q.json")
    assert "130 pictures; 132 are needed" in capsys.readouterr().err
