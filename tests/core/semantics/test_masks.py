"""Masks that people paint are read as they were meant, or refused with what to do."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganstrata.core.errors import UserError
from ganstrata.core.figures.masks import class_colours
from ganstrata.core.semantics.annotation.legend import CLASSES, MOST, Legend, legend_beside, read_legend
from ganstrata.core.semantics.annotation.masks import label_png, painted_over, read_mask
from ganstrata.core.semantics.teacher import UNKNOWN
from PIL import Image

NAMES = ("wall", "window", "floor", "lamp")
LEGEND = Legend.of(NAMES)
GREY = 21  # the first class whose colour is grey: (102, 102, 102)


def _labels() -> np.ndarray:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (6, 8))
    labels[2:4, 3:6] = UNKNOWN
    return labels


def _saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, "PNG", **options)
    return path


def _rgba(labels: np.ndarray, legend: Legend = LEGEND) -> np.ndarray:
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    known = labels != UNKNOWN
    rgba[known, :3] = legend.colours[labels[known]]
    rgba[known, 3] = 255
    return rgba


def _values(labels: np.ndarray) -> np.ndarray:
    return np.where(labels == UNKNOWN, 255, labels).astype(np.uint8)


def _read(path: Path, legend: Legend = LEGEND, **options: Any) -> np.ndarray:
    return read_mask(path, legend, (6, 8), **options)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "labels.png").write_bytes(label_png(_labels(), LEGEND))
    image = Image.open(tmp_path / "labels.png")
    assert image.mode == "P"
    assert (np.asarray(image) == _values(_labels())).all()
    assert (np.asarray(image.convert("RGBA")) == _rgba(_labels())).all()
    assert (_read(tmp_path / "labels.png") == _labels()).all()


@pytest.mark.parametrize("kind", ["RGBA", "RGB", "reindexed", "L", "LA", "grey 4 bits", "16 bits", "key"])
def test_every_way_of_saving_a_mask_is_understood(tmp_path: Path, kind: str) -> None:
    labels, options = _labels(), {}
    if kind == "RGBA":
        image = Image.fromarray(_rgba(labels))
    elif kind == "RGB":  # without transparency, unknown is black
        image = Image.fromarray(_rgba(labels)[..., :3].copy())
    elif kind == "reindexed":  # as paint programs write palettes: their own order
        image = Image.fromarray(_rgba(labels)[..., :3].copy()).quantize(16)
    elif kind == "L":
        image = Image.fromarray(_values(labels))
    elif kind == "LA":
        alpha = np.where(labels == UNKNOWN, 0, 255)
        image = Image.fromarray(np.stack([labels.clip(0), alpha], axis=-1).astype(np.uint8), "LA")
    elif kind == "grey 4 bits":
        labels = labels.clip(0)
        image = Image.open(io.BytesIO(_grey(labels, 4)))
        (tmp_path / "mask.png").write_bytes(_grey(labels, 4))
        assert np.asarray(image).max() == 51  # Pillow stretches 3 to 51
        assert (_read(tmp_path / "mask.png") == labels).all()
        return
    elif kind == "16 bits":
        image = Image.fromarray(_values(labels).astype(np.uint16))
    else:  # one grey is declared transparent
        image, options = Image.fromarray(np.where(labels == UNKNOWN, 9, labels).astype(np.uint8)), {
            "transparency": 9
        }  # fmt: skip
    assert (_read(_saved(tmp_path / "mask.png", image, **options)) == labels).all()


def _grey(values: np.ndarray, bits: int) -> bytes:
    """Write grey values as a PNG of few bits, which Pillow cannot."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    height, width = values.shape
    per = 8 // bits
    rows = b""
    for row in values:
        padded = [*row.tolist(), *[0] * (-width % per)]
        rows += b"\0" + bytes(
            sum(v << bits * (per - 1 - i) for i, v in enumerate(padded[at : at + per]))
            for at in range(0, len(padded), per)
        )
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_a_transparent_grey_is_unknown_however_many_bits_it_has(tmp_path: Path, bits: int) -> None:
    labels = _labels().clip(0)
    if bits < 8:
        content = _grey(labels, bits)
    else:
        buffer = io.BytesIO()
        Image.fromarray(labels.astype(f"uint{bits}")).save(buffer, "PNG")
        content = buffer.getvalue()
    (tmp_path / "mask.png").write_bytes(content)
    assert (_read(tmp_path / "mask.png") == labels).all()
    key = struct.pack(">H", 3)
    chunk = struct.pack(">I", 2) + b"tRNS" + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    at = content.index(b"IDAT") - 4
    (tmp_path / "mask.png").write_bytes(content[:at] + chunk + content[at:])
    assert (_read(tmp_path / "mask.png") == np.where(labels == 3, UNKNOWN, labels)).all()


def test_grey_with_transparency_in_16_bits_is_refused(tmp_path: Path) -> None:
    values = np.stack([_labels().clip(0), np.full((6, 8), 65535)], axis=-1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 6, 16, 4, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    (tmp_path / "mask.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks
        )
    )
    with pytest.raises(UserError, match="grey with transparency in 16 bits; save it with 8 bits"):
        _read(tmp_path / "mask.png")


def test_a_mask_in_grey_colours_alone_is_read_by_its_colours(tmp_path: Path) -> None:
    legend = Legend.of([f"class {i}" for i in range(30)])
    assert legend.colours[GREY].tolist() == [102, 102, 102]
    image = Image.fromarray(np.full((6, 8), 102, np.uint8))
    assert (_read(_saved(tmp_path / "mask.png", image), legend) == GREY).all()


def test_edges_that_a_soft_brush_mixed_are_counted_and_explained(tmp_path: Path) -> None:
    pixels = _rgba(_labels())
    pixels[0, :3] = (*(LEGEND.colours[1] // 2 + LEGEND.colours[0] // 2), 255)
    pixels[5, 0] = (200, 80, 28, 255)
    with pytest.raises(UserError, match="4 pixels have 2 colours that are of no class") as error:
        _read(_saved(tmp_path / "mask.png", Image.fromarray(pixels)))
    assert "(3 of them)" in str(error.value)
    assert "without anti-aliasing" in str(error.value)
    pixels[0, :3] = pixels[5, 0]
    with pytest.raises(UserError, match=r"#c8501c .* to which 'wall' #cc4d1a is nearest"):
        _read(_saved(tmp_path / "mask.png", Image.fromarray(pixels)))


def test_numbers_of_a_palette_are_not_classes_where_its_colours_are_nearly_those_of_classes(
    tmp_path: Path,
) -> None:
    pixels = _rgba(_labels())[..., :3].copy()
    pixels[0, 0] = 200, 80, 28
    image = Image.fromarray(pixels).quantize(16)
    assert np.asarray(image).max() < 6
    legend = Legend.of([f"class {i}" for i in range(8)])
    with pytest.raises(UserError, match="1 pixel has 1 colour that is of no class"):
        _read(_saved(tmp_path / "mask.png", image), legend)


def test_a_palette_of_other_colours_counts_classes(tmp_path: Path) -> None:
    image = Image.fromarray(_values(_labels())).convert("P")
    image.putpalette(bytes(range(256)) * 3)
    assert (_read(_saved(tmp_path / "mask.png", image)) == _labels()).all()


def test_half_transparent_pixels_are_refused(tmp_path: Path) -> None:
    pixels = _rgba(_labels())
    pixels[1, :2, 3] = 128
    with pytest.raises(UserError, match=r"2 pixels are half transparent\. Paint with a hard brush"):
        _read(_saved(tmp_path / "mask.png", Image.fromarray(pixels)))


def test_values_that_are_no_class_are_named(tmp_path: Path) -> None:
    values = _values(_labels())
    values[0, :2] = 4, 77
    with pytest.raises(UserError, match=r"2 pixels have the value 4, 77\. .* 0 to 3, or 255"):
        _read(_saved(tmp_path / "mask.png", Image.fromarray(values)))


def test_another_size_is_refused_and_reduced_on_request(tmp_path: Path) -> None:
    labels = _labels()
    large = np.repeat(np.repeat(labels, 3, axis=0), 3, axis=1)
    path = _saved(tmp_path / "mask.png", Image.fromarray(_rgba(large)))
    with pytest.raises(UserError, match=r"is 24 x 18 pixels \(width x height\); 8 x 6 pixels"):
        _read(path)
    assert (_read(path, resize=True) == labels).all()


def test_nothing_painted_is_an_error(tmp_path: Path) -> None:
    for image in (
        Image.new("RGBA", (8, 6)),
        Image.new("RGB", (8, 6)),
        Image.new("L", (8, 6), 255),
        Image.open(io.BytesIO(label_png(np.full((6, 8), UNKNOWN), LEGEND))),
    ):
        with pytest.raises(UserError, match="nothing is painted on it"):
            _read(_saved(tmp_path / "mask.png", image))


def test_what_a_reduction_would_lose_is_an_error(tmp_path: Path) -> None:
    pixels = np.zeros((60, 80, 4), np.uint8)
    pixels[0, 0] = (*LEGEND.colours[2], 255)
    path = _saved(tmp_path / "mask.png", Image.fromarray(pixels))
    with pytest.raises(UserError, match="nothing of what is painted is left"):
        _read(path, resize=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"GIF89a" + b"\0" * 40, "is not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "is a damaged PNG"),
        (label_png(_labels(), LEGEND)[:90], "is a damaged PNG"),
        (_grey(np.zeros((6, 8), int), 8)[:40] + b"\xff" * 30, "is a damaged PNG"),
    ],
)
def test_files_that_are_no_sound_png_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(UserError, match=message):
        _read(tmp_path / "mask.png")


def test_a_bomb_is_refused_by_its_size(tmp_path: Path) -> None:
    content = bytearray(_grey(np.zeros((6, 8), int), 8))
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    (tmp_path / "mask.png").write_bytes(bytes(content))
    with pytest.raises(UserError, match="50000 x 50000"):
        _read(tmp_path / "mask.png")
    with pytest.raises(UserError, match="50000 x 50000"):
        _read(tmp_path / "mask.png", resize=True)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError, match="cannot read the mask"):
            _read(path)


def test_strokes_change_only_what_they_cover() -> None:
    labels, strokes = np.zeros((2, 2), int), np.array([[1, UNKNOWN], [UNKNOWN, 3]])
    assert painted_over(labels, strokes).tolist() == [[1, 0], [0, 3]]


def test_a_legend_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / CLASSES).write_text(LEGEND.text(), encoding="utf-8")
    read = read_legend(tmp_path / CLASSES)
    assert read.names == NAMES
    assert (read.colours == class_colours(4)).all()
    assert legend_beside(tmp_path / "strokes.png", NAMES).names == NAMES


def test_colours_of_a_changed_legend_count(tmp_path: Path) -> None:
    content = json.loads(LEGEND.text())
    content["classes"][2]["colour"] = "#FFFFFF"
    (tmp_path / CLASSES).write_text(json.dumps(content), encoding="utf-8")
    legend = legend_beside(tmp_path / "mask.png", NAMES)
    path = _saved(tmp_path / "mask.png", Image.new("RGB", (8, 6), "white"))
    assert (_read(path, legend) == 2).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("classes"), "classes: is missing"),
        (lambda c: c["classes"].clear(), "classes: must have at least 1 item"),
        (lambda c: c["classes"][1].update(name="wall"), "two classes are named wall"),
        (lambda c: c["classes"][1].update(name="a\x1bb"), "cannot be printed"),
        (lambda c: c["classes"][1].update(name="window/door"), "'window/door' holds '/'"),
        (lambda c: c["classes"][1].update(name="window,door"), "contains ','"),
        (lambda c: c["classes"][1].update(colour="#cc4d1a"), "two classes have the colour #cc4d1a"),
        (lambda c: c["classes"][1].update(colour="red"), "colour: must have the form"),
        (lambda c: c["classes"][1].update(colour="#000000"), "the colour of unknown pixels"),
        (lambda c: c["classes"][1].update({"class": 7}), "not 0 to 3, each once"),
        (lambda c: c["classes"][1].update({"class": "1"}), "class: must be an integer"),
    ],
)
def test_damaged_legends_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    content = json.loads(LEGEND.text())
    change(content)
    (tmp_path / CLASSES).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_legend(tmp_path / CLASSES)


def test_a_legend_of_other_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / CLASSES).write_text(LEGEND.text(), encoding="utf-8")
    for names, message in (
        (("wall", "window", "floor"), "lamp is not among them"),
        ((*NAMES, "bed"), "it lacks bed"),
        (NAMES[::-1], "in another order"),
    ):
        with pytest.raises(UserError, match=message):
            legend_beside(tmp_path / "mask.png", names)


def test_more_classes_than_a_mask_can_hold_are_refused() -> None:
    with pytest.raises(UserError, match="256 classes"):
        Legend.of([f"class {i}" for i in range(MOST + 1)])


def test_the_swatches_show_every_colour() -> None:
    picture = np.asarray(Image.open(io.BytesIO(LEGEND.picture())).convert("RGB")).reshape(-1, 3)
    for colour in LEGEND.colours:
        assert (picture == colour).all(axis=1).sum() > 300
