"""Boundaries learnt again from resampled samples and moved at all layers: a run against a plain loop."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Boundaries
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.boundaries.learning_variance import resampled_rows
from ganstrata.core.boundaries.relearning import learn_again
from ganstrata.core.boundaries.resampled import RESAMPLED_FILE, Resampled
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError, DataError, RunError
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.probing.stage import open_samples
from ganstrata.core.randomness import Stream
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.manifest import NotRelearnt
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards
from ganstrata.core.strata.moves import conditioned
from ganstrata.plugins.boundaries.ridge import Ridge
from safetensors.numpy import save

STAGES = ("synthesize", "learn", "rescore")


def made(config: dict[str, Any], path: Path, stages: tuple[str, ...] = STAGES) -> Run:
    return perform(validate(config, "test"), path, stages, source="test", progress=Progress(quiet=True))


def of_run(run: Run) -> Resampled:
    return Resampled.load(run.path, load_boundaries(run.path)[0])


def own(rescored: Effects, table: np.ndarray) -> np.ndarray:
    """Return a column of the effects on own concepts at all layers, forwards, (B,)."""
    return table[np.arange(len(rescored.own)), rescored.all_set, 0, rescored.own]


def test_replicates_are_what_the_learner_makes_of_resampled_samples(fakes, finished: Run) -> None:
    boundaries, _ = load_boundaries(finished.path)
    resampled, samples, seed = of_run(finished), open_samples(finished), finished.config.synthesis.seed
    w, scores = samples.read("w"), samples.read("scores/seen")
    prepared = prepare(finished.config, batch=finished.batch)
    assert resampled.normals.shape == (12, len(boundaries), w.shape[1])
    for m in (0, 7):
        rows, learner_seed = resampled_rows(len(w), seed, m)
        assert resampled.spreads[m] == pytest.approx(
            np.sqrt(w[rows].astype(np.float64).var(axis=0, ddof=1).mean())
        )
        for i, boundary in enumerate(boundaries):
            j = [c.name for c in prepared.concepts].index(boundary.concept)
            (wanted,) = prepared.learner.learn(
                w[rows], scores[rows][:, [j]], [prepared.concepts[j]], seed=learner_seed
            )
            np.testing.assert_allclose(resampled.normals[m, i], wanted.normal, atol=1e-5)


def test_replicates_are_moved_at_all_layers_with_their_own_step(fakes, finished: Run) -> None:
    prepared, rescored = prepare(finished.config, batch=finished.batch), read_effects(finished)
    resampled, changes = of_run(finished), Shards(finished.path / "rescoring.zarr").read("resampled")
    assert changes.shape == (12, len(rescored.boundaries), 64)
    assert np.isnan(changes[:, :, 32:]).all()  # half of the samples
    generator = prepared.generator
    latents = generator.sample(32, finished.config.synthesis.seed, 0, Stream.VERIFICATION)
    with torch.inference_mode():
        codes = generator.broadcast(generator.map(latents.z))

        def scores(codes: torch.Tensor) -> np.ndarray:
            return prepared.score(prepared.render(codes, None, latents.index, Stream.VERIFICATION).rendering)

        for m, i in ((0, 0), (5, 3), (11, 5)):
            step = 2.0 * resampled.spreads[m] * torch.from_numpy(resampled.normals[m, i])
            wanted = (scores(codes + step) - scores(codes))[:, rescored.own[i]]
            np.testing.assert_allclose(changes[m, i, :32], wanted, atol=1e-5)


def test_both_intervals_are_in_the_table(finished: Run) -> None:
    rescored = read_effects(finished)
    low, high, low_total, high_total = (
        own(rescored, t) for t in (rescored.low, rescored.high, rescored.low_total, rescored.high_total)
    )
    assert (low_total <= low).all()
    assert (high_total >= high).all()
    assert (high_total > high).any()
    assert (rescored.replicates == 12).all()
    with (finished.path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    there = [r for r in rows if r["low_total"]]
    assert [(r["boundary"], r["layers"], r["concept"]) for r in there] == [
        (b.name, "all", b.concept) for b in rescored.boundaries
    ]
    assert all(float(r["step"]) > 0.0 and r["high_total"] for r in there)
    np.testing.assert_allclose([float(r["low_total"]) for r in there], low_total, rtol=1e-4)


def test_without_resamplings_there_is_one_interval(fakes, config, tmp_path: Path) -> None:
    config["rescoring"]["learning_resamples"] = 0
    run = made(config, tmp_path / "run")
    rescored = read_effects(run)
    assert not (run.path / RESAMPLED_FILE).exists()
    assert np.isnan(rescored.low_total).all()
    assert (rescored.replicates == 0).all()
    assert set(rescored.factor_names) == {"seen/left", "seen/checks", "seen/stripes", "seen/red", "seen/half"}


@pytest.mark.parametrize("count", [-1, 1, 3])
def test_too_few_resamplings_are_refused(count: int, fakes, config) -> None:
    config["rescoring"]["learning_resamples"] = count
    with pytest.raises(ConfigError, match="rescoring -> learning_resamples"):
        validate(config, "test")


def test_conditional_directions_come_from_boundaries_that_were_learnt_again(
    fakes, config, tmp_path: Path
) -> None:
    config["conditions"] = [{"edit": "seen/left", "keep": ["seen/red", "seen/checks"]}]
    run = made(config, tmp_path / "run", ("synthesize", "learn"))
    names = load_boundaries(run.path)[0].names
    for normals in of_run(run).normals:
        of = dict(zip(names, normals, strict=True))
        wanted = conditioned(of["seen/left"], [of["seen/red"], of["seen/checks"]], name="", names=())
        np.testing.assert_allclose(of["seen/left|seen/red,seen/checks"], wanted, atol=1e-6)


def test_boundaries_per_layer_are_learnt_again_for_each_layer(fakes, config, tmp_path: Path) -> None:
    config["boundary"]["use"] = "fake_per_layer"
    config["synthesis"]["mixing"] = 0.5
    run = made(config, tmp_path / "run")
    resampled = of_run(run)
    assert resampled.normals.shape[2:] == (8, 16)
    assert resampled.learnt.all()
    rescored = read_effects(run)
    assert not np.isnan(own(rescored, rescored.low_total)).any()


def test_classes_are_resampled_with_their_samples(fakes, config, tmp_path: Path) -> None:
    config["generator"]["use"] = "fake_classes"
    run = made(config, tmp_path / "run", ("synthesize", "learn"))
    samples, prepared = open_samples(run), prepare(run.config, batch=run.batch)
    w, scores, classes = (
        samples.read("w"),
        samples.read("scores/seen"),
        samples.read("condition").astype(np.int64),
    )
    rows, seed = resampled_rows(len(w), run.config.synthesis.seed, 4)
    learner = prepared.learner
    assert isinstance(learner, Ridge)
    (wanted,) = learner.learn(
        w[rows], scores[rows][:, [0]], prepared.concepts[:1], seed=seed, classes=classes[rows]
    )
    np.testing.assert_allclose(of_run(run).normals[4, 0], wanted.normal, atol=1e-5)


def test_a_boundary_that_a_resampling_does_not_give_is_counted_and_reported(
    fakes, config, tmp_path: Path
) -> None:
    """Half of the samples have a score of `half`: at times more, at times fewer than the extremes need."""
    defined = 2 * 150  # of about 320
    extremes = {"positives": defined // 2, "negatives": defined // 2}
    config["boundary"] = {"use": "mean_difference", "with": extremes}
    config["synthesis"]["seed"] = 3
    run = perform(
        validate(config, "test"),
        tmp_path / "run",
        (*STAGES, "edit", "report"),
        source="test",
        progress=Progress(quiet=True),
    )
    names = load_boundaries(run.path)[0].names
    assert "seen/half" in names
    missing = run.manifest["stages"]["learn"]["not_relearnt"]
    assert set(missing) == {"seen/half"}
    assert "150 positives were requested" in missing["seen/half"]["reason"]
    rescored, at = read_effects(run), names.index("seen/half")
    assert 2 <= rescored.replicates[at] == 12 - missing["seen/half"]["resamplings"] < 12
    assert not np.isnan(own(rescored, rescored.low_total)[at])
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert (
        f"seen/half: {missing['seen/half']['resamplings']} of 12 resamplings of the samples gave no boundary"
        in page
    )


def boundary(name: str, normal: list[float]) -> ganstrata.Boundary:
    return ganstrata.Boundary(
        name, "attribute", np.array(normal, dtype=np.float32), np.zeros((), np.float32), "w", ""
    )


def test_a_boundary_that_no_resampling_gives_is_missing_with_its_reason() -> None:
    boundaries = Boundaries(
        [boundary("a/x", [1.0, 0.0]), boundary("a/y", [0.0, 1.0]), boundary("a/z", [0.0, 1.0])]
    )
    steps: list[int] = []

    def learn(rows: np.ndarray, seed: int) -> tuple[Boundaries, dict[str, str]]:
        return Boundaries([boundary("a/x", [0.6, 0.8]), boundary("a/z", [np.nan, 1.0])]), {"a/y": "too few"}

    w = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    relearnt = learn_again(learn, boundaries, w, count=5, seed=0, done=lambda: steps.append(1))
    assert relearnt.missing == {
        "a/y": NotRelearnt(resamplings=5, reason="too few"),
        "a/z": NotRelearnt(resamplings=5, reason="the learner gave no finite normal"),
    }
    assert relearnt.resampled.learnt.tolist() == [[True, False, False]] * 5
    assert len(steps) == 5


def test_an_effect_that_depends_on_the_learning_samples_is_not_a_factor(copied: Path, finished: Run) -> None:
    before = read_effects(finished)
    run, shards = Run.open(copied), Shards(copied / "rescoring.zarr")
    relearnt = shards.read("resampled")
    at = before.boundaries.names.index("seen/red")
    assert before.factors[at]
    scale = float(own(before, before.mean)[at])
    relearnt[:, at] += (scale * np.linspace(-1.5, 1.5, 12))[:, None].astype(
        np.float32
    )  # now stronger, now backwards
    shards.write("turned", {"resampled": (tuple(slice(0, n) for n in relearnt.shape), relearnt)})
    after = read_effects(run)
    assert own(after, after.low)[at] == own(before, before.low)[at] > 0.0
    assert own(after, after.low_total)[at] < 0.0
    assert [a and i != at for i, a in enumerate(before.factors)] == after.factors.tolist()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no tensors", "SafetensorError"),
        (save({"normals": np.zeros((4, 6, 16), np.float32)}), "KeyError: 'spreads'"),
        (
            save({"normals": np.zeros((4, 5, 16), np.float32), "spreads": np.ones(4)}),
            r"need float32 of \(4, 6, 16\)",
        ),
        (save({"normals": np.zeros((4, 6, 16)), "spreads": np.ones(4)}), "its normals are float64"),
        (
            save({"normals": np.zeros((3, 6, 16), np.float32), "spreads": np.ones(4)}),
            r"its normals are float32 of shape \(3, 6, 16\)",
        ),
        (
            save({"normals": np.zeros((4, 6, 16), np.float32), "spreads": np.full(4, np.nan)}),
            "its spreads are not finite",
        ),
        (None, "FileNotFoundError"),
    ],
)
def test_a_damaged_file_is_an_error_with_advice(content: bytes | None, reason: str, copied: Path) -> None:
    (copied / RESAMPLED_FILE).unlink()
    if content is not None:
        (copied / RESAMPLED_FILE).write_bytes(content)
    with pytest.raises(
        RunError, match=rf"resampled.safetensors cannot be read \(.*{reason}.*run `ganstrata learn"
    ):
        of_run(Run.open(copied))


def test_only_variation_factors_of_an_adaptive_run_are_moved_again(fakes, config, tmp_path: Path) -> None:
    config["rescoring"] |= {"samples": 128, "adaptive": True, "layers": ["all", "1"]}
    run = made(config, tmp_path / "run")
    rescored = read_effects(run)
    total = own(rescored, rescored.low_total)
    assert rescored.factors.any()
    assert not rescored.factors.all()
    assert (np.isnan(total) == ~rescored.factors).all()
    assert (rescored.replicates > 0).tolist() == rescored.factors.tolist()
    relearnt = Shards(run.path / "rescoring.zarr").read("resampled")
    moved = (~np.isnan(relearnt)).all(axis=0).sum(axis=1)
    for i in np.flatnonzero(rescored.factors):
        if rescored.boundaries[i].concept != "seen/half":
            assert moved[i] == max(
                min(32, rescored.used[i, rescored.all_set]), rescored.used[i, rescored.all_set] // 2
            )


def test_a_learner_without_scores_is_resampled_too(fakes, config, register, tmp_path: Path) -> None:
    register("boundary", "fixed", Fixed)
    config["boundary"] = {"use": "fixed"}
    rescored = read_effects(made(config, tmp_path / "run"))
    # Its directions do not depend on the samples, but the step does (spread of w); effects are linear in it.
    spreads = of_run(Run.open(tmp_path / "run")).spreads
    wanted = own(rescored, rescored.mean)[:4] * spreads.std(ddof=1) / spreads.mean()
    np.testing.assert_allclose(rescored.learning_error[:4], wanted, rtol=0.1)


class Fixed(ganstrata.BoundaryLearner):
    """A learner with fixed directions."""

    supervised = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        """Axes of w."""
        if latents.shape[1] < len(concepts):
            raise DataError("too many concepts")
        return Boundaries(
            [
                ganstrata.Boundary(c.name, c.level, n, np.zeros((), np.float32), "w", generator.fingerprint)
                for c, n in zip(concepts, np.eye(16, dtype=np.float32), strict=False)
            ]
        )
