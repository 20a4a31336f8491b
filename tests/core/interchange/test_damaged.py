"""Damaged and hostile files of directions and codes: they are read, or refused with one message."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.arrangement import Sizes
from ganstrata.core.interchange.codes import read_codes
from ganstrata.core.interchange.directions import read_directions
from ganstrata.core.interchange.own_format import write_own
from ganstrata.core.interchange.scores import read_scores
from ganstrata.core.messages import MESSAGE
from ganstrata.core.plugins.boundary import Boundaries, Boundary

COUNT = 40  # damaged files of each kind
READERS: tuple[Callable[[Path], Any], ...] = (
    lambda path: read_directions(path, Sizes(2, 4)),
    lambda path: read_directions(path, Sizes(2, 4), form="rows"),
    lambda path: read_codes(path, layers=2, size=4, latent=4, codes_as="codes", space="w"),
    read_scores,
)


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def originals(folder: Path) -> dict[str, bytes]:
    normal = np.array([0.5, 0.5, 0.5, 0.5], np.float32)
    own = Boundaries([Boundary("a/x", "layout", normal, np.float32(0.5), "w", "f" * 16, facts={"n": 3})])
    named = {"age": normal, "pose": np.tile(normal, (2, 1)), "meta_data": {"manipulate_layers": "0-1"}}

    def written(write: Callable[[Any], None]) -> bytes:
        buffer = io.BytesIO()
        write(buffer)
        return buffer.getvalue()

    higan = {"boundary": normal, "meta_data": {"type": "layout", "manipulate_layers": [0, 1]}}
    trap = {"boundary": normal, "meta_data": Hostile(folder / "it ran"), "w": Hostile(folder / "it ran")}
    return {
        "array": written(lambda file: np.save(file, np.tile(normal, (3, 2, 1)))),
        "higan": written(lambda file: np.save(file, higan, allow_pickle=True)),
        "pickle": pickle.dumps(higan, 2),
        "torch": written(lambda file: torch.save({"eigvec": torch.eye(4), "latent": torch.ones(4)}, file)),
        "npz": written(lambda file: np.savez_compressed(file, lat_comp=np.eye(4), lat_stdev=np.ones(4))),
        "own npz": write_own(own, "npz")[0],
        "own json": write_own(own, "json")[0],
        "own safetensors": write_own(own, "safetensors")[0],
        "json": json.dumps({name: np.asarray(value).tolist() for name, value in named.items()}).encode(),
        "trap": written(lambda file: np.save(file, trap, allow_pickle=True)),
        "torch trap": written(lambda file: torch.save(trap, file)),
    }


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, double, drop or overwrite a few bytes."""
    data, at = bytearray(content), int(rng.integers(len(content)))
    what = rng.integers(4)
    if what == 0:
        return bytes(data[:at])
    length = int(rng.integers(1, 20))
    if what == 1:
        return bytes(data[:at] + data[at + length :])
    if what == 2:
        return bytes(data[:at] + data[at : at + length] * 2 + data[at + length :])
    for _ in range(int(rng.integers(1, 6))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return bytes(data)


def message_of(read: Callable[[Path], Any], path: Path) -> str:
    """Return why a file is refused; empty if it is read. Anything but a UserError fails the test."""
    try:
        read(path)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", sorted(originals(Path())))
def test_damaged_files_end_in_one_message(tmp_path: Path, kind: str) -> None:
    content, rng = originals(tmp_path)[kind], np.random.default_rng(list(kind.encode()))
    path, refused = tmp_path / "file", 0
    for i in range(COUNT):
        path.write_bytes(content if i == 0 else damaged(content, rng))
        for read in READERS:
            message = message_of(read, path)
            refused += bool(message)
            assert not message or str(path) in message
            assert len(message) <= MESSAGE
    assert refused > COUNT
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "content",
    [
        {"ganstrata": {"holds": "directions", "format": 1, "directions": [{}] * 1000}},
        {"ganstrata": {"holds": "directions", "format": 2, "directions": []}},
        {"ganstrata": {"holds": "x" * 100_000}},
        {"ganstrata": [1, 2]},
        {"x" * 100_000: [1.0, 2.0, 3.0]},
        {"\u001b[2J": {"a": 1}},
        {"a": [[1.0] * 4, [1.0] * 3]},
        {"a": [10**300, 1e308, -1e308, 0.0]},
        {"a": [float("nan")] * 4},
        [[[[[[1.0]]]]]],
        [1.0, "2"],
        [],
        {},
    ],
)
def test_hostile_json_ends_in_one_message(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content))
    for read in READERS[:3]:
        message = message_of(read, path)
        assert len(message) <= MESSAGE
        assert message.isprintable()


def test_arrays_that_share_their_numbers_are_bounded(tmp_path: Path) -> None:
    shared = torch.ones(300_000)
    torch.save({str(i): shared for i in range(100)}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="at most 10000000 numbers are read"):
        read_directions(tmp_path / "a.pt", Sizes(2, 300_000))


def test_one_code_under_many_names_is_not_copied_for_each(tmp_path: Path) -> None:
    one = torch.zeros(1, 2**20)
    torch.save({f"{i}.png": one for i in range(130)}, tmp_path / "a.pt")
    assert "of a dictionary of codes, at most 134217728 numbers are read" in message_of(
        read_codes, tmp_path / "a.pt"
    )
