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
from ...storage.paths import user_path

MOST_HELD_OUT = 200


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


def read_real(source: Path | str | NDArray[np.uint8], height: int, width: int) -> Found:
    """Read pictures that the generator did not make; a tenth of them, at most 200, is held out.

    Args:
        source: a file .npy of pictures (M, height, width, 3) of 8 bits, or such an array.
        height: height of the generator's pictures.
        width: their width.

    Raises:
        UserError: there is no such file, or it holds something else, or fewer than 2 pictures.
    """
    images, words = (source, "an array") if isinstance(source, np.ndarray) else _read(user_path(source))
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (height, width, 3):
        raise UserError(
            f"{words} holds {images.dtype} of shape {images.shape}; pictures of 8 bits (uint8) of shape "
            f"(number, {height}, {width}, 3), the size of the generator's, were expected"
        )
    if len(images) < 2:
        raise UserError(
            f"{words} holds {quantity(len(images), 'picture')}; at least 2 are needed, one to learn from and "
            "one to measure with"
        )
    held_out = min(MOST_HELD_OUT, max(1, len(images) // 10))
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    return Found(of_array(images[held_out:]), of_array(images[:held_out]), words, digest)


def _read(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Return the pictures of a file, memory-mapped, and its name for messages."""
    if path.suffix != ".npy":
        raise UserError(f"{path}: a file .npy of pictures was expected")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False), path.name
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as an array of pictures: {visible(str(error))}") from None


def of_array(images: NDArray[np.uint8]) -> RealPictures:
    """Return pictures of an array (M, H, W, 3) of 8 bits, which may be memory-mapped."""

    def read(chosen: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(images[chosen])).permute(0, 3, 1, 2).float() / 255.0

    return RealPictures(len(images), read)
