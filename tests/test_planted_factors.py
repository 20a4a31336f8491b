"""The planted generator is what it says, since other tests take its word for the truth."""

import ganstrata
import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata.core.config.reading import validate
from ganstrata.core.runs.prepare import prepare


def drawn(planted, **options):
    """Prepared plugins, w (N, D) and scores (N, C) of the probing samples of a config."""
    prepared = prepare(validate(planted.config(**options), "test"))
    latents, w, codes = prepared.draw(0, ganstrata.Stream.PROBING)
    passed = prepared.render(codes, latents.condition, latents.index, ganstrata.Stream.PROBING)
    return prepared, w, codes, prepared.score(passed.rendering)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_factors_are_read_as_planted_and_correlate_as_asked(planted, correlation):
    prepared, w, _, scores = drawn(planted, correlation=correlation)
    assert_near(scores, w[:, : planted.FACTORS].numpy())
    many = prepared.generator.map(prepared.generator.sample(5000, 1, 0, ganstrata.Stream.PROBING).z).numpy()
    assert np.cov(many.T) == pytest.approx(planted.covariance(correlation), abs=0.08)


def test_a_step_along_an_axis_changes_one_factor_at_one_layer_and_the_picture_by_the_gain(planted):
    prepared, _, codes, _ = drawn(planted)
    generator = prepared.generator
    before = ganstrata.render(generator, codes)
    for i in range(planted.WIDTH):
        axis = np.eye(planted.WIDTH)[i]
        for layer in range(planted.FACTORS):
            field = ganstrata.edit_direction(axis, [layer], generator.layer_scale)
            apart = (ganstrata.render(generator, ganstrata.move(codes, field, 1.0)) - before).flatten(1)
            assert_near(apart.norm(dim=1), torch.full((len(codes),), planted.GAIN if i == layer else 0.0))


def test_judges_err_as_they_are_told(planted):
    judges = [{}, {"inverted": ["two"]}, {"noise": 0.5}, {"noise": 0.5, "salt": "other"}]
    *_, scores = drawn(planted, judges=judges)
    true, inverted, noisy, other = np.split(scores, len(judges), axis=1)
    assert_near(inverted, true * np.float32([1.0, -1.0, 1.0, 1.0]))
    assert np.std(noisy - true, axis=0) == pytest.approx(np.full(4, 0.5), rel=0.25)
    assert abs(np.corrcoef((noisy - true).ravel(), (other - true).ravel())[0, 1]) < 0.2


def test_learners_lean_as_they_are_told(planted):
    concepts = [ganstrata.Concept(f"a/{name}", "attribute") for name in planted.NAMES]
    for options, expected in (
        ({}, np.eye(12)[:4]),
        ({"idle": 60.0}, 0.5 * np.eye(12)[:4] + np.sqrt(0.75) * np.eye(12)[4:8]),
        ({"leak": 30.0}, np.sqrt(0.75) * np.eye(12)[:4] + 0.5 * np.eye(12)[[1, 2, 3, 0]]),
    ):
        learner = ganstrata.load_learner("planted_truth", **options)
        boundaries = learner.learn(np.zeros((2, 12)), np.zeros((2, 4)), concepts)
        assert_near(np.stack([boundary.normal for boundary in boundaries]), expected.astype(np.float32))
