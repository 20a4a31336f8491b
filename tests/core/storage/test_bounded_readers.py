"""Test that readers refuse small files that would expand to excessive memory or time."""

from __future__ import annotations

import io
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from ganstrata.core.checkpoints import read_npy, read_npz
from ganstrata.core.errors import CheckpointError, DataError, GanstrataError, UserError
from ganstrata.core.interchange.arrays import describe
from ganstrata.core.interchange.directions import read_directions
from ganstrata.core.interchange.lists import parse_list
from ganstrata.core.interchange.scores import read_scores
from ganstrata.core.messages import MESSAGE
from ganstrata.core.storage.disk import read_bytes
from ganstrata.core.study.key import Key
from ganstrata.plugins.scorers.networks.places365 import read_names
from refusals import SECONDS


def refused(kind: type[GanstrataError], call: Callable[[], Any]) -> str:
    """Return the message, after checking that it is short and came quickly."""
    began = time.process_time()
    with pytest.raises(kind) as caught:
        call()
    assert time.process_time() - began < SECONDS
    assert len(str(caught.value)) <= MESSAGE
    return str(caught.value)


def saved(folder: Path, content: Any) -> Path:
    np.save(folder / "a.npy", content, allow_pickle=True)
    return folder / "a.npy"


def npz(path: Path, method: int, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_archives_of_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    codes, index = np.arange(12.0).reshape(3, 4), np.array([2, 0, 1])
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "a.npz", codes=codes, index=index, other=np.array(["x"]))
        arrays = read_npz(tmp_path / "a.npz", ("codes", "index", "w"))
        assert list(arrays) == ["codes", "index"]
        assert np.array_equal(arrays["codes"], codes)
        assert np.array_equal(arrays["index"], index)
        assert read_npz(tmp_path / "a.npz", ("w",)) == {"codes": None, "index": None, "other": None}


def test_an_archive_that_unpacks_to_a_gigabyte_is_not_unpacked(tmp_path: Path) -> None:
    header = npy(np.zeros(0, np.float32)).replace(b"(0,), }       ", b"(268435456,), }")
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("codes.npy", "w", force_zip64=True) as member,
    ):
        member.write(header)
        for _ in range(1024):
            member.write(bytes(2**20))
    assert "its arrays unpack to 107374" in refused(
        CheckpointError, lambda: read_npz(tmp_path / "a.npz", ("codes",))
    )
    assert read_npz(tmp_path / "a.npz", ("w",)) == {"codes": None}, "what is not asked for is not looked at"


def test_an_archive_that_lies_about_its_size(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", zipfile.ZIP_DEFLATED, codes=npy(np.zeros(10_000_000)))
    content = path.read_bytes()
    size = len(npy(np.zeros(10_000_000)))
    assert content.count(size.to_bytes(4, "little")) >= 1
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert "is damaged" in refused(CheckpointError, lambda: read_npz(path, ("codes",)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_of_compression_whose_members_cannot_be_unpacked_bit_by_bit(tmp_path: Path, method: int) -> None:
    path = npz(tmp_path / "a.npz", method, codes=npy(np.zeros(10_000_000)))
    assert "compressed in a way" in refused(CheckpointError, lambda: read_npz(path, ("codes",)))


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"\x93NUMPY",
        pickle.dumps([1]),
        npy(np.zeros(3))[:-1],
        npy(np.zeros(3)).replace(b"(3,)", b"(9,)"),
        npy(np.zeros(3)).replace(b"<f8", b"|O8"),
    ],
)
def test_members_that_are_not_arrays_are_refused(tmp_path: Path, member: bytes) -> None:
    refused(CheckpointError, lambda: read_npz(npz(tmp_path / "a.npz", 0, codes=member), ("codes",)))


def test_a_pickle_in_an_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", codes=np.array({"a": 1}, dtype=object))
    assert "is a pickle" in refused(CheckpointError, lambda: read_npz(tmp_path / "a.npz", ("codes",)))


@pytest.mark.parametrize(
    "shape",
    [
        "(-3,)",
        "(1, -1)",
        "(3.0,)",
        "(True,)",
        "(2**60,)",
        "(1,) * 2",
        str((1,) * 17),
        "(9" + "9" * 400 + ",)",
    ],
)
def test_shapes_that_no_array_has(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(12)
    )
    refused(CheckpointError, lambda: read_npy(tmp_path / "a.npy"))


def test_a_column_that_is_named_again_and_again(tmp_path: Path) -> None:
    table = np.zeros((10_000, 1), np.uint8)
    names = {f"name{i}": 0 for i in range(20_000)}
    assert "more than 50000000 scores" in refused(
        DataError, lambda: read_scores(saved(tmp_path, {"score": table, "name_to_idx": names}))
    )
    column = np.zeros(10_000, np.uint8)
    assert "more than 50000000 scores" in refused(
        DataError, lambda: read_scores(saved(tmp_path, dict.fromkeys(names, column)))
    )


@pytest.mark.parametrize(
    "meta",
    [
        np.zeros(3),
        np.array("x"),
        [1],
        5,
        {"manipulate_layers": np.zeros(3)},
        {"manipulate_layers": np.zeros(10_000_000, np.uint8)},
    ],
)
def test_what_stands_beside_a_boundary_may_be_anything(tmp_path: Path, meta: Any) -> None:
    content = {"boundary": np.ones((1, 4), np.float32) / 2, "meta_data": meta}
    refused(DataError, lambda: read_directions(saved(tmp_path, content)))


def test_a_boundary_of_too_many_numbers(tmp_path: Path) -> None:
    assert "at most 10000000 numbers" in refused(
        DataError, lambda: read_directions(saved(tmp_path, np.ones((1, 10_000_001), np.uint8)))
    )


def test_a_dictionary_is_described_by_few_of_its_names() -> None:
    assert len(describe({"k" * 1_000_000: 1})) < 200
    assert len(describe(dict.fromkeys(range(1000000), 1))) < 200


@pytest.mark.parametrize(
    "line",
    [
        "(" + " " * 900_000,
        "(" + " " * 4_000 + "x",
        "(" * 100_000,
        "(a, " + " " * 4_000,
        "(a, w)" + " " * 4_000,
        "x" * 900_000,
    ],
)
def test_lines_of_a_list_without_end(line: str) -> None:
    assert "is not of the form" in refused(
        UserError, lambda: parse_list(f"{line}\n(wood, w): a.npy\n", "list.txt")
    )


def test_lines_of_a_list_are_taken_apart_as_before() -> None:
    (entry,) = parse_list("(  some  wood ,\tWP  )  :  folder/a b.npy  ", "a.txt").entries
    assert (entry.name, entry.space, entry.path) == ("some  wood", "w+", "folder/a b.npy")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a" + " " * 900_000 + "b\n", "characters; at most 500 are allowed"),
        ("\n".join("same" for _ in range(200_000)), "occurs twice"),
        ("x" * 1_000_001, "more than 1000000 bytes"),
    ],
)
def test_files_of_names(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    assert words in refused(UserError, lambda: read_names(str(tmp_path / "names.txt"), "attribute"))


def test_a_file_that_should_be_short(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    assert "more than 4 bytes" in refused(UserError, lambda: read_bytes(tmp_path / "a", 4))
    (tmp_path / "key.json").write_bytes(b"[" * 10_000_001)
    assert "more than 10000000 bytes" in refused(UserError, lambda: Key.read(tmp_path))


def test_a_key_that_is_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(b"[" * 1_000_000)
    assert "is damaged" in refused(UserError, lambda: Key.read(tmp_path))


TABLES = {
    "twenty thousand columns": (
        lambda: "index," + ",".join(f"c{i}" for i in range(20_000)) + "\n",
        "20000 columns besides the index; at most 1000 can be concepts",
    ),
    "twenty thousand columns of one name": (
        lambda: "index," + ",".join("c" for _ in range(20_000)) + "\n",
        "two columns 'c'",
    ),
    "a heading without end": (lambda: "index," + "c" * 2_000_000, "more than 1000000 characters"),
    "a row without end": (lambda: "index,c\n0," + "1," * 1_000_000, "more than 1000000 characters"),
    "an open quote": (
        lambda: 'index,c\n0,"1\n' + "2\n" * 1000,
        "takes more than 100 lines; is a quote missing?",
    ),
    "cells over many lines": (lambda: "index,c\n0," + '"\n",' * 1000, "takes more than 100 lines"),
    "a million wrong lines": (lambda: "index,c\n" + "x,1\n" * 1_000_000, "and 999995 more lines"),
    "a heading of other names": (
        lambda: ",".join(f"c{i}" for i in range(20_000)) + "\n",
        "c8, c9 and 19990 more",
    ),
    "three million rows": (lambda: "index,c\n" + "0,1\n" * 3_000_000, "more than 1000000 rows"),
    "a name of a megabyte": (
        lambda: "index," + "n" * 900_000 + "\n0,1\n",
        "is not a CSV file: field larger than field limit",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, name: str) -> None:
    make, words = TABLES[name]
    (tmp_path / "a.csv").write_text(make(), encoding="utf-8")
    message = refused(
        DataError, lambda: ganstrata.load_scorer("table", file=str(tmp_path / "a.csv"), device="cpu")
    )
    assert words in message, message


def test_a_few_columns_of_a_wide_table(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(5_000)]
    (tmp_path / "a.csv").write_text(
        f"index,{','.join(names)}\n" + "".join(f"{i},{','.join(['1'] * 5_000)}\n" for i in range(20)),
        encoding="utf-8",
    )
    scorer = ganstrata.load_scorer(
        "table", file=str(tmp_path / "a.csv"), columns=["c4999", "c0"], device="cpu"
    )
    assert [concept.name for concept in scorer.concepts] == ["c4999", "c0"]
