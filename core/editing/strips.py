"""Read the strips of stage `edit` and lay out samples at right and at wrong layers side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw, ImageFont

from ..figures.pictures import Pixels, canvas, from_image, read_stored, tile, to_image
from ..runs.run import Run
from ..storage.filenames import file_stem
from .stage import INDEX, JointPart, strip_name

GAP = 2  # pixels between the frames of a strip
SHOWN = 3  # samples of a sheet
MIN_WIDTH = 128  # smaller frames of a separate file are enlarged by a whole number to at least this
LINE = 16  # height of a line of text


@dataclass(frozen=True)
class StripIndex:
    """Hold edits.json: the distances of a strip's steps, and the boundaries of the joint edit.

    Attributes:
        amounts: distance at each step, in the unit of the config.
        joint: empty if there is no joint edit.
    """

    amounts: tuple[float, ...]
    joint: tuple[JointPart, ...]


def read_index(run: Run) -> StripIndex:
    """Read edits.json of a run with a complete stage `edit`."""
    content = json.loads((run.path / INDEX).read_text(encoding="utf-8"))
    return StripIndex(tuple(content["amounts"]), tuple(JointPart(**part) for part in content["joint"]))


def split_strip(strip: Pixels, steps: int, samples: int | None = None) -> Pixels:
    """Cut a strip (H', W', C) into its frames, (samples, steps, H, W, C).

    Without `samples` the frames are taken for squares.
    """
    width = (strip.shape[1] + GAP) // steps - GAP
    samples = (strip.shape[0] + GAP) // (width + GAP) if samples is None else samples
    height = (strip.shape[0] + GAP) // samples - GAP
    return np.stack(
        [
            [strip[r * (height + GAP) :][:height, c * (width + GAP) :][:, :width] for c in range(steps)]
            for r in range(samples)
        ]
    )


def sheet_of(
    run: Run, boundary: str, sets: Sequence[tuple[str, bool]], *, enlarge: bool
) -> tuple[str, Pixels | None]:
    """Lay out samples unedited, and at the last step of the strip of each layer set.

    Args:
        run: run whose stage `edit` is complete.
        boundary: its name.
        sets: layer sets in the order of the columns, and whether they are the right ones; sets without a
            strip are left out.
        enlarge: whether to enlarge small frames.

    Returns:
        The stem of the boundary's files, and the sheet; None if no set has a strip.
    """
    stem = file_stem(boundary)
    amounts = read_index(run).amounts
    files = [(name, right, run.path / strip_name(boundary, name)) for name, right in sets]
    samples = run.config.editing.samples
    strips = [
        (name, right, split_strip(read_stored(file.read_bytes()), len(amounts), samples)[:SHOWN])
        for name, right, file in files
        if file.is_file()
    ]
    if not strips:
        return stem, None
    still = int(np.abs(amounts).argmin())
    columns = [strips[0][2][:, still], *(frames[:, -1] for _, _, frames in strips)]
    first = "unedited" if amounts[still] == 0.0 else f"{amounts[still]:+.1f}"
    heads = [
        (first, ""),
        *((name, f"{'right' if right else 'wrong' if name != 'all' else ''}") for name, right, _ in strips),
    ]
    grid = np.stack(columns, axis=1)  # (n, columns, H, W, C)
    factor = -(-MIN_WIDTH // max(grid.shape[2:4])) if enlarge else 1
    return stem, _headed(
        tile(grid.repeat(factor, axis=2).repeat(factor, axis=3), gap=GAP), heads, grid.shape[3] * factor + GAP
    )


def _headed(grid: Pixels, heads: Sequence[tuple[str, str]], pitch: int) -> Pixels:
    """Write two lines over every column of a grid."""
    font = ImageFont.load_default()
    page = canvas(grid.shape[0] + 2 * LINE, grid.shape[1], grid.shape[2])
    page.paste(to_image(grid), (0, 2 * LINE))
    draw = ImageDraw.Draw(page)
    for column, lines in enumerate(heads):
        for row, line in enumerate(lines):
            while line and font.getlength(line) > pitch - 2 * GAP:
                line = line[:-1]
            draw.text((column * pitch + GAP, row * LINE + 1), line, fill="black", font=font)
    return from_image(page)
