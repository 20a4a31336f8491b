"""Find the picture of a recipe: drawn, of a folder, or of what the recipe holds.

Shapes: L layers, D code size, Y classes, h x w pixels of a noise map.
"""

from __future__ import annotations

import hashlib
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DataError, UserError
from ..messages import listed, shown, visible
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..randomness import Stream
from ..runs.prepare import Prepared
from ..storage.disk import digest_of
from ..strata.noise_maps import size_of_noise
from .recipe_picture import Codes, CodesPicture, InvertedPicture, RecipePicture
from .request import EditRequest
from .sources import CodesFile, InvertedPictures, Source, find_source

STREAMS = {"editing": Stream.EDITING, "probing": Stream.PROBING}


def picture_source(prepared: Prepared, picture: RecipePicture, inverted: Source | None) -> Source:
    """Return the picture of a recipe.

    Args:
        prepared: plugins of the run.
        picture: what the recipe says of it.
        inverted: inverted pictures among which it is, if it is one of a folder.

    Raises:
        UserError: the run or the folder has no such picture, or codes do not fit the generator.
    """
    if picture.inverted is not None:
        return _of_folder(prepared, picture.inverted, inverted)
    if inverted is not None:
        raise UserError("it names no picture of a folder of inverted ones; leave out --codes")
    if picture.codes is not None:
        return _of_codes(prepared, picture.codes)
    request = EditRequest(
        along=(),
        seeds=None if picture.seed is None else str(picture.seed),
        samples=None if picture.sample is None else str(picture.sample),
    )
    return find_source(prepared, request)


def _of_folder(prepared: Prepared, picture: InvertedPicture, inverted: Source | None) -> Source:
    """Return a picture of a folder of inverted ones, with the codes of the recipe if it was painted on."""
    called = f"the picture {shown(picture.name)} of the folder {shown(picture.folder)}"
    if inverted is None or not isinstance(inverted.origin, InvertedPictures):
        raise UserError(f"it is {called} of inverted pictures; name that folder with --codes")
    if inverted.origin.sha256 != picture.sha256:
        raise UserError(f"it is {called}, whose codes were others than those in {inverted.origin.file}")
    if picture.name not in inverted.names:
        raise UserError(f"it is {called}, and {inverted.origin.file} has {listed(inverted.names, 8)}")
    source = inverted.rows([inverted.names.index(picture.name)])
    if picture.weights is not None and picture.weights != digest_of_weights(source):
        raise UserError(f"it is {called}, whose weights were others than those in {inverted.origin.file}")
    if picture.painted is None:
        return source
    codes = _fitting(prepared, picture.painted)
    return source.with_codes(codes, visible(picture.origin or picture.name), "")


def digest_of_weights(source: Source) -> str | None:
    """Return the SHA-256 of what is added to tensors of the generator for one picture; None for nothing."""
    weights = source.weights[0] if source.weights else {}
    if not weights:
        return None
    return digest_of(
        (f"{name} {tuple(x.shape)}", x.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes())
        for name, x in sorted(weights.items())
    )


def _fitting(prepared: Prepared, held: Codes) -> Tensor:
    """Return codes (1, L, D) on the device of the generator.

    Raises:
        DataError: they do not have its shape.
    """
    card = prepared.generator.card
    if held.shape != (card.layers, card.code_size):
        raise DataError(
            f"its codes have the shape {held.shape}; those of this generator have "
            f"{(card.layers, card.code_size)}"
        )
    return torch.from_numpy(held.values())[None].to(prepared.device)


def _of_codes(prepared: Prepared, picture: CodesPicture) -> Source:
    """Return a picture whose codes a recipe holds, with its class and its noise maps."""
    return Source(
        _fitting(prepared, picture),
        _condition(prepared.generator, picture),
        torch.tensor([picture.index]),
        STREAMS[picture.stream],
        (visible(picture.origin) or "code 0",),
        CodesFile("recipe", hashlib.sha256(picture.values().tobytes()).hexdigest(), "codes", 1),
        noise={s: _map(prepared, s, values) for s, values in picture.maps().items()},
        noise_seed=picture.noise_seed,
    )


def _map(prepared: Prepared, s: int, values: NDArray[np.float32]) -> Tensor:
    """Return the noise map (1, 1, h, w) of a stratum.

    Raises:
        DataError: the generator adds no noise there, or of another size.
    """
    generator = prepared.generator
    size = size_of_noise(generator, s)
    if size is None:
        raise DataError(f"it has a noise map of stratum {s}, and {owner_of(generator)} adds no noise there")
    if values.size != prod(size):
        raise DataError(
            f"its noise map of stratum {s} has {values.size} numbers; {' x '.join(map(str, size))} are needed"
        )
    return torch.from_numpy(values.reshape(1, *size)).to(prepared.device)


def _condition(generator: Generator, picture: CodesPicture) -> Tensor | None:
    """Return the condition as the generator draws it, or weights of classes (1, Y); None if it takes none.

    Raises:
        DataError: it is missing or not wanted, or neither a class nor weights of all classes.
    """
    drawn = generator.sample(1, 0, 0, Stream.EDITING).condition
    if drawn is None:
        if picture.condition is not None:
            raise DataError("it has a condition, but this generator takes none")
        return None
    given = np.asarray([] if picture.condition is None else picture.condition)
    if isinstance(picture.condition, list) and given.shape == (generator.classes,):
        return torch.from_numpy(given.astype(np.float32))[None].to(drawn.device)
    if given.shape != tuple(drawn.shape[1:]):
        wanted = f"a condition of shape {tuple(drawn.shape[1:])}"
        if generator.classes:
            wanted += f", or weights of its {generator.classes} classes,"
        raise DataError(
            f"this generator draws classes: {wanted} is needed (got {shown(picture.condition, 60)})"
        )
    return torch.from_numpy(given)[None].to(drawn)
