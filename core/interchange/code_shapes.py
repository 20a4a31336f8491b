"""Decide what the axes of an array of codes mean, and in which space they lie.

One code (L, D) is not L codes, and z may be as wide as w. Where a shape allows several readings, the user is
asked; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UserError
from ..messages import quantity
from .arrays import times

FORMS = ("code", "codes", "codes-last")
"""Readings of an array: one code with a row per layer; a code per entry of the first axis, or of the last."""


@dataclass(frozen=True)
class CodeSizes:
    """Hold the sizes of the generator that codes are for; None where it is not known.

    Attributes:
        layers: number of layers L.
        code: code size D.
        latent: latent size Z.
        mapped: whether it has a mapping network, so that z and w differ; None if that is not known.
    """

    layers: int | None = None
    code: int | None = None
    latent: int | None = None
    mapped: bool | None = None


@dataclass(frozen=True)
class Reading:
    """Represent one way to read an array: the space of the codes, the form, the words for it, the result."""

    space: str
    form: str
    words: str
    codes: NDArray[Any]


def read_shape(
    array: NDArray[Any],
    sizes: CodeSizes,
    *,
    form: str | None = None,
    space: str | None = None,
    sure: bool = False,
) -> Reading:
    """Return the one way to read an array of codes.

    Read without a question are (N, L, D), (N, 1, L, D) and (N, L*D), codes of all layers; (L, D, N), if it
    fits no other reading; and (N, D), if it cannot be one code, and only one of z and w is so wide.

    Args:
        array: numbers of any shape.
        sizes: sizes of the generator.
        form: one of FORMS; None if nobody says it.
        space: z, w or w+; None if nobody says it.
        sure: whether the file states that the first axis counts codes.

    Returns:
        The reading; its codes are (N, D), (N, Z) or (N, L, D).

    Raises:
        UserError: several readings are left; the message lists them with the options to choose.
        DataError: no reading is left.

    Example:
        >>> sizes = CodeSizes(layers=8, code=16, latent=16, mapped=True)
        >>> reading = read_shape(np.zeros((8, 16, 3)), sizes)
        >>> reading.space, reading.codes.shape
        ('w+', (3, 8, 16))
        >>> read_shape(np.zeros((8, 16)), sizes, form="code").codes.shape
        (1, 8, 16)
    """
    _check_options(form, space)
    possible = list(_readings(array, sizes))
    if not possible:
        steps = (
            "; it may hold several steps for each picture, as ReStyle keeps them: keep one of each, such as "
            "the last, array[:, -1]"
        )
        raise DataError(f"has shape {times(array.shape)}; {_wanted(sizes)}{steps if array.ndim == 4 else ''}")
    left = [r for r in possible if space in (None, r.space) and form in (None, r.form)]
    if sure:
        left = [r for r in left if r.form == "codes"]
    elif space == "w" and form is None:
        # What is loosely called w may well be w+: only --codes-as decides.
        left += [r for r in possible if r.form == "code"]
    if not left:
        asked = ", ".join(
            f"{option} {value}"
            for option, value in (("--codes-as", form), ("--space", space))
            if value is not None
        )
        ways = "; ".join(f"{_option(r)}: {r.words}" for r in possible)
        raise DataError(
            f"has shape {times(array.shape)}, which is not {asked or 'such a code'}; it may be {ways}"
        )
    if len(left) > 1:
        ways = "; ".join(f"{_option(r)}: {r.words}" for r in left)
        raise UserError(f"has shape {times(array.shape)}, which does not say what it is. Say which: {ways}")
    return left[0]


def _option(reading: Reading) -> str:
    """Return the options that choose a reading."""
    if reading.form == "codes":
        return f"--codes-as codes --space {reading.space}"
    return f"--codes-as {reading.form}"


def _readings(array: NDArray[Any], sizes: CodeSizes) -> Iterator[Reading]:
    """Yield all ways to read an array."""
    layers, size = sizes.layers, sizes.code
    if array.ndim == 1:
        array = array[None]
    if array.ndim == 4 and 1 in array.shape[:2]:  # a list of (1, L, D)
        array = array[:, 0] if array.shape[1] == 1 else array[0]
    if array.ndim == 3 and array.shape[1] == 1 and layers != 1:
        array = array[:, 0]
    if not array.size:
        return
    if array.ndim == 3:
        count, rows, columns = array.shape
        if size in (None, columns) and layers in (None, rows):
            yield Reading(
                "w+",
                "codes",
                f"{quantity(count, 'code')} of {quantity(rows, 'layer')}, the first axis counts",
                array,
            )
        if (count, rows) == (layers, size):
            words = f"{quantity(columns, 'code')} of {quantity(count, 'layer')}, the last axis counts"
            yield Reading("w+", "codes-last", words, np.moveaxis(array, -1, 0))
    elif array.ndim == 2:
        yield from _flat_readings(array, sizes)


def _flat_readings(array: NDArray[Any], sizes: CodeSizes) -> Iterator[Reading]:
    """Yield all ways to read an array of two axes."""
    count, columns = array.shape
    layers, size = sizes.layers, sizes.code
    if size in (None, columns):
        if (layers is None and count > 1) or (layers is not None and count == layers > 1):
            words = f"one code, whose row l is that of layer l (w+, {quantity(count, 'layer')})"
            yield Reading("w+", "code", words, array[None])
        if sizes.mapped is not False:
            yield Reading("w", "codes", f"{quantity(count, 'code')} w, outputs of the mapping network", array)
    if sizes.latent in (None, columns):
        yield Reading("z", "codes", f"{quantity(count, 'latent')} z, drawn from the prior", array)
    if layers is not None and size is not None and layers > 1 and columns == layers * size:
        words = f"{quantity(count, 'code')} of {quantity(layers, 'layer')}, in a row"
        yield Reading("w+", "codes", words, array.reshape(count, layers, size))


def _check_options(form: str | None, space: str | None) -> None:
    for option, value, known in (("--codes-as", form, FORMS), ("--space", space, ("z", "w", "w+"))):
        if value is not None and value not in known:
            raise UserError(f"was given {option} {value}; {', '.join(known)} are known")


def _wanted(sizes: CodeSizes) -> str:
    """Return the shapes that are read, in words."""
    size, layers = sizes.code or "D", sizes.layers or "L"
    z = f", N x {sizes.latent} (z)" if sizes.latent not in (None, sizes.code) else ""
    return f"this generator needs N x {size} (w){z}, or N x {layers} x {size} (codes, w+)"
