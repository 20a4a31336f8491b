"""Scores in the files of HiGAN and InterFaceGAN: all shapes are read, and other content is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.arrays import write_array
from ganstrata.core.interchange.scores import read_scores


def saved(path: Path, content: Any) -> Path:
    np.save(path / "a.npy", content, allow_pickle=True)
    return path / "a.npy"


def test_scores_by_name(tmp_path: Path) -> None:
    scores = read_scores(saved(tmp_path, {"wood": np.arange(3.0), "dirt": np.arange(3.0)[:, None] * 2}))
    assert {name: values.tolist() for name, values in scores.items()} == {
        "wood": [0.0, 1.0, 2.0],
        "dirt": [0.0, 2.0, 4.0],
    }


def test_scores_as_higan_writes_them(tmp_path: Path) -> None:
    names = {"wood": 1, "dirt": 0}
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    scores = read_scores(
        saved(tmp_path, {"score": table, "name_to_idx": names, "idx_to_name": {0: "dirt", 1: "wood"}})
    )
    assert {name: values.tolist() for name, values in scores.items()} == {
        "wood": [1.0, 3.0, 5.0],
        "dirt": [0.0, 2.0, 4.0],
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.ones((3, 2)), "scores are a dictionary"),
        ({}, "a dictionary of nothing"),
        ({"wood": np.ones((3, 2))}, r"'wood' is an array \(3, 2\)"),
        ({"wood": 3.0}, "'wood' is a float"),
        ({"wood": np.ones(3), "dirt": np.ones(4)}, r"different numbers of samples \(wood 3, dirt 4\)"),
        ({"score": np.ones((3, 2)), "name_to_idx": {"wood": 2}}, "does not fit"),
        ({"score": np.ones((3, 2)), "name_to_idx": {"wood": "1"}}, "does not fit"),
    ],
)
def test_content_that_is_not_scores_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_scores(saved(tmp_path, content))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_the_scores_of_one_concept_are_called_as_their_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "wood_scores.npy", np.arange(3.0).reshape(shape))
    scores = read_scores(tmp_path / "wood_scores.npy")
    assert {name: values.tolist() for name, values in scores.items()} == {"wood": [0.0, 1.0, 2.0]}


def test_what_is_written_is_plain(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3).T)
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_array(tmp_path / "b.npy", np.array([{}], dtype=object))
    assert not (tmp_path / "b.npy").exists()
