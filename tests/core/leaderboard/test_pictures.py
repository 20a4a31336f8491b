"""Scores that are undefined, pictures that are not finite, and distances of pictures."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from board_learners import TRUTH, values
from closeness import assert_near
from ganstrata.core.config.reading import validate
from ganstrata.core.leaderboard import moving, of_projections
from ganstrata.core.leaderboard.measures import MEASURES


def test_numbers_of_the_space_do_not_depend_on_the_batch(learners):
    def lengths(batch: int) -> list[float]:
        data = learners.config()
        data["synthesis"] |= {"batch_size": batch, "samples": 60}
        board = ganstrata.leaderboard(data, ["planted_truth"], verify=10, fresh=20, null=3, steps=(1.0,))
        return [float(number.found.value[0]) for number in board.space]

    whole = lengths(100)
    assert whole[0] > 0.5
    assert lengths(1) == pytest.approx(whole, rel=0.01)  # differences of 0.001 in single precision
    assert lengths(7) == pytest.approx(whole, rel=0.01)


def test_a_concept_without_a_score_in_fresh_samples_takes_part_as_far_as_it_can(learners, monkeypatch):
    undefined = tuple(ganstrata.Concept(name, "attribute", may_be_undefined=True) for name in learners.NAMES)
    whole = learners.Judge.score

    def rare(self, rendering):
        scores = whole(self, rendering)
        return scores.where(scores > torch.tensor([-9.0, 0.0, 2.0, 2.2]), torch.nan)

    monkeypatch.setattr(learners.Judge, "concepts", undefined)
    monkeypatch.setattr(learners.Judge, "score", rare)
    some = {"verify": 8, "fresh": 20, "null": 3, "steps": (1.0,)}
    board = ganstrata.leaderboard(learners.config(), ["planted_truth"], **some)
    assert [concept.name for concept in board.concepts][:2] == ["a/one", "a/two"]
    assert np.isnan(board.single["accuracy"][0, -1])
    assert np.isfinite(board.estimates["accuracy"].value).all()


def test_pictures_are_compared_by_the_first_scorer_that_embeds_them(learners, monkeypatch):
    from ganstrata.core.runs.prepare import prepare_scored

    scored, _, _ = prepare_scored(validate(learners.config(judges=[{}, {}]), "test"))
    latents, _, codes = scored.draw(0, ganstrata.Stream.VERIFICATION)
    rendering = scored.render(codes, None, latents.index, ganstrata.Stream.VERIFICATION).rendering
    assert moving.embedding(scored, rendering)[0] == "pixels (8 x 8)"
    monkeypatch.setattr(learners.Judge, "embed", lambda self, r: 2.0 * r.images[:, 0])
    words, features = moving.embedding(scored, rendering)
    assert "a" in words
    assert_near(features, 2.0 * rendering.images[:, 0].flatten(1))


@pytest.mark.parametrize("generator", ["fake_grainy", "fake_classes"])
def test_undefined_scores_fresh_noise_and_classes_take_part(fakes, config, monkeypatch, generator):
    monkeypatch.setattr(of_projections, "FITS", 5)
    config["generator"] = {"use": generator}
    config["concepts"] = {"include": ["seen/left", "seen/red", "seen/half", "seen/constant"]}
    config["synthesis"] |= {"samples": 160}
    config["rescoring"] |= {"samples": 20, "null_directions": 4, "bootstrap": 100}
    board = ganstrata.leaderboard(config, ["ridge", "mean_difference"], fresh=60, steps=(1.0, 2.0))
    assert not board.left
    assert [concept.name for concept in board.concepts] == ["seen/left", "seen/red", "seen/half"]
    for m in MEASURES:
        if m.name not in ("leak", "dependency_mean_1", "dependency_max_1"):
            assert np.isfinite(board.estimates[m.name].value).all(), m.name
    assert (board.single["target"][:, :2] > 0.5).all()


def test_pictures_that_are_not_finite_are_left_out(learners, monkeypatch):
    data = learners.config()
    data["synthesis"] |= {"samples": 100, "allow_nonfinite": 0.5}
    data["rescoring"] |= {"samples": 20, "null_directions": 3, "bootstrap": 100}
    finish = learners.Factors.finish

    def spoilt(self, state):
        picture = finish(self, state).clone()
        picture[3] = np.nan
        return picture

    whole = ganstrata.leaderboard(data, ["planted_truth"], fresh=50, steps=(1.0,))
    monkeypatch.setattr(learners.Factors, "finish", spoilt)
    board = ganstrata.leaderboard(data, ["planted_truth"], fresh=50, steps=(1.0,))
    assert whole.settings["samples"] == 100
    assert board.settings["samples"] == 99
    for name in ("target", "path_length"):
        assert values(board, name)[TRUTH] == pytest.approx(values(whole, name)[TRUTH], rel=0.2)
    assert board.space[0].found.value[0] == pytest.approx(1.0, abs=0.5)
