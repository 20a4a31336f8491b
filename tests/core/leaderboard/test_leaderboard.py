"""The leaderboard on planted factors: what it says of known directions, of failing learners, and again."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import xml.etree.ElementTree as ET
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError, RunError, UserError
from ganstrata.core.leaderboard import moving, of_moves, of_projections, store, work
from ganstrata.core.leaderboard.computing import board_of
from ganstrata.core.leaderboard.estimates import estimate
from ganstrata.core.leaderboard.folder import leaderboard_into
from ganstrata.core.leaderboard.measures import MEASURES
from ganstrata.core.leaderboard.measuring import measure
from ganstrata.core.leaderboard.request import BoardRequest
from ganstrata.core.leaderboard.store import Store
from ganstrata.core.leaderboard.tables import REASON, UNDEFINED, differences_view, in_a_line
from ganstrata.core.runs.progress import Progress
from ganstrata.core.storage.disk import DiskError, disk_error
from ganstrata.plugins.boundaries.linear_svm import LinearSVM

TRUTH, IDLE, LEAKING = "planted_truth", "planted_truth, idle: 60", "planted_truth, leak: 30"
KNOWN = ("planted_truth", "planted_truth:{idle: 60}", "planted_truth:{leak: 30}")


class Unlabelled(ganstrata.BoundaryLearner):
    """All axes under names of its own, every one the wrong way round, moved at their own layer alone."""

    supervised = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        axes = -np.eye(generator.card.code_size)
        return ganstrata.Boundaries(
            ganstrata.Boundary.unlabelled(f"axis/{i}", axes[i], generator, layers=[i])
            for i in reversed(range(generator.card.layers))
        )


class Elsewhere(ganstrata.BoundaryLearner):
    """The planted axes, moved at the last layer alone, where only the last of them does anything."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        axes, zero = np.eye(generator.card.code_size, dtype=np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, axes[i], zero, "w", generator.fingerprint, layers=(3,))
            for i, c in enumerate(concepts)
        )


class Doubtful(ganstrata.BoundaryLearner):
    """Two planted axes, one that does nothing, and one the wrong way round: an effect that may be none."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        axes, zero = np.eye(generator.card.code_size, dtype=np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, normal, zero, "w", generator.fingerprint)
            for c, normal in zip(concepts, (axes[0], axes[1], axes[-1], -axes[3]), strict=True)
        )


class Refusing(ganstrata.BoundaryLearner):
    """Never content."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise DataError("these samples will not do")


class Failing(ganstrata.BoundaryLearner):
    """Has a bug."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise ZeroDivisionError("by zero")


class Infinite(ganstrata.BoundaryLearner):
    """Directions that are none."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        nan, zero = np.full(12, np.nan, np.float32), np.zeros((), np.float32)
        return ganstrata.Boundaries(
            ganstrata.Boundary(c.name, c.level, nan, zero, "w", generator.fingerprint) for c in concepts
        )


class PerLayer(LinearSVM):
    """A boundary per layer."""

    layerwise = True


@pytest.fixture
def learners(planted, register, monkeypatch):
    """More learners of this module, by the name of their class."""
    monkeypatch.setattr(of_projections, "FITS", 20)
    for plugin in (Unlabelled, Elsewhere, Doubtful, Refusing, Failing, Infinite, PerLayer):
        register("boundary", plugin.__name__.lower(), plugin)
    return planted


@pytest.fixture
def compare(learners, tmp_path):
    """compare(learners, ...) on planted factors."""

    def run(*names: str, mixing: float = 0.0, **options: Any) -> Any:
        request = {key: options.pop(key) for key in ("judges", "steps", "baseline") if key in options}
        data = learners.config(judges=options.pop("scorers", [{}]), **options)
        data["synthesis"]["mixing"] = mixing
        data["rescoring"]["bootstrap"] = 100
        data["concepts"] = {"include": ["a/*"]}
        config = validate(data, "test")
        return board_of(measure(config, BoardRequest(names, fresh=200, **request), Store(tmp_path / "store")))

    return run


def values(board: Any, name: str) -> dict[str, float]:
    """The values of a measure by learner."""
    return {row.label: float(v) for row, v in zip(board.rows, board.estimates[name].value, strict=True)}


def test_known_directions_get_the_numbers_they_must(compare):
    board = compare(*KNOWN)
    chance = {m.name: board.chance[m.name][0] for m in MEASURES}
    # The unit of a step is the spread of w and that of an effect the concept's sd, which are both about 1.
    target = values(board, "target")
    assert target[TRUTH] == pytest.approx(2.0, rel=0.1)
    assert target[IDLE] == pytest.approx(target[TRUTH] / 2.0, rel=1e-3)
    assert target[LEAKING] == pytest.approx(target[TRUTH] * np.cos(np.pi / 6), rel=1e-3)
    assert abs(chance["target"].value) < 0.5
    # Pure directions have an endless precision, random ones one of 1, and the leaking one that of its angle.
    precision = values(board, "precision")
    assert min(precision[TRUTH], precision[IDLE]) > 1000.0
    assert precision[LEAKING] == pytest.approx(3.0 / np.tan(np.pi / 6), rel=0.1)  # one of three others moves
    assert chance["precision"].value == pytest.approx(1.0, abs=0.25)
    assert chance["precision"].low < 1.0 < chance["precision"].high < 2.0
    # When the target has changed by d, the leaking direction has changed one of three others by d tan 30.
    for amount in (0.25, 0.5):
        dependency = values(board, f"dependency_mean_{amount}")
        assert dependency[TRUTH] == pytest.approx(0.0, abs=1e-4)
        assert dependency[LEAKING] == pytest.approx(amount * np.tan(np.pi / 6) / 3.0, rel=0.1)
        assert values(board, f"dependency_max_{amount}")[LEAKING] == pytest.approx(
            amount * np.tan(np.pi / 6), rel=0.1
        )
        assert board.chance[f"dependency_mean_{amount}"][0].value > 0.02
    assert values(board, "disentanglement")[TRUTH] == pytest.approx(1.0, abs=1e-6)
    assert values(board, "completeness")[TRUTH] == pytest.approx(1.0, abs=1e-6)
    assert values(board, "disentanglement")[LEAKING] < 0.7
    assert chance["disentanglement"].high < 0.7
    assert values(board, "informativeness")[TRUTH] > 0.98
    assert chance["informativeness"].value < 0.6
    assert values(board, "gap")[TRUTH] > 0.9
    assert chance["gap"].high < 0.2
    assert values(board, "separability")[TRUTH] == pytest.approx(1.0, abs=0.01)
    assert 1.6 < chance["separability"].value < 2.0
    assert values(board, "accuracy")[TRUTH] == 1.0
    assert chance["accuracy"].value == pytest.approx(0.5, abs=0.1)
    for name in ("steadiness", "straightness"):
        assert values(board, name)[TRUTH] == pytest.approx(1.0)
    # A linear picture: a step of one along a factor is GAIN of the 2 FACTORS GAIN^2 between two pictures.
    length = values(board, "path_length")
    assert length[TRUTH] == pytest.approx(1.0 / (2.0 * 4.0), rel=0.15)
    assert length[IDLE] == pytest.approx(length[TRUTH] / 4.0, rel=1e-3)
    assert chance["path_length"].value == pytest.approx(length[TRUTH] * 4.0 / 12.0, rel=0.3)
    assert [board.rows[e].label for e in board.front] == [TRUTH]
    assert board.share(0)[0] == 1.0
    assert board.cosine(1) == pytest.approx(0.5, abs=1e-6)
    assert board.rows[0].along == pytest.approx(np.ones(4), abs=0.15)
    full, end, apart = board.space
    assert full.found.value[0] == pytest.approx(1.0, abs=0.25)  # of a linear generator
    assert end.found.value[0] == pytest.approx(full.found.value[0], rel=0.01)
    assert full.found.low[0] < 1.0 < full.found.high[0]
    assert apart.found.value[0] < 1.1 < 1.6 < apart.chance.value
    for m in MEASURES:
        found = board.estimates[m.name]
        room = 1e-9 * np.maximum(np.abs(found.value), 1.0)
        assert (found.low <= found.value + room).all(), m.name
        assert (found.value <= found.high + room).all(), m.name


def test_correlated_factors_lead_learners_of_means_astray_but_not_those_of_hyperplanes(compare):
    board = compare("planted_truth", "mean_difference", "ridge", correlation=0.6)
    leak = values(board, "dependency_mean_0.5")
    assert leak["mean_difference"] > 0.15
    assert leak["ridge"] < 0.02
    assert values(board, "precision")["mean_difference"] < 4.0
    # Learners of means follow the spread of w, which random directions do not.
    assert board.chance["dependency_mean_0.5"][1].value > 0.05


@pytest.mark.parametrize("names", [(TRUTH, "doubtful"), ("doubtful", TRUTH)])
def test_a_leak_without_an_effect_to_divide_by_is_undefined(learners, tmp_path, names):
    data = learners.config() | {"concepts": {"include": ["a/*"]}}
    data["rescoring"]["bootstrap"] = 100
    board = leaderboard_into(validate(data, "test"), tmp_path / "out", BoardRequest(names, fresh=50))
    truth, none = names.index(TRUTH), names.index("doubtful")
    target, leak = board.estimates["target"], board.estimates["leak"]
    assert target.low[none] < 0.0 < target.value[none] < target.high[none]
    assert np.isfinite([part[truth] for part in leak[:3]]).all()
    assert np.isnan([part[none] for part in leak[:3]]).all()
    apart = leak.against(board.baseline)
    assert np.isnan([part[1] for part in apart[:3]]).all()
    assert [board.rows[e].label for e in board.front] == [TRUTH]
    row = differences_view(board).rows[0]
    assert (row[3].value, row[3].note, row[3].strong) == ("–", "", False)
    assert f"sd, leak – ({REASON})" in in_a_line(board, none)
    assert f"[{target.low[none]:.2f}, {target.high[none]:.2f}] sd" in in_a_line(board, none)
    assert REASON not in in_a_line(board, truth)
    out = tmp_path / "out"
    for name in ("leaderboard.html", "leaderboard.md"):
        assert (out / name).read_text().count(UNDEFINED) == 1
    assert "doubtful: effect" not in (out / "front.svg").read_text()
    with (out / "learners.csv").open(newline="") as file:
        rows = {(row["learner"], row["measure"]): row for row in csv.DictReader(file)}
    undefined = rows["doubtful", "leak"]
    random = rows[TRUTH, "leak"]["random"]  # undefined for everybody
    assert {undefined[key] for key in ("value", "low", "high", "difference", "difference_low")} == {random}


@pytest.mark.parametrize("ratio", [False, True])
def test_intervals_contain_their_value_whatever_the_tails(ratio):
    rng = np.random.default_rng(0)
    with_tail = np.concatenate([rng.normal(0.2, 0.05, (990, 1)), rng.normal(1e6, 1.0, (10, 1))])
    drawn = np.concatenate([with_tail, with_tail + rng.normal(0.0, 0.1, with_tail.shape)], axis=1)
    found = estimate(np.array([0.2, 0.1]), drawn, ratio=ratio)
    for one in (found, found.against(0)):
        assert (one.low <= one.value).all()
        assert (one.value <= one.high).all()
    if ratio:  # the tail is left out of the middle 95 %, and does not move it
        assert found.low[0] == pytest.approx(0.1, abs=0.03)
        assert found.high[0] == pytest.approx(0.3, abs=0.03)
        apart = found.against(0)
        assert apart.ratio
        assert apart.low[1] < 0.0 < apart.high[1]


def test_differences_are_paired(compare):
    board = compare(*KNOWN[:2])
    estimate, apart = board.estimates["target"], board.estimates["target"].against(0)
    assert apart.value[0] == apart.low[0] == apart.high[0] == 0.0
    assert apart.value[1] == pytest.approx(estimate.value[1] - estimate.value[0])
    assert apart.low[1] < apart.value[1] < apart.high[1] < 0.0
    # Half the effect has half the scatter, so that of the difference is half too: unpaired it would be
    # sqrt(1 + 1/4).
    assert apart.high[1] - apart.low[1] == pytest.approx((estimate.high[0] - estimate.low[0]) / 2.0, rel=0.2)


def test_directions_without_labels_stand_for_the_concepts_they_correlate_with(compare):
    board = compare("planted_truth", "unlabelled")
    assert [row.supervised for row in board.rows] == [True, False]
    normals = [np.stack([b.normal for b in row.boundaries]) for row in board.rows]
    assert_near(normals[1], normals[0])  # the way round too
    assert [b.direction for b in board.rows[1].boundaries] == ["axis/0", "axis/1", "axis/2", "axis/3"]
    for name in ("target", "path_length", "gap", "disentanglement"):
        assert board.estimates[name].value[1] == pytest.approx(board.estimates[name].value[0], rel=1e-4)
    assert board.single["accuracy"][1] == pytest.approx(np.ones(4), abs=0.05)


def test_directions_are_moved_at_their_own_layers_and_random_ones_with_them(compare):
    board = compare("planted_truth", "elsewhere")
    assert board.single["target"][1, :3] == pytest.approx(np.zeros(3), abs=1e-4)
    assert board.single["target"][1, 3] == pytest.approx(board.single["target"][0, 3], rel=1e-4)
    assert board.rows[1].where == "layer 3"
    everywhere, there = board.chance["path_length"]
    assert there.value < 0.6 * everywhere.value  # a random direction changes one factor there instead of four
    assert (board.q[1, :3] > 0.05).all()


def test_learners_that_fail_are_named_and_stop_no_others(compare):
    board = compare(
        "refusing",
        "ridge",
        "failing",
        "infinite",
        "perlayer",
        "style_channels",
        "pca:{directions: 1000}",
    )
    assert [row.label for row in board.rows] == ["ridge"]
    assert list(board.left) == [
        *("refusing", "failing", "infinite", "perlayer", "style_channels", "pca, directions: 1000"),
    ]
    # The first was to be the baseline.
    assert board.left["refusing"].startswith("these samples will not do. It was to be the baseline")
    assert board.left["refusing"].endswith("differences are from ridge instead")
    assert board.rows[board.baseline].label == "ridge"
    assert "ZeroDivisionError: by zero" in board.left["failing"]
    assert "finite" in board.left["infinite"]
    assert "synthesis.mixing" in board.left["perlayer"]
    assert "samples are not moved here" in board.left["style_channels"]
    assert "1000" in board.left["pca, directions: 1000"]


def test_a_comparison_without_learners_says_why(compare):
    with pytest.raises(DataError, match="these samples will not do"):
        compare("refusing")


def test_learners_of_w_plus_take_part_in_mixed_styles(compare):
    board = compare("perlayer", "mean_difference", mixing=0.5)
    assert not board.left
    assert board.rows[0].boundaries[0].normal.shape == (4, 12)
    assert np.isnan(board.cosine(1))
    assert (board.single["target"][0] > 0.5).all()


def test_judges_that_agree_and_one_that_is_the_wrong_way_round(compare):
    scorers = [{}, {"noise": 0.3}, {"noise": 0.3, "salt": "other", "inverted": ["two"]}]
    named = ("a/one,b/one", "a/two, b/two, c/two")
    board = compare(*KNOWN, "mean_difference", scorers=scorers, judges=named)
    agreed, split = board.judges
    assert agreed.names == ("a/one", "b/one")
    assert agreed.ranks.value[0] > 0.7
    assert agreed.signs.value[0] == 1.0
    assert agreed.chance_ranks.value > 0.8
    assert split.signs.value[0] == 0.0
    assert split.ranks.value[0] < 0.0
    assert split.effects[0, 2] == pytest.approx(-split.effects[0, 0], rel=0.15)
    assert [concept.name for concept in board.concepts] == ["a/one", "a/two", "a/three", "a/four"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"judges": ("a/one",)}, "two or more"),
        ({"judges": ("a/one,b/twoo",)}, "Did you mean 'b/two'"),
        ({"judges": ("b/one,a/one",)}, "leaves it out"),
        ({"judges": ("a/one,a/one",)}, "named twice"),
        ({"steps": (1.0, 0.5)}, "rising numbers, the last above 0, such as -2,-1,1,2"),
        ({"steps": (-1.0,)}, "above 0"),
        ({"baseline": "rigde"}, "Did you mean 'ridge'"),
        ({"learners": ("ridge:alpha",)}, "name:{option: value}"),
        ({"learners": ("ridge", "ridge")}, "given twice"),
        ({"learners": ()}, "no learner"),
        ({"fresh": 3}, "too few"),
    ],
)
def test_requests_that_do_not_fit_are_told_in_words(learners, tmp_path, request_, said):
    data = learners.config(judges=[{}, {}]) | {"concepts": {"include": ["a/*"]}}
    given = {"learners": ("ridge",), "fresh": 50} | request_
    with pytest.raises(UserError, match=said):
        board_of(measure(validate(data, "test"), BoardRequest(**given), Store(tmp_path)))


@pytest.fixture
def counted(monkeypatch):
    """Names of what was computed, not read."""
    done: list[str] = []
    for module, name in ((work, "draw"), (work, "learned"), (work, "moved")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, _o=original, _n=name: (done.append(_n), _o(*a))[1])
    return done


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"learners": ("rigde",)}, "No boundary learner named 'rigde'"),
        ({"learners": ("ridge",), "baseline": "rigde"}, "Did you mean 'ridge'"),
        ({"learners": ("ridge", "linear_svmm")}, "Did you mean 'linear_svm'"),
        ({"learners": ("ridge", "ridge:{alpah: 1}")}, r"(?s)ridge, alpah: 1.*alpah.*alpha"),
        ({"learners": ("ridge", "sefa:{direction: 5}")}, r"(?s)direction.*Did you mean 'directions'"),
        ({"learners": ("ridge", "ridge:{alpha: -1}")}, r"(?s)ridge, alpha: -1.*alpha"),
        ({"learners": ("ridge", "sklearn:{estimator: nowhere:Nothing}")}, "nowhere"),
        ({"learners": ("perlayer", "ridge")}, r"baseline 'perlayer' is left out: .*synthesis\.mixing"),
        ({"learners": ("ridge", "perlayer"), "baseline": "perlayer"}, "baseline 'perlayer' is left out"),
    ],
)
def test_a_mistake_is_told_before_samples_are_drawn(learners, tmp_path, counted, request_, said):
    with pytest.raises(UserError, match=said):
        measure(validate(learners.config(), "test"), BoardRequest(**request_), Store(tmp_path))
    assert counted == []


def test_a_baseline_that_is_named_and_refuses_the_samples_stops_the_comparison(learners, tmp_path):
    request = BoardRequest(("ridge", "refusing"), baseline="refusing", fresh=50)
    with pytest.raises(DataError, match="baseline 'refusing' is left out: these samples will not do"):
        measure(validate(learners.config(), "test"), request, Store(tmp_path))


def test_what_was_computed_is_kept_and_what_it_stands_on_is_in_its_key(learners, tmp_path, counted):
    def run(*names: str, steps: tuple[float, ...] = (1.0, 2.0), **options: Any) -> Any:
        config = validate(learners.config(**options), "test")
        counted.clear()
        return board_of(measure(config, BoardRequest(names, steps, fresh=50), Store(tmp_path)))

    first = run("ridge")
    assert counted == ["draw", "learned", "moved", "moved"]
    again = run("ridge")
    assert counted == []
    for name, found in first.estimates.items():
        for a, b in zip(found, again.estimates[name], strict=True):
            assert np.array_equal(a, b, equal_nan=True), name
    run("ridge", "mean_difference")
    assert counted == ["learned", "moved"]
    run("ridge:{alpha: 3}", "ridge")
    assert counted == ["learned", "moved"]
    run("ridge", steps=(2.0,))
    assert counted == ["learned", "moved", "moved"]
    run("ridge", correlation=0.1)
    assert counted == ["draw", "learned", "moved", "moved"]
    for file in tmp_path.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    run("ridge", correlation=0.1)
    assert counted == ["draw", "learned", "moved", "moved"]


def test_a_comparison_says_beforehand_how_many_images_it_makes(learners, tmp_path, monkeypatch, capsys):
    data = learners.config()
    data["synthesis"] |= {"samples": 64, "batch_size": 16}
    data["rescoring"] |= {"samples": 32, "null_directions": 5, "bootstrap": 100}
    config, made = validate(data, "test"), []
    finish = learners.Factors.finish
    monkeypatch.setattr(
        learners.Factors, "finish", lambda self, state: (made.append(len(state.x)), finish(self, state))[1]
    )

    def run(*names: str) -> tuple[str, int]:
        made.clear()
        measure(config, BoardRequest(names, fresh=32), Store(tmp_path), progress=Progress())
        said = capsys.readouterr().err
        counts = re.findall(r"^(?:At most (\d+) images|Nothing is left)", said, re.MULTILINE)
        return said, int(counts[0] or 0)

    concepts, steps, batches = 4, 4, 2 * 16  # the speed is measured on two batches
    said, count = run("ridge")
    assert count == 96 + 32 * ((concepts + 5) * steps + 2) + 9 * 32
    assert sum(made) == count + batches
    assert said.index("images to synthesise and score: 96 for samples") < said.index("samples: ")
    assert "At the speed just measured, " in said
    said, count = run("ridge", "mean_difference")
    assert "images to synthesise and score: 1216 for directions" in said
    assert sum(made) == 32 * (concepts * steps + 1) + batches < count + batches  # random ones were kept
    said, _ = run("ridge")
    assert "Nothing is left to synthesise" in said
    assert made == []


def test_a_concept_that_only_judges_now_is_not_one_that_an_earlier_call_learnt(learners, tmp_path):
    def run(store: Store, *judges: str) -> Any:
        config = validate(learners.config(judges=[{}, {"noise": 0.3}]), "test")
        return board_of(measure(config, BoardRequest(("ridge",), (2.0,), fresh=50, judges=judges), store))

    assert len(run(Store(tmp_path)).concepts) == 8
    after, alone = (run(store, "a/four,b/four") for store in (Store(tmp_path), Store(None)))
    # The columns of both calls are the same; the last one only judges in the second.
    assert [concept.name for concept in after.concepts] == [concept.name for concept in alone.concepts]
    assert_near(after.estimates["target"].value, alone.estimates["target"].value)


def test_an_effect_that_one_sample_makes_beats_no_null():
    samples = 20
    rng = np.random.default_rng(0)
    changes, null = np.zeros((2, 2, samples, 2)), np.zeros((12, 2, samples, 2))
    changes[0, 1, 0, 0] = 1.0  # one sample jumps
    changes[1, 1, :, 1] = rng.normal(1.0, 0.1, samples)
    null[:, 1] = rng.normal(0.0, 1e-9, (12, samples, 2))  # random directions do next to nothing
    paths = of_moves.Paths(
        changes, np.ones((2, samples)), [null, null], [np.ones((12, samples))] * 2, (0.0, 2.0)
    )
    one, all_of_them = of_moves.q_values(paths)
    assert one > 0.1
    assert all_of_them < 1e-6


def test_a_learner_from_the_store_is_the_one_that_was_kept(learners, tmp_path):
    config = validate(learners.config(correlation=0.5), "test")
    request = BoardRequest(("soft_conditional", "ridge"), (2.0,), fresh=50)
    first, again = (board_of(measure(config, request, Store(tmp_path))) for _ in range(2))
    for row, same in zip(first.rows, again.rows, strict=True):
        for one, other in zip(row.boundaries, same.boundaries, strict=True):
            assert (one.slope is None) == (row.label == "ridge")
            assert_near(one.to_keep, other.to_keep)


def test_a_disk_that_is_full_stops_the_comparison_and_blames_no_learner(learners, tmp_path, monkeypatch):
    write = store.write_bytes

    def full(path, content):
        if path.name.startswith("learner-"):
            raise disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path)
        write(path, content)

    config, out = validate(learners.config(), "test"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_bytes", full)
        with pytest.raises(DiskError, match=r"cannot write .*learner-.*: No space left on device"):
            leaderboard_into(config, out, BoardRequest(("ridge", "lda"), (2.0,), fresh=50))
    assert not (out / "leaderboard.html").exists()


def test_numbers_of_the_space_do_not_depend_on_the_batch(learners):
    def lengths(batch: int) -> list[float]:
        data = learners.config()
        data["synthesis"] |= {"batch_size": batch, "samples": 60}
        board = ganstrata.leaderboard(data, ["planted_truth"], verify=10, fresh=20, null=3, steps=(1.0,))
        return [float(number.found.value[0]) for number in board.space]

    whole = lengths(100)
    assert whole[0] > 0.5
    assert lengths(1) == pytest.approx(whole, rel=0.01)  # differences of 0.001 in single precision
    assert lengths(7) == pytest.approx(whole, rel=0.01)


def test_a_concept_without_a_score_in_fresh_samples_takes_part_as_far_as_it_can(learners, monkeypatch):
    undefined = tuple(ganstrata.Concept(name, "attribute", may_be_undefined=True) for name in learners.NAMES)
    whole = learners.Judge.score

    def rare(self, rendering):
        scores = whole(self, rendering)
        return scores.where(scores > torch.tensor([-9.0, 0.0, 2.0, 2.2]), torch.nan)

    monkeypatch.setattr(learners.Judge, "concepts", undefined)
    monkeypatch.setattr(learners.Judge, "score", rare)
    some = {"verify": 8, "fresh": 20, "null": 3, "steps": (1.0,)}
    board = ganstrata.leaderboard(learners.config(), ["planted_truth"], **some)
    assert [concept.name for concept in board.concepts][:2] == ["a/one", "a/two"]
    assert np.isnan(board.single["accuracy"][0, -1])
    assert np.isfinite(board.estimates["accuracy"].value).all()


def test_an_interrupted_comparison_goes_on_where_it_stopped(learners, tmp_path, counted, monkeypatch):
    config, out = validate(learners.config(), "test"), tmp_path / "out"
    request = BoardRequest(("ridge", "mean_difference"), (2.0,), fresh=50)
    learn = work.learned

    def stop(learner, *rest):
        if learner.name == "mean_difference":
            raise KeyboardInterrupt
        return learn(learner, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(work, "learned", stop)
        with pytest.raises(KeyboardInterrupt):
            leaderboard_into(config, out, request)
    assert not (out / "leaderboard.html").exists()
    counted.clear()
    board = leaderboard_into(config, out, request)
    assert counted == ["learned", "moved", "moved"]
    assert len(board.rows) == 2
    assert (out / "leaderboard.html").exists()


def test_tables_files_and_page_show_the_same_numbers(learners, tmp_path):
    page, out = tmp_path / "page.md", tmp_path / "out"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    config = validate(
        learners.config(judges=[{}, {"noise": 0.2}]) | {"concepts": {"include": ["a/*"]}}, "test"
    )
    request = BoardRequest(
        ("planted_truth", "unlabelled", "elsewhere", "refusing"), fresh=50, judges=("a/one,b/one",)
    )
    board = leaderboard_into(config, out, request, page=page)
    text = page.read_text()
    assert text.startswith("before\n<!-- measured: begin -->\n\n### Leaderboard")
    assert text.endswith("<!-- measured: end -->\nafter\n")
    assert "old" not in text
    assert "| unlabelled (unsupervised, 4 sets of layers) |" in text
    assert "| random directions (at layer 3) |" in text
    assert "Left out: `refusing`: these samples will not do" in text
    for table in text.split("###")[1:]:
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1, table
    for name in ("leaderboard.svg", "front.svg"):
        assert ET.parse(out / name).getroot().tag.endswith("svg")
        assert (tmp_path / "page" / name).read_bytes() == (out / name).read_bytes()
    with (out / "concepts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["learner"], row["concept"]) for row in rows[:4]] == [
        (board.rows[board.order[0]].label, concept.name) for concept in board.concepts
    ]
    with (out / "learners.csv").open(newline="") as file:
        by_measure = {(row["learner"], row["measure"]): row for row in csv.DictReader(file)}
    row = by_measure["planted_truth", "target"]
    assert float(row["value"]) == pytest.approx(board.estimates["target"].value[0], rel=1e-5)
    assert float(row["random"]) == pytest.approx(board.chance["target"][0].value, rel=1e-4)
    assert float(row["difference"]) == 0.0
    data = json.loads((out / "leaderboard.json").read_text())
    assert data["left_out"] == {"refusing": "these samples will not do"}
    assert data["front"] == [board.rows[e].label for e in board.front]
    assert data["settings"]["steps"] == [-2.0, -1.0, 1.0, 2.0]
    html = (out / "leaderboard.html").read_text()
    assert html.count("<table") == 7
    assert "these samples will not do" in html
    assert "https:" not in html
    with pytest.raises(UserError, match="lacks the lines"):
        leaderboard_into(config, tmp_path / "other", request, page=out / "leaderboard.md")
    assert not (tmp_path / "other").exists()
    assert (out / "judges.csv").exists()
    leaderboard_into(config, out, BoardRequest(("planted_truth",), fresh=50), page=page)
    assert not list(tmp_path.rglob("judges.csv"))  # which would be of the earlier call
    listed = set(json.loads((out / "leaderboard.json").read_text())["files"])
    assert listed == {file.name for file in out.iterdir() if file.suffix in (".csv", ".svg", ".html", ".md")}


def test_a_folder_of_something_else_is_left_alone(learners, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"no leaderboard\.json"):
        leaderboard_into(validate(learners.config(), "test"), tmp_path, BoardRequest(("ridge",), fresh=50))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_pictures_are_compared_by_the_first_scorer_that_embeds_them(learners, monkeypatch):
    from ganstrata.core.runs.prepare import prepare_scored

    scored, _, _ = prepare_scored(validate(learners.config(judges=[{}, {}]), "test"))
    latents, _, codes = scored.draw(0, ganstrata.Stream.VERIFICATION)
    rendering = scored.render(codes, None, latents.index, ganstrata.Stream.VERIFICATION).rendering
    assert moving.embedding(scored, rendering)[0] == "pixels (8 x 8)"
    monkeypatch.setattr(learners.Judge, "embed", lambda self, r: 2.0 * r.images[:, 0])
    words, features = moving.embedding(scored, rendering)
    assert "a" in words
    assert_near(features, 2.0 * rendering.images[:, 0].flatten(1))


@pytest.mark.parametrize("generator", ["fake_grainy", "fake_classes"])
def test_undefined_scores_fresh_noise_and_classes_take_part(fakes, config, monkeypatch, generator):
    monkeypatch.setattr(of_projections, "FITS", 5)
    config["generator"] = {"use": generator}
    config["concepts"] = {"include": ["seen/left", "seen/red", "seen/half", "seen/constant"]}
    config["synthesis"] |= {"samples": 160}
    config["rescoring"] |= {"samples": 20, "null_directions": 4, "bootstrap": 100}
    board = ganstrata.leaderboard(config, ["ridge", "mean_difference"], fresh=60, steps=(1.0, 2.0))
    assert not board.left
    assert [concept.name for concept in board.concepts] == ["seen/left", "seen/red", "seen/half"]
    for m in MEASURES:
        if m.name not in ("leak", "dependency_mean_1", "dependency_max_1"):
            assert np.isfinite(board.estimates[m.name].value).all(), m.name
    assert (board.single["target"][:, :2] > 0.5).all()


def test_pictures_that_are_not_finite_are_left_out(learners, monkeypatch):
    data = learners.config()
    data["synthesis"] |= {"samples": 100, "allow_nonfinite": 0.5}
    data["rescoring"] |= {"samples": 20, "null_directions": 3, "bootstrap": 100}
    finish = learners.Factors.finish

    def spoilt(self, state):
        picture = finish(self, state).clone()
        picture[3] = np.nan
        return picture

    whole = ganstrata.leaderboard(data, ["planted_truth"], fresh=50, steps=(1.0,))
    monkeypatch.setattr(learners.Factors, "finish", spoilt)
    board = ganstrata.leaderboard(data, ["planted_truth"], fresh=50, steps=(1.0,))
    assert whole.settings["samples"] == 100
    assert board.settings["samples"] == 99
    for name in ("target", "path_length"):
        assert values(board, name)[TRUTH] == pytest.approx(values(whole, name)[TRUTH], rel=0.2)
    assert board.space[0].found.value[0] == pytest.approx(1.0, abs=0.5)
