"""A whole run of the fake generator: what it finds, what it writes, what it says and what it costs."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import zarr
from ganstrata import hookimpl
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import GanstrataError
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.runs.stages import STAGES

SETS = ["all", *"01234567", "bottom", "lower", "upper", "top"]
FACTORS = {"seen/left", "seen/checks", "seen/stripes", "seen/red", "seen/half"}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_of_a_run_are_there(finished: Run) -> None:
    names = {path.name for path in finished.path.iterdir()}
    assert names == {
        *(
            "run.json",
            "run.lock",
            "samples.zarr",
            "boundaries.safetensors",
            "boundaries.json",
            "resampled.safetensors",
        ),
        *("rescoring.zarr", "rescoring.csv", "edits", "figures", "report.html"),
    }
    assert not list(finished.path.rglob("*.part"))
    assert list(finished.manifest["stages"]) == list(STAGES)


def test_samples_hold_latents_indices_and_scores(finished: Run) -> None:
    group = zarr.open_group(finished.path / "samples.zarr", mode="r")
    assert group["w"].shape == (640, 16)
    assert group["scores/seen"].shape == (640, 7)
    assert np.array_equal(group["index"][:], np.arange(640))
    assert "codes" not in group
    assert "condition" not in group
    assert finished.manifest["spread"] == pytest.approx(2.0, abs=0.05)


def test_columns_and_rows_of_the_table(finished: Run) -> None:
    rows = table(finished.path / "rescoring.csv")
    wanted = (
        "boundary, boundary_level, layers, concept, concept_level, samples, clipped_mean, mean, "
        "standard_error, low, high, mean_in_sd, p_value, q_value, step, undefined"
    )
    assert list(rows[0])[:16] == wanted.split(", ")
    assert len(rows) == 6 * (len(SETS) + 1) * 7  # boundaries, layer sets and `all` backwards, concepts
    assert list(dict.fromkeys(row["layers"] for row in rows)) == SETS
    step = 2.0 * finished.manifest["spread"]
    assert {round(float(row["step"]) / step, 4) for row in rows} == {1.0, -1.0}
    for row in rows:
        assert int(row["samples"]) + int(row["undefined"]) == 64
        assert (row["p_value"] != "") == (float(row["step"]) > 0)


def test_planted_concepts_are_factors_and_others_are_not(finished: Run) -> None:
    assert set(finished.manifest["stages"]["rescore"]["factors"]) == FACTORS
    skipped = json.loads((finished.path / "boundaries.json").read_text(encoding="utf-8"))["skipped"]
    assert list(skipped) == ["seen/constant"]
    assert "does not vary here" in skipped["seen/constant"]
    assert "seen/constant" not in {row["boundary"] for row in table(finished.path / "rescoring.csv")}


@pytest.mark.parametrize(
    ("concept", "layer"), [("seen/left", "1"), ("seen/checks", "2"), ("seen/stripes", "5"), ("seen/red", "7")]
)
def test_an_effect_is_where_it_was_planted(finished: Run, concept: str, layer: str) -> None:
    effects = {
        row["layers"]: float(row["mean_in_sd"])
        for row in table(finished.path / "rescoring.csv")
        if row["boundary"] == row["concept"] == concept and float(row["step"]) > 0
    }
    # A step of two standard deviations of w, straight along the cause, is two of the concept.
    assert effects["all"] == pytest.approx(2.0, abs=0.15)
    assert effects[layer] == pytest.approx(effects["all"], abs=0.05)
    assert max(abs(effects[str(other)]) for other in range(8) if str(other) != layer) < 0.05
    depths = {row["concept"]: row for row in table(finished.path / "figures" / "depth.csv")}
    assert float(depths[concept]["low"]) <= int(layer) <= float(depths[concept]["high"])


def test_levels_peak_at_their_groups(finished: Run) -> None:
    shares = {
        (row["level"], row["group"]): float(row["value"])
        for row in table(finished.path / "figures" / "hierarchy_groups.csv")
    }
    for level, group in (
        ("layout", "bottom"),
        ("category", "lower"),
        ("attribute", "upper"),
        ("colour", "top"),
    ):
        assert shares[level, group] > 0.98
        assert sum(shares[level, other] for other in ("bottom", "lower", "upper", "top")) == pytest.approx(
            1.0, abs=1e-5
        )


def test_undefined_scores_are_counted_and_left_out(finished: Run) -> None:
    rows = [r for r in table(finished.path / "rescoring.csv") if r["boundary"] == r["concept"] == "seen/half"]
    by_layer = {r["layers"]: r for r in rows if float(r["step"]) > 0}
    assert 10 < int(by_layer["all"]["undefined"]) < 54
    column = zarr.open_group(finished.path / "samples.zarr", mode="r")["scores/seen"][:, 6]
    row = next(r for r in finished.manifest["concepts"] if r["id"] == "seen/half")
    assert row["undefined"] == int(np.isnan(column).sum()) > 100


class Listener:
    """Notes how many images had been made when each stage began and ended."""

    def __init__(self, log: Path) -> None:
        self.log, self.at = log, {}

    def made(self) -> int:
        return sum(int(line.split()[1]) for line in self.log.read_text(encoding="utf-8").splitlines())

    @hookimpl
    def ganstrata_stage_started(self, stage: str) -> None:
        self.at[stage] = -self.made()

    @hookimpl
    def ganstrata_stage_finished(self, stage: str) -> None:
        self.at[stage] += self.made()


@pytest.mark.parametrize(
    ("backward", "steps", "said_of"),
    [("all", 1, " + 7 backwards x 1"), ("everywhere", 6, " + 7 backwards x 6"), ("none", 0, "")],
)
def test_the_count_that_is_printed_is_the_count_that_is_made(
    backward: str, steps: int, said_of: str, fakes, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    log.touch()
    monkeypatch.setenv("FAKES_LOG", str(log))
    config["concepts"] = {"exclude": ["*/constant"]}
    config["conditions"] = [{"edit": "seen/left", "keep": ["seen/red"]}]
    config["rescoring"] |= {"layers": ["all", "groups", "2-3,7"], "backward": backward}
    listener, stream = Listener(log), io.StringIO()
    registry().hooks.register(listener)
    run = perform(
        validate(config, "test"), tmp_path / "run", STAGES, source="test", progress=Progress(stream=stream)
    )
    assert list(listener.at) == list(STAGES)
    boundaries, samples, sets, null = 7, 64, 6, 12  # six concepts and a conditional direction
    verifying = (
        samples * (1 + (boundaries + null) * sets + boundaries * steps) + samples // 2 * 12 * boundaries
    )
    strips = boundaries * 5 * 2 * 2  # of three columns the middle one is unedited
    first = stream.getvalue().splitlines()[0]
    assert [int(n) for n in re.findall(r"\d+", first)[:3]] == [640 + verifying + strips, 640, verifying]
    assert (
        f"64 x (1 + (7 boundaries + 12 random) x 6 layer sets{said_of}) "
        f"+ 32 x 12 resamplings x 7 boundaries, {strips} for edits" in first
    )
    assert listener.at["synthesize"] == 640 - 32, "the forecast has made the first batch"
    assert listener.at["rescore"] == verifying
    # Beside the strips: two unedited samples, and the columns of the joint edit (four levels and all).
    assert listener.at["edit"] == strips + 2 + 2 * 5
    stages = run.manifest["stages"]
    assert (stages["synthesize"]["images"], stages["rescore"]["images"], stages["edit"]["images"]) == (
        640,
        verifying,
        strips,
    )


def test_stages_can_be_run_one_by_one(fakes, config, tmp_path: Path, contents, finished: Run) -> None:
    for stage in STAGES:
        perform(
            validate(config, "test"), tmp_path / "run", (stage,), source="test", progress=Progress(quiet=True)
        )
    assert contents(tmp_path / "run") == contents(finished.path)


def test_one_layer_goes_through_and_says_what_does_not_apply(fakes, config, tmp_path: Path) -> None:
    import ganstrata

    config["generator"]["use"] = "fake_flat"
    del config["rescoring"]["groups"]
    run = ganstrata.run(config, tmp_path / "run")
    assert set(run.manifest["stages"]["rescore"]["factors"]) == FACTORS
    assert {row["layers"] for row in table(run.path / "rescoring.csv")} == {"all"}
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "one layer, so layer-wise analysis does not apply" in page
    assert '<a href="#concepts">ranked below</a>' in page
    answers = page.partition('id="answers"')[2].partition("</section>")[0]
    assert all(f"<li>{name}, by " in answers for name in FACTORS)
    assert " 1 layer of codes with " in page
    assert "moved along its direction at all layers, from " in page
    assert not list((run.path / "figures").glob("hierarchy*"))


def test_a_run_without_factors_has_a_report_too(fakes, config, tmp_path: Path) -> None:
    import ganstrata

    config["concepts"] = {"include": ["seen/chance"]}
    run = ganstrata.run(config, tmp_path / "run")
    assert run.manifest["stages"]["rescore"]["factors"] == []
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "None of 1 concept is a variation factor" in page
    assert not (run.path / "edits" / "joint.png").exists()


def test_if_nothing_varies_the_run_ends_with_a_reason(fakes, config, tmp_path: Path) -> None:
    import ganstrata

    config["scorers"] = [{"use": "fake_constant"}]
    with pytest.raises(
        GanstrataError, match=r"no boundary could be learnt:\n  fake_constant/one: does not vary here"
    ):
        ganstrata.run(config, tmp_path / "run")
    assert Run.open(tmp_path / "run").is_done("synthesize")


def test_style_mixed_codes_are_stored_and_learnt_layer_by_layer(fakes, config, tmp_path: Path) -> None:
    import ganstrata

    config["synthesis"] |= {"mixing": 0.9, "samples": 1024}
    config["boundary"] = {"use": "fake_per_layer", "with": {"positives": 100, "negatives": 100}}
    run = ganstrata.run(config, tmp_path / "run")
    group = zarr.open_group(run.path / "samples.zarr", mode="r")
    codes, w = group["codes"][:], group["w"][:]
    assert np.array_equal(codes[:, 0], w)
    mixed = (codes[:, 7] != w).any(axis=1)
    assert 0.85 < mixed.mean() < 0.95
    assert len(np.unique(codes[mixed][:, 7], axis=0)) == mixed.sum()
    left = load_boundaries(run.path)[0].of("seen/left").normal  # (L, D)
    assert left.shape == (8, 16)
    # Only at its own layer does a code say anything about the concept that it does not say elsewhere as well.
    assert left[1, 0] > 0.9
    assert left[1, 0] > left[7, 0]
