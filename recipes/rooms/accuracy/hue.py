"""Compare the hue scorer with Python's colorsys, and with the paint of the walls."""

from __future__ import annotations

import colorsys

import numpy as np
from ganstrata.plugins.scorers.hue import BINS
from numpy.typing import NDArray

from ..reliability import share
from .readings import Array, Readings
from .tables import Table, percent

COLORSYS = 300  # rooms whose every pixel goes through Python's colorsys


def by_colorsys(picture: NDArray[np.uint8]) -> Array:
    """Compute the hue scorer's numbers for one picture with Python's colorsys, pixel by pixel.

    Args:
        picture: (H, W, 3).

    Returns:
        The scorer's 14 numbers, then the share of the pixels whose hue lies exactly between two bins, (15,).
    """
    shares, saturation, value, weight, between = np.zeros(BINS), 0.0, 0.0, 0.0, 0.0
    pixels = picture.reshape(-1, 3) / 255.0
    for red, green, blue in pixels.tolist():
        h, s, v = colorsys.rgb_to_hsv(red, green, blue)
        place = 12.0 * h + 0.5
        shares[int(np.floor(place)) % BINS] += s * v
        saturation, value, weight = saturation + s, value + v, weight + s * v
        between += s * v if abs(place - round(place)) < 1e-5 else 0.0
    n = len(pixels)
    coloured = weight / n >= 0.02
    return np.array(
        [
            *(shares / weight if coloured else np.full(BINS, np.nan)),
            saturation / n,
            value / n,
            between / weight if coloured else 0.0,
        ]
    )


def hue_tables(readings: Readings, images: NDArray[np.uint8]) -> list[Table]:
    """Compare with colorsys on the same pictures, and with the paint of the walls."""
    n = min(COLORSYS, len(images))
    reference = np.stack([by_colorsys(np.asarray(picture)) for picture in images[:n]])
    gap = np.abs(readings.hue[:n] - reference[:, : BINS + 2])
    settled = np.maximum(gap[:, :BINS] - reference[:, -1:], 0.0)
    parts = {
        "hue shares": gap[:, :BINS],
        "the same beyond pixels whose hue lies just between two bins": settled,
    }
    parts |= {"mean saturation": gap[:, BINS], "mean value": gap[:, BINS + 1]}
    exact = [
        (name, f"{n}", f"{np.nanmean(part):.1e}", f"{np.nanmax(part):.1e}") for name, part in parts.items()
    ]
    exact.append(
        (
            "pictures called grey by one and not the other",
            f"{n}",
            "",
            f"{int((np.isnan(readings.hue[:n, 0]) != np.isnan(reference[:, 0])).sum())}",
        )
    )
    painted = 360.0 * readings.factors["hue"]
    bin_painted = np.floor(painted / 30.0 + 0.5).astype(int) % BINS
    shift = (readings.wall_hue - painted + 180.0) % 360.0 - 180.0
    coloured = ~np.isnan(readings.hue[:, 0])
    largest = np.where(np.isnan(readings.hue[:, :BINS]), -1.0, readings.hue[:, :BINS]).argmax(1)
    steps = np.minimum((largest - bin_painted) % BINS, (bin_painted - largest) % BINS)
    rows = []
    for low, high in ((0.08, 0.5), (0.08, 0.18), (0.18, 0.29), (0.29, 0.4), (0.4, 0.5)):
        chosen = (
            coloured
            & (readings.factors["saturation"] >= low - 1e-6)
            & (readings.factors["saturation"] <= high)
        )
        k = int(chosen.sum())
        if k:
            same, near = (share(int((steps[chosen] <= d).sum()), k) for d in (0, 1))
            moved = shift[chosen & ~np.isnan(shift)]
            rows.append(
                (
                    f"{low:.2f} to {high:.2f}",
                    f"{k}",
                    percent(same, 1),
                    percent(near, 1),
                    f"{np.median(moved):+.1f}",
                    f"{np.median(np.abs(moved)):.1f}",
                )
            )
    columns = (
        "saturation of the paint",
        "rooms",
        "largest share is the paint's bin, %",
        "or a neighbour's, %",
        "median shift of the walls, degrees",
        "median size of the shift",
    )
    return [
        Table("hue", "Hue against Python's colorsys", ("", "pictures", "mean difference", "largest"), exact),
        Table("hue-paint", "Hue against the paint of the walls", columns, rows),
    ]
