"""A whole run in s, the space of style channels, and the commands that use its boundaries."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.boundaries.null_directions import null_directions
from ganstrata.core.boundaries.resampled import Resampled
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import MismatchError, RunError
from ganstrata.core.pipeline.perform import perform, resume
from ganstrata.core.probing.styles import styles_of_samples
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.storage.shards import Shards
from recipe_edits import made as recipe_made

QUIET = Progress(quiet=True)


def in_styles(config: dict[str, Any]) -> dict[str, Any]:
    """A small run in s of the fake generator with styles."""
    config = deepcopy(config)
    config |= {"generator": {"use": "fake_styled"}, "learning": {"space": "s"}}
    config["scorers"].append({"use": "fake_regions", "as": "parts"})
    config["concepts"] = {"include": ["seen/left", "seen/red"]}
    config["conditions"] = [{"edit": "seen/red", "keep": ["seen/left"]}]
    config["rescoring"] |= {"layers": ["all", "each", "groups"], "learning_resamples": 4}
    return config


@pytest.fixture(scope="module")
def made(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in s. Tests must not change it; `run` is for that."""
    with _on_path(site):
        return ganstrata.run(in_styles(CONFIG), tmp_path_factory.mktemp("in_styles") / "run").path


@pytest.fixture
def run(fakes, made: Path, tmp_path: Path) -> ganstrata.Results:
    """Return a copy of the run, which tests may change."""
    return ganstrata.open_run(shutil.copytree(made, tmp_path / "run"))


def test_a_run_finds_the_planted_channels_at_their_layers(run: ganstrata.Results) -> None:
    effects, samples = run.effects, run.samples
    assert [b.space for b in run.boundaries] == ["s"] * 3
    generator = ganstrata.load_generator("fake_styled", device="cpu")
    styles = styles_of_samples(generator, samples.w, None, samples.condition)
    spread = float(np.sqrt(styles.astype(np.float64).var(axis=0, ddof=1).mean()))
    assert run.spread == pytest.approx(spread) == run.manifest["stages"]["learn"]["style_spread"]
    assert run.manifest["spread"] == pytest.approx(samples.spread)
    assert effects.step == pytest.approx(2.0 * spread)
    assert set(effects.factor_names) >= {"seen/left", "seen/red"}
    sets = list(effects.sets)
    for name, layer in (("seen/left", "1"), ("seen/red", "7")):
        b = effects.boundaries.names.index(name)
        own = dict(zip(sets, effects.mean[b, :, 0, effects.own[b]], strict=True))
        assert own[layer] > 0.09
        assert own["all"] == pytest.approx(own[layer], abs=0.01)
        assert max(abs(own[str(other)]) for other in range(8) if str(other) != layer) < 0.01
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert "standard deviations of the styles" in report
    assert "on style channels (space s)" in report
    assert "standard deviations of w" not in report


def test_a_recipe_moves_styles_and_leaves_the_codes(run: ganstrata.Results, tmp_path: Path) -> None:
    moves = ({"along": "seen/red", "by": 2.0}, {"along": "seen/left", "by": -1.0, "layers": "0-1"})
    recipe = recipe_made(run.path, moves=moves)
    assert (recipe.unit.space, recipe.unit.name) == ("s", "sd")
    assert recipe.unit.length == pytest.approx(run.spread)
    again = ganstrata.replay(run, recipe, out=tmp_path / "out")
    still = ganstrata.replay(run, recipe_made(run.path, moves=()))
    assert again.same_pixels is True
    np.testing.assert_array_equal(again.before, still.picture)
    np.testing.assert_array_equal(again.codes, still.codes)
    moved = dict(zip(again.concepts, again.scores - again.scores_before, strict=True))
    assert moved["seen/red"] > 0.05 > -0.02 > moved["seen/left"]
    alone = ganstrata.replay(run, recipe_made(run.path, moves=moves[:1]))
    assert (alone.edited.frames.distances - alone.edited.before.distances)[0, 0, 0] == pytest.approx(
        2.0, abs=1e-4
    )
    page = (tmp_path / "out" / "manipulate.html").read_text(encoding="utf-8")
    assert "moved by +2.0 standard deviations of the styles" in page


def test_replicates_null_and_stored_files_lie_in_s(run: ganstrata.Results) -> None:
    resampled = Resampled.load(run.path, run.boundaries)
    assert resampled.normals.shape == (4, 3, 16)
    np.testing.assert_allclose(resampled.spreads, run.spread, rtol=0.1)
    null = null_directions(run, prepare(run.config))
    assert null.shape == (12, 16)
    changes = Shards(run.path / "rescoring.zarr").read("resampled")
    assert np.isfinite(changes[:, :2, :32]).all()
    assert changes[:, :2, :32].mean() > 0.05


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.full)])
def test_permuted_adaptive_runs_continue_with_any_number_of_workers(
    workers: int, fakes, config, tmp_path: Path
) -> None:
    config = in_styles(config)
    config["rescoring"] |= {
        "adaptive": True,
        "looks": [0.5, 1.0],
        "null": "permuted",
        "null_directions": 4,
        "layers": ["all", "top"],
    }
    config["conditions"] = []
    whole = ganstrata.run(config, tmp_path / "whole")
    table = (whole.path / "rescoring.csv").read_bytes()
    again = tmp_path / "again"
    shutil.copytree(whole.path, again)
    lost = sorted((again / "rescoring.zarr" / "done").iterdir())[::2]
    for mark in lost:
        mark.unlink()
    config["engine"] = {"workers": workers}
    assert (ganstrata.run(config, again).path / "rescoring.csv").read_bytes() == table
    assert null_directions(whole, prepare(whole.config)).shape == (4, 16)


def test_a_run_does_not_change_its_space(run: ganstrata.Results) -> None:
    other = run.config.as_data() | {"learning": {"space": "w"}}
    with pytest.raises(RunError, match=r'learning\.space: "s" there, "w" here'):
        ganstrata.run(other, run.path)


def test_boundaries_of_another_space_are_not_rescored(fakes, config, tmp_path: Path) -> None:
    begun = perform(
        validate(in_styles(config) | {"conditions": []}, "test"),
        tmp_path / "run",
        ("synthesize", "learn"),
        source="test",
        progress=QUIET,
    )
    generator = ganstrata.load_generator("fake_styled", device="cpu")
    normal = np.eye(16, dtype=np.float32)[0]
    boundary = ganstrata.Boundary("seen/red", "colour", normal, np.float32(0.0), "w", generator.fingerprint)
    save_boundaries(ganstrata.Boundaries([boundary]), begun.path)
    begun.finish("learn", seconds=0.0, files=("boundaries.safetensors", "boundaries.json"), style_spread=1.0)
    with pytest.raises(MismatchError, match="'seen/red' lies in space w, but the run learns in s"):
        resume(begun.path, "rescore", progress=QUIET)


def test_commands_move_styles(run: ganstrata.Results, invoke, tmp_path: Path) -> None:
    path = str(run.path)
    edited = ganstrata.manipulate(run, "seen/red", seeds="0-1", steps=3, start=-2.0, end=2.0)
    assert edited.unit_in_words == "standard deviations of the styles"
    moved = edited.frames[0].distances[:, :, 0] - edited.before[0].distances[:, 0]
    np.testing.assert_allclose(moved, [[-2.0, 0.0, 2.0]] * 2, atol=1e-4)  # n.s + b of the pictures, in steps
    column = list(edited.concepts).index("seen/red")
    scores = edited.frames[0].scores[:, :, column]
    np.testing.assert_allclose(scores[:, 2] - scores[:, 0], 0.05 * 4.0 * run.spread, rtol=0.1)
    record = json.loads((edited.path / "manipulate.json").read_text(encoding="utf-8"))
    assert record["unit"] == {"name": "sd", "in_s": pytest.approx(run.spread)}
    kept = ganstrata.manipulate(
        run, "seen/red", keep=["seen/left"], seeds="0", steps=1, end=2.0, out=tmp_path / "kept"
    )
    assert kept.strips[0].parts[0].boundary.name == "seen/red|seen/left"
    found = ganstrata.manipulate(run, "seen/red", search=True, seeds="0", steps=3, out=tmp_path / "found")
    assert found.strips[0].distances[0, -1] > 0.0
    page = (tmp_path / "found" / "manipulate.html").read_text(encoding="utf-8")
    assert "n·s + b" in page
    assert "n·w + b" not in page

    objects = invoke("analysis", "objects", path, "--along", "seen/red", "--samples", "16")
    assert objects.exit_code == 0, objects.output
    assert "standard deviations of the styles" in objects.output
    for command in (("hierarchy", path), ("layers", path), ("entanglement", path), ("ranking", path)):
        result = invoke("analysis", *command)
        assert result.exit_code == 0, result.output
    study = invoke("study", "make", path, "--out", str(tmp_path / "study"), "--strips", "1", "--steps", "3")
    assert study.exit_code == 0, study.output


def test_boundaries_in_s_are_exported_and_imported(run: ganstrata.Results, invoke, tmp_path: Path) -> None:
    out, back = tmp_path / "shared", tmp_path / "back"
    result = invoke("boundaries", "export", str(run.path), "--out", str(out), "--as", "npz")
    assert result.exit_code == 0, result.output
    result = invoke(
        "boundaries", "import", str(out / "directions.npz"), "--assume", str(run.path), "--out", str(back)
    )
    assert result.exit_code == 0, result.output
    for before, after in zip(run.boundaries, load_boundaries(back)[0], strict=True):
        assert (after.name, after.space) == (before.name, "s")
        np.testing.assert_array_equal(after.normal, before.normal)
        np.testing.assert_array_equal(after.offset, before.offset)
    refused = invoke("boundaries", "export", str(run.path), "--out", str(tmp_path / "higan"))
    assert refused.exit_code != 0
    assert "'seen/left' lies in space s, which HiGAN does not have" in refused.output


def test_directions_in_s_and_in_w_are_not_edited_together(run: ganstrata.Results, tmp_path: Path) -> None:
    generator = ganstrata.load_generator("fake_styled", device="cpu")
    normal = np.eye(16, dtype=np.float32)[0]
    other = ganstrata.Boundary("more/w", "colour", normal, np.float32(0.0), "w", generator.fingerprint)
    (tmp_path / "mixed").mkdir()
    save_boundaries(ganstrata.Boundaries([*run.boundaries, other]), tmp_path / "mixed")
    for options in (
        {"along": ["seen/red", "more/w"], "mode": "joint"},
        {"along": "more/w", "keep": "seen/red"},
    ):
        with pytest.raises(MismatchError, match=r"'seen/red' lies in s \(style channels\), 'more/w' in w"):
            ganstrata.manipulate(run, boundaries=tmp_path / "mixed", seeds="0", **options)
    # alone, a direction in w moves by the spread of w
    edited = ganstrata.manipulate(
        run, "more/w", boundaries=tmp_path / "mixed", seeds="0", out=tmp_path / "w", scores=False
    )
    assert edited.unit_in_words == "standard deviations of w"
    record = json.loads((tmp_path / "w" / "manipulate.json").read_text(encoding="utf-8"))
    assert record["unit"]["in_w"] == pytest.approx(run.manifest["spread"])


def test_runs_in_two_spaces_are_not_compared(run: ganstrata.Results, invoke, config, tmp_path: Path) -> None:
    other = in_styles(config) | {"learning": {"space": "w"}}
    ganstrata.run(other, tmp_path / "other")
    result = invoke(
        "analysis", "ranking", str(run.path), str(tmp_path / "other"), "--out", str(tmp_path / "both")
    )
    assert result.exit_code != 0
    assert "learning.space: steps in w and in s have no common unit" in result.output


def test_config_check_refuses_a_generator_without_styles(invoke, config, written) -> None:
    config["learning"] = {"space": "s"}
    result = invoke("config", "check", str(written(config)))
    assert result.exit_code != 0
    assert "learning -> space" in result.output
    assert "has no style channels" in result.output
