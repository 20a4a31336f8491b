"""Draw the factors of a room at random: the ground truth of every picture."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

CATEGORIES = ("bedroom", "living_room", "dining_room")

LABELS = (
    "left_wall",
    "right_wall",
    "frontal_wall",
    "floor",
    "ceiling",
    "window",
    "curtain",
    "bed",
    "pillow",
    "sofa",
    "table",
    "chair",
    "lamp",
    "painting",
    "cabinet",
    "television",
    "rug",
    "clutter",
)

# Share of pictures with no, one and two visible wall-wall lines.
LINE_SHARES = (0.13, 0.74, 0.13)

# Correlations put in by design; `independent=True` sets both to zero.
DAYLIGHT_INDOOR_CORRELATION = -0.5  # Pearson, between two uniform variables
WOOD_IN_DINING_ROOMS, WOOD_ELSEWHERE = 0.90, 0.2645  # phi(wood, dining room) = 0.60


@dataclass(frozen=True)
class Factors:
    """Hold the factors of one picture. Light, hue and saturation are in [0, 1]."""

    category: int  # index into CATEGORIES
    lines: int  # visible wall-wall lines: 0, 1 or 2
    column: float  # where the (left) line stands before mirroring, in picture widths
    second_column: float  # the same for the right one, where there are two
    mirrored: bool
    indoor_light: float
    daylight: float
    wood: bool
    clutter: int  # objects lying on the floor, 0..6
    hue: float  # of the walls
    saturation: float
    accent_hue: float  # of bed cover, sofa, chairs, curtains
    accent_saturation: float
    curtains: bool
    rug: bool
    painting: bool

    def as_row(self) -> dict[str, float]:
        """Return all factors as numbers, for tables."""
        return {name: float(value) for name, value in asdict(self).items()}


def _correlated_uniforms(rng: np.random.Generator, correlation: float) -> tuple[float, float]:
    """Draw two uniform variables with the given Pearson correlation (Gaussian copula)."""
    normal = 2.0 * math.sin(math.pi * correlation / 6.0)
    a, b = rng.standard_normal(2)
    b = normal * a + math.sqrt(1.0 - normal * normal) * b
    return 0.5 * (1.0 + math.erf(a / math.sqrt(2.0))), 0.5 * (1.0 + math.erf(b / math.sqrt(2.0)))


def sample_factors(rng: np.random.Generator, *, independent: bool = False) -> Factors:
    """Draw the factors of one picture; `independent` switches the designed correlations off."""
    uniform = rng.uniform
    daylight, indoor = _correlated_uniforms(rng, 0.0 if independent else DAYLIGHT_INDOOR_CORRELATION)
    category = int(rng.integers(len(CATEGORIES)))
    if independent:
        wood_share = (WOOD_IN_DINING_ROOMS + 2.0 * WOOD_ELSEWHERE) / 3.0
    else:
        dining = CATEGORIES[category] == "dining_room"
        wood_share = WOOD_IN_DINING_ROOMS if dining else WOOD_ELSEWHERE
    lines = int(rng.choice(3, p=LINE_SHARES))
    # Mirroring maps a column c to 1 - c, so columns left of the middle cover the whole picture.
    column = (uniform(-0.30, -0.04), uniform(0.06, 0.50), uniform(0.07, 0.26))[lines]
    return Factors(
        category=category,
        lines=lines,
        column=column,
        second_column=uniform(0.74, 0.93),
        mirrored=bool(rng.random() < 0.5),
        indoor_light=indoor,
        daylight=daylight,
        wood=bool(rng.random() < wood_share),
        clutter=int(rng.integers(0, 7)),
        hue=uniform(),
        saturation=uniform(0.08, 0.5),
        accent_hue=uniform(),
        accent_saturation=uniform(0.3, 0.7),
        curtains=bool(rng.random() < 0.6),
        rug=bool(rng.random() < 0.5),
        painting=bool(rng.random() < 0.7),
    )
