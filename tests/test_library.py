"""The method as a library: in memory it gives the numbers of a run, and shows them."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from ganstrata import Boundaries, BoundaryLearner, DataError, Effects, Generator, Samples, Scorer, UserError
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.boundaries.learn import Learnt
from ganstrata.core.rescoring.effects import EffectArrays
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.rescoring.tables import EffectRow
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards

GROUPS = {"bottom": (0, 1), "lower": (2, 3), "upper": (4, 5), "top": (6, 7)}
RESCORING = {"groups": GROUPS, "samples": 64, "null_directions": 12, "bootstrap": 200, "seed": 3, "batch": 32}


@pytest.fixture
def generator(fakes) -> Generator:
    return ganstrata.load_generator("fake_layers", device="cpu")


@pytest.fixture
def seen(fakes) -> Scorer:
    return ganstrata.load_scorer("fake_readings", device="cpu")


@pytest.fixture
def samples(generator: Generator, seen: Scorer) -> Samples:
    return ganstrata.probe(generator, {"seen": seen}, samples=640, seed=3, batch=32)


@pytest.fixture
def learner(fakes) -> BoundaryLearner:
    return ganstrata.load_learner("ridge", device="cpu", positives=100, negatives=100)


@pytest.fixture
def learnt(samples: Samples, generator: Generator, learner: BoundaryLearner) -> Learnt:
    """Boundaries of two concepts, learnt once."""
    return ganstrata.learn(
        generator, samples, learner, concepts=["seen/red", "seen/left"], resamples=0, seed=3
    )


def test_samples_are_those_of_a_run(samples: Samples, finished: Run) -> None:
    stored = Shards(finished.path / "samples.zarr")
    np.testing.assert_allclose(samples.w, stored.read("w"), atol=1e-5)
    np.testing.assert_allclose(samples.scores, stored.read("scores/seen"), atol=1e-4)
    assert samples.spread == pytest.approx(finished.spread, rel=1e-5)
    assert [row.varies for row in samples.statistics] == [row.varies for row in finished.concepts]
    assert len(samples) == 640
    assert samples.codes is samples.classes is None
    assert (
        repr(samples)
        == f"Samples(N=640, D=16, concepts=7, varying={sum(row.varies for row in finished.concepts)})"
    )
    np.testing.assert_array_equal(samples.of("seen/red"), samples.scores[:, samples.column("seen/red")])


def test_without_null_directions_effects_are_the_same_but_for_what_rests_on_them(
    samples: Samples, generator: Generator, seen: Scorer, learnt: Learnt
) -> None:
    settings = RESCORING | {"layers": ["all"], "samples": 32}
    full = ganstrata.rescore(generator, {"seen": seen}, learnt, probed=samples, **settings)
    few = ganstrata.rescore(
        generator, {"seen": seen}, learnt, probed=samples, **(settings | {"null_directions": 0})
    )
    for name in ("mean", "low", "high", "in_sd", "clipped", "undefined"):
        np.testing.assert_array_equal(getattr(few, name), getattr(full, name))
    assert (full.has_null, few.has_null) == (True, False)
    assert full.factors.any()
    assert not few.factors.any()
    assert np.isnan(few.p).all()
    assert np.isnan(few.q).all()
    assert (few.null_used == 0).all()
    table = few._repr_html_()
    assert table.count("not tested") == len(learnt)
    assert "not tested" not in full._repr_html_()
    with pytest.raises(
        ganstrata.GanstrataError, match=r"null_directions=2 \(must be at least 3, or 0 for no"
    ):
        ganstrata.rescore(generator, {"seen": seen}, learnt, **(settings | {"null_directions": 2}))


def test_boundaries_and_effects_are_those_of_a_run(
    samples: Samples, learner: BoundaryLearner, generator: Generator, seen: Scorer, finished: Run
) -> None:
    learnt = ganstrata.learn(generator, samples, learner, seed=3)
    stored, skipped = load_boundaries(finished.path)
    assert learnt.names == stored.names
    assert learnt.skipped == skipped
    for mine, theirs in zip(learnt, stored, strict=True):
        np.testing.assert_allclose(mine.normal, theirs.normal, atol=1e-4)
        np.testing.assert_allclose(mine.offset, theirs.offset, atol=1e-3)
    assert learnt.relearnt is not None
    assert learnt.relearnt.normals.shape == (12, len(stored), 16)
    mine = ganstrata.rescore(generator, {"seen": seen}, learnt, probed=samples, **RESCORING)
    theirs = read_effects(finished)
    assert list(mine.sets) == list(theirs.sets)
    assert mine.groups == theirs.groups
    assert mine.step == pytest.approx(theirs.step, rel=1e-5)
    chance = [row.id for row in mine.concepts].index("seen/chance")  # its scores hang on the last digits
    is_compared = np.arange(len(mine.concepts)) != chance
    for name in (field.name for field in fields(EffectArrays)):
        np.testing.assert_allclose(
            getattr(mine, name)[..., is_compared],
            getattr(theirs, name)[..., is_compared],
            rtol=2e-3,
            atol=2e-4,
            err_msg=name,
        )
    np.testing.assert_allclose(mine.changes, theirs.changes, atol=1e-3)
    np.testing.assert_array_equal(mine.factors, theirs.factors)
    np.testing.assert_array_equal(mine.replicates, theirs.replicates)
    assert mine.factor_names == theirs.factor_names
    hierarchy = ganstrata.hierarchy(mine)
    np.testing.assert_allclose(hierarchy.depth.value, theirs.hierarchy().depth.value, atol=1e-3)


def test_without_probing_samples_the_moved_samples_give_the_statistics(
    learnt: Learnt, generator: Generator, seen: Scorer
) -> None:
    effects = ganstrata.rescore(generator, {"seen": seen}, list(learnt), layers=["all"], **RESCORING)
    fresh = generator.map(generator.sample(64, 3, 0, ganstrata.Stream.VERIFICATION).z).numpy()
    assert effects.step == pytest.approx(2.0 * np.sqrt(fresh.var(axis=0, ddof=1).mean()), rel=1e-5)
    assert effects.concepts[0].samples == 64
    assert np.isnan(
        effects.low_total
    ).all()  # a plain list of boundaries says nothing of other learning samples
    with pytest.raises(UserError, match=r"single layers were not re-scored.*layers=\['all', 'each'\]"):
        ganstrata.hierarchy(effects)


def test_raw_steps_are_as_long_as_they_say(
    learnt: Learnt, samples: Samples, generator: Generator, seen: Scorer
) -> None:
    given = {"layers": ["all", "4-5"], "unit": "raw", "distance": 2.0 * samples.spread} | RESCORING
    raw = ganstrata.rescore(generator, {"seen": seen}, Boundaries(learnt), probed=samples, **given)
    sd = ganstrata.rescore(
        generator,
        {"seen": seen},
        Boundaries(learnt),
        probed=samples,
        **(given | {"unit": "sd", "distance": 2.0}),
    )
    assert list(raw.sets) == ["all", "4-5"]
    np.testing.assert_array_equal(raw.mean, sd.mean)


@pytest.mark.parametrize(
    ("backward", "wanted"), [("all", [True, False]), ("everywhere", [True, True]), ("none", [False, False])]
)
def test_boundaries_are_moved_backwards_at_the_requested_sets(
    backward: str,
    wanted: list[bool],
    learnt: Learnt,
    samples: Samples,
    generator: Generator,
    seen: Scorer,
) -> None:
    effects = ganstrata.rescore(
        generator,
        {"seen": seen},
        learnt,
        probed=samples,
        layers=["all", "4-5"],
        backward=backward,
        **RESCORING,
    )
    assert effects.moved[:, :, 0].all()
    assert (effects.moved[:, :, 1] == wanted).all()
    assert (
        effects.count + effects.undefined == effects.used[:, :, None, None] * effects.moved[..., None]
    ).all()
    assert np.isnan(effects.mean[~effects.moved]).all()
    assert not np.isnan(effects.made_undefined).any()
    assert len(effects.rows()) == len(learnt) * (2 + sum(wanted)) * 7


def test_effects_have_rows_html_and_a_plot(finished: Run) -> None:
    effects: Effects = read_effects(finished)
    with (finished.path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        stored = list(csv.DictReader(file))
    rows = effects.rows()
    assert len(rows) == len(stored) == len(effects.boundaries) * (len(effects.sets) + 1) * 7
    assert list(rows[0]) == list(EffectRow._fields) == list(stored[0])
    assert [row["boundary"] for row in rows] == [row["boundary"] for row in stored]
    html = effects._repr_html_()
    assert html.count("<tr>") == 1 + len(effects.boundaries)
    strongest = effects.boundaries[effects.ranking()[0]].name
    assert html.index(strongest) == min(html.index(name) for name in effects.boundaries.names)
    figure = effects.plot()
    assert figure._repr_svg_().startswith("<svg")
    assert strongest in figure._repr_svg_()
    assert (
        repr(effects)
        == f"Effects(boundaries={len(effects.boundaries)}, sets={len(effects.sets)}, concepts=7, "
        f"factors={len(effects.factor_names)})"
    )


def test_every_result_shows_itself_in_a_notebook(
    samples: Samples, generator: Generator, learner: BoundaryLearner, finished: Run
) -> None:
    assert samples._repr_html_().count("<tr>") == 1 + len(samples.concepts)
    assert [row["id"] for row in samples.rows()] == [concept.name for concept in samples.concepts]
    learnt = ganstrata.learn(generator, samples, learner, concepts="seen/*", resamples=0)
    assert "array" not in repr(learnt)
    assert learnt._repr_html_().count("<tr>") == 1 + len(learnt) + len(learnt.skipped)
    assert "does not vary here" in learnt._repr_html_()
    hierarchy = read_effects(finished).hierarchy()
    assert "array" not in repr(hierarchy)
    for m, level in enumerate(hierarchy.levels):
        assert f"{level}={hierarchy.depth.value[m]:.2f}" in repr(hierarchy)
    assert hierarchy._repr_html_().count("<tr>") == 1 + len(hierarchy.levels)
    assert hierarchy.plot()._repr_svg_().startswith("<svg")
    assert repr(hierarchy.plot()).startswith("Figure('hierarchy_layers': Effect of moving")
    rows = hierarchy.rows()
    assert len(rows) == hierarchy.curve.value.size
    assert [row["mean_in_sd"] for row in rows] == hierarchy.curve.value.ravel().tolist()
    assert repr(generator) == "<Layered 'fake_layers' on cpu>"


def test_one_boundary_and_one_layer_set_may_stand_alone(
    learnt: Learnt, samples: Samples, generator: Generator, seen: Scorer
) -> None:
    one = ganstrata.rescore(generator, {"seen": seen}, learnt[0], probed=samples, layers="all", **RESCORING)
    several = ganstrata.rescore(
        generator, {"seen": seen}, learnt[:1], probed=samples, layers=["all"], **RESCORING
    )
    np.testing.assert_array_equal(one.mean, several.mean)
    assert list(one.sets) == ["all"]


def test_effects_become_a_data_frame(finished: Run) -> None:
    pandas = pytest.importorskip("pandas")
    effects = read_effects(finished)
    frame = effects.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    red = frame[
        (frame.boundary == "seen/red")
        & (frame.layers == "all")
        & (frame.concept == "seen/red")
        & (frame.step > 0)
    ]
    i = effects.boundaries.names.index("seen/red")
    assert float(red["mean"].iloc[0]) == effects.mean[i, effects.all_set, 0, effects.own[i]]


def test_scorers_are_named_by_their_plugin(generator: Generator, seen: Scorer) -> None:
    alone = ganstrata.probe(generator, seen, samples=32)
    assert alone.concepts[0].name == "fake_readings/left"
    two = ganstrata.probe(generator, [seen, ganstrata.load_scorer("hue", device="cpu")], samples=32)
    assert {concept.name.split("/")[0] for concept in two.concepts} == {"fake_readings", "hue"}
    with pytest.raises(UserError, match="two scorers are called 'fake_readings'; give them names"):
        ganstrata.probe(generator, [seen, seen], samples=32)
    with pytest.raises(UserError, match="no scorers were given"):
        ganstrata.probe(generator, [], samples=32)


def test_wrong_arguments_are_user_errors(
    learnt: Learnt, samples: Samples, generator: Generator, seen: Scorer, learner: BoundaryLearner
) -> None:
    with pytest.raises(
        UserError, match=r"hierarchy\(\) needs .*Effects as `effects`, from ganstrata.rescore"
    ):
        ganstrata.hierarchy(samples)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a spread needs at least 2 samples, not 1"):
        ganstrata.probe(generator, seen, samples=1)
    with pytest.raises(UserError, match="from 0 to 1; 2 was given"):
        ganstrata.probe(generator, seen, samples=32, mixing=2.0)
    with pytest.raises(UserError, match=r"'seen/rde' matches none\. Did you mean 'seen/red'"):
        ganstrata.learn(generator, samples, learner, concepts=["seen/rde"])
    with pytest.raises(DataError, match="no boundary could be learnt:\n  seen/constant: does not vary here"):
        ganstrata.learn(generator, samples, learner, concepts=["seen/constant"])
    with pytest.raises(
        UserError,
        match=r"samples=4 \(must be at least 8\), distance=0 \(.+\), unit='cm' \(must be 'sd' or 'raw'\), "
        r"backward='twice' \(must be 'all', 'everywhere' or 'none'\)",
    ):
        ganstrata.rescore(generator, seen, learnt, samples=4, distance=0.0, unit="cm", backward="twice")
    with pytest.raises(UserError, match="must contain 'all'"):
        ganstrata.rescore(generator, {"seen": seen}, learnt, layers=["each"])
    with pytest.raises(UserError, match=r"no scorer has 'seen/\w+', the concept of the boundary 'seen/"):
        ganstrata.rescore(generator, {"others": seen}, learnt)
    with pytest.raises(UserError, match="`probed` has the concepts"):
        ganstrata.rescore(
            generator,
            {"seen": seen, "hue": ganstrata.load_scorer("hue", device="cpu")},
            learnt,
            probed=samples,
        )
    with pytest.raises(
        UserError, match=r"learn\(\) needs a Generator as `generator`, .+; it was given a Samples"
    ):
        ganstrata.learn(samples, learner, generator)
    with pytest.raises(
        UserError, match=r"learn\(\) needs a BoundaryLearner as `learner`, .+ given a Samples"
    ):
        ganstrata.learn(generator, samples, samples)
    with pytest.raises(
        UserError, match=r"needs a Boundary as `boundaries`, from ganstrata\.learn; it was given a str"
    ):
        ganstrata.rescore(generator, {"seen": seen}, learnt.names)
    with pytest.raises(UserError, match=r"needs a Boundary as `boundaries`, .+ given a Samples"):
        ganstrata.rescore(generator, {"seen": seen}, samples)
    with pytest.raises(
        UserError, match=r"needs a Samples as `probed`, from ganstrata\.probe; it was given a Learnt"
    ):
        ganstrata.rescore(generator, {"seen": seen}, learnt, probed=learnt)
    with pytest.raises(
        UserError, match=r"needs a Scorer as `scorers`, from ganstrata\.load_scorer; it was given a Ridge"
    ):
        ganstrata.probe(generator, learner)
    with pytest.raises(UserError, match="no boundaries were given"):
        ganstrata.rescore(generator, {"seen": seen}, Boundaries())


def test_learners_of_layers_need_codes(generator: Generator, seen: Scorer) -> None:
    learner = ganstrata.load_learner("ridge", device="cpu", positives=100, negatives=100, per_layer=True)
    plain = ganstrata.probe(generator, {"seen": seen}, samples=320, seed=3)
    with pytest.raises(DataError, match=r"call probe\(\) with mixing above 0"):
        ganstrata.learn(generator, plain, learner)
    mixed = ganstrata.probe(generator, {"seen": seen}, samples=320, seed=3, mixing=0.9)
    assert mixed.codes is not None
    assert mixed.codes.shape == (320, 8, 16)
    boundaries = ganstrata.learn(generator, mixed, learner, concepts=["seen/red"], resamples=0)
    assert boundaries[0].normal.shape == (8, 16)
    effects = ganstrata.rescore(
        generator,
        {"seen": seen},
        boundaries,
        probed=mixed,
        layers=["all"],
        samples=32,
        null_directions=3,
        bootstrap=100,
    )
    assert effects.in_sd[0, 0, 0, effects.own[0]] > 0.5


def test_a_run_has_results(finished: Run, furnished: Run) -> None:
    results = ganstrata.open_run(finished.path)
    assert isinstance(results, Run)
    assert len(results.samples) == 640
    assert results.samples.spread == pytest.approx(results.spread)
    assert [concept.name for concept in results.samples.concepts] == [row.id for row in results.concepts]
    assert results.samples.statistics == tuple(results.record.concepts)
    assert results.boundaries.names == load_boundaries(finished.path)[0].names
    assert results.boundaries.relearnt is not None
    assert set(results.boundaries.skipped) == {"seen/constant"}
    assert results.effects.factor_names == read_effects(finished).factor_names
    assert results.hierarchy().levels
    assert ganstrata.open_run(furnished.path).samples.scores.shape[1] == len(furnished.concepts)


def test_samples_come_in_blocks(finished: Run) -> None:
    results = ganstrata.open_run(finished.path)
    blocks = list(results.sample_blocks(300))
    assert [len(block) for block in blocks] == [300, 300, 40]
    for name in ("w", "scores"):
        joined = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_array_equal(joined, getattr(results.samples, name))
    assert all(block.statistics == results.samples.statistics for block in blocks)
    with pytest.raises(ganstrata.UserError, match="at least one row; got rows=0"):
        next(results.sample_blocks(0))


def test_missing_results_are_reported(copied: Path) -> None:
    (copied / "boundaries.json").unlink()
    results = ganstrata.open_run(copied)
    assert len(results.samples) == 640
    with pytest.raises(ganstrata.GanstrataError, match=r"`learn` is not complete \(boundaries.json: missing"):
        _ = results.boundaries
    with pytest.raises(ganstrata.GanstrataError, match="the stage `learn` is not complete"):
        _ = results.effects
