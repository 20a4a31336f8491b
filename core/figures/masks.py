"""Choose colours of classes, and lay pictures out beside their label masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .pictures import Pixels, png, tile
from .sheets import fitting

Floats = NDArray[np.float64]

GAP = 4  # pixels between frames
MIN_WIDTH = 128  # a smaller frame is enlarged by a whole number to at least this
LINE = 18  # height of a line of text
LOUDEST = 72.0  # largest chroma: pure primaries distract from the pictures beside them
GROUNDS = ((255, 255, 255), (21, 26, 33))  # of the page, light and dark: class colours keep away from both


def lab(colours: NDArray[np.floating]) -> Floats:
    """Convert sRGB (..., 3) in [0, 1] to CIE L*a*b* (D65), where distances match what eyes see."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = linear @ matrix.T / matrix.sum(axis=1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


@cache
def _candidates() -> tuple[Floats, Floats]:
    """Return colours of a lattice that show on both grounds, as sRGB and as L*a*b*, each (K, 3)."""
    steps = np.linspace(0.0, 1.0, 11)
    lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    places = lab(lattice)
    usable = (places[:, 0] > 38) & (places[:, 0] < 88) & (np.hypot(places[:, 1], places[:, 2]) < LOUDEST)
    return lattice[usable], places[usable]


@cache
def _palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """Choose colours one by one, each as far as possible from all before it and from the grounds."""
    colours, places = _candidates()
    nearest = np.linalg.norm(places[:, None] - lab(np.array(GROUNDS) / 255.0), axis=2).min(axis=1)
    chosen = []
    for _ in range(count):
        best = int(nearest.argmax())
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return tuple(tuple(int(v) for v in np.rint(colours[i] * 255)) for i in chosen)  # type: ignore[misc]


def class_colours(count: int) -> NDArray[np.uint8]:
    """Return a colour for each class, (count, 3). The colour of class i does not depend on count.

    Each colour is the candidate farthest, in L*a*b*, from all before it and from the grounds of the page.

    >>> bool((class_colours(150)[:18] == class_colours(18)).all())
    True
    """
    return np.array(_palette(count), dtype=np.uint8).reshape(count, 3)


def hexadecimal(colour: Sequence[int] | NDArray[np.uint8]) -> str:
    """Write a colour as HTML does.

    >>> hexadecimal((255, 0, 16))
    '#ff0010'
    """
    return "#" + "".join(f"{int(v):02x}" for v in colour)


def sheet(pictures: Pixels, labels: NDArray[np.integer], names: Sequence[str], along: Sequence[str]) -> bytes:
    """Lay out pictures and masks before and after every hop as PNG.

    Each sample has a row; headings name the hops, and a legend the classes that occur.

    Args:
        pictures: (n, hops + 1, H, W, 3).
        labels: class of each pixel, at any resolution, (n, hops + 1, h, w).
        names: names of all classes.
        along: boundary that each hop moved along.
    """
    samples, stages, height, width, _ = pictures.shape
    masks = _coloured(labels, len(names), height, width)
    frames = np.stack([pictures, masks], axis=2).reshape(samples, 2 * stages, height, width, 3)
    heads = [["before"], *([f"after hop {i}, along", name] for i, name in enumerate(along, 1))]
    return _laid_out(frames, 2, heads, labels, names)


def comparison(
    pictures: Pixels,
    labels: NDArray[np.integer],
    names: Sequence[str],
    heads: Sequence[str],
    more: Pixels | None = None,
) -> bytes:
    """Lay out pictures and several masks of each as PNG: a row per picture, and a legend of the classes.

    Args:
        pictures: (n, H, W, 3).
        labels: class of each pixel in each of k masks, at any resolution, (n, k, h, w); black below 0.
        names: names of all classes.
        heads: headings of the picture, of the k masks, and of the further pictures, (k + 1 + j,).
        more: further pictures to the right of the masks, (n, j, H, W, 3).
    """
    masks = _coloured(labels, len(names), *pictures.shape[1:3])
    frames = np.concatenate([pictures[:, None], masks, *([] if more is None else [more])], axis=1)
    return _laid_out(frames, 1, [[head] for head in heads], labels, names)


def _coloured(labels: NDArray[np.integer], count: int, height: int, width: int) -> Pixels:
    """Return labels (..., h, w) below `count` as colours (..., height, width, 3); black below 0."""
    colours = np.concatenate([class_colours(count), np.zeros((1, 3), np.uint8)])
    known = np.where(labels < 0, count, labels)
    rows = np.arange(height) * labels.shape[-2] // height
    columns = np.arange(width) * labels.shape[-1] // width
    return np.asarray(colours[known[..., rows, :][..., columns]])


def _laid_out(
    frames: Pixels,
    per_head: int,
    heads: Sequence[Sequence[str]],
    labels: NDArray[np.integer],
    names: Sequence[str],
) -> bytes:
    """Lay out frames (rows, columns, H, W, 3) as PNG, with a heading over every `per_head` columns."""
    height, width = frames.shape[2:4]
    factor = -(-MIN_WIDTH // max(height, width))
    grid = tile(frames.repeat(factor, axis=2).repeat(factor, axis=3), gap=GAP)
    colours = class_colours(len(names))
    classes = [(int(i), names[i], colours[i]) for i in np.unique(labels) if i >= 0]
    return png(_labelled(grid, per_head * (width * factor + GAP), classes, heads))


def _labelled(
    grid: Pixels,
    pitch: int,
    classes: list[tuple[int, str, NDArray[np.uint8]]],
    heads: Sequence[Sequence[str]],
) -> Pixels:
    """Add a heading of one line or two every `pitch` pixels of a grid, and a legend of the classes below."""
    font = ImageFont.load_default()
    places, x, y = [], GAP, 2 * LINE + grid.shape[0] + GAP
    for _, name, colour in classes:
        room = int(font.getlength(name)) + 34
        if x + room > grid.shape[1] and x > GAP:
            x, y = GAP, y + LINE
        places.append((x, y, name, colour))
        x += room
    canvas = Image.new("RGB", (grid.shape[1], y + LINE + GAP), "white")
    canvas.paste(Image.fromarray(grid), (0, 2 * LINE))
    draw = ImageDraw.Draw(canvas)
    for stage, lines in enumerate(heads):
        for i, line in enumerate(lines):
            draw.text(
                (stage * pitch, LINE * i + (LINE if len(lines) == 1 else 0) + 2),
                fitting(line, font, pitch - 2 * GAP),
                fill="black",
                font=font,
            )
    for x, y, name, colour in places:
        draw.rectangle((x, y + 3, x + 12, y + 15), fill=tuple(int(v) for v in colour))
        draw.text((x + 17, y + 2), name, fill="black", font=font)
    return np.asarray(canvas)
