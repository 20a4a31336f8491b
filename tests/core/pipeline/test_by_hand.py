"""Every number that stages 1, 3 and 4 store, against plain loops of full passes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from closeness import LEVEL, assert_near
from ganstrata import Stream
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.boundaries.null_directions import null_directions
from ganstrata.core.boundaries.resampled import Resampled
from ganstrata.core.editing.strips import split_strip
from ganstrata.core.figures.pictures import read_picture, to_pixels
from ganstrata.core.probing.stage import stored_latents
from ganstrata.core.rescoring.interim import half_width
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.rescoring.sums import sums_of
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards
from small_runs import BATCH, GROUPS, MOVED, NULL, SAMPLES, SETS, SHOWN, Loop, Made

pytestmark = pytest.mark.usefixtures("fakes")


def arrays(path: Path) -> set[str]:
    return {part.name for part in path.iterdir()} - {"done", "zarr.json"}


def test_samples_and_scores_are_those_of_full_passes(plain: Made) -> None:
    loop, samples = Loop(plain.run, Stream.PROBING, SAMPLES), Shards(plain.run.path / "samples.zarr")
    assert_near(samples.read("w"), loop.w.numpy())
    assert samples.read("index").tolist() == list(range(SAMPLES))
    images = loop.images(loop.codes).flatten(1)
    scores = loop.scores(loop.codes)
    steady = [0, 1, 2, 3, 5, 6]  # `chance` is the last digits of a picture
    assert_near(samples.read("scores/still"), scores[:, :2])
    assert_near(samples.read("scores/seen")[:, steady[:5]], scores[:, 2:][:, steady[:5]])
    assert_near(
        samples.read("extras/seen"), torch.stack([images.amax(dim=1), images.amin(dim=1)], dim=1).numpy()
    )
    assert arrays(plain.run.path / "samples.zarr") == {"w", "index", "scores", "extras"}
    assert stored_latents(plain.run, loop.prepared)[1] is None


def expected_changes(loop: Loop, normal: np.ndarray, layers: range, amount: float) -> np.ndarray:
    return loop.scores(loop.moved(normal, layers, amount)) - loop.scores(loop.codes)


STEADY = [0, 1, 2, 3, 4, 5, 7, 8]  # of the nine concepts; the other one is the last digits of a picture


def check_moves(run: Run, array: str, sets: dict[str, range], used: np.ndarray, batch: int) -> None:
    """Sums by batch and own changes of all directions, as far as each was moved; NaN beyond."""
    loop, units = Loop(run, Stream.VERIFICATION, MOVED), Shards(run.path / "rescoring.zarr")
    boundaries, _ = load_boundaries(run.path)
    names = [concept.name for concept in loop.prepared.concepts]
    normals = [*(boundary.normal for boundary in boundaries), *null_directions(run, loop.prepared)]
    sums, own = units.read(f"sums{array}"), units.read(f"own{array}")
    step, baseline = 1.5 * run.spread, loop.scores(loop.codes)
    assert own.shape == (len(boundaries), len(sets), 2, MOVED)
    assert sums.shape[:4] == (len(normals), -(-MOVED // batch), len(sets), 2)
    for d, normal in enumerate(normals):
        for s, (name, layers) in enumerate(sets.items()):
            for k, sign in enumerate((1.0, -1.0)):
                moved = k == 0 or (
                    d < len(boundaries) and (run.config.rescoring.backward == "everywhere" or name == "all")
                )
                edited = loop.scores(loop.moved(normal, layers, sign * step)) if moved else baseline
                # Adaptive decisions at `all` need no backward steps beyond the first look.
                reach = min(20, used[d, s]) if array == "_all" and k == 1 else used[d, s]
                for b, start in enumerate(range(0, MOVED, batch)):
                    part = slice(start, start + batch)
                    if moved and start < reach:
                        wanted = sums_of(baseline[part], edited[part])[STEADY]
                        np.testing.assert_allclose(sums[d, b, s, k][STEADY], wanted, atol=1e-4)
                    else:
                        assert np.isnan(sums[d, b, s, k]).all()
                if d < len(boundaries):
                    column = names.index(boundaries[d].concept)
                    wanted = (edited - baseline)[:, column]
                    wanted[reach if moved else 0 :] = np.nan
                    np.testing.assert_allclose(own[d, s, k], wanted, atol=2e-5)


def test_moves_are_those_of_full_passes(plain: Made) -> None:
    boundaries, _ = load_boundaries(plain.run.path)
    check_moves(plain.run, "", SETS, np.full((len(boundaries) + NULL, len(SETS)), MOVED), BATCH)


def test_moves_of_an_adaptive_run_are_those_of_full_passes(adaptive: Made) -> None:
    rescored = read_effects(adaptive.run)
    used = np.concatenate([rescored.used, np.repeat(rescored.null_used, NULL, axis=0)])
    assert set(np.unique(used)) <= {20, 40, MOVED}
    assert len(np.unique(rescored.used)) > 1
    check_moves(adaptive.run, "_all", {"all": range(8)}, used[:, [1]], BATCH)
    used[:, 1] = 0
    check_moves(adaptive.run, "", SETS, used, BATCH)


def test_each_boundary_goes_on_until_its_effect_is_known(adaptive: Made) -> None:
    """Stop at `all` when half the interval is a tenth of the effect, elsewhere of the effect at `all`.

    What is no variation factor stops at the first look.
    """
    rescored, units = read_effects(adaptive.run), Shards(adaptive.run.path / "rescoring.zarr")
    assert rescored.factors.tolist() == [True, True, True, False]
    size = rescored.units[rescored.own][:, None]
    np.testing.assert_allclose(rescored.changes[:, 1, 0] * size, units.read("own_all")[:, 0, 0], rtol=1e-5)
    everywhere, others = (
        units.read("own_all")[:, 0, 0].astype(float),
        units.read("own")[:, :, 0].astype(float),
    )
    for i in range(4):
        size = abs(np.nanmean(everywhere[i]))
        for s in range(len(SETS)):
            changes = everywhere[i] if s == 1 else others[i, s]
            due = (20, 40, MOVED)
            if s == 1:
                known = [half_width(changes[:look]) <= 0.1 * abs(np.nanmean(changes[:look])) for look in due]
            else:
                known = [half_width(changes[:look]) <= 0.1 * size for look in due]
            last = due[known.index(True)] if any(known) else MOVED
            assert rescored.used[i, s] == (last if rescored.factors[i] else 20)
    first = [20, 40, 20, 20]  # null directions have the first look alone, but at `all` half of the samples
    assert rescored.null_used.tolist() == [first]
    assert (rescored.used.max(axis=0) > 20).all()


@pytest.mark.parametrize("kind", ["plain", "adaptive"])
def test_the_null_is_that_of_the_steps_forwards(kind: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(kind).run
    loop, rescored = Loop(run, Stream.VERIFICATION, MOVED), read_effects(run)
    directions = null_directions(run, loop.prepared)
    for s, layers in enumerate(SETS.values()):
        used = rescored.null_used[0, s]
        changes = np.stack(
            [expected_changes(loop, normal, layers, 1.5 * run.spread)[:used] for normal in directions]
        )
        means = np.stack([[np.nanmean(changes[r, :, c].astype(float)) for c in STEADY] for r in range(NULL)])
        with np.errstate(invalid="ignore"):
            assert_near(rescored.null[0, :, s][:, STEADY, 1] / rescored.null[0, :, s][:, STEADY, 0], means)
        if s == 1:
            assert_near(rescored.null_mean[0, STEADY], means.mean(axis=0))
            assert_near(rescored.null_sd[0, STEADY], means.std(axis=0, ddof=1))


def test_a_unit_has_chunks_of_its_own(plain: Made, adaptive: Made) -> None:
    """Otherwise two processes would write into one file."""
    for made, step in ((plain, BATCH), (adaptive, 10)):
        group = zarr.open_group(made.run.path / "rescoring.zarr", mode="r")
        for name in arrays(made.run.path / "rescoring.zarr"):
            array = group[name]
            if name.startswith("sums"):
                assert array.chunks[:2] == (1, 1)
            else:
                assert array.chunks[-1] == step
                assert array.chunks[1 if name == "resampled" else 0] == 1
        samples = zarr.open_group(made.run.path / "samples.zarr", mode="r")
        assert {samples[name].chunks[0] for name in ("w", "index", "scores/seen", "extras/seen")} == {BATCH}


@pytest.mark.parametrize("kind", ["plain", "adaptive"])
def test_replicates_are_moved_at_all_with_steps_of_their_own_spread(
    kind: str, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(kind).run
    loop, rescored = Loop(run, Stream.VERIFICATION, MOVED), read_effects(run)
    boundaries, _ = load_boundaries(run.path)
    resampled, stored = (
        Resampled.load(run.path, boundaries),
        Shards(run.path / "rescoring.zarr").read("resampled"),
    )
    assert stored.shape == (4, len(boundaries), MOVED)
    assert resampled.learnt.any()
    assert (rescored.replicates > 0).tolist() == (
        [True] * 4 if kind == "plain" else rescored.factors.tolist()
    )
    for i in range(len(boundaries)):
        # Half of the samples, at least 32, in whole batches; with adaptive sampling only variation factors.
        count = 40 if kind == "plain" else min(40, rescored.used[i, 1]) if rescored.replicates[i] else 0
        for m in range(4):
            wanted = np.full(MOVED, np.nan)
            if resampled.learnt[m, i]:
                changes = expected_changes(
                    loop, resampled.normals[m, i], range(8), 1.5 * resampled.spreads[m]
                )
                wanted[:count] = changes[:count, rescored.own[i]]
            np.testing.assert_allclose(stored[m, i], wanted, atol=2e-5)


@pytest.mark.parametrize("kind", ["plain", "adaptive"])
def test_pictures_are_counted_as_they_are_made(kind: str, request: pytest.FixtureRequest) -> None:
    """The last batch is filled up when it is rendered, but counted without the filling."""
    made: Made = request.getfixturevalue(kind)
    rescored, counted = (
        read_effects(made.run),
        {name: stage["images"] for name, stage in made.run.manifest["stages"].items() if name != "learn"},
    )
    assert counted["synthesize"] == SAMPLES
    assert made.pictures["synthesize"] == 80
    replicates = rescored.replicates
    if kind == "plain":
        baselines, again = MOVED, 40 * replicates.sum()
    else:
        again_of = np.where(replicates > 0, np.minimum(40, rescored.used[:, 1]), 0)
        baselines = rescored.used[:, 1].max() + again_of.max() + rescored.used[:, [0, 2, 3]].max()
        again = (again_of * replicates).sum()
    steps = rescored.used.sum() + (rescored.used.sum() if kind == "plain" else 20 * len(rescored.boundaries))
    assert counted["rescore"] == baselines + steps + NULL * rescored.null_used.sum() + again
    strips = len(rescored.boundaries) * 3
    assert counted["edit"] == strips * SHOWN * 3
    assert {stage.get("nonfinite", 0) for stage in made.run.manifest["stages"].values()} == {0}
    files = {name: set(stage["files"]) for name, stage in made.run.manifest["stages"].items()}
    assert files["synthesize"] == {"samples.zarr"}
    assert files["learn"] == {"boundaries.safetensors", "boundaries.json", "resampled.safetensors"}
    assert files["rescore"] == {"rescoring.csv", "rescoring.zarr"}
    assert files["edit"] == {f"edits/{path.name}" for path in (made.run.path / "edits").iterdir()}


@pytest.mark.parametrize("kind", ["plain", "adaptive"])
def test_strips_are_those_of_full_passes(kind: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(kind).run
    loop, rescored = Loop(run, Stream.EDITING, SHOWN), read_effects(run)
    with (run.path / "edits/edits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = {
        (r["boundary"], r["layers"], int(r["sample"]), r["amount"]): float(r["score"] or "nan") for r in rows
    }
    assert len(scores) == len(rows) == len(rescored.boundaries) * 3 * SHOWN * 3
    for boundary, column in zip(rescored.boundaries, rescored.own, strict=True):
        for name, layers in {"all": range(8), **GROUPS}.items():
            file = run.path / f"edits/{boundary.name.replace('/', '.').replace('|', '_given_')}.{name}.png"
            frames = split_strip(read_picture(file.read_bytes()), 3).astype(int)
            for k, amount in enumerate((-1.0, 0.5, 2.0)):
                codes = loop.moved(boundary.normal, layers, amount * run.spread, scaled=kind == "plain")
                wanted = loop.scores(codes)[:, column]
                np.testing.assert_allclose(
                    [scores[boundary.name, name, i, f"{amount:g}"] for i in range(SHOWN)], wanted, atol=2e-5
                )
                assert np.abs(frames[:, k] - to_pixels(loop.images(codes))).max() <= LEVEL


def test_the_joint_edit_shows_each_alone_and_all_together(plain: Made) -> None:
    run = plain.run
    loop, boundaries = Loop(run, Stream.EDITING, SHOWN), load_boundaries(run.path)[0]
    parts = json.loads((run.path / "edits/edits.json").read_text(encoding="utf-8"))["joint"]
    strength = {name: rank for rank, name in enumerate(read_effects(run).factor_names)}
    strongest = min(("seen/left", "seen/half"), key=lambda name: strength[name])
    assert {(part["name"], part["group"]) for part in parts} == {(strongest, "lower"), ("seen/red", "upper")}
    frames = split_strip(read_picture((run.path / "edits/joint.png").read_bytes()), 2 + len(parts)).astype(
        int
    )
    together = loop.codes.clone()
    wanted = [loop.codes]
    for part in parts:
        assert part["amount"] == 1.5
        assert part["level"] == boundaries.of(part["name"]).level
        wanted.append(
            loop.moved(boundaries.of(part["name"]).normal, GROUPS[part["group"]], part["amount"] * run.spread)
        )
        together += wanted[-1] - loop.codes
    for column, codes in enumerate([*wanted, together]):
        assert np.abs(frames[:, column] - to_pixels(loop.images(codes))).max() <= LEVEL
