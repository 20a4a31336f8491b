"""Test that directions found without labels get the right target, sense and name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from fakes import PLANTED
from ganstrata import Boundaries, Boundary, Concept, DataError, PluginBroken, UserError
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.boundaries.targets import correlations, distances, matched, ways_of_choice, with_targets
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.forecast import forecast
from ganstrata.core.rescoring.naming import named_directions, naming_tests
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run

CONCEPTS = [Concept("a/x", "colour"), Concept("a/y", "layout"), Concept("a/z", "object")]


@pytest.fixture
def generator(fakes) -> ganstrata.Generator:
    return ganstrata.load_generator("fake_layers", device="cpu")


def axis(generator: ganstrata.Generator, i: int, sign: float = 1.0, **more) -> Boundary:
    return Boundary.unlabelled(f"found/{i}", sign * 3.0 * np.eye(16)[i], generator, **more)


def test_a_direction_is_normalised_and_knows_its_space(generator: ganstrata.Generator) -> None:
    one = axis(generator, 2, offset=6.0, layers=[3, 1, 3], facts={"rank": 2})
    np.testing.assert_array_equal(one.normal, np.eye(16, dtype=np.float32)[2])
    assert (one.name, one.concept, one.level, float(one.offset)) == ("found/2", "", "", 2.0)
    assert (one.space, one.generator, one.layers) == ("w", generator.fingerprint, (1, 3))
    by_layer = Boundary.unlabelled("p", np.ones((8, 16)), generator)
    assert by_layer.space == "w+"
    np.testing.assert_allclose(np.linalg.norm(by_layer.normal, axis=1), 1.0, rtol=1e-6)
    for vector in (np.zeros(16), np.full(16, np.nan)):
        with pytest.raises(ValueError, match="'p' has a vector that is 0 or not finite"):
            Boundary.unlabelled("p", vector, generator)


def test_targets_are_the_concepts_that_correlate_best_in_either_sense(
    generator: ganstrata.Generator,
) -> None:
    rng = np.random.default_rng(0)
    w = rng.standard_normal((400, 16)).astype(np.float32)
    noise = rng.standard_normal((400, 3)).astype(np.float32)
    scores = np.stack([w[:, 0], -w[:, 1], w[:, 5]], axis=1) + noise  # each correlates at 0.7
    scores[::7, 1] = np.nan
    found = with_targets(
        Boundaries([axis(generator, 0), axis(generator, 1, layers=(2,)), axis(generator, 5, -1.0)]),
        w,
        scores,
        CONCEPTS,
    )
    assert [(b.name, b.concept, b.level) for b in found] == [
        ("found/0", "a/x", "colour"),
        ("found/1", "a/y", "layout"),
        ("found/5", "a/z", "object"),
    ]
    np.testing.assert_array_equal(found[1].normal, -np.eye(16, dtype=np.float32)[1])
    np.testing.assert_array_equal(found[2].normal, np.eye(16, dtype=np.float32)[5])
    assert all(0.6 < b.facts["target_correlation"] < 0.8 for b in found)
    assert found[1].layers == (2,)
    learnt = replace(found[0], direction="", facts={})
    assert ways_of_choice([*found, learnt]).tolist() == [6, 6, 6, 1]  # three concepts, two senses
    assert with_targets(found, w, -scores, CONCEPTS) is found  # those that have one keep it
    with pytest.raises(DataError, match="no concept varies"):
        with_targets(Boundaries([axis(generator, 0)]), w, scores[:, :0], [])


def test_correlations_leave_out_what_is_undefined_and_what_does_not_vary() -> None:
    rng = np.random.default_rng(1)
    values, scores = rng.standard_normal(50), rng.standard_normal((50, 2)).astype(np.float32)
    scores[:20, 0] = np.nan
    wanted = [np.corrcoef(values[20:], scores[20:, 0])[0, 1], np.corrcoef(values, scores[:, 1])[0, 1]]
    values = values[:, None]
    np.testing.assert_allclose(correlations(values, scores), [wanted], atol=1e-6)
    np.testing.assert_array_equal(correlations(np.full((50, 1), 0.1), scores), 0.0)
    np.testing.assert_array_equal(correlations(values, np.full((50, 1), 0.3, np.float32)), 0.0)


@pytest.mark.parametrize("size", [1e-20, 1e-6, 1e20])
def test_correlations_do_not_depend_on_units(size: float) -> None:
    rng = np.random.default_rng(1)
    values, scores = rng.standard_normal((50, 1)), rng.standard_normal((50, 2)).astype(np.float32)
    wanted = correlations(values, scores)
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(correlations(values, (size * scores).astype(np.float32)), wanted, atol=1e-5)
    np.testing.assert_allclose(correlations(size * values, scores), wanted, atol=1e-9)
    # a constant whose mean is rounded
    np.testing.assert_array_equal(correlations(values, np.full((50, 1), size * 0.3)), 0.0)


def test_distances_of_codes_use_the_layers_of_the_direction(generator: ganstrata.Generator) -> None:
    codes = np.random.default_rng(2).standard_normal((5, 8, 16)).astype(np.float32)
    plain = axis(generator, 3, layers=(1, 6), offset=3.0)
    np.testing.assert_allclose(distances(plain, codes), codes[:, [1, 6], 3].mean(axis=1) + 1.0, atol=1e-6)
    by_layer = Boundary.unlabelled("p", np.eye(16)[:8], generator, layers=(0, 4))
    np.testing.assert_allclose(distances(by_layer, codes), (codes[:, 0, 0] + codes[:, 4, 4]) / 2.0, atol=1e-6)


def test_components_found_in_another_order_and_sense_keep_their_names(
    generator: ganstrata.Generator,
) -> None:
    before = Boundaries([replace(axis(generator, i), concept="a/x", level="colour") for i in range(3)])
    labelled = replace(before[0], direction="", concept="a/y")
    turned = [
        Boundary.unlabelled(f"found/{k}", -np.eye(16)[i] + 0.1, generator) for k, i in enumerate((2, 0))
    ]
    again = matched(Boundaries([labelled, *turned]), before)
    assert sorted(again.names) == ["a/y", "found/0", "found/2"]
    for name, i in (("found/0", 0), ("found/2", 2)):
        assert again.of(name).normal[i] > 0.9
        assert again.of(name).concept == "a/x"


class Rotated(ganstrata.BoundaryLearner):
    """Finds the axes of w, mirrored, and one direction that moves nothing but texture."""

    supervised = False
    from_samples = False
    calls = 0

    def expected(self, concepts):
        return 5

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        type(self).calls += 1
        found = [axis(generator, i, -1.0) for i in range(4)]
        return Boundaries([*found, axis(generator, 12)])


class Resampled(Rotated):
    """The same, in an order that depends on the samples."""

    from_samples = True

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        shift = int(abs(float(latents[0, 0])) * 1000) % 4
        found = [Boundary.unlabelled(f"found/{k}", np.eye(16)[(k + shift) % 4], generator) for k in range(4)]
        return Boundaries(found)


class Odd(Rotated):
    """Gives its direction the name of no concept, and none of its own."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        return Boundaries([replace(axis(generator, 0), direction="", concept="pca/0", level="object")])


class Restricted(ganstrata.BoundaryLearner):
    """Finds the direction of one concept, at a layer that does not cause it and at one that does."""

    supervised = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        vector = np.eye(16)[3]  # causes `red` at layer 7
        return Boundaries(
            Boundary.unlabelled(f"at/{layer}", vector, generator, layers=[layer]) for layer in (4, 7)
        )


def settings(config: dict, learner: str) -> dict:
    config["boundary"] = {"use": learner}
    config["conditions"] = []
    return config


def test_directions_without_labels_go_through_a_run_and_get_names(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "rotated", Rotated)
    Rotated.calls = 0
    run = ganstrata.run(settings(config, "rotated"), tmp_path / "run")
    boundaries, _ = load_boundaries(run.path)
    assert boundaries.names == (*(f"found/{i}" for i in range(4)), "found/12")
    for i, concept in enumerate(PLANTED):
        assert boundaries[i].concept in (f"seen/{concept}", "seen/half")  # half: of the left side alone
        assert boundaries[i].normal[i] == 1.0  # turned round
    assert Rotated.calls == 1  # not again for resampled samples
    named = {direction.direction: direction.words for direction in named_directions(read_effects(run))}
    for i, concept in enumerate(PLANTED):
        assert f"+seen/{concept}" in named[f"found/{i}"]
    assert named["found/12"] == "unnamed"


def test_the_forecast_counts_the_directions_and_not_the_concepts(fakes, register, config) -> None:
    register("boundary", "rotated", Rotated)
    text = forecast(prepare(validate(settings(config, "rotated"), "x")), 1)
    assert "5 boundaries" in text
    assert "resampling" not in text  # what does not depend on the samples is not learnt again


def test_a_direction_that_moves_nothing_is_unnamed_and_its_p_stays_a_probability(
    generator: ganstrata.Generator,
) -> None:
    scorer = ganstrata.load_scorer("fake_readings", device="cpu")
    probed = ganstrata.probe(generator, scorer, samples=64)
    found = Boundaries([axis(generator, i) for i in range(8, 16)])  # texture alone
    effects = ganstrata.rescore(generator, scorer, found, probed=probed, samples=16, null_directions=8)
    tests = naming_tests(effects)
    own = effects.p[np.arange(8), effects.all_set, 0, effects.own]
    assert (own > 0.5).any()  # twice as much would be no probability
    assert ((tests.q > 0.0) & (tests.q <= 1.0)).all()


def test_directions_are_matched_when_they_are_found_in_resampled_samples(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "resampled", Resampled)
    config["checks"] = False
    run = ganstrata.run(settings(config, "resampled"), tmp_path / "run")
    effects = read_effects(run)
    assert (effects.replicates[:4] >= 4).all()
    # All replicates are the same axes, so learning adds the variance of the step alone.
    own = effects.mean[np.arange(4), effects.all_set, 0, effects.own[:4]]
    assert (effects.learning_error[:4] < 0.2 * own).all()


def test_a_direction_moves_its_own_layers_alone(fakes, register, config, tmp_path: Path) -> None:
    register("boundary", "restricted", Restricted)
    effects = read_effects(ganstrata.run(settings(config, "restricted"), tmp_path / "run"))
    red = [concept.id for concept in effects.concepts].index("seen/red")
    changed = {
        name: effects.in_sd[:, s, 0, red] for s, name in enumerate(effects.sets) if name in ("all", "4", "7")
    }
    assert changed["all"][1] > 0.5
    assert changed["7"][1] > 0.5
    np.testing.assert_array_equal(changed["4"], [changed["all"][0], 0.0])
    assert abs(changed["all"][0]) < 0.1
    assert changed["7"][0] == 0.0
    words = [direction.words for direction in named_directions(effects)]
    assert words[1].startswith("+seen/red")


def test_directions_and_boundaries_are_stored_alike(generator: ganstrata.Generator, tmp_path: Path) -> None:
    without = axis(generator, 0, layers=(1, 2), facts={"share": 0.5})
    with_target = replace(axis(generator, 1), concept="a/y", level="layout", given=("a/x",))
    save_boundaries(Boundaries([without, with_target]), tmp_path)
    again, _ = load_boundaries(tmp_path)
    assert again.names == ("found/0", "found/1|a/x")
    for one, other in zip(again, (without, with_target), strict=True):
        np.testing.assert_array_equal(one.normal, other.normal)
        assert replace(one, normal=other.normal, offset=other.offset) == replace(
            other, facts=one.facts, offset=other.offset
        )


def test_rescore_in_memory_needs_samples_for_the_targets(
    generator: ganstrata.Generator,
) -> None:
    scorer = ganstrata.load_scorer("fake_readings", device="cpu")
    found = Boundaries([axis(generator, 3, -1.0)])
    with pytest.raises(UserError, match="'found/3' was found without labels and has no target concept yet"):
        ganstrata.rescore(generator, scorer, found, samples=16, null_directions=3)
    probed = ganstrata.probe(generator, scorer, samples=128)
    effects = ganstrata.rescore(generator, scorer, found, probed=probed, samples=16, null_directions=3)
    assert effects.boundaries[0].concept == "fake_readings/red"
    assert effects.boundaries[0].normal[3] == 1.0


def test_directions_with_neither_name_nor_concept_are_refused(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "odd", Odd)
    with pytest.raises(PluginBroken, match=r"returned pca/0, but no concept .*Boundary\.unlabelled"):
        ganstrata.run(settings(config, "odd"), tmp_path / "run")
    assert not Path(tmp_path / "run" / "boundaries.json").exists()


def test_a_condition_that_names_no_direction_is_refused_when_they_are_known(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "rotated", Rotated)
    config = settings(config, "rotated")
    config["conditions"] = [{"edit": "found/0", "keep": ["found/9"]}]
    with pytest.raises(DataError, match="no direction is called 'found/9'"):
        ganstrata.run(config, tmp_path / "run")
    config["conditions"] = [{"edit": "found/0", "keep": ["found/1"]}]
    run = ganstrata.run(config, tmp_path / "other")
    assert isinstance(Run.open(run.path), Run)
    assert "found/0|found/1" in load_boundaries(run.path)[0].names
