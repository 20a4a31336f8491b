"""Hold pictures that the generator did not make, for the in-domain part of an encoder's training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import UserError
from ...messages import quantity, visible
from ...plugins.generator import Generator
from ...storage.paths import user_path
from ..photographs import Frame, find_pictures, read_files

MOST_HELD_OUT = 200
LARGEST = 2**31  # bytes of the pictures of a folder
CHUNK = 1024  # pictures that are hashed at once


@dataclass(frozen=True)
class RealPictures:
    """Hold pictures by number.

    Attributes:
        count: how many there are.
        read: returns pictures (N, 3, H, W) in [0, 1], of the generator's size, by their numbers.
    """

    count: int
    read: Callable[[NDArray[np.int64]], Tensor]

    def draw(self, n: int, seed: int, position: int) -> Tensor:
        """Return n pictures (n, 3, H, W), drawn by seed and position of the training, with repetition."""
        chosen = np.random.default_rng((seed, position)).integers(0, self.count, n)
        return self.read(chosen)


@dataclass(frozen=True)
class Found:
    """Hold the pictures of a folder or a file.

    Attributes:
        learnt: pictures to learn from.
        held_out: others, to measure with.
        words: where they are from, for cards.
        digest: SHA-256 of their content.
    """

    learnt: RealPictures
    held_out: RealPictures
    words: str
    digest: str


def read_real(source: Path | str | NDArray[np.uint8], generator: Generator, crop: str = "centre") -> Found:
    """Read pictures that the generator did not make; a tenth of them, at most 200, is held out.

    Args:
        source: a folder of pictures in any format, a file .npy of pictures (M, H, W, 3) of 8 bits, or such an
            array, whose pictures have the generator's size.
        generator: gives the size.
        crop: how pictures of a folder are fitted to it; see `ganstrata.read_pictures`.

    Raises:
        UserError: there is no such folder or file, it holds something else, or fewer than 2 pictures, or more
            than fit in memory.
        DataError: a picture is damaged.
    """
    card = generator.card
    if isinstance(source, np.ndarray):
        images, words = source, "an array"
    else:
        path = user_path(source)
        words = path.name
        images = _folder(path, generator, crop) if path.is_dir() else _array(path)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (card.height, card.width, 3):
        raise UserError(
            f"{words} holds {images.dtype} of shape {images.shape}; pictures of 8 bits (uint8) of shape "
            f"(number, {card.height}, {card.width}, 3), the size of the generator's, were expected"
        )
    if len(images) < 2:
        raise UserError(
            f"{words} holds {quantity(len(images), 'picture')}; at least 2 are needed, one to learn from and "
            "one to measure with"
        )
    held_out = min(MOST_HELD_OUT, max(1, len(images) // 10))
    digest = hashlib.sha256()
    for start in range(0, len(images), CHUNK):
        digest.update(np.ascontiguousarray(images[start : start + CHUNK]).data)
    # Frames of a film lie side by side: every so many pictures one is held out, not the first ones.
    order = np.arange(len(images))
    chosen = (order[:held_out] * len(images)) // held_out
    rest = np.setdiff1d(order, chosen)
    return Found(of_array(images, rest), of_array(images, chosen), words, digest.hexdigest())


def _folder(path: Path, generator: Generator, crop: str) -> NDArray[np.uint8]:
    """Return the pictures of a folder (M, H, W, 3)."""
    card = generator.card
    found = find_pictures([path])
    size = len(found.files) * card.height * card.width * 3
    if size > LARGEST:
        raise UserError(
            f"{path} has {len(found.files)} pictures, which take {size / 2**30:.1f} GiB; at most "
            f"{LARGEST / 2**30:g} GiB are held in memory. Give fewer, or a file .npy, which is read in parts"
        )
    frame = Frame.of(generator, crop)
    images = np.empty((len(found.files), card.height, card.width, 3), dtype=np.uint8)
    for i, file in enumerate(found.files):
        picture = read_files([file], frame).images[0]  # (3, H, W)
        images[i] = (picture.clamp(0.0, 1.0) * 255.0).round().byte().permute(1, 2, 0).numpy()
    return images


def _array(path: Path) -> NDArray[np.uint8]:
    """Return the pictures of a file .npy, memory-mapped.

    Raises:
        UserError: it is missing, or something else.
    """
    if not path.is_file():
        raise UserError(f"there is no folder or file {path}; give a folder of pictures, or a file .npy")
    try:
        images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} cannot be read as an array of pictures ({visible(str(error))}); give a folder of "
            "pictures, or a file .npy"
        ) from None
    if not isinstance(images, np.ndarray):
        raise UserError(f"{path} holds several arrays; give a file .npy, which holds one")
    return images


def of_array(images: NDArray[np.uint8], numbers: NDArray[np.int64] | None = None) -> RealPictures:
    """Return pictures of an array (M, H, W, 3) of 8 bits, which may be memory-mapped.

    Args:
        images: the array.
        numbers: which of them; None for all.
    """
    chosen = np.arange(len(images)) if numbers is None else numbers

    def read(places: NDArray[np.int64]) -> Tensor:
        found = np.ascontiguousarray(images[chosen[places]])
        return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 255.0

    return RealPictures(len(chosen), read)
