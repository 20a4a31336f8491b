"""Pictures as people have them: formats, orientation, colours, frames, files and folders."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import DataError, UserError, read_pictures
from ganstrata.core.inversion.photographs import Frame, find_pictures
from hostile_pictures import FORMATS, colours, encoded, oriented
from PIL import Image, ImageCms

LOSSLESS = [kind for kind in FORMATS if kind not in ("JPEG", "GIF", "WEBP")]


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read_one(folder: Path, content: bytes, size=(40, 60), **options):
    pictures = read_pictures(written(folder, "a.bin", content), size=size, **options)
    (record,) = pictures.records
    return np.round(pictures.images[0].permute(1, 2, 0).numpy() * 255.0), record


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str, tmp_path: Path):
    got, record = read_one(tmp_path, encoded(kind))
    tolerance = 0 if kind in LOSSLESS else 16
    assert np.abs(got - colours()).mean() <= tolerance
    assert (record.format, record.width, record.height) == (kind, 60, 40)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_is_applied_once(kind: str, number: int, tmp_path: Path):
    stored = colours(16, 32)
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a),
    }[number]
    expected = turn(stored)
    exact = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    got, record = read_one(
        tmp_path, encoded(kind, stored, exif=oriented(number), **exact), expected.shape[:2]
    )
    assert np.abs(got - expected).max() <= (4 if kind == "JPEG" else 0)
    assert (record.height, record.width) == expected.shape[:2]
    said = (f"turned upright, as its EXIF orientation {number} says",)
    assert record.notes == (said if number > 1 else ())


def test_a_wrong_orientation_is_ignored(tmp_path: Path):
    got, record = read_one(tmp_path, encoded("PNG", exif=oriented(99)))
    assert np.array_equal(got, colours())
    assert record.notes == ()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_show_the_background(mode: str, tmp_path: Path):
    picture = np.full((4, 4, len(mode)), 100, dtype=np.uint8)
    picture[..., -1] = 255
    picture[:2, :, -1] = 0
    picture[2, :, -1] = 51
    got, record = read_one(
        tmp_path, encoded("PNG", Image.fromarray(picture, mode)), (4, 4), background="#ff0000"
    )
    assert got[0, 0].tolist() == [255, 0, 0]
    assert got[2, 0].tolist() == [224, 20, 20]
    assert got[3, 0].tolist() == [100, 100, 100]
    assert record.notes[-1] == "transparent in 70% of its area, where #ff0000 shows"


def test_an_opaque_alpha_is_not_mentioned(tmp_path: Path):
    picture = np.dstack([colours(), np.full((40, 60), 255, dtype=np.uint8)])
    got, record = read_one(tmp_path, encoded("PNG", picture))
    assert np.array_equal(got, colours())
    assert record.notes == ()


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_shows_the_background(kind: str, tmp_path: Path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    got, record = read_one(tmp_path, encoded(kind, image, transparency=0), (4, 4), background="#00ff00")
    assert got[0, 0].tolist() == [0, 255, 0]
    assert got[1, 1].tolist() == [0, 0, 255]
    assert record.notes == ("transparent in 6% of its area, where #00ff00 shows",)


def test_a_transparent_colour_of_rgb_shows_the_background(tmp_path: Path):
    image = Image.new("RGB", (4, 4), (9, 9, 9))
    image.putpixel((0, 0), (1, 2, 3))
    got, _ = read_one(tmp_path, encoded("PNG", image, transparency=(1, 2, 3)), (4, 4))
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[1, 1].tolist() == [9, 9, 9]


def test_grey_is_repeated(tmp_path: Path):
    grey = colours()[..., 0]
    got, record = read_one(tmp_path, encoded("PNG", grey))
    assert np.array_equal(got, np.repeat(grey[..., None], 3, axis=2))
    assert record.notes == ("grey",)


def test_black_and_white(tmp_path: Path):
    image = Image.fromarray(colours()[..., 0] > 127)
    got, record = read_one(tmp_path, encoded("PNG", image))
    assert set(np.unique(got)) == {0.0, 255.0}
    assert record.notes == ("grey",)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_kept(kind: str, tmp_path: Path):
    deep = (np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64)
    path = written(tmp_path, "deep.bin", encoded(kind, Image.fromarray(deep)))
    pictures = read_pictures(path, size=64)
    assert np.allclose(pictures.images[0, 0].numpy() * 65535.0, deep, atol=0.01)
    assert pictures.records[0].notes == ("more than 8 bits per pixel, kept", "grey")


def test_floats_are_read_in_their_range_and_refused_beyond(tmp_path: Path):
    ramp = np.linspace(0.0, 1.0, 64 * 64, dtype=np.float32).reshape(64, 64)
    path = written(tmp_path, "ramp.tif", encoded("TIFF", Image.fromarray(ramp)))
    assert np.allclose(read_pictures(path, size=64).images[0, 2].numpy(), ramp, atol=1e-6)
    path = written(tmp_path, "bright.tif", encoded("TIFF", Image.fromarray(ramp * 9.0)))
    with pytest.raises(DataError, match=r"bright.tif has values from 0 to 9 in mode F; 0 to 1"):
        read_pictures(path, size=64)


def test_twelve_bits_of_tiff_are_white_at_4095(tmp_path: Path):
    # Pillow reads 12 bits, but writes none: one row of two pixels, 4095 and 0, packed in three bytes.
    entries = [(256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 150), (277, 1), (278, 1), (279, 3)]
    head = b"II*\0" + (8).to_bytes(4, "little") + len(entries).to_bytes(2, "little")
    for tag, value in entries:
        head += tag.to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
        head += value.to_bytes(4, "little")
    content = (head + bytes(4)).ljust(150, b"\0") + bytes([0xFF, 0xF0, 0x00])
    path = written(tmp_path, "twelve.tif", content)
    assert read_pictures(path, size=(1, 2)).images[0, 0, 0].tolist() == [1.0, 0.0]


def test_cmyk_without_a_profile_says_so(tmp_path: Path):
    image = Image.fromarray(colours()).convert("CMYK")
    got, record = read_one(tmp_path, encoded("TIFF", image))
    assert np.abs(got - colours()).max() <= 2
    assert record.notes == ("CMYK without a usable colour profile, converted as if inks were ideal",)


def test_lab_is_converted(tmp_path: Path):
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(colours()), srgb, lab, outputMode="LAB")
    got, record = read_one(tmp_path, encoded("TIFF", image))
    assert np.abs(got - colours()).mean() < 2.0
    assert record.notes == ("CIELAB, converted to sRGB",)


def other_profile() -> bytes:
    """A profile of RGB whose colours are not those of sRGB: red and green have changed places."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(int.from_bytes(content[128:132], "big")):
        at = 132 + 12 * i
        swapped = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(bytes(content[at : at + 4]))
        if swapped:
            content[at : at + 4] = swapped
    title = content.find("sRGB".encode("utf-16-be"))
    content[title : title + 8] = "mine".encode("utf-16-be")
    return bytes(content)


def test_a_colour_profile_is_applied(tmp_path: Path):
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    picture[..., 0] = 200
    got, record = read_one(tmp_path, encoded("PNG", picture, icc_profile=other_profile()), (4, 4))
    assert np.abs(got[0, 0] - [0, 200, 0]).max() <= 3
    assert len(record.notes) == 1
    assert record.notes[0].startswith("converted to sRGB by its colour profile 'mine")


def test_pixels_of_srgb_are_not_touched(tmp_path: Path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    got, record = read_one(tmp_path, encoded("PNG", icc_profile=profile))
    assert np.array_equal(got, colours())
    assert record.notes == ()


def test_a_profile_for_other_colours_is_left_out(tmp_path: Path):
    got, record = read_one(tmp_path, encoded("PNG", colours()[..., 0], icc_profile=other_profile()))
    assert np.array_equal(got[..., 0], colours()[..., 0])
    assert record.notes[0] == "grey"
    assert record.notes[1].endswith("is for other colours and was left out")


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF"])
def test_of_several_frames_the_first_is_read(kind: str, tmp_path: Path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("#640000", "#006400", "#000064")]
    got, record = read_one(
        tmp_path, encoded(kind, frames[0], save_all=True, append_images=frames[1:]), (8, 8)
    )
    assert got[0, 0].tolist() == [100, 0, 0]
    assert record.notes == ("the first of several frames",)


def test_the_record_tells_file_hash_and_fit(tmp_path: Path):
    content = encoded("PNG", colours(40, 80))
    path = written(tmp_path, "My room.png", content)
    pictures = read_pictures(str(path), size=16, crop="pad")
    (record,) = pictures.records
    assert (record.name, record.file) == ("My room", str(path))
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    data = record.as_data()
    assert data["fit"]["box"] == (0, 0, 80, 40)
    assert data["fit"]["words"].startswith("pad: 80 x 40 px")
    assert data["mode"] == "RGB"


def test_margins_are_unknown_and_filled_from_the_picture(tmp_path: Path):
    path = written(tmp_path, "wide.png", encoded("PNG", np.full((10, 20, 3), 51, dtype=np.uint8)))
    pictures = read_pictures(path, size=16, crop="pad")
    assert pictures.known is not None
    assert pictures.known[0, 0].mean(dim=1).tolist() == [0.0] * 4 + [1.0] * 8 + [0.0] * 4
    assert torch.allclose(pictures.images, torch.tensor(0.2))


def test_a_picture_is_read_alike_in_every_batch(tmp_path: Path):
    square = written(tmp_path, "a.png", encoded("PNG", colours(32, 32)))
    wide = written(tmp_path, "b.png", encoded("PNG", colours(20, 40)))
    together = read_pictures([square, wide], size=16, crop="pad")
    alone = read_pictures(square, size=16, crop="pad")
    assert together.known is not None
    assert alone.known is not None
    assert torch.equal(together.known[:1], alone.known)
    assert torch.equal(together.images[:1], alone.images)
    assert read_pictures([square, wide], size=16).known is None


def test_pictures_of_a_generator_have_its_size_and_background(tmp_path: Path):
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    transparent = np.zeros((9, 9, 4), dtype=np.uint8)
    pictures = read_pictures(written(tmp_path, "t.png", encoded("PNG", transparent)), generator)
    assert pictures.images.shape == (1, 3, 64, 64)
    assert torch.equal(pictures.images, torch.ones(1, 3, 64, 64))
    assert Frame.of(generator).height == 64
    assert read_pictures(tmp_path / "t.png", generator, background="#000000").images.sum().item() == 0.0


def test_a_generator_wider_than_tall(tmp_path: Path):
    path = written(tmp_path, "a.png", encoded("PNG", colours(40, 60)))
    pictures = read_pictures(path, size=(16, 32))
    assert pictures.images.shape == (1, 3, 16, 32)
    assert pictures.records[0].fit.box == (0, 5, 60, 30)


def test_folders_are_read_in_order_of_names_and_what_is_left_out_is_said(tmp_path: Path):
    folder = tmp_path / "mine"
    (folder / "inside").mkdir(parents=True)
    for name in ("b.PNG", "a.png", "c.jpeg", ".hidden.png", "Thumbs.db", "inside/d.png"):
        written(folder, name, encoded("PNG"))
    found = find_pictures([folder])
    assert [file.name for file in found.files] == ["a", "b", "c"]
    assert found.notes == (f"left out of {folder}, as no pictures by their names: Thumbs.db, inside",)
    assert len(read_pictures(folder, size=8).records) == 3


def test_names_are_unique_also_where_case_does_not_count(tmp_path: Path):
    (tmp_path / "other").mkdir()
    files = [
        written(tmp_path, name, encoded("PNG"))
        for name in ("room.png", "room.jpg", "room_2.png", "other/ROOM.png")
    ]
    assert [file.name for file in find_pictures(files).files] == ["room", "room_2", "room_2_2", "ROOM_3"]


def test_the_same_file_is_read_once_also_through_links(tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    real = written(folder, "a.png", encoded("PNG"))
    (folder / "b.png").symlink_to("a.png")
    (tmp_path / "linked").symlink_to(folder)
    found = find_pictures([real, folder, tmp_path / "linked", folder / ".." / "mine" / "a.png"])
    assert [file.path for file in found.files] == [real]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("given more than once, and read once: ")
    assert read_pictures([real, folder], size=8).notes != ()


def test_a_link_to_a_picture_elsewhere_is_followed(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    written(tmp_path, "a.png", encoded("PNG"))
    (tmp_path / "mine" / "link.png").symlink_to(tmp_path / "a.png")
    assert [file.name for file in find_pictures([tmp_path / "mine"]).files] == ["link"]


def test_arguments_that_do_not_go_together_are_refused(tmp_path: Path):
    path = written(tmp_path, "a.png", encoded("PNG"))
    with pytest.raises(UserError, match="one of them, not both"):
        read_pictures(path)
    with pytest.raises(UserError, match="size is 0 x 8"):
        read_pictures(path, size=(0, 8))
    with pytest.raises(UserError, match="background is 'white'"):
        read_pictures(path, size=8, background="white")
    with pytest.raises(DataError, match=r"a\.png: crop: the box .* outside the picture"):
        read_pictures(path, size=8, crop="0,0,61,40")


def test_the_state_of_pillow_is_left_alone(tmp_path: Path):
    before = Image.MAX_IMAGE_PIXELS
    read_pictures(written(tmp_path, "a.png", encoded("PNG")), size=8)
    assert before == Image.MAX_IMAGE_PIXELS
    assert Image.open(io.BytesIO(encoded("PNG"))).size == (60, 40)
