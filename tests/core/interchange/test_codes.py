"""Codes of every shape and container: what is clear is read, what is not is asked, the rest is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.errors import DataError, UserError
from ganstrata.core.interchange.arrays import Streamed
from ganstrata.core.interchange.code_shapes import CodeSizes
from ganstrata.core.interchange.codes import find_codes, read_codes
from ganstrata.core.interchange.own_codes import write_codes

L, D = 4, 6
MAPPED = CodeSizes(L, D, D, mapped=True)
PLAIN = CodeSizes(L, D, D, mapped=False)
WIDER = CodeSizes(L, D, 9, mapped=True)
RNG = np.random.default_rng(0)


def saved(path: Path, content: Any) -> Path:
    np.save(path / "a.npy", content, allow_pickle=True)
    return path / "a.npy"


def codes(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "sizes", "space", "result"),
    [
        ((5, L, D), MAPPED, "w+", (5, L, D)),
        ((1, L, D), MAPPED, "w+", (1, L, D)),
        ((5, L * D), MAPPED, "w+", (5, L, D)),
        ((L * D,), MAPPED, "w+", (1, L, D)),
        ((5, D), PLAIN, "z", (5, D)),
        ((5, D), WIDER, "w", (5, D)),
        ((5, 9), WIDER, "z", (5, 9)),
        ((5, 1, 9), WIDER, "z", (5, 9)),
        ((5, 1, L, D), MAPPED, "w+", (5, L, D)),
        ((1, 5, L, D), MAPPED, "w+", (5, L, D)),
        ((D,), PLAIN, "z", (1, D)),
    ],
)
def test_shapes_that_need_no_question(
    tmp_path: Path, shape: tuple[int, ...], sizes: CodeSizes, space: str, result: tuple[int, ...]
) -> None:
    values = codes(*shape)
    found = find_codes(saved(tmp_path, values), sizes)
    assert (found.space, found.values.shape, found.values.dtype) == (space, result, np.float32)
    np.testing.assert_array_equal(found.values, values.reshape(result))


def test_several_steps_for_each_picture_are_not_codes(tmp_path: Path) -> None:
    """ReStyle keeps the codes of all its steps, by the name of the picture."""
    steps = {"a.jpg": [codes(L, D)] * 3, "b.jpg": [codes(L, D)] * 3}
    with pytest.raises(DataError, match=r"has shape 2 x 3 x 4 x 6.*keep one of each, such as the last"):
        find_codes(saved(tmp_path, steps), MAPPED)


def test_the_last_axis_may_count_the_codes(tmp_path: Path) -> None:
    values = codes(3, L, D)
    found = find_codes(saved(tmp_path, np.moveaxis(values, 0, -1)), MAPPED)
    np.testing.assert_array_equal(found.values, values)
    assert "was read as 3 codes of 4 layers, the last axis counts" in found.remarks[0]
    square = CodeSizes(4, 4, 4, mapped=True)
    path = saved(tmp_path, cube := codes(4, 4, 4))
    with pytest.raises(
        UserError, match=r"--codes-as codes --space w\+: 4 codes .*; --codes-as codes-last: 4 c"
    ):
        find_codes(path, square)
    np.testing.assert_array_equal(find_codes(path, square, codes_as="codes").values, cube)
    np.testing.assert_array_equal(
        find_codes(path, square, codes_as="codes-last").values, np.moveaxis(cube, -1, 0)
    )


def test_one_code_of_all_layers_is_not_as_many_codes(tmp_path: Path) -> None:
    values = codes(L, D)
    path = saved(tmp_path, values)
    with pytest.raises(UserError) as caught:
        find_codes(path, MAPPED)
    for words in (
        "has shape 4 x 6, which does not say what it is",
        "--codes-as code: one code, whose row l is that of layer l (w+, 4 layers)",
        "--codes-as codes --space w: 4 codes w",
        "--codes-as codes --space z: 4 latents z",
    ):
        assert words in str(caught.value)
    with pytest.raises(UserError, match="does not say what it is"):
        find_codes(path, MAPPED, space="w")  # loosely, w may mean w+
    for options in ({"codes_as": "code"}, {"space": "w+"}, {"space": "wp"}):
        found = find_codes(path, MAPPED, **options)
        assert found.space == "w+"
        np.testing.assert_array_equal(found.values, values[None])
    for space in ("z", "w"):
        found = find_codes(path, MAPPED, codes_as="codes", space=space)
        assert found.space == space
        np.testing.assert_array_equal(found.values, values)
    with pytest.raises(UserError, match="does not say what it is"):
        find_codes(path, PLAIN)


def test_z_and_w_of_the_same_width_are_asked_apart(tmp_path: Path) -> None:
    path = saved(tmp_path, codes(5, D))
    with pytest.raises(UserError, match=r"--codes-as codes --space w: 5 .*; --codes-as codes --space z: "):
        find_codes(path, MAPPED)
    assert find_codes(path, MAPPED, space="z").space == "z"
    assert find_codes(path, MAPPED, space="w").space == "w"
    with pytest.raises(DataError, match=r"which is not --space w\+; it may be --codes-as codes --space w: 5"):
        find_codes(path, MAPPED, space="w+")


@pytest.mark.parametrize(
    ("content", "space", "shape"),
    [
        ({"w": codes(1, L, D)}, "w+", (1, L, D)),  # NVIDIA's projected_w.npz
        ({"w": codes(5, D)}, "w", (5, D)),
        ({"z": codes(5, D)}, "z", (5, D)),
        ({"z": codes(L, D)}, "z", (L, D)),
        ({"codes": codes(L, D)}, "w+", (1, L, D)),
        ({"latent": codes(5, L, D), "noise": [codes(1, 1, 4, 4)]}, "w+", (5, L, D)),
        (
            {"a.png": {"latent": codes(L * D), "img": None}, "b.png": {"latent": codes(L * D)}},
            "w+",
            (2, L, D),
        ),
        ({"a.png": codes(1, L * D), "b.png": codes(1, L * D)}, "w+", (2, L, D)),
        ([codes(L, D)] * 3, "w+", (3, L, D)),
        ({"arr_0": codes(2, L, D), "version": "1"}, "w+", (2, L, D)),
    ],
)
def test_dictionaries_of_codes(tmp_path: Path, content: Any, space: str, shape: tuple[int, ...]) -> None:
    (tmp_path / "latents.pt").write_bytes(pickle.dumps(content))
    found = find_codes(tmp_path / "latents.pt", MAPPED)
    assert (found.space, found.values.shape) == (space, shape)


def test_tensors_and_archives(tmp_path: Path) -> None:
    values = codes(2, L, D)
    torch.save(torch.from_numpy(values), tmp_path / "latents.pt")
    np.savez(tmp_path / "latents.npz", values)
    for name in ("latents.pt", "latents.npz"):
        np.testing.assert_array_equal(read_codes(tmp_path / name, layers=L, size=D), values)


def test_files_of_ganstrata_state_what_they_hold(tmp_path: Path) -> None:
    w, wp = codes(L, D), codes(L, L, D)
    write_codes(tmp_path / "codes.npz", {"w": Streamed.of(w), "wp": Streamed.of(wp)}, "f" * 16)
    found = find_codes(tmp_path / "codes.npz", MAPPED)
    np.testing.assert_array_equal(found.values, wp)
    assert (found.space, found.generator) == ("w+", "f" * 16)
    found = find_codes(tmp_path / "codes.npz", MAPPED, space="w")
    np.testing.assert_array_equal(found.values, w)
    write_codes(tmp_path / "codes.npz", {"w": Streamed.of(w)}, "f" * 16)
    found = find_codes(tmp_path / "codes.npz", MAPPED)  # L of them, and no question
    assert (found.space, found.values.shape) == ("w", (L, D))


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (np.ones((5, 7)), {}, "has shape 5 x 7; this generator needs N x 6 (w), or N x 4 x 6 (codes, w+)"),
        (np.ones((5, 3, 6)), {}, "has shape 5 x 3 x 6"),
        (np.ones((2, 5, 4, 6)), {}, "has shape 2 x 5 x 4 x 6"),
        (np.ones((0, 6)), {}, "has shape 0 x 6"),
        (np.full((5, 6), np.inf), {"space": "w"}, "30 of its numbers are not finite"),
        (np.full((5, 6), 1e200), {"space": "w"}, "too large for single precision"),
        (np.ones((5, 6)), {"space": "q"}, "--space q: there is no such latent space of codes; z, w and w+"),
        (np.ones((5, 6)), {"codes_as": "rows"}, "--codes-as rows; code, codes, codes-last are known"),
        ({"w": np.ones((5, 6)), "z": np.ones((5, 6))}, {}, "exactly one of codes, w, z is needed"),
        ({"w": np.ones((5, 6))}, {"space": "z"}, "its array 'w' lies in w, and not in z"),
        ({"w": "x"}, {}, "'w' is a str; arrays of numbers are needed"),
        ({"a": np.ones((5, 6)), "b": np.ones((4, 6))}, {}, "holds a, b; exactly one of codes, w, z"),
        (np.array(["x"]), {}, "arrays of numbers are needed"),
    ],
)
def test_content_that_is_no_codes_is_refused(
    tmp_path: Path, content: Any, options: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        find_codes(saved(tmp_path, content), MAPPED, **options)
    assert words in str(caught.value)


def test_read_codes_asks_too(tmp_path: Path) -> None:
    values = codes(5, D)
    path = saved(tmp_path, values)
    with pytest.raises(UserError, match=r"--codes-as code: one code, .* --space w: .* --space z"):
        read_codes(path)
    np.testing.assert_array_equal(read_codes(path, codes_as="codes", space="w"), values)
    np.testing.assert_array_equal(read_codes(path, layers=L, size=D, latent=9), values)
    assert read_codes(path, space="w+").shape == (1, 5, D)
