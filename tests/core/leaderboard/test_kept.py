"""What a leaderboard keeps of each learner, and when it is used again."""

from __future__ import annotations

import errno
import os
import re
from typing import Any

import numpy as np
import pytest
from closeness import assert_near
from ganstrata.core.config.reading import validate
from ganstrata.core.leaderboard import comparison
from ganstrata.core.leaderboard.computing import board_of
from ganstrata.core.leaderboard.folder import leaderboard_into
from ganstrata.core.leaderboard.measuring import measure
from ganstrata.core.leaderboard.request import BoardRequest
from ganstrata.core.runs.progress import Progress
from ganstrata.core.storage import kept_results
from ganstrata.core.storage.disk import DiskError, disk_error
from ganstrata.core.storage.kept_results import Store


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


def test_learners_train_in_the_precision_of_the_config_and_again_in_another(learners, tmp_path, counted):
    for precision in ("fp32", "bf16"):
        counted.clear()
        config = validate(learners.config() | {"precision": precision}, "test")
        board = board_of(measure(config, BoardRequest(("trained",), (2.0,), fresh=50), Store(tmp_path)))
        assert {one.facts["trained_in"] for one in board.rows[0].boundaries} == {precision}
        assert "learned" in counted


def test_a_concept_that_only_judges_now_is_not_one_that_an_earlier_call_learnt(learners, tmp_path):
    def run(store: Store, *judges: str) -> Any:
        config = validate(learners.config(judges=[{}, {"noise": 0.3}]), "test")
        return board_of(measure(config, BoardRequest(("ridge",), (2.0,), fresh=50, judges=judges), store))

    assert len(run(Store(tmp_path)).concepts) == 8
    after, alone = (run(store, "a/four,b/four") for store in (Store(tmp_path), Store(None)))
    # The columns of both calls are the same; the last one only judges in the second.
    assert [concept.name for concept in after.concepts] == [concept.name for concept in alone.concepts]
    assert_near(after.estimates["target"].value, alone.estimates["target"].value)


def test_a_learner_from_the_store_is_the_one_that_was_kept(learners, tmp_path):
    config = validate(learners.config(correlation=0.5), "test")
    request = BoardRequest(("soft_conditional", "ridge"), (2.0,), fresh=50)
    first, again = (board_of(measure(config, request, Store(tmp_path))) for _ in range(2))
    for row, same in zip(first.rows, again.rows, strict=True):
        for one, other in zip(row.boundaries, same.boundaries, strict=True):
            assert (one.slope is None) == (row.label == "ridge")
            assert_near(one.to_keep, other.to_keep)


def test_a_disk_that_is_full_stops_the_comparison_and_blames_no_learner(learners, tmp_path, monkeypatch):
    write = kept_results.write_bytes

    def full(path, content):
        if path.name.startswith("learner-"):
            raise disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path)
        write(path, content)

    config, out = validate(learners.config(), "test"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(kept_results, "write_bytes", full)
        with pytest.raises(DiskError, match=r"cannot write .*learner-.*: No space left on device"):
            leaderboard_into(config, out, BoardRequest(("ridge", "lda"), (2.0,), fresh=50))
    assert not (out / "leaderboard.html").exists()


def test_an_interrupted_comparison_goes_on_where_it_stopped(learners, tmp_path, counted, monkeypatch):
    config, out = validate(learners.config(), "test"), tmp_path / "out"
    request = BoardRequest(("ridge", "mean_difference"), (2.0,), fresh=50)
    learn = comparison.learned

    def stop(learner, *rest):
        if learner.name == "mean_difference":
            raise KeyboardInterrupt
        return learn(learner, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(comparison, "learned", stop)
        with pytest.raises(KeyboardInterrupt):
            leaderboard_into(config, out, request)
    assert not (out / "leaderboard.html").exists()
    counted.clear()
    board = leaderboard_into(config, out, request)
    assert counted == ["learned", "moved", "moved"]
    assert len(board.rows) == 2
    assert (out / "leaderboard.html").exists()


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
