"""The leaderboard of learners: its numbers against what is planted; it takes any learner."""

from __future__ import annotations

import csv
import importlib
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import ganstrata
import numpy as np
import pytest
from closeness import assert_near
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError
from ganstrata.plugins.boundaries.linear_svm import LinearSVM

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
CONCEPTS = ["seen/left", "seen/checks", "seen/stripes", "seen/red"]


def part(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A script of benchmarks/, forgotten after the test."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module(name)
    for other in {path.stem for path in FOLDER.iterdir()} & (set(sys.modules) - before):
        del sys.modules[other]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield from part("directions", monkeypatch)


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield from part("directions_numbers", monkeypatch)


def rotated(
    angle: float, generator: ganstrata.Generator, concepts: Sequence[ganstrata.Concept]
) -> ganstrata.Boundaries:
    """The planted axis of each concept, turned away by an angle towards an axis of which nothing depends."""
    made = []
    for i, concept in enumerate(concepts):
        normal = np.cos(angle) * np.eye(16)[i] + np.sin(angle) * np.eye(16)[8 + i]
        made.append(
            ganstrata.Boundary(
                concept.name,
                concept.level,
                normal.astype(np.float32),
                np.zeros((), np.float32),
                "w",
                generator.fingerprint,
            )
        )
    return ganstrata.Boundaries(made)


class Turned(ganstrata.BoundaryLearner):
    """Sixty degrees from the truth: half the effect on the target."""

    def learn(
        self, latents: Any, scores: Any, concepts: Any, *, generator: Any = None, seed: int = 0
    ) -> ganstrata.Boundaries:
        return rotated(np.pi / 3, generator, concepts)


class Unsupervised(ganstrata.BoundaryLearner):
    """All axes under names of its own, every one the wrong way round."""

    supervised = False

    def learn(
        self, latents: Any, scores: Any, concepts: Any, *, generator: Any = None, seed: int = 0
    ) -> ganstrata.Boundaries:
        zero = np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(
                f"axis {i}", "attribute", -np.eye(16, dtype=np.float32)[i], zero, "w", generator.fingerprint
            )
            for i in reversed(range(16))
        )


class Refusing(ganstrata.BoundaryLearner):
    """Never content."""

    def learn(
        self, latents: Any, scores: Any, concepts: Any, *, generator: Any = None, seed: int = 0
    ) -> ganstrata.Boundaries:
        raise DataError("these samples will not do")


class Failing(ganstrata.BoundaryLearner):
    """Has a bug."""

    def learn(
        self, latents: Any, scores: Any, concepts: Any, *, generator: Any = None, seed: int = 0
    ) -> ganstrata.Boundaries:
        raise ZeroDivisionError("by zero")


class Infinite(ganstrata.BoundaryLearner):
    """Directions that are none."""

    def learn(
        self, latents: Any, scores: Any, concepts: Any, *, generator: Any = None, seed: int = 0
    ) -> ganstrata.Boundaries:
        nan, zero = np.full(16, np.nan, np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, nan, zero, "w", generator.fingerprint) for c in concepts
        )


class PerLayer(LinearSVM):
    """A boundary per layer."""

    layerwise = True


@pytest.fixture
def compare(benchmark, config, fakes, register):
    """compare(learners, ...) on the fake generator.

    Its scores are linear in w: 0.1 per unit of the axis of each concept.
    """
    for name, plugin in (
        ("turned", Turned),
        ("unsupervised", Unsupervised),
        ("refusing", Refusing),
        ("failing", Failing),
    ):
        register("boundary", name, plugin)
    register("boundary", "infinite", Infinite)
    register("boundary", "per_layer", PerLayer)
    config["concepts"] = {"include": CONCEPTS}
    config["synthesis"]["samples"] = 320
    config["rescoring"] |= {"samples": 40, "null_directions": 8, "layers": ["all"]}
    config["boundary"]["with"] = {"positives": 0.2, "negatives": 0.2}

    def run(*learners: str, mixing: float = 0.0) -> Any:
        config["synthesis"]["mixing"] = mixing
        return benchmark.compare(validate(config, "test"), benchmark.entries(learners), fresh=100, rounds=1)

    return run


def test_known_directions_get_the_numbers_they_must(compare):
    board = compare("fake_axes", "turned")
    # The unit of a step is the spread of w and that of an effect the concept's, which both are those of the
    # planted axis.
    target = board.single["target"]
    assert target[0] == pytest.approx(2.0, rel=0.15)
    assert target[1] == pytest.approx(target[0] / 2.0, rel=0.05)
    # The pictures' texture moves scores a little; the axes themselves do not move each other's.
    assert board.estimates["others"].value == pytest.approx(board.estimates["others"].value[0], abs=0.03)
    assert board.estimates["others"].value[0] < 0.0  # a random direction moves them more
    assert board.estimates["leak"].value == pytest.approx(
        board.estimates["others"].value / board.estimates["target"].value
    )
    assert board.estimates["straightness"].value == pytest.approx(1.0, abs=0.02)
    assert board.estimates["steadiness"].value == pytest.approx(1.0, abs=0.02)
    assert board.single["accuracy"][0] == pytest.approx(1.0, abs=0.02)
    assert (board.single["accuracy"][1] < 0.95).all()
    assert board.order == [0, 1]
    assert board.share(0)[0] == 1.0
    assert board.baseline == 0
    assert board.cosine(1) == pytest.approx(0.5, abs=1e-6)
    assert board.rows[0].along == pytest.approx(1.0, abs=0.15)  # codes are spread alike in all directions


def test_differences_are_paired(compare):
    board = compare("fake_axes", "turned")
    estimate, apart = board.estimates["target"], board.estimates["target"].against(0)
    assert apart.value[0] == apart.low[0] == apart.high[0] == 0.0
    assert apart.value[1] == pytest.approx(estimate.value[1] - estimate.value[0])
    assert apart.low[1] < apart.value[1] < apart.high[1] < 0.0
    # Half the effect has half the scatter, so that of the difference is half too: unpaired it would be
    # sqrt(1 + 1/4).
    assert apart.high[1] - apart.low[1] == pytest.approx((estimate.high[0] - estimate.low[0]) / 2.0, rel=0.2)


def test_learners_that_name_their_own_directions_are_matched(compare):
    board = compare("fake_axes", "unsupervised")
    assert [row.supervised for row in board.rows] == [True, False]
    assert np.allclose(board.rows[1].normals, board.rows[0].normals)  # the way round too
    assert [facts["matched"] for facts in board.rows[1].facts] == ["axis 0", "axis 1", "axis 2", "axis 3"]
    assert_near(board.single["target"][0], board.single["target"][1])
    assert board.single["accuracy"][1] == pytest.approx(1.0, abs=0.05)


def test_learners_that_fail_are_named_and_stop_no_others(compare):
    board = compare(
        "refusing",
        "ridge",
        "failing",
        "infinite",
        "nobody",
        "per_layer",
        "sklearn:{estimator: nowhere:Nothing}",
        "ridge:{alpah: 1}",
    )
    assert [row.label for row in board.rows] == ["ridge"]
    assert list(board.left) == [
        *(
            "refusing",
            "failing",
            "infinite",
            "nobody",
            "per_layer",
            "sklearn, estimator: Nothing",
            "ridge, alpah: 1",
        ),
    ]
    assert board.left["refusing"] == "these samples will not do"
    assert "ZeroDivisionError: by zero" in board.left["failing"]
    assert "not finite" in board.left["infinite"]
    assert "--mixing" in board.left["per_layer"]
    assert "alpha" in board.left["ridge, alpah: 1"]


def test_a_comparison_without_learners_says_why(compare):
    with pytest.raises(SystemExit, match="these samples will not do"):
        compare("refusing")


def test_learners_of_w_plus_take_part_in_mixed_styles(compare):
    board = compare("per_layer", "mean_difference", mixing=0.5)
    assert not board.left
    assert board.rows[0].normals[0].shape == (8, 16)
    assert np.isnan(board.cosine(0))
    assert (board.single["target"][0] > 0.5).all()


def test_every_registered_learner_takes_part_by_default(benchmark, compare):
    names = benchmark.registered()
    assert {"linear_svm", "ridge", "sklearn", "turned", "fake_axes"} <= set(names)
    labels = [entry.label for entry in benchmark.entries(names)]
    assert len(set(labels)) == len(labels)
    built_in = [
        name
        for name in names
        if name.partition(":")[0] in ("lda", "linear_svm", "logistic", "mean_difference", "ridge", "sklearn")
    ]
    board = compare(*built_in)
    assert not board.left
    assert board.rows[board.baseline].label == "linear_svm"
    assert (board.single["target"] > 1.0).all()
    assert all(row.milliseconds > 0.0 for row in board.rows)


def test_options_must_be_a_mapping(benchmark):
    with pytest.raises(SystemExit, match="write options"):
        benchmark.entries(["ridge:alpha"])


def test_the_same_seed_gives_the_same_numbers(compare):
    first, second = compare("ridge", "mean_difference"), compare("ridge", "mean_difference")
    for name, estimate in first.estimates.items():
        assert all(np.array_equal(a, b) for a, b in zip(estimate, second.estimates[name], strict=True))


def test_table_files_and_page_show_the_same_numbers(compare, benchmark, tmp_path):
    board = compare("linear_svm", "unsupervised", "refusing")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    text = benchmark.write(board, tmp_path / "out", page)
    assert page.read_text().startswith("before\n<!-- measured: begin -->\n\n### Leaderboard")
    assert page.read_text().endswith("<!-- measured: end -->\nafter\n")
    assert "old" not in page.read_text()
    assert "| unsupervised (unsupervised) |" in text
    assert "Left out: `refusing`: these samples will not do" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heights = {line.count("|") for line in lines[:4]}
    assert heights == {12}
    assert ET.parse(tmp_path / "out/leaderboard.svg").getroot().tag.endswith("svg")
    with (tmp_path / "out/concepts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["learner"], row["concept"]) for row in rows[:4]] == [
        (board.rows[board.order[0]].label, name) for name in CONCEPTS
    ]
    with (tmp_path / "out/learners.csv").open(newline="") as file:
        by_measure = {(row["learner"], row["measure"]): row for row in csv.DictReader(file)}
    assert float(by_measure["linear_svm", "target"]["value"]) == pytest.approx(
        board.estimates["target"].value[0], rel=1e-5
    )
    assert float(by_measure["linear_svm", "target"]["difference"]) == 0.0
    with pytest.raises(ValueError, match="lacks the lines"):
        benchmark.write(board, None, FOLDER / "README.md")


def path_of(numbers: ModuleType, *values: Sequence[float]) -> np.ndarray:
    """Changes (1, 1, steps, K, 1) from the path of each sample, relative to its middle."""
    paths = np.array(values, dtype=np.float64)
    return (paths - paths[:, [2]]).T[None, None, :, :, None]


@pytest.mark.parametrize(
    ("paths", "steadiness", "straightness"),
    [
        ([[0, 1, 2, 3, 4]], 1.0, 1.0),
        ([[4, 3, 2, 1, 0]], -1.0, 1.0),
        ([[0, 0, 0, 4, 4]], 1.0, 0.75),  # a step, all of it the right way: its line explains 14.4 of 19.2
        ([[0, 1, 0, 1, 0]], 0.0, 0.0),  # up as much as down
        ([[0, 2, 1, 3, 2]], 0.3333, 0.4808),  # 2 of 6; 2.5 of 5.2
        ([[0, 1, 2, 3, 4], [0, 0, 0, 0, 0]], 1.0, 1.0),  # a sample that does not move says nothing
        ([[0, 1, 2, 3, 4], [np.nan, 1, 0, 0, 5]], 1.0, 1.0),  # nor one whose score is lost on the way
    ],
)
def test_smoothness_of_paths_worked_out_by_hand(numbers, paths, steadiness, straightness):
    changes = path_of(numbers, *paths)
    measures = numbers.by_concept(changes, np.zeros((3, len(paths), 1)), np.ones((1, len(paths))))
    assert measures["steadiness"][0, 0, 0] == pytest.approx(steadiness, abs=1e-4)
    assert measures["straightness"][0, 0, 0] == pytest.approx(straightness, abs=1e-4)


def test_effect_on_others_is_that_beyond_chance(numbers):
    changes = np.zeros((1, 3, 5, 50, 3))
    changes[0, :, -1] = np.array([[2.0, 0.4, -0.2], [0.0, 2.0, 0.0], [-0.3, 0.3, 2.0]])[:, None]
    null = np.stack([np.full((50, 3), value) for value in (0.1, -0.1)])  # absolute mean 0.1 on every concept
    measures = numbers.by_concept(changes, null, np.ones((1, 50)))
    assert measures["others"][0, 0] == pytest.approx([0.3 - 0.1, 0.0 - 0.1, 0.3 - 0.1])
    assert measures["target"][0, 0] == pytest.approx([2.0, 2.0, 2.0])
    board = numbers.summarise(changes, null, np.ones((1, 3)), resamplings=200, seed=0)
    assert board["others"].value[0] == pytest.approx(0.1)
    assert board["leak"].value[0] == pytest.approx(0.05)


def test_intervals_cover_the_mean_as_often_as_they_say(numbers):
    """95 % intervals hold the mean effect of a population of concepts and samples in about 95 % of draws."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(120):
        means = rng.normal(1.0, 0.3, size=16)
        changes = np.zeros((1, 16, 5, 40, 16))
        noise = rng.normal(0.0, 0.8, size=(16, 40))
        changes[0, np.arange(16), -1, :, np.arange(16)] = means[:, None] + noise
        estimate = numbers.summarise(
            changes, np.zeros((3, 40, 16)), np.ones((1, 16)), resamplings=200, seed=0
        )["target"]
        held += bool(estimate.low[0] <= 1.0 <= estimate.high[0])
    assert 106 <= held <= 120
