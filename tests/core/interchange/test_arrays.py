"""Boundaries, codes and scores in HiGAN's files: all shapes are read, and other content is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.arrays import read_boundary, read_codes, read_scores, write_array

RNG = np.random.default_rng(0)


def unit(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def saved(path: Path, content: Any) -> Path:
    np.save(path / "a.npy", content, allow_pickle=True)
    return path / "a.npy"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 6), (6,), (1, 4, 6)])
def test_plain_boundaries(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    normal = unit(*shape).astype(dtype)
    boundary = read_boundary(saved(tmp_path, normal))
    np.testing.assert_allclose(
        boundary.normal, normal.reshape(shape[-2:] if len(shape) == 3 else shape[-1:]), atol=1e-7
    )
    assert boundary.was_unit
    assert (boundary.layers, boundary.kind, boundary.container) == (None, None, "array")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("6-11", "6-11"),
        ([2, 3, 4], "2,3,4"),
        ((0, 1), "0,1"),
        (4, "4"),
        (np.arange(3), "0,1,2"),
        ("", None),
        ([], None),
        (None, None),
    ],
)
def test_pickled_dictionaries(tmp_path: Path, layers: Any, expected: str | None) -> None:
    normal = unit(1, 6)
    boundary = read_boundary(
        saved(tmp_path, {"boundary": normal, "meta_data": {"type": "attribute", "manipulate_layers": layers}})
    )
    np.testing.assert_allclose(boundary.normal, normal[0], atol=1e-12)
    assert (boundary.layers, boundary.kind, boundary.container) == (
        expected,
        "attribute",
        "pickled dictionary",
    )


def test_a_dictionary_without_meta_data(tmp_path: Path) -> None:
    assert read_boundary(saved(tmp_path, {"boundary": unit(1, 6)})).layers is None


def test_normals_of_other_lengths_are_normalised_and_their_length_recorded(tmp_path: Path) -> None:
    normal = unit(6)
    boundary = read_boundary(saved(tmp_path, 2.5 * normal[None]))
    np.testing.assert_allclose(boundary.normal, normal, atol=1e-12)
    assert boundary.length == pytest.approx(2.5)
    assert not boundary.was_unit
    rows = unit(1, 3, 6) * np.array([1.0, 0.5, 1.2])[:, None]
    boundary = read_boundary(saved(tmp_path, rows))
    np.testing.assert_allclose(np.linalg.norm(boundary.normal, axis=1), 1.0)
    assert boundary.length == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((1, 6)), "length of 0, so it is not a direction"),
        (np.full((1, 6), np.nan), "not a direction"),
        (np.full((1, 6), 1e200), "not a direction"),
        (np.ones((5, 6)), r"holds an array \(5, 6\) of float64; a boundary has the shape"),
        (np.ones((2, 5, 6)), "a boundary has the shape"),
        (np.ones((1, 0)), "a boundary has the shape"),
        (np.float32(3.0), "a boundary has the shape"),
        (np.array(["a"]), "a boundary is an array of numbers"),
        (np.array([[True, False]]), "a boundary is an array of numbers"),
        ({"normal": np.ones(3)}, "a dictionary of 'normal', but no 'boundary'"),
        ({"boundary": [1.0, 2.0]}, "holds a list"),
        ({"boundary": np.ones((1, 3)), "meta_data": "6-11"}, "'meta_data' is a str"),
        (
            {"boundary": np.ones((1, 3)), "meta_data": {"manipulate_layers": [0.5]}},
            "'manipulate_layers' is a list",
        ),
        (
            {"boundary": np.ones((1, 3)), "meta_data": {"manipulate_layers": True}},
            "'manipulate_layers' is a bool",
        ),
    ],
)
def test_arrays_that_are_not_boundaries_are_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_boundary(saved(tmp_path, content))


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_hostile_boundary_runs_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array({"boundary": Hostile(tmp_path / "it ran")}, dtype=object))
    with pytest.raises(UserError):
        read_boundary(path)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize("shape", [(5, 6), (5, 4, 6), (1, 6)])
def test_codes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    codes = RNG.standard_normal(shape)
    result = read_codes(saved(tmp_path, codes), layers=4, size=6)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, codes, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.ones((5, 7)), "have 7 numbers; this generator's have 6"),
        (np.ones((5, 3, 6)), "are for 3 layers; this generator has 4"),
        (np.ones(6), "codes have the shape"),
        (np.ones((5, 6), int), "codes have the shape"),
        (np.full((5, 6), np.inf), "30 of its numbers are not finite"),
        ({"w": np.ones((5, 6))}, "a dictionary of 'w'; codes"),
    ],
)
def test_arrays_that_are_not_codes_are_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_codes(saved(tmp_path, content), layers=4, size=6)


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
        (np.ones(3), "scores are a dictionary"),
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


def test_what_is_written_is_plain(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3).T)
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_array(tmp_path / "b.npy", np.array([{}], dtype=object))
    assert not (tmp_path / "b.npy").exists()
    (tmp_path / "c.npy").write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match="does not begin as NumPy's files do"):
        read_codes(tmp_path / "c.npy")
