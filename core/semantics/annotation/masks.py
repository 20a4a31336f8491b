"""Read and write label masks as PNG, for people with an ordinary paint program.

A mask may be

- an indexed or a grey PNG whose values are class numbers, with 255 for unknown, or
- a PNG in the exact colours of a legend, with transparency or black for unknown.

Shapes: H x W pixels, labels int64 from 0 to M - 1, UNKNOWN where nothing is said.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...errors import UserError
from ...figures.masks import hexadecimal, lab
from ...figures.pictures import strictly_decoded
from ...messages import listed, quantity, visible
from ...storage.disk import read_bytes
from ..heads import Size
from ..nearest import nearest_pixels
from ..teacher import UNKNOWN
from .legend import UNKNOWN_COLOUR, UNKNOWN_INDEX, Legend

Labels = NDArray[np.int64]

MOST_BYTES = 2**26  # of a file
MOST_PIXELS = 2**26  # of a mask that is reduced on request
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MEND = "Paint with a hard brush or pencil: without anti-aliasing, soft edges or opacity below 100 %"


def label_png(labels: NDArray[np.integer], legend: Legend) -> bytes:
    """Return labels (H, W) as an indexed PNG in the colours of the legend, transparent where unknown."""
    image = Image.fromarray(np.where(labels == UNKNOWN, UNKNOWN_INDEX, labels).astype(np.uint8))
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(legend.colours)] = legend.colours
    palette[UNKNOWN_INDEX] = UNKNOWN_COLOUR
    image = image.convert("P") if image.mode != "P" else image
    image.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=UNKNOWN_INDEX)
    return buffer.getvalue()


def read_mask(path: Path, legend: Legend, size: Size, *, resize: bool = False) -> Labels:
    """Read the labels (H, W) of a painted mask; UNKNOWN where nothing is painted.

    The colours of an indexed PNG decide if one of them is in the legend, since paint programs renumber them;
    else its values are class numbers. Values of a grey PNG are class numbers, unless one is too large and
    all are greys of the legend.

    Args:
        path: a PNG.
        legend: the classes and their colours.
        size: height and width that the mask must have.
        resize: whether to change another size to this one, each pixel to the nearest.

    Raises:
        UserError: it is missing, no PNG, damaged, or of another size; a colour or value names no class; or
            nothing is painted.
    """
    content = _content(path)
    image = _opened(path, content, size, resize)
    labels = _labels(path, image, content, legend)
    if (labels == UNKNOWN).all():
        raise UserError(
            f"{path}: nothing is painted on it: every pixel is transparent, black or {UNKNOWN_INDEX}, "
            "which mean unknown. Paint on it in the colours of the classes"
        )
    if labels.shape != size:
        labels = nearest_pixels(labels, size)
        if (labels == UNKNOWN).all():
            raise UserError(f"{path}: at {_in_words(size)}, nothing of what is painted is left")
    return labels


def read_rgba(path: Path, size: Size, *, resize: bool = False) -> NDArray[np.uint8]:
    """Read a PNG as red, green, blue and alpha (H, W, 4).

    Raises:
        UserError: it is missing, no PNG, damaged, or of another size.
    """
    image = _opened(path, _content(path), size, resize)
    return nearest_pixels(np.asarray(image.convert("RGBA")), size)


def painted_over(labels: NDArray[np.integer], strokes: Labels) -> Labels:
    """Return labels with strokes painted over them, all (..., H, W); UNKNOWN in strokes changes nothing.

    >>> painted_over(np.array([[0, 1]]), np.array([[2, UNKNOWN]])).tolist()
    [[2, 1]]
    """
    return np.where(strokes == UNKNOWN, labels, strokes).astype(np.int64)


def _content(path: Path) -> bytes:
    """Return the bytes of a PNG."""
    try:
        content = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise UserError(f"cannot read the mask {path}: {error.strerror or error}") from None
    if not content:
        raise UserError(f"{path} is empty; save the mask again as PNG")
    if not content.startswith(SIGNATURE):
        raise UserError(
            f"{path} is not a PNG; save the mask as PNG. JPEG and others change colours, or average them"
        )
    return content


def _opened(path: Path, content: bytes, size: Size, resize: bool) -> Image.Image:
    """Decode a PNG, after its size was checked."""
    height, width = int.from_bytes(content[20:24]), int.from_bytes(content[16:20])
    if min(height, width) and (height, width) != size and not resize:
        raise UserError(
            f"{path} is {_in_words((height, width))}; {_in_words(size)} are needed. Paint on a file of that "
            "size, or pass --resize to change it, each pixel to the nearest"
        )
    if height * width > MOST_PIXELS:
        raise UserError(f"{path} is {_in_words((height, width))}, which is too large to be reduced here")
    try:
        with strictly_decoded():
            image = Image.open(io.BytesIO(content), formats=("PNG",))
            image.load()
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise UserError(f"{path} is a damaged PNG{_why(error)}; save the mask again") from None
    return image


def _why(error: Exception) -> str:
    """Return what Pillow says of a damaged file, in brackets, unless it names an object of its own."""
    return "" if isinstance(error, UnidentifiedImageError) else f" ({visible(str(error), 100)})"


def _labels(path: Path, image: Image.Image, content: bytes, legend: Legend) -> Labels:
    """Return the labels (H, W) of a decoded mask."""
    if content[24:26] == bytes((16, 4)):  # bits per value, and grey with alpha: Pillow drops the lower bits
        raise UserError(f"{path} is grey with transparency in 16 bits; save it with 8 bits, or as RGB")
    # Grey of 16 bits is read as class numbers alone, whatever its brightness is.
    deep = image.mode in ("I", "I;16")
    rgba = np.asarray((Image.new("L", image.size) if deep else image).convert("RGBA"))
    colour, alpha = rgba[..., :3], rgba[..., 3]
    if soft := int(((alpha > 0) & (alpha < 255)).sum()):
        raise UserError(f"{path}: {quantity(soft, 'pixel')} are half transparent. {MEND}")
    if image.mode not in ("P", "L", "LA", "1", "I", "I;16"):
        return _by_colour(path, colour, alpha, legend)
    values = _values(image, content)
    unknown = (alpha == 0) | (values == UNKNOWN_INDEX)
    # One grey may be declared transparent. Pillow stretches values before it compares, and ignores 16 bits.
    if isinstance(key := image.info.get("transparency"), int) and image.mode != "P":
        unknown |= values == key
    wrong = ~unknown & (values >= len(legend.names))
    of_class = _nearest(colour[~unknown], legend)[1] == 0
    if of_class.any() if image.mode == "P" else wrong.any() and of_class.all():
        return _by_colour(path, colour, alpha, legend)
    if wrong.any():
        found = np.unique(values[wrong]).tolist()
        raise UserError(
            f"{path}: {quantity(int(wrong.sum()), 'pixel')} have the value {listed(found)}. Values of an "
            f"indexed or grey mask are class numbers, 0 to {len(legend.names) - 1}, or {UNKNOWN_INDEX} for "
            "unknown. To paint in colours, save it as RGB, in exactly the colours of classes.json"
        )
    return np.where(unknown, UNKNOWN, values).astype(np.int64)


def _values(image: Image.Image, content: bytes) -> Labels:
    """Return the values (H, W) of an indexed or grey image as the file holds them."""
    values = np.asarray(image.getchannel(0) if image.mode == "LA" else image).astype(np.int64)
    depth = content[24]  # bits per value, in the header of every PNG
    # Pillow stretches grey of 2 and 4 bits to 0 to 255.
    return values // {2: 85, 4: 17}.get(depth, 1) if image.mode == "L" else values


def _by_colour(path: Path, colour: NDArray[np.uint8], alpha: NDArray[np.uint8], legend: Legend) -> Labels:
    """Return labels (H, W) of colours (H, W, 3) that stand in the legend."""
    unknown = (alpha == 0) | (colour == UNKNOWN_COLOUR).all(axis=-1)
    labels = np.full(colour.shape[:2], UNKNOWN, np.int64)
    numbers, distances = _nearest(colour[~unknown], legend)
    if (distances > 0).any():
        raise UserError(f"{path}: {_unknown_colours(colour[~unknown][distances > 0], legend)}")
    labels[~unknown] = numbers
    return labels


def _unknown_colours(colours: NDArray[np.uint8], legend: Legend) -> str:
    """Return what is wrong with pixels (K, 3) whose colours are not in the legend, and how to mend it."""
    kinds, counts = np.unique(colours, axis=0, return_counts=True)
    frequent = kinds[counts.argmax()]
    number = int(_nearest(frequent[None], legend)[0][0])
    count = int(counts.sum())
    return (
        f"{quantity(count, 'pixel has', 'pixels have')} "
        f"{quantity(len(kinds), 'colour that is', 'colours that are')} of no class, most often "
        f"{hexadecimal(frequent)} ({counts.max()} of them), to which '{visible(legend.names[number])}' "
        f"{hexadecimal(legend.colours[number])} is nearest. {MEND}, on a layer without the picture, in "
        "exactly the colours of classes.json"
    )


def _nearest(colours: NDArray[np.uint8], legend: Legend) -> tuple[Labels, NDArray[np.float64]]:
    """Return the number of the nearest class and the distance in L*a*b*, for each of K colours (K, 3)."""
    packed, inverse = np.unique(colours.astype(np.int64) @ (65536, 256, 1), return_inverse=True)
    kinds = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)  # (K distinct, 3)
    places = lab(legend.colours / 255.0)  # (M, 3)
    numbers, distances = np.empty(len(kinds), np.int64), np.empty(len(kinds))
    for start in range(0, len(kinds), 1024):  # a photograph has many colours
        part = slice(start, start + 1024)
        apart = np.linalg.norm(lab(kinds[part] / 255.0)[:, None] - places, axis=2)  # (1024, M)
        numbers[part], distances[part] = apart.argmin(axis=1), apart.min(axis=1)
    exact = (kinds == legend.colours[numbers]).all(axis=1)
    distances = np.where(exact, 0.0, np.maximum(distances, 1e-9))
    return numbers[inverse], distances[inverse]


def _in_words(size: tuple[int, ...]) -> str:
    """Return a size as a person says it: `64 x 32 pixels (width x height)`."""
    return f"{size[1]} x {size[0]} pixels (width x height)"
