"""Files that are no pictures, lie about themselves or are damaged: each is a clear error."""

from __future__ import annotations

import os
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from ganstrata import DataError, UserError, read_pictures
from ganstrata.core.inversion.decoding import decode
from hostile_pictures import FORMATS, colours, damaged, encoded, png
from PIL import Image, ImageFile


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", r"a\.png is empty \(0 bytes\)"),
        ("a.png", b"hello", "is not a picture: PNG, JPEG,"),
        ("a.png", b"\0" * 1000, "is not a picture"),
        ("a.jpg", b"<!DOCTYPE html><html>", "is a web page"),
        ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is HEIC.*convert it to JPEG or PNG"),
        ("a.heic", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "is HEIC"),
        ("a.avif", b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        ("a.jpg", b"\0\0\0\x18ftypisom\0\0\0\0", "is a video"),
        ("a.png", b'<?xml version="1.0"?><svg width="4"></svg>', "is SVG.*export it as PNG"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is PostScript, which is a program"),
        ("a.jpg", b"%PDF-1.7", "is a PDF"),
        ("a.png", b"8BPS\0\1", "is a Photoshop document"),
        ("a.zip", b"PK\x03\x04", "is a ZIP archive; unpack it"),
        ("a.nef", encoded("TIFF"), "camera's raw file"),
        ("a.png", png(100_000, 100_000), "more pixels than the 134217728"),
        ("a.png", png(12_000, 12_000), "claims 12000 x 12000 pixels, more than"),
        ("a.png", png(2**31 - 1, 2**31 - 1), "more pixels than"),
        ("a.png", png(0, 5), "damaged or incomplete"),
        ("a.png", png(100, 100), "is incomplete and cannot be decoded"),
        ("a.png", png(4, 4, (b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 10**8))), "cannot be decoded"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_named_with_a_way_out(name: str, content: bytes, message: str, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_pictures(path, size=8)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.7])
def test_a_truncated_file_is_refused(
    kind: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also where a plugin has told Pillow to fill what is missing, as many do for their own files."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    content = encoded(kind)
    path = tmp_path / "cut.bin"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut\.bin (is incomplete|is damaged|begins as|is not a picture)"):
        read_pictures(path, size=8)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(value: float, tmp_path: Path):
    values = np.full((4, 4), 0.5, np.float32)
    values[1, 2] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif has pixels that are not finite numbers"):
        read_pictures(tmp_path / "a.tif", size=8)


def test_damaged_metadata_do_not_lose_the_picture(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG", icc_profile=b"nonsense" * 10))
    pictures = read_pictures(path, size=(40, 60))
    assert np.array_equal(np.round(pictures.images[0].permute(1, 2, 0).numpy() * 255), colours())
    assert pictures.records[0].notes == ("its colour profile cannot be read and was left out",)
    path.write_bytes(encoded("JPEG", exif=b"Exif\0\0garbage"))
    assert len(read_pictures(path, size=8).records) == 1


def test_one_bad_picture_of_many_is_named(tmp_path: Path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(encoded("PNG"))
    (tmp_path / "b.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"b\.png is not a picture"):
        read_pictures(tmp_path, size=8)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(2**30 + 1)  # a hole, which takes no space on the disk
    with pytest.raises(DataError, match=r"large\.png is larger than 1 GiB"):
        read_pictures(path, size=8)


def test_folders_without_pictures_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no pictures in it .*nothing; folders inside it"):
        read_pictures(tmp_path, size=8)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"only notes\.txt"):
        read_pictures(tmp_path, size=8)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes and links are those of POSIX")
def test_what_is_no_file_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    for name, message in {
        "pipe.png": "is a named pipe",
        "dangling.png": r"is a link to nowhere\.png, which does not exist",
        "loop.png": "leads back to it",
        "none.png": "there is no such file",
        "a.png/b.png": "there is no such file",
    }.items():
        with pytest.raises(DataError, match=message):
            read_pictures(tmp_path / name, size=8)
    with pytest.raises(DataError, match="no picture was given"):
        read_pictures([], size=8)
    with pytest.raises(UserError, match="an empty path"):
        read_pictures("", size=8)


def _tried(numbers: range) -> int:
    """Decode damaged files; return how many could be read all the same."""
    read = 0
    for number in numbers:
        kind, content = damaged(np.random.default_rng([7, number]))
        with suppress(DataError):
            image = decode(content, Path(f"{kind}.{number}")).image
            read += 1
            assert image.width * image.height <= 2**27
    return read


def test_damaged_files_are_read_or_refused_in_words():
    assert 5 < _tried(range(150)) < 145


@pytest.mark.full
def test_many_damaged_files_are_read_or_refused_in_words():
    _tried(range(150, 5000))


def test_whoever_decodes_may_set_a_lower_limit_of_pixels() -> None:
    content = encoded("PNG")
    assert decode(content, Path("a.png"), most=60 * 40).image.size == (60, 40)
    with pytest.raises(DataError, match="claims 60 x 40 pixels, more than the 2399 that are decoded"):
        decode(content, Path("a.png"), most=60 * 40 - 1)
