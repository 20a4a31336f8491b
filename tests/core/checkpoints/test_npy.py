"""NumPy's files with arrays or pickled dictionaries are read as np.load reads them, but nothing is run."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganstrata.core.checkpoints import read_npy
from ganstrata.core.errors import CheckpointError

PARITY = os.environ.get("GANSTRATA_PARITY")
BOUNDARY = np.arange(8, dtype=np.float32).reshape(1, 8)


def saved(path: Path, content: Any) -> Path:
    np.save(path / "a.npy", content, allow_pickle=True)
    return path / "a.npy"


def same(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            same(left[key], right[key])
    elif isinstance(left, list | tuple):
        for one, other in zip(left, right, strict=True):
            same(one, other)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)
    else:
        assert left == right


@pytest.mark.parametrize(
    "array",
    [
        BOUNDARY,
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i2"),
        np.array(3.5),
        np.zeros((0, 4)),
        np.array(["wood", "view"]),
        np.array([True, False]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    result = read_npy(saved(tmp_path, array))
    same(result, array.astype(array.dtype.newbyteorder("=")))
    result[...] = result  # it can be written to


@pytest.mark.parametrize(
    "content",
    [
        {"boundary": BOUNDARY, "meta_data": {"type": "attribute", "manipulate_layers": "6-11"}},
        {"a": [1, 2.5, None, True, "text"], "b": (BOUNDARY, {"c": np.zeros(2)}), 3: "three"},
        {},
        {"number": 2**40, "text": "ä"},
    ],
)
def test_a_dictionary(tmp_path: Path, content: dict[Any, Any]) -> None:
    same(read_npy(saved(tmp_path, content)), content)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(tmp_path: Path, protocol: int) -> None:
    content = {"boundary": BOUNDARY, "scale": np.float32(2.5)}
    header = saved(tmp_path, content).read_bytes()[:128]
    (tmp_path / "b.npy").write_bytes(header + pickle.dumps(np.array(content, dtype=object), protocol))
    same(read_npy(tmp_path / "b.npy"), {"boundary": BOUNDARY, "scale": 2.5})


@pytest.mark.skipif(not PARITY, reason="GANSTRATA_PARITY names no folder of reference numbers")
def test_the_boundaries_of_higan() -> None:
    paths = sorted((Path(str(PARITY)) / "higan_boundaries" / "npy").rglob("*.npy"))
    assert len(paths) == 50
    for path in paths:
        expected = np.load(path, allow_pickle=True)
        same(read_npy(path), expected.item() if expected.dtype == object else expected)


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("place", ["alone", "among", "in a list"])
def test_a_hostile_one_runs_nothing(tmp_path: Path, place: str) -> None:
    hostile = Hostile(tmp_path / "it ran")
    content: Any = {
        "alone": hostile,
        "among": {"boundary": BOUNDARY, "meta": hostile},
        "in a list": {"a": [hostile]},
    }[place]
    with pytest.raises(CheckpointError, match=rf"it names {os.mkdir.__module__}\.mkdir"):
        read_npy(saved(tmp_path, content))
    assert not (tmp_path / "it ran").exists()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read|cannot read|is not a readable array"),
        (b"<html></html> and more of it", "does not begin as NumPy's files do"),
        (b"\x93NUMPY", "damaged or cut short"),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n"),
            "an array of 16 bytes, but the file has 0",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }\n") + bytes(16),
            "claim more than",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }\n") + bytes(16),
            "damaged or cut short",
        ),
        (
            header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n") + bytes(4),
            "numbers and text are read",
        ),
        (
            header("{'descr': '|V4', 'fortran_order': False, 'shape': (1,), }\n") + bytes(4),
            "numbers and text are read",
        ),
        (
            header("{'descr': '|O', 'fortran_order': False, 'shape': (), }\n") + bytes(4),
            "damaged or cut short",
        ),
        (header("__import__('os').mkdir('it ran')\n") + bytes(4), "damaged or cut short"),
        (header("(" * 5000) + bytes(4), "damaged or cut short"),
        (header("{}", b"\x09\x00"), "of version 9.0"),
        (header("{}", b"\x03\x00"), "of version 3.0"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(CheckpointError, match="cannot read"):
        read_npy(tmp_path / "absent.npy")


def test_objects_that_are_not_plain(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="one object is read"):
        read_npy(saved(tmp_path, np.array([{}, {}], dtype=object)))
    with pytest.raises(CheckpointError, match="it holds a Record"):
        read_npy(saved(tmp_path, {"path": np.random.default_rng(0)}))
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(CheckpointError, match="nested without end"):
        read_npy(saved(tmp_path, endless))
