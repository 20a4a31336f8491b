"""Render furnished rooms with their ground truth: pictures, segmentation maps and factors.

    python -m recipes.rooms.render --count 200000 --out build/rooms/train --seed 1

Picture i is a function of (seed, i) alone, so any of them can be made again by itself.
"""

from __future__ import annotations

import argparse
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .factors import LABELS, Factors, sample_factors
from .scene import Scene, build

SUPERSAMPLING = 2
GRAIN = 0.008  # standard deviation of the sensor's grain, in units of white
INDEX = {name: i for i, name in enumerate(LABELS)}
MIRROR = np.arange(len(LABELS), dtype=np.uint8)
MIRROR[[INDEX["left_wall"], INDEX["right_wall"]]] = INDEX["right_wall"], INDEX["left_wall"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8], Factors]


def rasterise(scene: Scene, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Draw polygons as an RGB picture (size, size, 3) in [0, 1] and a label map (size, size)."""
    width = size * SUPERSAMPLING
    picture, labels = Image.new("RGB", (width, width)), Image.new("L", (width, width))
    paint, mark = ImageDraw.Draw(picture), ImageDraw.Draw(labels)
    counts = [len(face.corners) for face in scene.faces]
    seen = scene.camera.see(np.array([corner for face in scene.faces for corner in face.corners]))
    colours = (np.clip([face.colour for face in scene.faces], 0.0, 1.0) * 255.0).astype(int).tolist()
    for face, corners, colour in zip(
        scene.faces, np.split(seen, np.cumsum(counts)[:-1]), colours, strict=True
    ):
        polygon = scene.camera.project(corners, width)
        if polygon is not None:
            paint.polygon(polygon, fill=tuple(colour))
            mark.polygon(polygon, fill=INDEX[face.label])
    small = np.asarray(picture.resize((size, size), Image.Resampling.BOX), dtype=np.float32) / 255.0
    return small, np.asarray(labels.resize((size, size), Image.Resampling.NEAREST))


def soft_light(scene: Scene, size: int) -> NDArray[np.float32]:
    """Return how much brighter lamp and window make each pixel, (size, size, 3)."""
    light = np.ones((size, size, 3), dtype=np.float32)
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    for place, colour, radius in scene.glows:
        x, y, depth = scene.camera.see(np.array([place]))[0].tolist()
        if depth < 0.5:
            continue
        spread = 0.85 * radius / depth
        column = np.exp(-(((grid - 0.5 - 0.85 * x / depth) / spread) ** 2))
        row = np.exp(-(((grid - 0.5 + 0.85 * y / depth) / spread) ** 2))
        light += (row[:, None] * column[None, :])[:, :, None] * colour.astype(np.float32)
    return light


def render(seed: int, index: int, size: int = 64, *, independent: bool = False) -> Picture:
    """Render picture `index`: RGB (size, size, 3) and labels (size, size), both uint8, with its factors."""
    rng = np.random.default_rng([seed, index])
    factors = sample_factors(rng, independent=independent)
    scene = build(rng, factors)
    picture, labels = rasterise(scene, size)
    picture = picture * soft_light(scene, size)
    picture += GRAIN * rng.standard_normal((size, size, 1), dtype=np.float32)
    if factors.mirrored:
        picture, labels = picture[:, ::-1], MIRROR[labels[:, ::-1]]
    return (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), np.ascontiguousarray(labels), factors


def _block(
    task: tuple[int, int, int, int, bool],
) -> tuple[int, NDArray[np.uint8], NDArray[np.uint8], list[dict[str, float]]]:
    seed, start, stop, size, independent = task
    pictures = [render(seed, i, size, independent=independent) for i in range(start, stop)]
    images, labels, factors = zip(*pictures, strict=True)
    return start, np.stack(images), np.stack(labels), [f.as_row() for f in factors]


def render_set(
    out: Path, count: int, seed: int, size: int, *, workers: int = 2, independent: bool = False
) -> None:
    """Write images.npy (N, size, size, 3), labels.npy (N, size, size) and factors.npz (a column each)."""
    out.mkdir(parents=True, exist_ok=True)
    images = np.lib.format.open_memmap(out / "images.npy", "w+", np.uint8, (count, size, size, 3))
    labels = np.lib.format.open_memmap(out / "labels.npy", "w+", np.uint8, (count, size, size))
    tasks = [(seed, i, min(i + 250, count), size, independent) for i in range(0, count, 250)]
    rows: list[dict[str, float]] = []
    began = time.monotonic()
    with Pool(workers) as pool:
        for start, block, marks, factors in pool.imap(_block, tasks):
            images[start : start + len(block)] = block
            labels[start : start + len(block)] = marks
            rows += factors
            if (start // 250) % 40 == 0:
                print(
                    f"{start + len(block)} of {count}, "
                    f"{(start + len(block)) / (time.monotonic() - began):.0f} pictures/s",
                    flush=True,
                )
    np.savez(
        out / "factors.npz", **{name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}
    )


def grid(images: NDArray[np.uint8], columns: int, scale: int = 2) -> Image.Image:
    """Tile pictures (N, H, W, 3) row by row."""
    n, h, w, _ = images.shape
    rows = n // columns
    sheet = (
        images[: rows * columns]
        .reshape(rows, columns, h, w, 3)
        .transpose(0, 2, 1, 3, 4)
        .reshape(rows * h, columns * w, 3)
    )
    return Image.fromarray(sheet).resize((columns * w * scale, rows * h * scale), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--independent", action="store_true", help="switch the designed correlations off")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    render_set(args.out, args.count, args.seed, args.size, workers=args.workers, independent=args.independent)
    images = np.load(args.out / "images.npy", mmap_mode="r")
    grid(np.array(images[:64]), 8).save(args.out / "grid.png")


if __name__ == "__main__":
    main()
