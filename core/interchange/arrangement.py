"""Decide what the axes of an array of directions mean: one direction, one per layer, or several.

Where the shape allows more than one reading, the user is asked; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UserError
from ..messages import quantity
from .arrays import times

FORMS = ("layers", "rows", "columns")
"""Readings of an array: row l is the direction of layer l; every row, or every column, is a direction."""


@dataclass(frozen=True)
class Sizes:
    """Hold the sizes of the generator that directions belong to; None where it is not known.

    Attributes:
        layers: number of layers L.
        code: code size D.
        styles: name and width of every stratum with a style.
    """

    layers: int | None = None
    code: int | None = None
    styles: tuple[tuple[str, int], ...] = ()


def arrange(
    array: NDArray[np.number], sizes: Sizes, form: str | None = None, space: str | None = None
) -> list[NDArray[np.number]]:
    """Return the directions in an array, each (D,), or (L, D) with a row per layer.

    Read without a question are (D,), (1, D) and (D, 1); (1, L, D) and (1, L*D); and (L, D) if the space is
    said to be w+.

    Args:
        array: numbers of any shape.
        sizes: sizes of the generator.
        form: one of FORMS, as the user or the format says; None if nobody does.
        space: latent space, as the user or the format says; None if nobody does.

    Raises:
        UserError: the shape has several readings; the message lists them.
        DataError: it has none, or not that of `form`.

    Example:
        >>> [row.shape for row in arrange(np.ones((1, 12)), Sizes(3, 4))]
        [(3, 4)]
        >>> [row.shape for row in arrange(np.ones((5, 4)), Sizes(3, 4), "rows")]
        [(4,), (4,), (4,), (4,), (4,)]
    """
    if array.ndim == 4 and array.shape[1] == 1:  # a list of (1, L, D)
        array = array[:, 0]
    if array.ndim == 0 or not array.size:
        raise DataError(f"holds an array of shape {array.shape}; {_wanted(sizes)}")
    if form is not None:
        return _in_form(array, sizes, form)
    one = _single(array, sizes)
    if one is not None:
        return [one]
    readings = dict(_readings(array.shape, sizes))
    if space == "w+" and "layers" in readings:
        return _in_form(array, sizes, "layers")
    if not readings:
        raise DataError(f"holds an array of shape {array.shape}; {_wanted(sizes)}")
    ways = "; ".join(f"--as {name}: {words}" for name, words in readings.items())
    raise UserError(
        f"holds an array {array.shape}, and its shape does not say what it is. "
        f"If it holds directions, say which: {ways}"
    )


def _single(array: NDArray[np.number], sizes: Sizes) -> NDArray[np.number] | None:
    """Return the one direction that the shape allows, (D,) or (L, D); None if it may be several."""
    if max(array.shape) == array.size:  # a vector, whatever axes of length 1 it has
        return _split(array.reshape(-1), sizes)
    if array.ndim == 3 and array.shape[0] == 1:
        return array.reshape(array.shape[1:])
    return None


def _split(vector: NDArray[np.number], sizes: Sizes) -> NDArray[np.number]:
    """Return a vector (D,) as it is, and (L*D,) as (L, D), the codes of all layers in a row."""
    count, size = len(vector), sizes.code
    if size is not None and count != size and count % size == 0 and count > size:
        return vector.reshape(-1, size)
    return vector


def _readings(shape: tuple[int, ...], sizes: Sizes) -> Iterator[tuple[str, str]]:
    """Yield the forms that an array of several rows may have, with words for each."""
    if len(shape) == 3 and shape[1] == 1:
        shape = (shape[0], shape[2])
    rows, columns = shape[0], shape[-1]
    size, layers = sizes.code, sizes.layers
    if len(shape) == 3:
        if size in (None, columns) and layers in (None, shape[1]):
            yield "rows", f"{quantity(rows, 'direction')}, each with a row per layer"
        return
    if len(shape) != 2:
        return
    if size in (None, columns) and layers in (None, rows):
        yield "layers", f"one direction, whose row l is that of layer l ({quantity(rows, 'layer')})"
    if size in (None, columns) or (size and columns == (layers or 0) * size):
        yield "rows", f"{quantity(rows, 'direction')}, one per row"
    if size in (None, rows):
        yield "columns", f"{quantity(columns, 'direction')}, one per column"


def _in_form(array: NDArray[np.number], sizes: Sizes, form: str) -> list[NDArray[np.number]]:
    """Return the directions of an array in the given form.

    Raises:
        DataError: the array cannot have this form.
    """
    if form not in FORMS:
        raise UserError(f"--as {form}: there is no such form; {', '.join(FORMS)} are known")
    if max(array.shape) == array.size:  # one direction, in any form
        return [_split(array.reshape(-1), sizes)]
    flat = array[:, 0] if array.ndim == 3 and array.shape[1] == 1 else array
    flat = flat[0] if flat.ndim == 3 and flat.shape[0] == 1 and form == "layers" else flat
    if form == "rows" and flat.ndim == 3:
        return list(flat)
    if flat.ndim != 2:
        raise DataError(f"holds an array of shape {array.shape}, which has no {form}; {_wanted(sizes)}")
    if form == "layers":
        return [flat]
    return [_split(row, sizes) for row in (flat if form == "rows" else flat.T)]


def _wanted(sizes: Sizes) -> str:
    """Return the shapes that are read, in words."""
    one = times((1, sizes.code or "D"))  # type: ignore[arg-type]
    many = times((1, sizes.layers or "L", sizes.code or "D"))  # type: ignore[arg-type]
    return f"a direction has the shape {one}, or {many} with a row per layer"
