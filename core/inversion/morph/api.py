"""Interpolate between pictures and mix their styles from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...plugins.generator import Generator
from ...runs.inversions import read_inversion
from ..perceptual_named import perceptual_named
from .interpolate import Interpolated, Space, chosen
from .interpolate import interpolate as walk
from .mix import Mixed, layers_named, mix
from .points import Points, points_of, samples_of


def interpolate(
    generator: Generator,
    pictures: Path | str | Sequence[int],
    *,
    names: Sequence[str] | None = None,
    steps: int = 9,
    space: Space | None = None,
    perceptual: str = "none",
    seed: int = 0,
    batch: int = 8,
) -> Interpolated:
    """Go from picture to picture through a latent space, as `ganstrata morph interpolate` does.

    Args:
        generator: generator of the pictures.
        pictures: folder that `invert` wrote, or numbers of samples, as `manipulate --seeds` draws them.
        names: names of pictures of the folder, in the order of the path; None for all.
        steps: pictures from one to the next, both of them included.
        space: straight in `w` or `w+`, or on an arc in `z`; None for the space of the pictures.
        perceptual: what gives the perceptual distance of neighbours, such as `auto`; `none` for pixels alone.
        seed: seed of samples.
        batch: pictures in one pass.

    Raises:
        UserError: there are no such pictures, or no such path.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> path = ganstrata.interpolate(generator, [0, 1], steps=5)
        >>> path.pictures.shape, path.pixels.shape, path.space
        ((5, 64, 64, 3), (4,), 'w')
    """
    points = _points(generator, pictures, seed)
    points = chosen(points, None if names is None else ",".join(names))
    network = perceptual_named(perceptual, generator)
    return walk(points, steps, space, network=network, batch=batch)


def mix_styles(
    generator: Generator,
    pictures: Path | str | Sequence[int],
    layers: str,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    seed: int = 0,
    batch: int = 8,
) -> Mixed:
    """Cross pictures: some layers of one, all others of another, as `ganstrata morph mix` does.

    Args:
        generator: generator of the pictures.
        pictures: folder that `invert` wrote, or numbers of samples, as `manipulate --seeds` draws them.
        layers: layers that take their codes from the style pictures: numbers such as `4-9`, or a group.
        rows: names of the structure pictures; None for all.
        columns: names of the style pictures; None for all.
        seed: seed of samples.
        batch: pictures in one pass.

    Raises:
        UserError: there are no such pictures, or the layers are all or none.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> ganstrata.mix_styles(generator, [0, 1, 2], "6-9", columns=["seed 2"]).pictures.shape
        (3, 1, 64, 64, 3)
    """
    points = _points(generator, pictures, seed)
    every = list(range(len(points.names)))
    down = every if rows is None else points.named(",".join(rows), "rows")
    across = every if columns is None else points.named(",".join(columns), "columns")
    return mix(points, down, across, layers_named(points, layers), batch=batch)


def _points(generator: Generator, pictures: Path | str | Sequence[int], seed: int) -> Points:
    if isinstance(pictures, str | Path):
        return points_of(read_inversion(Path(pictures), generator), generator)
    return samples_of(generator, [int(i) for i in pictures], seed)
