"""Learners of a leaderboard are read again as they were compared, or refused."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata import DataError, UserError
from ganstrata.core.leaderboard.board import Board
from ganstrata.core.leaderboard.stored import StoredBoard, read_board

LEARNERS = ("ridge", "mean_difference", "random:{directions: 6}")


@pytest.fixture(scope="module")
def made(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Board]:
    folder = tmp_path_factory.mktemp("board") / "board"
    with _on_path(site):
        config = deepcopy(CONFIG) | {"concepts": {"include": ["seen/left", "seen/red"]}}
        board = ganstrata.leaderboard(
            config, LEARNERS, out=folder, samples=96, verify=16, fresh=40, steps=[-1.0, 1.0, 2.0], null=3
        )
    return folder, board


@pytest.fixture
def folder(made: tuple[Path, Board], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "copy"))


def test_what_is_read_is_what_was_compared(made: tuple[Path, Board]) -> None:
    stored, board = read_board(made[0]), made[1]
    assert isinstance(stored, StoredBoard)
    assert stored.concepts == ("seen/left", "seen/red")
    assert stored.steps == (-1.0, 0.0, 1.0, 2.0)
    assert stored.spread == pytest.approx(2.0, rel=0.1)  # the generator's w is twice a normal z
    assert [learner.label for learner in stored.learners] == [row.label for row in board.rows]
    for e, learner in enumerate(stored.learners):
        for b, boundary in enumerate(learner.boundaries):
            assert (boundary.normal == board.rows[e].boundaries[b].normal).all()
            assert learner.changes[b, -1, b] == pytest.approx(board.single["target"][e, b], abs=1e-6)
            assert learner.changes[b, 1].tolist() == [0.0, 0.0]
            assert learner.low[b, -1] < learner.changes[b, -1, b] < learner.high[b, -1]
        assert learner.supervised == board.rows[e].supervised


def test_a_learner_is_found_by_its_label(made: tuple[Path, Board]) -> None:
    stored = read_board(made[0])
    assert stored.learner("ridge").label == "ridge"
    with pytest.raises(UserError, match="Did you mean 'ridge'"):
        stored.learner("rigde")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder of a leaderboard"):
        read_board(tmp_path)


def test_a_comparison_that_was_not_finished_is_refused(folder: Path) -> None:
    from ganstrata.core.storage.result_folder import index_text

    (folder / "leaderboard.json").write_bytes(index_text({"format": 1, "finished": False}, {}))
    with pytest.raises(UserError, match="is unfinished"):
        read_board(folder)


def test_a_learner_that_was_compared_otherwise_since_is_refused(folder: Path, site: Path) -> None:
    """As an interrupted call with other steps leaves it: its kept files are newer than the tables."""
    other = folder.parent / "other"
    with _on_path(site):
        config = deepcopy(CONFIG) | {"concepts": {"include": ["seen/left", "seen/red"]}}
        ganstrata.leaderboard(
            config, ["ridge"], out=other, samples=96, verify=16, fresh=40, steps=[-1.0, 1.0, 1.5], null=3
        )
    for file in (other / "computed").glob("learner-*"):
        shutil.copyfile(file, folder / "computed" / file.name)
    with pytest.raises(DataError, match="learner ridge is of another comparison"):
        read_board(folder)


@pytest.mark.parametrize("name", ["concepts.csv", "leaderboard.json"])
def test_damaged_tables_are_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content.replace(b"ridge", b"rigde", 1))
    with pytest.raises(DataError, match=r"damaged|changed or missing"):
        read_board(folder)


@pytest.mark.parametrize("stem", ["samples", "learner-"])
def test_kept_files_that_are_gone_are_named(folder: Path, stem: str) -> None:
    for file in (folder / "computed").glob(f"{stem}*.json"):
        file.unlink()
    with pytest.raises(DataError, match=r"not kept there any more|missing or damaged"):
        read_board(folder)


def test_undefined_changes_are_left_out() -> None:
    from ganstrata.core.leaderboard.stored import _interval

    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 2.0]])
    low, high = _interval(values)
    assert (low[0] + high[0]) / 2 == pytest.approx(2.0)
    assert (high[0] - low[0]) / 2 == pytest.approx(12.7062, rel=1e-4)  # t with one degree of freedom, times 1
    assert np.isnan([low[1], high[1]]).all()
