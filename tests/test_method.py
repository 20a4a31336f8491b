"""The run against the method's formulas, computed from its files in the plainest way."""

from __future__ import annotations

import csv

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.runs.run import Run
from scipy import stats

SETS = {"all": range(8), "5": [5], "lower": [2, 3]}
IDS = ["seen/left", "seen/checks", "seen/stripes", "seen/red", "seen/chance", "seen/constant", "seen/half"]


def rows_of(run: Run) -> dict[tuple[str, str, str, bool], dict[str, str]]:
    with (run.path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        return {
            (r["boundary"], r["layers"], r["concept"], float(r["step"]) > 0): r for r in csv.DictReader(file)
        }


@torch.inference_mode()
def changes(run: Run, normal: np.ndarray, layers, amount: float) -> np.ndarray:
    """Changes (K, C) of all scores when fresh samples move: every image rendered in full, none restarted."""
    generator, scorer = (
        ganstrata.load_generator("fake_layers", device="cpu"),
        ganstrata.load_scorer("fake_readings", device="cpu"),
    )
    codes = generator.broadcast(generator.map(generator.sample(64, 3, 0, Stream.VERIFICATION).z)).clone()
    before = scorer.score(ganstrata.Rendering(ganstrata.render(generator, codes)))
    for layer in layers:
        codes[:, layer] += amount * torch.from_numpy(normal)
    return (scorer.score(ganstrata.Rendering(ganstrata.render(generator, codes))) - before).double().numpy()


def step_of(run: Run) -> float:
    w = ganstrata.core.storage.shards.Shards(run.path / "samples.zarr").read("w")
    return 2.0 * float(np.sqrt(np.trace(np.cov(w.T.astype(np.float64))) / 16))


@pytest.mark.parametrize("layers", SETS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_effects_are_the_changes_of_moved_samples(fakes, finished: Run, layers: str, sign: float) -> None:
    rows, step = rows_of(finished), step_of(finished)
    if sign < 0 and layers != "all":  # by default boundaries are moved backwards at `all` alone
        assert not [key for key in rows if key[1] == layers and not key[3]]
        return
    for boundary in load_boundaries(finished.path)[0]:
        moved = changes(finished, boundary.normal, SETS[layers], sign * step)
        for j, concept in enumerate(IDS):
            if concept == "seen/chance":
                continue  # its scores hang on the last digits
            row, values = rows[boundary.name, layers, concept, sign > 0], moved[:, j][~np.isnan(moved[:, j])]
            assert int(row["samples"]) == len(values)
            assert float(row["mean"]) == pytest.approx(values.mean(), abs=2e-5)
            assert float(row["clipped_mean"]) == pytest.approx(np.maximum(values, 0.0).mean(), abs=2e-5)
            assert float(row["standard_error"]) == pytest.approx(
                values.std(ddof=1) / np.sqrt(len(values)), abs=2e-5
            )
            assert float(row["low"]) <= values.mean() + 2e-5
            assert float(row["high"]) >= values.mean() - 2e-5
            assert float(row["step"]) == pytest.approx(sign * step, rel=1e-4)


def test_p_values_hold_effects_against_random_directions(fakes, finished: Run) -> None:
    from ganstrata.core.boundaries.null_directions import null_directions
    from ganstrata.core.config.reading import validate
    from ganstrata.core.runs.prepare import prepare

    directions = null_directions(finished, prepare(validate(finished.manifest["config"], "test")))
    assert directions.shape == (12, 16)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, rtol=1e-6)
    step, rows = step_of(finished), rows_of(finished)
    null = np.stack(
        [np.nanmean(changes(finished, d.astype(np.float32), range(8), step), axis=0) for d in directions]
    )
    for boundary, concept in (
        ("seen/left", "seen/left"),
        ("seen/left", "seen/red"),
        ("seen/half", "seen/checks"),
    ):
        row = rows[boundary, "all", concept, True]
        j = IDS.index(concept)
        score = (float(row["mean"]) - null[:, j].mean()) / (null[:, j].std(ddof=1) * np.sqrt(1 + 1 / 12))
        wanted = stats.t.sf(score, 11) if boundary == concept else 2 * stats.t.sf(abs(score), 11)
        assert float(row["p_value"]) == pytest.approx(wanted, rel=2e-2)
        better = sum(effect >= float(row["mean"]) for effect in null[:, j])
        assert float(row["rank_p"]) == pytest.approx((better + 1) / 13, rel=1e-4)


def test_q_values_are_corrected_apart_for_own_and_other_concepts(finished: Run) -> None:
    rows = [row for row in rows_of(finished).values() if row["p_value"]]
    for layers in ("all", "3", "top"):
        own = [row for row in rows if row["layers"] == layers and row["boundary"] == row["concept"]]
        np.testing.assert_allclose(
            [float(row["q_value"]) for row in own],
            stats.false_discovery_control([float(row["p_value"]) for row in own]),
            rtol=1e-4,
        )
    others = [row for row in rows if row["layers"] == "all" and row["boundary"] != row["concept"]]
    np.testing.assert_allclose(
        [float(row["q_value"]) for row in others],
        stats.false_discovery_control([float(row["p_value"]) for row in others]),
        rtol=1e-4,
    )
    assert all(
        row["q_value"] == "" for row in rows if row["layers"] != "all" and row["boundary"] != row["concept"]
    )


def test_boundaries_are_signed_distances_that_tell_the_extremes_apart(finished: Run) -> None:
    shards = ganstrata.core.storage.shards.Shards(finished.path / "samples.zarr")
    w, scores = shards.read("w"), shards.read("scores/seen")
    for boundary in load_boundaries(finished.path)[0]:
        assert np.linalg.norm(boundary.normal) == pytest.approx(1.0, abs=1e-6)
        assert boundary.space == "w"
        distance, column = w @ boundary.normal + boundary.offset, scores[:, IDS.index(boundary.concept)]
        known = ~np.isnan(column)
        if boundary.concept in ("seen/left", "seen/checks", "seen/stripes", "seen/red"):
            assert np.corrcoef(distance, column)[0, 1] > 0.99
            assert boundary.facts["held_out_accuracy"] == 1.0
            assert abs(np.median(distance)) < 0.5
        if boundary.concept == "seen/half":
            assert known.sum() == next(
                r["samples"] for r in finished.manifest["concepts"] if r["id"] == "seen/half"
            )
            assert np.corrcoef(distance[known], column[known])[0, 1] > 0.95


def test_the_numbers_of_the_hierarchy_follow_from_the_table(finished: Run) -> None:
    rows = rows_of(finished)
    means = {
        c: np.array([float(rows[c, str(layer), c, True]["mean_in_sd"]) for layer in range(8)])
        for c in IDS[:4] + IDS[6:]
    }
    members = {
        "layout": ["seen/left", "seen/half"],
        "category": ["seen/checks"],
        "attribute": ["seen/stripes"],
        "colour": ["seen/red"],
    }
    with (finished.path / "figures" / "depth.csv").open(encoding="utf-8", newline="") as file:
        depths = {(r["level"], r["concept"]): float(r["mean_depth"]) for r in csv.DictReader(file)}
    with (finished.path / "figures" / "hierarchy_groups.csv").open(encoding="utf-8", newline="") as file:
        shares = {(r["level"], r["group"]): float(r["value"]) for r in csv.DictReader(file)}
    for level, concepts in members.items():
        curve = np.mean([means[c] for c in concepts], axis=0)
        assert depths[level, ""] == pytest.approx((curve @ np.arange(8)) / curve.sum(), abs=1e-4)
        positive = np.maximum(curve, 0.0)
        for group, layers in (("bottom", (0, 1)), ("lower", (2, 3)), ("upper", (4, 5)), ("top", (6, 7))):
            assert shares[level, group] == pytest.approx(
                positive[list(layers)].sum() / positive.sum(), abs=1e-5
            )
        for concept in concepts:
            assert depths[level, concept] == pytest.approx(
                (means[concept] @ np.arange(8)) / means[concept].sum(), abs=1e-4
            )


def test_a_conditional_direction_leaves_alone_what_it_was_made_to(fakes, config, tmp_path) -> None:
    config["conditions"] = [{"edit": "seen/left", "keep": ["seen/red", "seen/checks"]}]
    run = ganstrata.run(config, tmp_path / "run")
    boundaries = load_boundaries(run.path)[0]
    made = boundaries.of("seen/left|seen/red,seen/checks")
    assert made.given == ("seen/red", "seen/checks")
    for name in made.given:
        assert abs(float(made.normal @ boundaries.of(name).normal)) < 1e-6
    rows = rows_of(run)
    # In a linear world what is orthogonal to a concept's normal does not move it.
    for concept in made.given:
        plain, conditional = (
            abs(float(rows[b, "all", concept, True]["mean_in_sd"])) for b in ("seen/left", made.name)
        )
        assert conditional < max(plain, 0.02)
    assert float(rows[made.name, "all", "seen/left", True]["mean_in_sd"]) > 1.9
    assert made.name not in run.manifest["stages"]["rescore"]["factors"]
