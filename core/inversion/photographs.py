"""Read pictures as people have them, fitted to a generator: any size, format, colours and orientation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import DataError, UserError
from ..messages import listed, shown, visible
from ..plugins.colours import is_colour
from ..plugins.generator import Generator
from ..storage.disk import read_bytes
from ..storage.paths import user_path, why_no_file
from .colour_modes import to_rgb
from .decoding import MOST, decode
from .filling import filled
from .fit import CropRule, Fit, cropped, fitted, parse_rule, resized

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".tif", ".tiff", ".bmp",
    ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".jxl",
)  # fmt: skip
"""Ends of file names that are read in a folder."""
WHITE = "#ffffff"


@dataclass(frozen=True)
class PictureFile:
    """Represent a file to be read.

    Attributes:
        path: where it is.
        name: its name without the end, unique among all that were given, also where case does not count.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class FoundPictures:
    """Hold the files of a list of files and folders, in order.

    Attributes:
        files: one per picture.
        notes: what was left out, in words.
    """

    files: tuple[PictureFile, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """Set to what pictures are fitted.

    Attributes:
        height, width: in pixels.
        rule: how they are cropped.
        background: colour "#rrggbb" behind transparent pixels.

    Raises:
        UserError: there are no pixels, or no such colour.
    """

    height: int
    width: int
    rule: CropRule
    background: str = WHITE

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise UserError(
                f"size is {self.height} x {self.width} (height x width); at least 1 x 1 was expected"
            )
        if not is_colour(self.background):
            raise UserError(f"background is {shown(self.background)}; a colour such as #ffffff was expected")

    @classmethod
    def of(cls, generator: Generator, crop: str = "centre", background: str | None = None) -> Frame:
        """Return the frame of a generator's pictures, with its own background by default.

        Raises:
            DataError: the rule does not exist.
        """
        card = generator.card
        return cls(card.height, card.width, parse_rule(crop), background or card.background)


@dataclass(frozen=True)
class PictureRecord:
    """Represent where a picture came from and what was done to it.

    Attributes:
        name: unique name.
        file: path as given.
        sha256: of the file.
        width, height: in pixels, upright.
        format, mode: as stored, such as JPEG and RGB.
        fit: how it was cropped and resized.
        notes: what was done besides, for the user.
    """

    name: str
    file: str
    sha256: str
    width: int
    height: int
    format: str
    mode: str
    fit: Fit
    notes: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Return the record as plain data, with the fit in numbers and in words."""
        return {**asdict(self), "fit": {**asdict(self.fit), "words": self.fit.words}}


@dataclass(frozen=True)
class Pictures:
    """Hold pictures that were read.

    Attributes:
        images: (N, 3, H, W) in [0, 1], RGB.
        known: which pixels show something of the picture, (N, 1, H, W), 1 or 0; None if the rule makes no
            margins. What is unknown is filled smoothly in `images`.
        records: one per picture.
        notes: files that were left out.
    """

    images: Tensor
    known: Tensor | None
    records: tuple[PictureRecord, ...]
    notes: tuple[str, ...] = ()


def read_pictures(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    generator: Generator | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    crop: str = "centre",
    background: str | None = None,
) -> Pictures:
    """Read picture files, or all pictures of a folder, fitted to the size of a generator's pictures.

    They are turned upright by EXIF, converted to sRGB by their colour profile, put on the background where
    they are transparent, cropped by the rule, and resized with antialiasing. Of several frames the first is
    read. What was done to each stands in its record.

    Args:
        paths: files and folders; those of a folder are read in the order of their names.
        generator: its size and background are used.
        size: side, or height and width, in pixels, in place of a generator.
        crop: `centre`, `whole`, `pad`, or `LEFT,TOP,WIDTH,HEIGHT` in pixels of the picture.
        background: colour "#rrggbb" behind transparent pixels; default: that of the generator, or white.

    Raises:
        DataError: a file is missing, is not a picture, or is damaged; a folder has no pictures; the rule does
            not exist or does not fit a picture.
        UserError: neither a generator nor a size was given, or both.
    """
    if (generator is None) == (size is None):
        raise UserError(
            "read_pictures needs the generator whose pictures the others should match, or `size` in pixels: "
            "one of them, not both"
        )
    if generator is not None:
        frame = Frame.of(generator, crop, background)
    else:
        height, width = size if isinstance(size, tuple) else (size or 0, size or 0)
        frame = Frame(height, width, parse_rule(crop), background or WHITE)
    found = find_pictures([paths] if isinstance(paths, str | os.PathLike) else paths)
    return read_files(found.files, frame, notes=found.notes)


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> FoundPictures:
    """Return the files of a list of files and folders. None of them is opened.

    In a folder, files whose names end as pictures' do are taken, in the order of their names; hidden ones and
    folders inside are not. A file that was met before, also by another path or link, is not taken again.

    Raises:
        DataError: nothing was given, a path does not exist, or a folder has no pictures.
    """
    files: list[PictureFile] = []
    notes: list[str] = []
    met: set[Path] = set()
    names: set[str] = set()
    repeated = []
    for given in paths:
        path = user_path(os.fspath(given))
        for file in _in_folder(path, notes) if path.is_dir() else [path]:
            place = _resolved(file)
            if place in met:
                repeated.append(str(file))
                continue
            met.add(place)
            files.append(PictureFile(file, _unique(visible(file.stem), names)))
    if not files:
        raise DataError("no picture was given; give picture files, or a folder of them")
    if repeated:
        notes.append(f"given more than once, and read once: {listed(repeated)}")
    return FoundPictures(tuple(files), tuple(notes))


def read_files(files: Sequence[PictureFile], frame: Frame, *, notes: tuple[str, ...] = ()) -> Pictures:
    """Read picture files that were found, fitted to a frame.

    Raises:
        DataError: a file cannot be read, is not a picture, is damaged, or the rule does not fit it.
    """
    images, masks, records = [], [], []
    for file in files:
        image, shows, record = read_file(file, frame)
        images.append(image)
        masks.append(shows)
        records.append(record)
    pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()  # (N, 3, H, W)
    if not frame.rule.pads:
        return Pictures(pictures, None, tuple(records), notes)
    # Also where no picture has a margin, so that a picture is treated the same in every batch.
    known = torch.from_numpy(np.stack(masks)[:, None].astype(np.float32))  # (N, 1, H, W)
    return Pictures(filled(pictures, known), known, tuple(records), notes)


def read_file(
    file: PictureFile, frame: Frame
) -> tuple[NDArray[np.float32], NDArray[np.bool_], PictureRecord]:
    """Read one picture.

    Returns:
        The picture (H, W, 3) in [0, 1], which pixels show something of it (H, W), and its record.

    Raises:
        DataError: it cannot be read, is not a picture, is damaged, or the rule does not fit it.
    """
    return read_content(_content(file.path), file, frame)


def read_content(
    content: bytes, file: PictureFile, frame: Frame, most: int = MOST
) -> tuple[NDArray[np.float32], NDArray[np.bool_], PictureRecord]:
    """Read the content of a picture file, as `read_file` does; `most` pixels are decoded at most."""
    decoded = decode(content, file.path, most)
    width, height = decoded.image.size
    picture, known, fit, done = fitted_picture(decoded.image, frame, visible(str(file.path)))
    notes = (*decoded.notes, *done)
    digest = hashlib.sha256(content).hexdigest()
    record = PictureRecord(
        file.name, str(file.path), digest, width, height, decoded.format, decoded.mode, fit, notes
    )
    return picture, known, record


def fitted_picture(
    image: Image.Image, frame: Frame, name: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Fit, tuple[str, ...]]:
    """Fit an upright image of any colour mode to a frame.

    Args:
        image: the image.
        frame: size, rule and background.
        name: of the picture, for messages.

    Returns:
        The picture (H, W, 3) in [0, 1], which pixels show something of it (H, W), how it was fitted, and what
        was done to it, in words.

    Raises:
        DataError: the rule does not fit it, or its colours cannot be converted.
    """
    try:
        fit = fitted(*image.size, frame.rule, frame.width, frame.height)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    image, colour_notes = to_rgb(cropped(image, fit), frame.background, name)
    left, top, across, down = fit.placed
    picture = np.zeros((frame.height, frame.width, 3), dtype=np.float32)
    known = np.zeros((frame.height, frame.width), dtype=bool)
    picture[top : top + down, left : left + across] = _values(resized(image, fit))
    known[top : top + down, left : left + across] = True
    return picture, known, fit, (*colour_notes, *fit.notes)


def _content(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: it cannot be read.
    """
    name = visible(str(path))
    try:
        return read_bytes(path)
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from None
    except UserError:
        raise DataError(
            f"{name} is larger than 1 GiB, which is too large for a picture; scale it down"
        ) from None


def _in_folder(folder: Path, notes: list[str]) -> list[Path]:
    """Return the pictures of a folder by their names.

    Raises:
        DataError: it cannot be listed, or has none.
    """
    name = visible(str(folder))
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{name} cannot be listed: {error.strerror or error}") from None
    pictures = [entry for entry in entries if entry.suffix.lower() in SUFFIXES and not entry.is_dir()]
    others = [entry.name for entry in entries if entry not in set(pictures)]
    if not pictures:
        inside = f"only {listed(others, 3)}" if others else "nothing"
        raise DataError(
            f"folder {name} has no pictures in it (files that end in .png, .jpg, .webp, .tif ...), {inside}; "
            "folders inside it are not searched"
        )
    if others:
        notes.append(f"left out of {name}, as no pictures by their names: {listed(others)}")
    return pictures


def _resolved(path: Path) -> Path:
    """Return the file at the end of all links.

    Raises:
        DataError: there is none.
    """
    name = visible(str(path))
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError is of links in a circle, before Python 3.13
        if path.is_symlink():
            raise DataError(
                f"{name} is a link to {visible(os.readlink(path))}, which does not exist or leads back to it"
            ) from None
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise DataError(f"{name} cannot be read: {error.strerror or error}") from None
        looked = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
        raise DataError(f"{name}: {why_no_file(path)}, and no folder{looked}") from None


def _unique(stem: str, names: set[str]) -> str:
    """Return a name with a number if it occurred before, also in other case, and remember it."""
    name, number = stem, 1
    while name.casefold() in names:
        number += 1
        name = f"{stem}_{number}"
    names.add(name.casefold())
    return name


def _values(image: Image.Image) -> NDArray[np.float32]:
    """Return an image of mode RGB or F as (H, W, 3) in [0, 1]."""
    values: NDArray[np.float32] = np.asarray(image, dtype=np.float32)
    if image.mode == "F":
        return values.clip(0.0, 1.0)[..., None].repeat(3, axis=2)
    return values / np.float32(255.0)
