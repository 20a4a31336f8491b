"""Test shards of arrays: writing, marking, verification, and removal of stale ones."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.errors import GanstrataError, RunError
from ganstrata.core.storage import disk
from ganstrata.core.storage.chunks import ArrayLayout
from ganstrata.core.storage.disk import PASSING, content_hash
from ganstrata.core.storage.marks import Written, mark_text, read_mark
from ganstrata.core.storage.shards import Shards

LAYOUT = {
    "w": ArrayLayout((10, 3), (4, 3), "float32"),
    "n": ArrayLayout((10,), (4,), "int64", chunk=(1,)),
    "deep/s": ArrayLayout((10, 2), (4, 2), "float32", chunk=(2, 2)),
}


def piece(start: int, stop: int, shift: float = 0.0) -> dict[str, tuple[tuple[slice, ...], np.ndarray]]:
    rows = np.arange(start, stop)
    w = (rows[:, None] + np.array([0.0, 0.25, shift])).astype(np.float32)
    scores = np.where(rows[:, None] % 2 == 0, np.nan, w[:, :2]).astype(np.float32)
    region = slice(start, stop)
    return {
        "w": ((region, slice(0, 3)), w),
        "n": ((region,), rows),
        "deep/s": ((region, slice(0, 2)), scores),
    }


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    shards = Shards(tmp_path / "a.zarr")
    shards.create(LAYOUT, "one")
    for name, start, stop in (("first", 0, 4), ("second", 4, 8), ("third", 8, 10)):
        shards.write(name, piece(start, stop))
    return shards


def chunk(shards: Shards, name: str) -> Path:
    return max(
        (
            file
            for file in (shards.place.path / name).rglob("*")
            if file.is_file() and file.name != "zarr.json"
        ),
        key=str,
    )


def test_what_is_written_is_read(shards: Shards) -> None:
    assert np.array_equal(shards.read("n"), np.arange(10))
    assert np.array_equal(shards.read("w")[:, 1], np.arange(10) + 0.25)
    assert np.array_equal(np.isnan(shards.read("deep/s")[:, 0]), np.arange(10) % 2 == 0)
    assert shards.whole(["first", "second", "third"]) == {"first", "second", "third"}
    assert not shards.whole(["fourth"])


def test_floats_begin_as_nan(tmp_path: Path) -> None:
    shards = Shards(tmp_path / "a.zarr")
    shards.create(LAYOUT)
    shards.write("second", piece(4, 8))
    assert np.isnan(shards.read("w")[[0, 3, 8, 9]]).all()
    assert np.array_equal(shards.read("n")[4:8], [4, 5, 6, 7])


def test_nan_of_either_sign_is_the_same(shards: Shards) -> None:
    arrays = piece(0, 4)
    region, values = arrays["deep/s"]
    arrays["deep/s"] = (region, np.copysign(values, -1.0))
    assert np.signbit(arrays["deep/s"][1][0]).all()
    shards.write("first", arrays)
    assert shards.whole(["first"])


@pytest.mark.parametrize("name", ["w", "n", "deep/s"])
def test_a_changed_byte_is_noticed(shards: Shards, name: str) -> None:
    file = chunk(shards, name)
    content = bytearray(file.read_bytes())
    for place in range(len(content)):
        content[place] ^= 0x01
        file.write_bytes(bytes(content))
        assert not shards.whole(["third"])
        content[place] ^= 0x01
    file.write_bytes(bytes(content))
    assert shards.whole(["third"])
    file.write_bytes(bytes(content[: len(content) // 2]))
    assert not shards.whole(["third"])
    file.unlink()
    assert not shards.whole(["third"])
    assert shards.whole(["first"])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"w": 3}', '{"missing": [[[0, 4]], 1]}'])
def test_a_damaged_mark_does_not_count(shards: Shards, content: str) -> None:
    (shards.place.path / "done" / "first.json").write_text(content, encoding="utf-8")
    assert not shards.whole(["first"])


def test_a_piece_written_twice_is_the_later_one(shards: Shards) -> None:
    shards.write("first", piece(0, 4, shift=9.0))
    assert shards.whole(["first"])
    assert np.array_equal(shards.read("w")[:4, 2], np.arange(4) + 9.0)


def test_creating_arrays_again_keeps_their_data_unless_the_key_differs(shards: Shards) -> None:
    shards.create(LAYOUT, "one")
    assert shards.whole(["first"])
    shards.create(LAYOUT, "two")
    assert not shards.whole(["first"])
    assert np.isnan(shards.read("w")).all()


def test_arrays_without_a_stamp_are_not_trusted(shards: Shards) -> None:
    # Removing stale arrays may have been interrupted after the stamp was gone.
    (shards.place.path / "done" / "stamp").unlink()
    shards.create(LAYOUT, "two")
    assert not shards.whole(["first"])


def test_what_cannot_be_read_is_an_error_in_words(shards: Shards) -> None:
    with pytest.raises(RunError, match=r"a.zarr/missing cannot be read"):
        shards.read("missing")
    chunk(shards, "w").write_bytes(b"\x00")
    with pytest.raises(RunError, match=r"run the stage that writes it again"):
        shards.read("w")


def test_arrays_that_cannot_be_made_are_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(GanstrataError, match=r"cannot write"):
        Shards(tmp_path / "file" / "a.zarr").create(LAYOUT)


def test_a_folder_in_place_of_a_chunk_is_named(shards: Shards) -> None:
    file = chunk(shards, "w")
    file.unlink()
    (file / "mine").mkdir(parents=True)
    with pytest.raises(GanstrataError, match=r"cannot write .*a\.zarr.*: Is a directory"):
        shards.write("third", piece(8, 10))
    assert (file / "mine").is_dir()


def test_regions_and_blocks_are_parts_of_the_whole(shards: Shards) -> None:
    whole = shards.read("w")
    assert shards.shape("w") == (10, 3)
    assert np.array_equal(shards.read("w", (slice(3, 9), 1)), whole[3:9, 1])
    blocks = list(shards.blocks("w", 3))
    assert [start for start, _ in blocks] == [0, 3, 6, 9]
    assert np.array_equal(np.concatenate([block for _, block in blocks]), whole)


def test_a_damaged_region_alone_is_refused(shards: Shards) -> None:
    file = chunk(shards, "w")  # the last rows
    file.write_bytes(file.read_bytes()[:-1])
    assert np.isfinite(shards.read("w", (slice(0, 8),))).all()
    with pytest.raises(RunError, match="w cannot be read"):
        list(shards.blocks("w", 5))


def test_a_region_that_covers_part_of_a_shard_is_refused(shards: Shards) -> None:
    before = shards.read("w")
    for start, stop in ((0, 3), (2, 4), (8, 9), (4, 4)):
        with pytest.raises(ValueError, match="covers part of a shard"):
            shards.write("part", piece(start, stop))
    assert np.array_equal(shards.read("w"), before)
    assert not shards.whole(["part"])


@pytest.mark.parametrize("name", ["w", "n", "deep/s"])
def test_a_shard_is_one_file_whatever_is_in_it(name: str, tmp_path: Path) -> None:
    shards = Shards(tmp_path / "a.zarr")
    shards.create(LAYOUT)
    empty = {at: (region, values * 0) for at, (region, values) in piece(0, 4).items()}
    empty["w"] = (empty["w"][0], np.full((4, 3), np.nan, np.float32))
    shards.write("first", empty)
    shards.write("second", piece(4, 8))
    assert [file.suffix for file in (shards.place.path / name / "c").rglob("*") if file.is_file()] == ["", ""]
    assert shards.whole(["first", "second", "third"]) == {"first", "second"}


def test_a_discarded_shard_leaves_nothing(shards: Shards) -> None:
    shards.discard(["second", "missing"])
    assert shards.whole(["first", "second", "third"]) == {"first", "third"}
    assert np.isnan(shards.read("w")[4:8]).all()
    assert not (shards.place.path / "done" / "second.json").exists()
    assert len(list((shards.place.path / "w" / "c").rglob("0"))) > 1  # its own folder and the columns


def test_marks_of_early_versions_count_as_long_as_the_values_match(shards: Shards) -> None:
    values, rows = shards.read("w")[:4], shards.read("n")[:4]
    line = json.dumps(
        {"w": [[[0, 4], [0, 3]], zlib.crc32(values.tobytes())], "n": [[[0, 4]], zlib.crc32(rows.tobytes())]}
    )
    mark = shards.place.path / "done" / "first.json"
    mark.write_text(f"{line}\n{zlib.crc32(line.encode()):08x}\n", encoding="utf-8")
    assert shards.whole(["first"])
    (shards.place.path / "w" / "c" / "0" / "0").write_bytes(b"torn")
    assert not shards.whole(["first"])
    other = line.replace('"w"', '"deep"')
    mark.write_text(f"{other}\n{zlib.crc32(other.encode()):08x}\n", encoding="utf-8")
    assert not shards.whole(["first"])


def test_a_mark_that_has_lost_a_file_is_damaged_though_it_can_be_read() -> None:
    whole = mark_text({"w/c/0": Written(3, 7), "w/c/1": Written(3, 8)})
    cut = mark_text({"w/c/0": Written(3, 7)})
    assert read_mark(whole) is not None
    assert read_mark(cut.split(b"\n")[0] + b"\n" + whole.split(b"\n")[1] + b"\n") is None
    assert read_mark(whole.replace(b"8", b"9", 1)) is None


@pytest.mark.parametrize("number", PASSING)
def test_what_cannot_be_read_now_counts_neither_as_missing_nor_as_damaged(
    number: int, shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else hours of work would be removed, and done again, because too many files are open."""

    def refuse(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(GanstrataError, match=r"cannot read .*first\.json: .*It is kept as it is"):
        shards.whole(["first"])
    monkeypatch.setattr(disk, "open_file", refuse)
    file = shards.place.path / "done" / "first.json"
    with pytest.raises(GanstrataError, match=r"cannot read .*first\.json: .*It is kept as it is"):
        content_hash(file)


def test_a_machine_without_threads_has_damaged_nothing(
    shards: Shards, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("zarr.open_group", refuse)
    with pytest.raises(
        GanstrataError, match=r"a\.zarr/w cannot be read: no more threads.*kept as it is"
    ) as error:
        shards.read("w")
    assert "run the stage" not in str(error.value)


def test_a_folder_that_was_renamed_meanwhile_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shards = Shards(tmp_path / "run" / "a.zarr")
    shards.create(LAYOUT, "one")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"run is not there any more: it was removed or renamed"):
        shards.read("w")
