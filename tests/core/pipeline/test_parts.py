"""Parts of the stages: forecasts, refusals, what is read back, and what learners receive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from closeness import assert_pictures_near
from ganstrata import Boundaries, Boundary, BoundaryLearner, Latents, PictureError, Stream
from ganstrata.core.boundaries import learn as learning
from ganstrata.core.boundaries.conditional import conditional_directions
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.boundaries.learning_variance import resampled_rows
from ganstrata.core.boundaries.resampled import Resampled
from ganstrata.core.config.reading import validate
from ganstrata.core.editing import stage as edit
from ganstrata.core.errors import DataError
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.probing import stage as synthesis
from ganstrata.core.report import stage as reporting
from ganstrata.core.rescoring import work_units
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.manifest import Work
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards
from small_runs import BATCH, SHOWN, Counting, Loop, Made
from sound_plugins import Leaky, Sound


def performed(config: dict[str, Any], path: Path, *stages: str) -> Run:
    return perform(validate(config, "test"), path, stages, source="test", progress=Progress(quiet=True))


@pytest.mark.parametrize(
    ("adaptive", "resamples", "layers", "baselines"),
    [
        (False, 12, ["all", "each"], 1),
        (True, 12, ["all", "each"], 3),
        (True, 0, ["all", "each"], 2),
        (True, 0, ["all", "2"], 2),
        (True, 12, ["all"], 2),
        (True, 0, ["all"], 1),
    ],
)
def test_a_baseline_for_each_part(
    adaptive: bool, resamples: int, layers: list[str], baselines: int, fakes, config
) -> None:
    config["rescoring"] |= {
        "samples": 100,
        "null_directions": 20,
        "layers": layers,
        "adaptive": adaptive,
        "learning_resamples": resamples,
    }
    prepared = prepare(validate(config, "test"), check=False)
    assert work_units.baselines(prepared) == baselines
    sets = 9 if layers[-1] == "each" else len(layers)
    assert (
        work_units.images_needed(prepared, [None] * 7)
        == 100 * (baselines + (7 + 20) * sets + 7) + 64 * resamples * 7
    )


@pytest.mark.parametrize(
    ("lost", "allowed", "limit"),
    [(29, 0.29, ""), (30, 0.29, "0.29 allows 29"), (1, 0.0, "0 allows 0"), (0, 0.0, "")],
)
def test_exactly_the_share_that_is_allowed_may_be_lost(
    lost: int, allowed: float, limit: str, fakes, config
) -> None:
    config["synthesis"]["allow_nonfinite"] = allowed
    config["editing"] = {"samples": 10, "steps": 5}
    prepared = prepare(validate(config, "test"), check=False)
    finite = np.arange(100) >= lost
    if not limit:
        synthesis._check_share(prepared, finite)
        edit._check_share(prepared, lost, 2)
        return
    with pytest.raises(
        PictureError,
        match=rf"{lost} of 100 pictures are not finite; .*{limit}\. "
        r"The first is sample 0, which is finite when",
    ):
        synthesis._check_share(prepared, finite)
    with pytest.raises(PictureError, match=rf"{lost} of 100 edited pictures .*{limit}\. Bring"):
        edit._check_share(prepared, lost, 2)


class Several(Sound):
    """Draws classes in turn from a single class."""

    classes = 1

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, latents.index % self.classes, latents.index)


class Two(Several):
    """Two of them."""

    classes = 2


class Soft(Sound):
    """A condition that is not a class."""

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, latents.z[:, :2].clone(), latents.index)


def sound(use: str, **options: Any) -> dict[str, Any]:
    """Return a run of small generators without learnt boundaries."""
    return {
        "generator": {"use": use, "with": options},
        "scorers": [{"use": "hue"}],
        "concepts": {"include": ["hue/value", "hue/saturation"]},
        "boundary": {"use": "ridge", "with": {"positives": 12, "negatives": 12}},
        "synthesis": {"samples": 64, "batch_size": 10},
        "rescoring": {
            "samples": 24,
            "null_directions": 3,
            "bootstrap": 100,
            "layers": ["all", "1"],
            "learning_resamples": 0,
        },
        "editing": {"samples": 12, "steps": 3},
        "device": "cpu",
        "checks": False,
        "engine": {"workers": 1},
    }


@pytest.mark.parametrize(
    ("generator", "wanted"), [(Sound, None), (Several, None), (Two, [0, 1] * 32), (Soft, None)]
)
def test_classes_are_read_where_several_are_drawn(
    generator: type, wanted: list[int] | None, register, tmp_path: Path
) -> None:
    register("generator", "small", generator)
    run = performed(sound("small"), tmp_path / "run", "synthesize")
    prepared = prepare(run.config, check=False)
    classes = synthesis.read_classes(run, prepared)
    assert (classes if classes is None else classes.tolist()) == wanted
    if generator is Soft:
        z = prepared.generator.sample(64, 0, 0, Stream.PROBING).z[:, :2].numpy()
        np.testing.assert_array_equal(Shards(run.path / "samples.zarr").read("condition"), z)


def test_what_is_lost_is_counted_by_pairs_and_pictures(register, tmp_path: Path) -> None:
    """Pictures are not finite for distant codes: in samples, in moved samples, and in strips."""
    register("generator", "leaky", Leaky)
    config = sound("leaky", far=2.2)
    (
        config["synthesis"]["allow_nonfinite"],
        config["editing"]["samples"],
        config["rescoring"]["learning_resamples"],
    ) = 0.9, 30, 4
    config["rescoring"]["backward"] = "everywhere"
    run = performed(config, tmp_path / "run", "synthesize", "learn", "rescore", "edit")
    rescored, stages = read_effects(run), run.manifest["stages"]

    def lost(codes: np.ndarray) -> np.ndarray:
        return (np.abs(codes) > 2.2).any(axis=(1, 2))

    loops = {
        stream: Loop(run, stream, n)
        for stream, n in ((Stream.PROBING, 64), (Stream.VERIFICATION, 24), (Stream.EDITING, 30))
    }
    finite = ~lost(loops[Stream.PROBING].codes.numpy())
    assert 0 < (~finite).sum() == stages["synthesize"]["nonfinite"]
    np.testing.assert_array_equal(synthesis.read_finite(run, loops[Stream.PROBING].prepared), finite)
    np.testing.assert_array_equal(
        ~np.isnan(Shards(run.path / "samples.zarr").read("scores/hue")[:, 12]), finite
    )
    (value,) = [row for row in run.concepts if row.id == "hue/value"]
    assert (value.samples, value.undefined) == (finite.sum(), 0)
    resampled = Resampled.load(run.path, rescored.boundaries)
    rows = resampled_rows(int(finite.sum()), 0, 2)[0]
    w = loops[Stream.PROBING].w.numpy()[finite]
    assert resampled.spreads[2] == pytest.approx(np.sqrt(w[rows].var(axis=0, ddof=1).mean()))
    assert lost(loops[Stream.EDITING].codes.numpy()).any()
    verified, edited = 0, 0
    for boundary in rescored.boundaries:
        for layers in rescored.sets.values():
            for sign in (2.0, -2.0):
                loop = loops[Stream.VERIFICATION]
                moved = loop.moved(boundary.normal, layers, sign * run.spread)
                verified += int((lost(loop.codes.numpy()) | lost(moved.numpy())).sum())
        for layers in edit.shown_sets(loops[Stream.EDITING].prepared).values():
            for amount in (-3.0, 0.0, 3.0):
                loop = loops[Stream.EDITING]
                moved = loop.moved(boundary.normal, layers, amount * run.spread)
                edited += int((~lost(loop.codes.numpy()) & lost(moved.numpy())).sum())
    assert 0 < verified == stages["rescore"]["nonfinite"]
    assert 0 < edited == stages["edit"]["nonfinite"]


class LeakyClasses(Leaky):
    """The same with two classes."""

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, latents.index % 2, latents.index)


def test_classes_of_pictures_that_are_lost_are_left_out_of_learning(register, tmp_path: Path) -> None:
    register("generator", "leaky", LeakyClasses)
    config = sound("leaky", every=5)
    config["synthesis"]["allow_nonfinite"] = 0.9
    run = performed(config, tmp_path / "run", "synthesize", "learn")
    prepared, (boundaries, _) = prepare(run.config, check=False), load_boundaries(run.path)
    finite, w, scores = (
        np.arange(64) % 5 != 4,
        synthesis.stored_latents(run, prepared)[0][:],
        synthesis.stored_scores(run, prepared)[:],
    )
    assert len(w) == len(scores) == finite.sum()
    column = [concept.name for concept in prepared.concepts].index("hue/value")
    classes = (np.arange(64) % 2)[finite]
    (wanted,) = prepared.learner.learn(
        w, scores[:, [column]], [prepared.concepts[column]], seed=0, classes=classes
    )
    np.testing.assert_allclose(boundaries.of("hue/value").normal, wanted.normal, atol=1e-5)


def test_samples_of_other_streams_are_not_mixed(fakes, config) -> None:
    config["synthesis"] |= {"mixing": 0.8, "batch_size": 100}
    prepared = prepare(validate(config, "test"), check=False)
    _, w, codes = prepared.draw(0, Stream.VERIFICATION)
    assert (codes == w[:, None]).all()
    _, w, codes = prepared.draw(0, Stream.PROBING)
    own = (codes == w[:, None]).all(dim=2).numpy()
    cuts = own.sum(axis=1)
    assert (own == (np.arange(8) < cuts[:, None])).all(), (
        "the first layers have the first style, the others the second"
    )
    assert set(cuts) == set(range(1, 9)), "the second begins anywhere but at the first layer"
    assert (cuts < 8).mean() == pytest.approx(0.8, abs=0.1)
    assert (codes.numpy()[~own] == np.repeat(codes[:, 7].numpy(), 8 - cuts, axis=0)).all()
    assert len(np.unique(codes[:, 7].numpy(), axis=0)) == 100
    _, _, later = prepared.draw(50, Stream.PROBING)
    np.testing.assert_array_equal((later[:50] == codes[50:]).all(dim=2).sum(dim=1), 8)


def test_where_an_effect_is_not_known_no_joint_edit_is_made(fakes, plain: Made) -> None:
    rescored = read_effects(plain.run)
    first = rescored.ranking()[0]
    column, upper, lower = (
        rescored.own[first],
        list(rescored.sets).index("upper"),
        list(rescored.sets).index("lower"),
    )
    for gone, best in ((upper, "lower"), (lower, "upper")):
        mean = rescored.mean.copy()
        mean[first, gone, 0, column] = np.nan
        parts = edit.joint_parts(replace(rescored, mean=mean), 2.5)
        (part,) = [part for part in parts if part.boundary == first]
        assert (part.group, part.amount) == (best, 2.5)
    assert edit.joint_parts(replace(rescored, factors=np.zeros(4, dtype=bool)), 2.5) == []
    assert edit.joint_parts(replace(rescored, groups={}), 2.5) == []


class Noting(BoundaryLearner):
    """A learner with fixed directions that records its input."""

    supervised = False
    given: ClassVar[list[tuple[int, bool, np.ndarray]]] = []

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        self.given.append((seed, generator is not None, latents))
        return Boundaries(
            Boundary(
                c.name,
                c.level,
                np.eye(16, dtype=np.float32)[i],
                np.zeros((), np.float32),
                generator.space,
                generator.fingerprint,
            )
            for i, c in enumerate(concepts)
        )


def test_a_learner_is_given_the_seed_of_the_run_and_each_resampling_its_own(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "noting", Noting)
    Noting.given.clear()
    config |= {
        "boundary": {"use": "noting"},
        "concepts": {"include": ["seen/left", "seen/red"]},
        "checks": False,
    }
    config["synthesis"]["samples"] = 96
    config["rescoring"]["learning_resamples"] = 4
    run = performed(config, tmp_path / "run", "synthesize", "learn")
    w = Shards(run.path / "samples.zarr").read("w")
    (seed, with_generator, latents), *others = Noting.given
    assert (seed, with_generator, len(others)) == (3, True, 4)
    np.testing.assert_array_equal(latents, w)
    for m, (seed, with_generator, latents) in enumerate(others):
        rows, wanted = resampled_rows(96, 3, m)
        assert (seed, with_generator) == (wanted, True)
        np.testing.assert_array_equal(latents, w[rows])


def test_a_conditional_direction_that_cannot_be_is_refused_by_name() -> None:
    one = Boundary("a/x", "attribute", np.eye(3, dtype=np.float32)[0], np.zeros((), np.float32), "w", "")
    condition = SimpleNamespace(edit="a/x", keep=("a/y",))
    with pytest.raises(DataError, match=r"a/x lies in the span of its conditions \(a/y\)"):
        conditional_directions(Boundaries([one, replace(one, concept="a/y")]), [condition])


def test_why_a_concept_does_not_vary() -> None:
    assert (
        learning.reason_invariant(SimpleNamespace(samples=0, sd=0.0, least=0.02))
        == "undefined for every sample"
    )
    assert (
        learning.reason_invariant(SimpleNamespace(samples=1, sd=0.01, least=0.02))
        == "does not vary here: its standard deviation is 0.01, the minimum is 0.02"
    )


def test_eight_reasons_are_listed_and_the_others_counted() -> None:
    reasons = {f"a/{i}": "constant" for i in range(9)}
    assert learning.reasons(reasons).splitlines()[7:] == ["  a/7: constant", "  and 1 more"]
    del reasons["a/8"]
    assert learning.reasons(reasons).splitlines()[7:] == ["  a/7: constant"]


def test_the_report_shows_the_first_samples_and_keeps_its_figures(
    fakes, plain: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    figures = {
        "one": SimpleNamespace(file="<svg/>\n", csv="a\n1\n"),
        "two": SimpleNamespace(file="<svg></svg>\n", csv="b\n2\n"),
    }
    directions = SimpleNamespace(tables={"directions": SimpleNamespace(csv="c\n3\n")})
    gathered = SimpleNamespace(effects=read_effects(plain.run), figures=figures, directions=directions)

    def page(run, content, pictures, scores, work, *, differences) -> str:
        given.update(pictures=pictures, scores=scores, work=work, differences=differences)
        return "a page\n"

    monkeypatch.setattr(reporting, "gather", lambda run: gathered)
    monkeypatch.setattr(
        reporting,
        "counted",
        lambda prepared, effects: Work(
            unit="FLOPs",
            per_image=1.0,
            naive=0.0,
            full=float(effects.null_used.sum()),
            done=float(effects.used.sum()),
        ),
    )
    monkeypatch.setattr(reporting, "build_page", page)
    run = Run(plain.run.path, plain.run.record.model_copy(deep=True))
    monkeypatch.setattr(run, "save", lambda: None)
    monkeypatch.setattr(
        type(run), "config", plain.run.config.model_copy(update={"report": SimpleNamespace(samples=SHOWN)})
    )
    loop, progress = Loop(plain.run, Stream.PROBING, SHOWN), Counting()
    assert loop.prepared.batch == BATCH
    written = {
        f"figures/{name}.{kind}": getattr(figures[name], field)
        for name in figures
        for kind, field in (("svg", "file"), ("csv", "csv"))
    }
    written["figures/directions.csv"] = "c\n3\n"
    try:
        reporting.report(run, RunEngine(loop.prepared), progress)
        assert progress.counts == {"report": [1, 1, 1]}
        assert progress.steps["report"].total == 3
        assert (run.path / "report.html").read_text(encoding="utf-8") == "a page\n"
        assert {name: (run.path / name).read_text(encoding="utf-8") for name in written} == written
        assert set(run.record.stages["report"].files) == {*written, "report.html"}
        assert run.record.stages["report"].work == given["work"]
        assert (given["work"].done, given["work"].full) == (47 * 16, 47 * 4)
        assert_pictures_near(given["pictures"], to_pixels(loop.images(loop.codes)))
        assert given["scores"].shape == (SHOWN, 9)
    finally:
        for name in (*written, "report.html"):
            (run.path / name).unlink()
        (run.path / "figures").rmdir()
