"""Read pictures from files, folders and arrays, with their masks, as targets of an inversion."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import UserError
from ..figures.pictures import to_image
from ..messages import quantity, shown, visible
from ..plugins.generator import Generator
from ..storage.paths import user_path
from .decoding import MOST
from .filling import filled
from .fit import Fit, fitted
from .masks import Size, fitted_mask, read_mask, remarks_on
from .photographs import (
    Frame,
    PictureFile,
    PictureRecord,
    Pictures,
    find_pictures,
    fitted_picture,
    read_content,
    read_file,
)
from .target import Target, file_stems

Picture: TypeAlias = "str | os.PathLike[str] | NDArray[Any] | Tensor"


class _FittedPicture(NamedTuple):
    """Hold one picture before it gets its name and its mask."""

    stem: str
    source: str
    sha256: str
    picture: Tensor  # (3, H, W)
    known: Tensor | None  # (1, H, W)
    size: Size
    fit: Fit
    facts: dict[str, Any]
    notes: tuple[str, ...]


class Targets(NamedTuple):
    """Hold the targets of an inversion, and notes on the whole."""

    targets: tuple[Target, ...]
    notes: tuple[str, ...]


def read_targets(
    pictures: Picture | Sequence[Picture] | Pictures,
    generator: Generator,
    *,
    crop: str = "centre",
    masks: Picture | Sequence[Picture] | None = None,
    resize_mask: bool = False,
    size: tuple[int, int] | None = None,
) -> Targets:
    """Read pictures, fitted to the generator; unknown pixels are filled smoothly.

    Args:
        pictures: files, folders, arrays (H, W) or (H, W, C) of uint8, or arrays and tensors of floats in
            [0, 1] that have the generator's size already: (3, H, W) or (N, 3, H, W); or what `read_pictures`
            returned.
        generator: gives the size, and the background of transparent pixels.
        crop: rule by which they are fitted.
        masks: of known pixels: none, one for all, or one for each; of the size of their pictures.
        resize_mask: whether masks of another size are resized.
        size: height and width to which they are fitted in place of the generator's.

    Raises:
        DataError: a file is not a picture, or damaged, or the rule does not fit it.
        UserError: an array is not a picture, or a mask does not fit.
    """
    frame = Frame.of(generator, crop)
    if size is not None:
        frame = replace(frame, height=size[0], width=size[1])
    if isinstance(pictures, Pictures):
        every, notes = _read_before(pictures, frame), pictures.notes
    else:
        every, notes = _all(_as_list(pictures), frame)
    chosen = [_mask(one) for one in _as_list(masks)] if masks is not None else []
    if len(chosen) not in (0, 1, len(every)):
        raise UserError(
            f"{quantity(len(chosen), 'mask')} for {quantity(len(every), 'picture')}: give one mask for all, "
            "or one for each, in their order"
        )
    targets = []
    for i, (one, name) in enumerate(zip(every, file_stems([one.stem for one in every]), strict=True)):
        known = one.known
        if chosen:
            mask, words = chosen[i if len(chosen) > 1 else 0]
            fitting = fitted_mask(mask, words, one.size, one.fit, resize=resize_mask)
            known = fitting if known is None else known * fitting
            one = one._replace(notes=(*one.notes, *remarks_on(mask, words)))
        targets.append(_target(one, name, known))
    return Targets(tuple(targets), notes)


def target_from_bytes(
    content: bytes, name: str, generator: Generator, *, crop: str, most: int = MOST
) -> Target:
    """Read the content of a picture file that lies nowhere, such as one that was sent.

    Args:
        content: of the file.
        name: its name, which is not looked up.
        generator: gives the size, and the background of transparent pixels.
        crop: rule by which it is fitted.
        most: pixels that are decoded, at most MOST.

    Raises:
        DataError: it is not a picture, or damaged, or has too many pixels, or the rule does not fit it.
    """
    frame, path = Frame.of(generator, crop), Path(name)
    pixels, known, record = read_content(content, PictureFile(path, path.stem), frame, most)
    mask = torch.from_numpy(known.astype(np.float32))[None] if frame.rule.pads else None
    one = _of_file(torch.from_numpy(pixels).movedim(-1, 0).contiguous(), mask, record)
    return _target(one, file_stems([one.stem])[0], one.known)


def _target(one: _FittedPicture, name: str, known: Tensor | None) -> Target:
    """Return a picture with its name and its mask (1, H, W), where it has one; unknown pixels are filled."""
    picture = one.picture if known is None else filled(one.picture[None], known[None])[0]
    return Target(name, one.source, one.sha256, picture, picture, known, facts=one.facts, notes=one.notes)


def _as_list(pictures: Picture | Sequence[Picture]) -> list[Picture]:
    """Return pictures one by one; a batch of tensors or arrays of floats is taken apart."""
    if isinstance(pictures, str | os.PathLike):
        return [pictures]
    if isinstance(pictures, np.ndarray | Tensor):
        return list(pictures) if pictures.ndim == 4 else [pictures]
    return [one for several in pictures for one in _as_list(several)]


def _all(pictures: Sequence[Picture], frame: Frame) -> tuple[list[_FittedPicture], tuple[str, ...]]:
    """Return all pictures; neighbouring paths are looked up together, so that none is taken twice."""
    every: list[_FittedPicture] = []
    notes: list[str] = []
    paths = [one for one in pictures if isinstance(one, str | os.PathLike)]
    if len(paths) == len(pictures):
        found = find_pictures(paths)
        notes += found.notes
        for file in found.files:
            pixels, known, record = read_file(file, frame)
            mask = torch.from_numpy(known.astype(np.float32))[None] if frame.rule.pads else None
            every.append(_of_file(torch.from_numpy(pixels).movedim(-1, 0).contiguous(), mask, record))
        return every, tuple(notes)
    if paths:
        raise UserError("give files or arrays, not both at once")
    return [_of_array(one, i, frame) for i, one in enumerate(pictures, start=1)], ()


def _read_before(pictures: Pictures, frame: Frame) -> list[_FittedPicture]:
    """Return what `read_pictures` returned, one by one.

    Raises:
        UserError: the pictures have another size than those of the generator.
    """
    wanted = (3, frame.height, frame.width)
    if tuple(pictures.images.shape[1:]) != wanted:
        raise UserError(
            f"the pictures were read with the shape {tuple(pictures.images.shape[1:])}, and the generator's "
            f"have {wanted}; give the generator to read_pictures"
        )
    masks = [None] * len(pictures.images) if pictures.known is None else list(pictures.known)
    return [
        _of_file(image, known, record)
        for image, known, record in zip(pictures.images, masks, pictures.records, strict=True)
    ]


def _of_file(picture: Tensor, known: Tensor | None, record: PictureRecord) -> _FittedPicture:
    facts = {
        key: value
        for key, value in record.as_data().items()
        if key not in ("name", "file", "sha256", "notes")
    }
    return _FittedPicture(
        record.name,
        record.file,
        record.sha256,
        picture,
        known,
        (record.width, record.height),
        record.fit,
        facts,
        record.notes,
    )


def _of_array(array: Picture, number: int, frame: Frame) -> _FittedPicture:
    """Return an array or a tensor as a picture.

    Raises:
        UserError: it has no shape or type of a picture, or values outside [0, 1].
    """
    where = f"picture {number}"
    if isinstance(array, Tensor):
        values = array.detach().cpu()
        array = values.numpy() if not values.is_floating_point() else values.float().numpy()
    assert isinstance(array, np.ndarray)
    digest = hashlib.sha256(
        f"{array.shape} {array.dtype} ".encode() + np.ascontiguousarray(array).tobytes()
    ).hexdigest()
    source = f"array {number}"
    if array.dtype == np.uint8:
        image = _image(array, where)
        picture, known, fit, notes = fitted_picture(image, frame, where)
        tensor = torch.from_numpy(picture).movedim(-1, 0).contiguous()
        mask = torch.from_numpy(known.astype(np.float32))[None] if frame.rule.pads else None
        facts = {"width": image.width, "height": image.height, "format": "array", "mode": image.mode}
        return _FittedPicture(
            f"picture-{number}", source, digest, tensor, mask, image.size, fit, facts, notes
        )
    wanted = (3, frame.height, frame.width)
    if array.shape != wanted or array.dtype.kind != "f":
        raise UserError(
            f"{where} is {shown(array)} of {array.dtype}; floats in [0, 1] of the generator's size {wanted} "
            "are needed, or an array (height, width, 3) of uint8 of any size"
        )
    if not (np.isfinite(array).all() and array.min() >= -1e-3 and array.max() <= 1.001):
        raise UserError(f"{where} has values outside [0, 1]; divide by 255, or give it as uint8")
    tensor = torch.from_numpy(array.astype(np.float32)).clamp(0.0, 1.0)
    size = (frame.width, frame.height)
    fit = fitted(*size, frame.rule, *size)
    facts = {"width": size[0], "height": size[1], "format": "array", "mode": "floats"}
    return _FittedPicture(f"picture-{number}", source, digest, tensor, None, size, fit, facts, ())


def _image(array: NDArray[np.uint8], where: str) -> Image.Image:
    """Return an array of uint8 as an image.

    Raises:
        UserError: it has no shape of a picture.
    """
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or not array.size:
        raise UserError(
            f"{where} has shape {array.shape}; (height, width), or (height, width, channels) with 1, 3 or 4 "
            "channels is needed for uint8"
        )
    return to_image(np.ascontiguousarray(array))


def _mask(mask: Picture) -> tuple[Image.Image, str]:
    """Return a mask as an image of mode L, and its name.

    Raises:
        DataError, UserError: it cannot be read, or is not a mask.
    """
    if isinstance(mask, str | os.PathLike):
        path = user_path(os.fspath(mask))
        return read_mask(path), visible(str(path))
    array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else mask
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2:
        raise UserError(f"a mask has shape {array.shape}; (height, width) is needed")
    if array.dtype.kind in "bf":
        array = (array.astype(np.float32).clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    if array.dtype != np.uint8:
        raise UserError(f"a mask is of {array.dtype}; booleans, floats in [0, 1], or uint8 are needed")
    return Image.fromarray(array), "given as an array"
