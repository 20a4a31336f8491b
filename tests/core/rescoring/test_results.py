"""Effects read from a run of which every number is known."""

from __future__ import annotations

import csv
import tracemalloc

import numpy as np
import pytest
from ganstrata.core.boundaries.files import save_boundaries
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.plugins.boundary import Boundaries, Boundary
from ganstrata.core.rescoring import stored_effects
from ganstrata.core.rescoring.stored_effects import read_effects, write_tables
from ganstrata.core.rescoring.sums import FIELDS, sums_of
from ganstrata.core.rescoring.tables import EffectRow
from ganstrata.core.runs.manifest import Manifest
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.chunks import ArrayLayout
from ganstrata.core.storage.shards import Shards

K, BATCH, R = 24, 8, 6
SETS = {"0": [0], "all": [0, 1, 2], "1": [1], "2": [2], "low": [0, 1]}
CONCEPTS = [
    {"id": "seen/red", "level": "colour", "sd": 0.5, "least": 0.02, "varies": True},
    {"id": "seen/flat", "level": "object", "sd": 0.001, "least": 0.02, "varies": False},
    {"id": "seen/left", "level": "layout", "sd": 2.0, "least": 0.1, "varies": True},
]
EFFECT = {"seen/left": 1.0, "seen/red": 0.75, "seen/flat": 0.1, "seen/red|seen/left": 0.6}
"""Planted at all layers, in raw units; half of it when a part is moved, and the opposite backwards."""


@pytest.fixture
def run(tmp_path):
    config = {
        "generator": {"use": "none"},
        "scorers": [{"use": "seen"}],
        "boundary": {"use": "none"},
        "synthesis": {"seed": 5},
        "rescoring": {"samples": K, "distance": 1.5, "null_directions": R, "bootstrap": 200},
    }
    sizes = {"resolution": 8, "layers": 3, "code_size": 4, "latent_size": 4}
    names = dict.fromkeys(
        ("family", "licence", "source", "sha256", "weights", "truncation", "space", "fingerprint"), "none"
    )
    unknown = {
        "samples": 10,
        "undefined": 0,
        "mean": 0.0,
        "threshold": None,
        "positive_share": None,
        "quantiles": [],
    }
    manifest = {
        "batch_size": BATCH,
        "checkpoints": {},
        "layer_sets": {name: list(layers) for name, layers in SETS.items()},
    }
    manifest |= {"groups": {"low": [0, 1]}, "spread": 2.0, "concepts": [row | unknown for row in CONCEPTS]}
    manifest |= {"generator": sizes | names, "plugins": {}, "device": "cpu", "precision": "fp32"}
    manifest |= {"format": 1, "versions": {}, "machine": {}}
    stored_run = Run(tmp_path, Manifest(config=RunConfig.model_validate(config), **manifest))
    ids = [row["id"] for row in CONCEPTS]
    boundaries = []
    for name in EFFECT:
        concept, _, given = name.partition("|")
        level = CONCEPTS[ids.index(concept)]["level"]
        boundaries.append(
            Boundary(
                concept,
                level,
                np.eye(4, dtype=np.float32)[0],
                np.zeros((), np.float32),
                "w",
                "",
                given=(given,) if given else (),
            )
        )
    save_boundaries(Boundaries(boundaries), tmp_path)
    rng = np.random.default_rng(0)
    directions = len(boundaries) + R
    changes = 0.05 * rng.standard_normal((directions, len(SETS), 2, K, 3))
    changes[len(boundaries) :] += 0.01 * rng.standard_normal((R, len(SETS), 1, 1, 3))
    for i, (name, strength) in enumerate(EFFECT.items()):
        part = np.array([1.0 if s == "all" else 0.5 for s in SETS])
        changes[i, :, :, :, ids.index(name.partition("|")[0])] += (
            strength * part[:, None, None] * np.array([1.0, -1.0])[:, None]
        )
    changes = changes.astype(np.float32)
    baseline = np.zeros((K, 3), np.float32)
    sums = np.full((directions, K // BATCH, len(SETS), 2, 3, len(FIELDS)), np.nan)
    for d, b, s, k in np.ndindex(sums.shape[:4]):
        if d < len(boundaries) or k == 0:  # null directions are moved once
            part = slice(b * BATCH, (b + 1) * BATCH)
            sums[d, b, s, k] = sums_of(baseline[part], changes[d, s, k, part])
    own = np.stack([changes[i, ..., ids.index(b.concept)] for i, b in enumerate(boundaries)])
    shards = Shards(tmp_path / "rescoring.zarr")
    shards.create(
        {
            "sums": ArrayLayout(sums.shape, sums.shape, "float64"),
            "own": ArrayLayout(own.shape, own.shape, "float32"),
        }
    )
    shards.write(
        "all", {name: (tuple(slice(0, n) for n in a.shape), a) for name, a in (("sums", sums), ("own", own))}
    )
    return stored_run, changes.astype(np.float64)


def test_effects_and_factors(run):
    stored_run, changes = run
    effects = read_effects(stored_run)
    assert effects.all_set == 1
    assert effects.own.tolist() == [2, 0, 1, 0]
    np.testing.assert_allclose(effects.mean, changes[:4].mean(axis=3), rtol=1e-4, atol=1e-6)
    # In units of the larger of sd and least.
    unit = np.array([0.5, 0.02, 2.0])
    np.testing.assert_allclose(effects.in_sd, changes[:4].mean(axis=3) / unit, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(effects.changes[2], changes[2, ..., 1] / 0.02, rtol=1e-4, atol=1e-5)
    # What does not vary is no factor, however large its effect in units of its `least`.
    assert effects.factors.tolist() == [True, True, False, True]
    null = changes[4:, 1, 0].mean(axis=1)
    np.testing.assert_allclose(effects.null_mean[0], null.mean(axis=0), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(effects.null_sd[0], null.std(axis=0, ddof=1), rtol=1e-4)
    assert effects.step == 3.0  # 1.5 times the spread of w
    assert (effects.seed, effects.bootstrap, effects.rate) == (5, 200, 0.05)


def test_ranking_is_by_effect_in_sd_units_without_conditional_directions(run):
    effects = read_effects(run[0])
    # 0.1 / 0.02 = 5, 0.75 / 0.5 = 1.5, 0.6 / 0.5 = 1.2, 1.0 / 2.0 = 0.5
    assert effects.ranking() == [2, 1, 0]
    assert effects.ranking(conditional=True) == [2, 1, 3, 0]
    assert effects.factor_names == ["seen/red", "seen/left"]


def test_null_directions_that_leave_a_concept_undefined_are_left_out_and_counted(run, tmp_path):
    stored_run, changes = run
    units = Shards(stored_run.path / "rescoring.zarr")
    sums = units.read("sums")
    sums[4, :, 1, 0, 2] = (
        0.0  # of `seen/left`, at all layers, no sample has a score along the first null direction
    )
    sums[5:, :, 1, 0, 1] = 0.0  # of `seen/flat` along all but the first
    units.write("holes", {"sums": (tuple(slice(0, n) for n in sums.shape), sums)})
    effects = read_effects(stored_run)
    assert effects.null_gaps(1) == {"seen/left": R - 1, "seen/flat": 1}
    assert effects.null_gaps(0) == {}
    assert effects.factor_names == ["seen/red", "seen/left"]
    null = changes[5:, 1, 0, :, 2].mean(axis=1)
    assert effects.null_mean[0, 2] == pytest.approx(null.mean(), rel=1e-3)
    assert effects.null_sd[0, 2] == pytest.approx(null.std(ddof=1), rel=1e-3)
    assert np.isnan(effects.null_sd[0, 1])
    assert write_tables(effects, tmp_path) == ("rescoring.csv",)
    with (tmp_path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        rows = {(r["boundary"], r["layers"], r["step"], r["concept"]): r for r in csv.DictReader(file)}
    assert rows["seen/left", "all", "3", "seen/left"]["null_directions"] == str(R - 1)
    assert rows["seen/left", "all", "3", "seen/red"]["null_directions"] == str(R)
    assert rows["seen/left", "all", "-3", "seen/left"]["null_directions"] == ""
    flat = rows["seen/flat", "all", "3", "seen/flat"]
    assert (flat["null_directions"], flat["p_value"], flat["q_value"]) == ("1", "", "")


def test_an_undefined_effect_is_ranked_last(run):
    effects = read_effects(run[0])
    effects.in_sd[2, 1, 0, 1] = np.nan
    assert effects.ranking(conditional=True) == [1, 3, 0, 2]


@pytest.mark.parametrize("missing", ["0", "1", "2", "low"])
def test_single_layers_are_located_in_any_order_if_none_is_missing(run, missing):
    effects = read_effects(run[0])
    assert effects.single_layers() == [0, 2, 3]
    effects.sets.pop(missing)
    assert effects.single_layers() == ([0, 2, 3] if missing == "low" else [])


def test_a_raw_step_is_not_scaled(run):
    stored_run = run[0]
    raw = stored_run.config.rescoring.model_copy(update={"distance_unit": "raw"})
    stored_run.record.config = stored_run.config.model_copy(update={"rescoring": raw})
    assert read_effects(stored_run).step == 1.5


def test_the_table_has_every_number_once(run, tmp_path):
    effects = read_effects(run[0])
    assert write_tables(effects, tmp_path) == ("rescoring.csv",)
    with (tmp_path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == EffectRow._fields
    keys = [(r["boundary"], r["layers"], r["step"], r["concept"]) for r in rows]
    assert len(rows) == len(set(keys)) == 4 * len(SETS) * 2 * 3
    assert {r["step"] for r in rows} == {"3", "-3"}
    row = rows[keys.index(("seen/red|seen/left", "low", "-3", "seen/red"))]
    e, at = effects, (3, 4, 1, 0)
    assert (row["boundary_level"], row["concept_level"]) == ("colour", "colour")
    expected = {
        "clipped_mean": e.clipped,
        "mean": e.mean,
        "standard_error": e.error,
        "low": e.low,
        "high": e.high,
        "mean_in_sd": e.in_sd,
    }
    for column, values in expected.items():
        assert float(row[column]) == pytest.approx(values[at], rel=1e-5)
    # Null directions are moved forwards only.
    assert (row["p_value"], row["q_value"], row["rank_p"]) == ("", "", "")
    assert (row["samples"], row["undefined"], row["made_undefined"]) == (str(K), "0", "0")
    row = rows[keys.index(("seen/left", "all", "3", "seen/left"))]
    for column, values in {"p_value": e.p, "q_value": e.q, "rank_p": e.rank}.items():
        assert float(row[column]) == pytest.approx(values[0, 1, 0, 2], rel=1e-5)
    assert float(row["rank_p"]) == pytest.approx(1.0 / (R + 1), rel=1e-5)


def test_sums_read_batch_by_batch_are_those_read_together(run, monkeypatch):
    together = read_effects(run[0])
    monkeypatch.setattr("ganstrata.core.rescoring.stored_effects.PART_BYTES", 1)
    apart = read_effects(run[0])
    np.testing.assert_allclose(apart.mean, together.mean, rtol=1e-12)
    np.testing.assert_allclose(apart.null, together.null, rtol=1e-12)


def test_reading_needs_no_memory_for_batches(tmp_path):
    """Sums of 4 directions in 400 batches take 38 MB; what is left of them is a 400th of that."""
    shape = (4, 400, 10, 2, 30, len(FIELDS))
    shards = Shards(tmp_path / "rescoring.zarr")
    shards.create({"sums": ArrayLayout(shape, (1, 100, *shape[2:]), "float64")})
    tracemalloc.start()
    total = stored_effects._summed(shards)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isnan(total).all()
    assert total.shape == (4, *shape[2:])
    assert peak < 60 * stored_effects.PART_BYTES / 16
