"""A run without null directions: no p, no q, and nothing is called significant; every page says why."""

from __future__ import annotations

import csv
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata.core.analyses.request import AnalysisRequest
from ganstrata.core.analyses.sentences import meanings, without_null
from ganstrata.core.analyses.undecided import undecided
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError, UserError
from ganstrata.core.pipeline.analyse import analyse_layers, analyse_named
from ganstrata.core.pipeline.forecast import forecast
from ganstrata.core.pipeline.results import Results, open_run
from ganstrata.core.rescoring.null_comparison import NO_NULL
from ganstrata.core.rescoring.work_units import images_needed
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.study.create import StudyRequest, make_study

QUIET = Progress(quiet=True)
CLAIMS = (
    "variation factors at",
    "of them variation factors",
    "go beyond",
    "compatible with chance",
    "of 0 null",
)


def config_without() -> dict:
    config = deepcopy(CONFIG) | {"checks": False}
    config["synthesis"]["samples"] = 320
    config["rescoring"] |= {
        "samples": 32,
        "null_directions": 0,
        "bootstrap": 100,
        "layers": ["all", "each", "groups"],
        "learning_resamples": 4,
    }
    return config


@pytest.fixture(scope="module")
def without(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run without null directions, whose boundaries are learnt from labels."""
    with _on_path(site):
        return ganstrata.run(config_without(), tmp_path_factory.mktemp("without") / "run").path


@pytest.fixture(scope="module")
def found(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of such a run with directions found without labels."""
    config = config_without() | {"boundary": {"use": "fake_found"}}
    with _on_path(site):
        return ganstrata.run(config, tmp_path_factory.mktemp("found") / "run").path


@pytest.fixture
def run(without: Path) -> Results:
    return open_run(without)


def test_effects_have_intervals_but_no_p_and_no_factors(run: Results) -> None:
    effects = run.effects
    assert not effects.has_null
    assert effects.null.shape[1] == 0
    forwards = effects.mean[:, :, 0]
    for values in (effects.p, effects.q, effects.rank, effects.null_mean, effects.null_sd):
        assert np.isnan(values).all()
    assert np.isfinite(effects.low[:, :, 0][np.isfinite(forwards)]).all()
    assert (effects.null_count[:, :, 0] == 0).all()
    assert (
        np.abs(effects.in_sd[:, effects.all_set, 0]).max() > 1.0
    )  # planted effects, which a null would show
    assert not effects.factors.any()
    assert effects.factor_names == []
    assert undecided(effects) == []


def test_the_table_leaves_p_and_q_empty(without: Path) -> None:
    with (without / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row[name] for row in rows for name in ("p_value", "q_value", "rank_p")} == {""}
    assert {row["null_directions"] for row in rows if float(row["step"]) > 0.0} == {"0"}
    with (without / "figures" / "ranking.csv").open(encoding="utf-8", newline="") as file:
        ranked = list(csv.DictReader(file))
    assert {row[name] for row in ranked for name in ("null_low", "null_high", "q_value")} == {""}


@pytest.mark.parametrize("kind", ["without", "found"])
def test_the_report_says_why_and_claims_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    page = (request.getfixturevalue(kind) / "report.html").read_text(encoding="utf-8")
    assert page.count(without_null()) > 5
    assert "not tested" in page
    assert "not compared with chance" in page
    for claim in (*CLAIMS, "Grey ba", "Null directions change it", "Pale bars are not", "it decides"):
        assert claim not in page, claim


def test_no_hierarchy_and_the_reason(run: Results) -> None:
    assert NO_NULL in run.effects.missing_hierarchy()
    with pytest.raises(UserError, match="without null directions"):
        run.hierarchy()


@pytest.mark.parametrize("name", ["ranking", "entanglement", "ablation"])
def test_analyses_say_why_nothing_is_significant(name: str, without: Path, tmp_path: Path) -> None:
    result, _ = analyse_named(name, (without,), AnalysisRequest(out=tmp_path / name))
    text = " ".join(result.sentences)
    assert NO_NULL in text
    for claim in CLAIMS:
        assert claim not in text
    if name == "ranking":
        assert {row[result.table.columns.index("factor")] for row in result.table.rows} == {"not tested"}


def test_layers_are_compared_by_request_alone(without: Path, tmp_path: Path, fakes) -> None:
    asked = AnalysisRequest(out=tmp_path / "layers")
    with pytest.raises(UserError, match=r"without null directions .* name them with --concepts"):
        analyse_layers(without, asked, progress=QUIET)
    named = replace(asked, concepts=("seen/left", "seen/red"), layers="upper")
    result, _ = analyse_layers(without, named, progress=QUIET)
    text = " ".join(result.sentences)
    assert without_null() in text
    assert "null directions:" not in text
    assert "no level more" not in text


def test_directions_are_unnamed_for_want_of_a_null(found: Path) -> None:
    run = open_run(found)
    assert not any(direction.is_named for direction in run.directions)
    first, *rest = meanings(run.effects)
    assert NO_NULL in first
    assert all("unnamed" in line for line in rest)


def test_a_study_needs_names(without: Path, tmp_path: Path, fakes) -> None:
    with pytest.raises(UserError, match=r"without null directions .* name boundaries with --concepts"):
        make_study(without, tmp_path / "study", StudyRequest(), progress=QUIET)


def test_forecast_counts_no_random_direction_and_says_what_follows(fakes) -> None:
    prepared = prepare(validate(config_without(), "test"))
    text = forecast(prepared, 1)
    assert without_null() in text
    assert "random" not in text
    sets = len(prepared.sets)
    assert images_needed(prepared, [None] * 2) == 32 * (1 + 2 * sets + 2) + 32 * 4 * 2  # no R in it


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"adaptive": True}, "adaptive sampling stops by p values, and null_directions: 0 leaves none"),
        ({"null": "permuted"}, "null_directions: 0 asks for none"),
        ({"null_directions": 2}, "2 are too few to estimate the spread of chance: use 0"),
    ],
)
def test_what_needs_a_null_is_refused(change: dict, words: str, fakes) -> None:
    config = config_without()
    config["rescoring"] |= change
    with pytest.raises(ConfigError, match=words):
        validate(config, "test")


def test_a_leaderboard_needs_random_directions(
    fakes, invoke: Callable, written: Callable, tmp_path: Path
) -> None:
    config = config_without()
    result = invoke("leaderboard", written(config), "--learners", "ridge", "--out", tmp_path / "board")
    assert result.exit_code == 2
    assert "holds every learner against random directions" in result.output
