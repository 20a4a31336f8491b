"""Directions of every format: all are read, what a shape does not tell is asked, and the rest is refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.arrangement import Sizes
from ganstrata.core.interchange.directions import read_directions
from safetensors.numpy import save_file

RNG = np.random.default_rng(0)
SIZES = Sizes(4, 6)


def unit(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def saved(path: Path, content: Any) -> Path:
    np.save(path / "a.npy", content, allow_pickle=True)
    return path / "a.npy"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 6), (6,), (6, 1), (1, 1, 6), (1, 4, 6), (1, 24), (24,), (24, 1)])
def test_shapes_of_one_direction_need_no_question(
    tmp_path: Path, shape: tuple[int, ...], dtype: type
) -> None:
    layers = np.prod(shape) == 24
    normal = unit(4, 6).astype(dtype) if layers else unit(6).astype(dtype)
    (boundary,), left = read_directions(saved(tmp_path, normal.reshape(shape)), SIZES)
    np.testing.assert_allclose(boundary.normal, normal, atol=1e-7)
    assert boundary.was_unit
    assert (boundary.name, boundary.layers, boundary.kind, boundary.container, left) == (
        "",
        None,
        None,
        "array",
        [],
    )


@pytest.mark.parametrize(
    ("shape", "choices"),
    [
        ((4, 6), "--as layers: one direction, whose row l is that of layer l (4 layers); --as rows: 4 dir"),
        ((6, 6), "--as rows: 6 directions, one per row; --as columns: 6 directions, one per column"),
        ((5, 6), "say which: --as rows: 5 directions, one per row"),
        ((6, 5), "say which: --as columns: 5 directions, one per column"),
        ((3, 1, 6), "say which: --as rows: 3 directions, one per row"),
        ((3, 4, 6), "say which: --as rows: 3 directions, each with a row per layer"),
    ],
)
def test_what_a_shape_does_not_say_is_asked(tmp_path: Path, shape: tuple[int, ...], choices: str) -> None:
    with pytest.raises(UserError) as caught:
        read_directions(saved(tmp_path, unit(*shape)), SIZES)
    assert choices in str(caught.value)


def test_the_forms_that_are_said(tmp_path: Path) -> None:
    square = unit(6, 6)
    rows, _ = read_directions(saved(tmp_path, square), SIZES, form="rows")
    assert [direction.name for direction in rows] == ["0", "1", "2", "3", "4", "5"]
    np.testing.assert_allclose(np.stack([d.normal for d in rows]), square, atol=1e-12)
    columns, _ = read_directions(tmp_path / "a.npy", SIZES, form="columns")
    for i, direction in enumerate(columns):
        np.testing.assert_allclose(direction.normal * direction.length, square[:, i], atol=1e-12)
    layers = unit(4, 6)
    for options in ({"form": "layers"}, {"space": "w+"}):
        (direction,), _ = read_directions(saved(tmp_path, layers), SIZES, **options)
        np.testing.assert_allclose(direction.normal, layers, atol=1e-12)
    several, _ = read_directions(saved(tmp_path, unit(3, 4, 6)), SIZES, form="rows")
    assert [direction.normal.shape for direction in several] == [(4, 6)] * 3
    with pytest.raises(UserError, match="which has no columns"):
        read_directions(tmp_path / "a.npy", SIZES, form="columns")


@pytest.mark.parametrize("kind", ["pt", "legacy pt", "npz", "safetensors", "json", "pickle", "npy"])
def test_named_directions_in_every_container(tmp_path: Path, kind: str) -> None:
    age, pose = unit(1, 6).astype(np.float32), unit(4, 6).astype(np.float32)
    path = tmp_path / "any name"
    tensors = {"age": torch.from_numpy(age), "pose": torch.from_numpy(pose.reshape(1, 24))}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    with path.open("wb") as file:
        if kind.endswith("pt"):
            torch.save(tensors, file, _use_new_zipfile_serialization=kind == "pt")
        elif kind == "npz":
            np.savez(file, **arrays)
        elif kind == "pickle":
            pickle.dump(arrays, file)
        elif kind == "npy":
            np.save(file, arrays, allow_pickle=True)
        elif kind == "json":
            file.write(json.dumps({name: array.tolist() for name, array in arrays.items()}).encode())
    if kind == "safetensors":
        save_file(arrays, path)
    found, left = read_directions(path, SIZES)
    assert {direction.name for direction in found} == {"age", "pose"}
    for direction in found:
        expected = {"age": age[0], "pose": pose}[direction.name]
        np.testing.assert_allclose(direction.normal, expected, atol=1e-6)
    assert left == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_tensors_as_e4e_keeps_them(tmp_path: Path, dtype: torch.dtype) -> None:
    normal = torch.from_numpy(unit(1, 6)).to(dtype)
    torch.save(torch.nn.Parameter(normal), tmp_path / "age.pt")
    (direction,), _ = read_directions(tmp_path / "age.pt", SIZES)
    np.testing.assert_allclose(direction.normal, normal[0].double().numpy(), atol=0.01)


def test_factors_of_rosinality_are_columns_in_w(tmp_path: Path) -> None:
    basis = np.linalg.qr(RNG.standard_normal((6, 6)))[0].astype(np.float32)
    torch.save({"ckpt": "550000.pt", "eigvec": torch.from_numpy(basis)}, tmp_path / "factor.pt")
    found, _ = read_directions(tmp_path / "factor.pt", SIZES)
    assert [(d.name, d.numbered, d.space) for d in found] == [(str(i), True, "w") for i in range(6)]
    np.testing.assert_allclose(np.stack([d.normal for d in found], axis=1), basis, atol=1e-6)


def test_factors_of_sefa_and_components_of_ganspace_are_rows(tmp_path: Path) -> None:
    rows, values = unit(5, 6), np.arange(5.0)
    torch.save({"boundaries": rows, "eigen_values": values, "layers": [0, 1]}, tmp_path / "sefa.pt")
    found, _ = read_directions(tmp_path / "sefa.pt", SIZES)
    np.testing.assert_allclose(np.stack([d.normal for d in found]), rows, atol=1e-12)
    assert [d.facts["eigenvalue"] for d in found] == values.tolist()
    np.savez(
        tmp_path / "pca.npz",
        act_comp=np.ones((5, 3, 3)),
        lat_comp=rows[:, None],
        lat_mean=np.zeros((1, 6)),
        lat_stdev=values,
    )
    torch.save(
        {"comp": torch.from_numpy(rows), "mean": torch.zeros(6), "std": torch.ones(5)}, tmp_path / "e4e"
    )
    for name, deviation in (("pca.npz", 3.0), ("e4e", 1.0)):
        found, _ = read_directions(tmp_path / name, SIZES)
        np.testing.assert_allclose(np.stack([d.normal for d in found]), rows, atol=1e-6)
        assert (found[3].name, found[3].space, found[3].facts["deviation_along_it"]) == ("3", None, deviation)


def test_the_directions_of_anycostgan(tmp_path: Path) -> None:
    names = [f"{i:02d}_{word}" for i, word in enumerate(["5_o_Clock_Shadow", "Smiling"] * 20)]
    content = {name: torch.from_numpy(unit(1, 24)) for name in names}
    torch.save(content, tmp_path / "boundary.pt")
    found, _ = read_directions(tmp_path / "boundary.pt", SIZES)
    assert [d.name for d in found] == names
    for direction in found:
        given = content[direction.name].numpy().reshape(4, 6)
        np.testing.assert_allclose(np.linalg.norm(direction.normal, axis=1), 1.0)
        np.testing.assert_allclose(
            direction.normal, given / np.linalg.norm(given, axis=1, keepdims=True), atol=1e-6
        )


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
@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_pickled_dictionaries_of_higan_whatever_they_are_called(
    tmp_path: Path, layers: Any, expected: str | None, protocol: int | None
) -> None:
    normal = unit(1, 6)
    content = {"boundary": normal, "meta_data": {"type": "attribute", "manipulate_layers": layers}}
    if protocol is None:
        path = saved(tmp_path, content)
    else:
        path = tmp_path / "wood_boundary.npy"
        path.write_bytes(pickle.dumps(content, protocol))
    (boundary,), _ = read_directions(path)
    np.testing.assert_allclose(boundary.normal, normal[0], atol=1e-12)
    assert (boundary.layers, boundary.kind, boundary.container) == (
        expected,
        "attribute",
        "pickled dictionary" if protocol is None else "pickle",
    )


def test_dictionaries_of_dictionaries_of_directions(tmp_path: Path) -> None:
    """The names of the outer ones come first; a dictionary of HiGAN may be among them."""
    age, smile, wood = unit(6), unit(1, 6), unit(1, 6)
    content = {
        "directions": {"age": age, "by": {"smile": smile}},
        "wood": {"boundary": wood, "meta_data": None},
    }
    torch.save({"state_dict": content, "step": 3}, tmp_path / "a.pt")
    found, left = read_directions(tmp_path / "a.pt", SIZES)
    assert [boundary.name for boundary in found] == [
        "state_dict.directions.age",
        "state_dict.directions.by.smile",
        "state_dict.wood",
    ]
    for boundary, normal in zip(found, (age, smile, wood), strict=True):
        np.testing.assert_allclose(boundary.normal, normal.reshape(-1), atol=1e-7)
    assert "step is left out" in left[0]


def test_a_list_of_directions_with_a_row_per_layer(tmp_path: Path) -> None:
    rows = unit(3, 1, 4, 6)
    found, _ = read_directions(saved(tmp_path, rows), SIZES, form="rows")
    for boundary, row in zip(found, rows, strict=True):
        np.testing.assert_allclose(boundary.normal, row[0], atol=1e-7)


def test_dictionaries_by_name_and_without_meta_data(tmp_path: Path) -> None:
    assert read_directions(saved(tmp_path, {"boundary": unit(1, 6)}))[0][0].layers is None
    content = {"wood": {"boundary": unit(1, 6), "meta_data": {"type": "attribute"}}, "source": "me", "n": 3}
    (wood,), left = read_directions(saved(tmp_path, content))
    assert (wood.name, wood.kind) == ("wood", "attribute")
    assert left == [f"{tmp_path / 'a.npy'}: source, n is left out: it holds no direction"]


def test_normals_of_other_lengths_are_normalised_and_their_length_recorded(tmp_path: Path) -> None:
    normal = unit(6)
    (boundary,), _ = read_directions(saved(tmp_path, 2.5 * normal[None]))
    np.testing.assert_allclose(boundary.normal, normal, atol=1e-12)
    assert boundary.length == pytest.approx(2.5)
    assert not boundary.was_unit
    rows = unit(1, 3, 6) * np.array([1.0, 0.5, 1.2])[:, None]
    (boundary,), _ = read_directions(saved(tmp_path, rows))
    np.testing.assert_allclose(np.linalg.norm(boundary.normal, axis=1), 1.0)
    assert boundary.length == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((1, 6)), "length of 0, so it is not a direction"),
        (np.full((1, 6), np.nan), "not a direction"),
        (np.full((1, 6), 1e200), "not a direction"),
        (np.ones((2, 5, 6)), "a direction has the shape 1 x 6, or 1 x 4 x 6 with a row per layer"),
        (np.ones((1, 0)), "a direction has the shape"),
        (np.float32(3.0), "a direction has the shape"),
        (np.array(["a"]), "a boundary is an array of numbers"),
        (np.array([[True, False]]), "a boundary is an array of numbers"),
        ({"normal": {}}, "'normal' is a dictionary of nothing, but no 'boundary'"),
        ({"normal": "x"}, "a dictionary of 'normal', but no 'boundary' and no arrays by name"),
        ({"boundary": ["1.0", 2.0]}, "holds a list"),
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
def test_content_that_is_no_direction_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(UserError) as caught:
        read_directions(path, SIZES)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>" + bytes(20), "it seems to be a web page: the download has failed"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"", "it has 0 bytes"),
        (bytes(100), "nothing but zeros"),
        (b'{"a": [1, 2', "is damaged or cut short"),
        (b"[" * 100_000, "is damaged or cut short"),
    ],
)
def test_files_that_are_something_else_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_directions(tmp_path / "a.npy", SIZES)


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("write", ["npy", "pickle", "torch"])
def test_a_hostile_file_runs_nothing(tmp_path: Path, write: str) -> None:
    content, path = {"boundary": Hostile(tmp_path / "it ran")}, tmp_path / "a.npy"
    if write == "npy":
        np.save(path, np.array(content, dtype=object), allow_pickle=True)
    elif write == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(UserError):
        read_directions(path)
    assert not (tmp_path / "it ran").exists()
