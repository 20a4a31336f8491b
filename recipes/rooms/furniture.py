"""Build furniture from axis-aligned boxes in metres: it makes a room a bedroom, living or dining room."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float64]  # RGB in [0, 1]

IRON = np.array([0.16, 0.16, 0.17])
LINEN = np.array([0.93, 0.92, 0.88])
SCREEN = np.array([0.06, 0.06, 0.09])


class Box(NamedTuple):
    """Hold two corners, a colour, and the label of the object to which the box belongs."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: Colour
    label: str
    glows: bool = False  # shows its own colour whatever the light in the room


class Paint(NamedTuple):
    """Hold the colours that a room's furniture shares."""

    accent: Colour
    timber: Colour
    shade: Colour  # of the lamp, already as bright as it shines


def box(x: float, y: float, z: float, w: float, h: float, d: float, colour: Colour, label: str) -> Box:
    """Return a box from its lowest corner and its width, height and depth."""
    return Box((x, y, z), (x + w, y + h, z + d), colour, label)


def lamp(x: float, y: float, z: float, size: float, shade: Colour) -> Box:
    """Return a glowing lampshade."""
    return Box((x, y, z), (x + size, y + 0.8 * size, z + size), shade, "lamp", glows=True)


def bedroom(x: float, paint: Paint) -> tuple[list[Box], tuple[float, float, float]]:
    """Place a bed with its head to the wall z = 0 and a bedside cabinet; return boxes and lamp position."""
    bed = x + 0.55
    boxes = [
        box(bed, 0.0, 0.05, 1.5, 0.25, 1.95, paint.timber, "bed"),
        box(bed, 0.25, 0.05, 1.5, 0.25, 1.95, LINEN, "bed"),
        box(bed - 0.02, 0.5, 0.75, 1.54, 0.06, 1.27, paint.accent, "bed"),
        box(bed, 0.25, 0.0, 1.5, 0.75, 0.06, paint.timber, "bed"),
        box(bed + 0.10, 0.5, 0.10, 0.57, 0.16, 0.37, LINEN * 1.05, "pillow"),
        box(bed + 0.83, 0.5, 0.10, 0.57, 0.16, 0.37, LINEN * 1.05, "pillow"),
        box(x, 0.0, 0.05, 0.45, 0.5, 0.45, paint.timber, "cabinet"),
        box(x + 0.19, 0.5, 0.22, 0.07, 0.15, 0.07, IRON, "lamp"),
        lamp(x + 0.06, 0.65, 0.09, 0.33, paint.shade),
    ]
    return boxes, (x + 0.22, 0.8, 0.25)


def living_room(x: float, paint: Paint, *, television: bool) -> tuple[list[Box], tuple[float, float, float]]:
    """Place a sofa along the wall z = 0, a low table, a floor lamp, and a television on the wall x = 0."""
    sofa = x + 0.5
    boxes = [
        box(sofa, 0.0, 0.05, 1.9, 0.42, 0.85, paint.accent, "sofa"),
        box(sofa, 0.42, 0.05, 1.9, 0.43, 0.25, paint.accent * 0.95, "sofa"),
        box(sofa, 0.0, 0.05, 0.2, 0.62, 0.85, paint.accent * 0.88, "sofa"),
        box(sofa + 1.7, 0.0, 0.05, 0.2, 0.62, 0.85, paint.accent * 0.88, "sofa"),
        box(sofa + 0.5, 0.34, 1.5, 0.9, 0.06, 0.5, paint.timber, "table"),
        box(sofa + 0.55, 0.0, 1.9, 0.07, 0.34, 0.07, paint.timber * 0.9, "table"),
        box(sofa + 1.28, 0.0, 1.9, 0.07, 0.34, 0.07, paint.timber * 0.9, "table"),
        box(x + 0.14, 0.0, 0.14, 0.10, 1.3, 0.10, IRON, "lamp"),
        lamp(x, 1.3, 0.0, 0.40, paint.shade),
    ]
    if television:
        boxes += [
            box(0.05, 0.0, 1.1, 0.35, 0.45, 1.2, paint.timber, "cabinet"),
            box(0.12, 0.5, 1.15, 0.08, 0.62, 1.1, SCREEN, "television"),
        ]
    return boxes, (x + 0.2, 1.45, 0.2)


def dining_room(x: float, z: float, paint: Paint) -> tuple[list[Box], tuple[float, float, float]]:
    """Place a table with four chairs, and a lamp that hangs above it."""
    boxes = [box(x - 0.05, 0.70, z - 0.05, 1.65, 0.08, 1.05, paint.timber, "table")]
    for dx in (0.0, 1.45):
        for dz in (0.0, 0.85):
            boxes.append(box(x + dx, 0.0, z + dz, 0.08, 0.7, 0.08, paint.timber * 0.9, "table"))
    for cx, cz, back in (
        (x + 0.12, z - 0.48, 0.0),
        (x + 0.98, z - 0.48, 0.0),
        (x + 0.12, z + 1.05, 0.37),
        (x + 0.98, z + 1.05, 0.37),
    ):
        boxes += [
            box(cx, 0.40, cz, 0.42, 0.07, 0.42, paint.accent, "chair"),
            box(cx, 0.47, cz + back, 0.42, 0.5, 0.05, paint.accent * 0.93, "chair"),
            box(cx + 0.02, 0.0, cz + 0.02, 0.06, 0.4, 0.06, paint.timber, "chair"),
            box(cx + 0.34, 0.0, cz + 0.02, 0.06, 0.4, 0.06, paint.timber, "chair"),
            box(cx + 0.02, 0.0, cz + 0.34, 0.06, 0.4, 0.06, paint.timber, "chair"),
            box(cx + 0.34, 0.0, cz + 0.34, 0.06, 0.4, 0.06, paint.timber, "chair"),
        ]
    boxes += [
        lamp(x + 0.55, 1.50, z + 0.27, 0.45, paint.shade),
        box(x + 0.75, 1.86, z + 0.47, 0.04, 0.84, 0.04, IRON, "lamp"),
    ]
    return boxes, (x + 0.77, 1.65, z + 0.5)


# Width along the wall that each group takes, to place it in view.
GROUP_WIDTH = {"bedroom": 2.05, "living_room": 2.40, "dining_room": 1.55}
