"""Read edits of style channels, space s: StyleSpace's channels, StyleCLIP's and StyleMC's styles by layer.

Styles are numbered as the strata that have one, from 0, as in StyleSpace: at 1024 pixels 26 of them, with
those of ToRGB. A direction is a vector (S,) of all channels in this order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..messages import quantity, shown, visible
from .arrays import as_array, describe
from .foreign import LONGEST, MOST

Floats = NDArray[np.float64]
PAIR = re.compile(r"\s*\(?\s*(\d{1,4})\s*[,_:/ ]\s*(\d{1,6})\s*\)?\s*")  # such as 6_501, or (6, 501)
NUMBER = re.compile(r"(?:s|layer|style)?_?(\d{1,4})", re.IGNORECASE)
TENSORFLOW = re.compile(r"(?:G_synthesis(?:_\d{1,3})?/)?(\d{1,4})x\1/(Conv|Conv0_up|Conv1|ToRGB)(?:/.*)?")
KINDS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}
SHAPES = (
    "a direction in s is a list of (layer, channel, value), a dictionary of 'layer_channel' to value or of "
    "layer to (C,), a list of (C,) for every layer, or one vector of all channels"
)
Styles = Sequence[tuple[str, int]]  # name and width C_s of every stratum with a style


def style_directions(content: Any, styles: Styles) -> list[tuple[str, Floats]]:
    """Return the directions in s in a file's content, with their names; an empty name for the only one.

    Args:
        content: arrays, lists and dictionaries, as read_values() gives them.
        styles: name and width of every stratum of the generator that has a style.

    Raises:
        DataError: it holds none, or a layer or channel that the generator does not have.
    """
    single = _direction(content, styles)
    if single is not None:
        return [("", single)]
    if isinstance(content, Mapping):
        directions = []
        for key, value in content.items():
            direction = _direction(value, styles)
            if direction is None:
                raise DataError(f"{shown(key)} is {describe(value)}; {SHAPES}")
            directions.append((visible(str(key)), direction))
            if len(directions) > MOST or len(directions) * direction.size > LONGEST:
                raise DataError(f"holds more than {MOST} directions, or than {LONGEST} numbers of directions")
        if directions:
            return directions
    raise DataError(f"holds {describe(content)}; {SHAPES} ({_sizes(styles)})")


def _direction(content: Any, styles: Styles) -> Floats | None:
    """Return the direction (S,) that some content stands for; None if it is something else."""
    if isinstance(content, Mapping):
        if set(content) == {"channels"}:
            content = content["channels"]
        else:
            return _by_channel(content, styles) if _are_pairs(content) else _by_layer(content, styles)
    array = as_array(content)
    if array is None:
        if isinstance(content, list | tuple) and len(content) == len(styles):
            return _joined([as_array(item) for item in content], styles)
        return None
    total = sum(width for _, width in styles)
    flat = array.reshape(array.shape[1:]) if array.ndim > 1 and array.shape[0] == 1 else array
    if flat.shape == (total,):
        return flat.astype(np.float64)
    if flat.shape == (len(styles), max(width for _, width in styles)):
        return _joined(list(flat), styles)  # padded with zeros to the widest, as StyleMC does
    if array.shape == (2,):
        return _of_triples(np.append(array, 1.0)[None], styles)  # a channel, which is moved by itself
    if array.ndim == 2 and array.shape[1] == 2 and len(array) != len(styles):
        raise DataError("holds pairs (layer, channel) without values; write (layer, channel, value)")
    if array.ndim == 2 and array.shape[1] == 3:
        if len(array) > total:
            raise DataError(f"has {quantity(len(array), 'row')} (layer, channel, value) for {_sizes(styles)}")
        return _of_triples(array, styles)
    return None


def _are_pairs(content: Mapping[Any, Any]) -> bool:
    """Return whether the keys name a layer and a channel, and the values are numbers."""
    return bool(content) and all(
        isinstance(key, str) and PAIR.fullmatch(key) and isinstance(value, int | float)
        for key, value in content.items()
    )


def _by_channel(content: Mapping[Any, Any], styles: Styles) -> Floats:
    rows = []
    for key, value in content.items():
        match = PAIR.fullmatch(key)
        assert match is not None
        rows.append((int(match[1]), int(match[2]), float(value)))
    return _of_triples(np.array(rows), styles)


def _by_layer(content: Mapping[Any, Any], styles: Styles) -> Floats | None:
    """Read a dictionary of layer to (C,).

    Layers are numbers, the names of the generator's strata, or those of NVIDIA's TensorFlow code.
    """
    names = [name for name, _ in styles]
    pieces: list[NDArray[Any] | None] = [np.zeros(width) for _, width in styles]
    if not content:
        return None
    for key, value in content.items():
        name = _from_tensorflow(str(key)[:100])
        match = NUMBER.fullmatch(str(key)[:100])
        if name in names:
            layer = names.index(name)
        elif match is not None and int(match[1]) < len(styles):
            layer = int(match[1])
        else:
            return None
        pieces[layer] = as_array(value)
    return _joined(pieces, styles)


def _from_tensorflow(name: str) -> str:
    """Return the stratum of StyleGAN2 that a tensor of TensorFlow's graph belongs to; other names as given.

    StyleSpace and StyleCLIP call styles after such tensors. The first layer, `4x4/Conv`, is the second of its
    block in NVIDIA's PyTorch code (legacy.py).

    >>> _from_tensorflow("G_synthesis_1/8x8/Conv0_up/mod_bias/add:0"), _from_tensorflow("4x4/Conv")
    ('b8.conv0', 'b4.conv1')
    """
    match = TENSORFLOW.fullmatch(name)
    return name if match is None else f"b{match[1]}.{KINDS[match[2]]}"


def _joined(pieces: Sequence[NDArray[Any] | None], styles: Styles) -> Floats | None:
    """Return one vector of the styles of all layers; None if one does not have its layer's width.

    A row may be longer than its style, if what follows is 0.
    """
    joined = []
    for piece, (_, width) in zip(pieces, styles, strict=True):
        if piece is None or piece.size != max(piece.shape, default=0):
            return None
        flat = piece.reshape(-1).astype(np.float64)
        if flat.size < width or np.any(flat[width:]):
            return None
        joined.append(flat[:width])
    return np.concatenate(joined)


def _of_triples(rows: NDArray[Any], styles: Styles) -> Floats:
    """Return the direction of rows (layer, channel, value).

    Raises:
        DataError: the generator has no such layer or channel.
    """
    direction = np.zeros(sum(width for _, width in styles))
    starts = np.cumsum([0, *(width for _, width in styles)])
    for layer, channel, value in rows.astype(np.float64):
        if not (layer.is_integer() and 0 <= layer < len(styles)):
            raise DataError(f"names the style of layer {layer:g}; this generator has {_sizes(styles)}")
        name, width = styles[int(layer)]
        if not (channel.is_integer() and 0 <= channel < width):
            raise DataError(
                f"names channel {channel:g} of layer {layer:g} ({name}), which has channels 0 to {width - 1}"
            )
        direction[starts[int(layer)] + int(channel)] += value
    return direction


def _sizes(styles: Styles) -> str:
    channels = sum(width for _, width in styles)
    return f"{quantity(len(styles), 'layer')} with a style, of {quantity(channels, 'channel')} in all"
