"""Turn factors into coloured, labelled polygons in camera coordinates, back to front."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .factors import CATEGORIES, Factors
from .furniture import GROUP_WIDTH, Box, Colour, Paint, bedroom, box, dining_room, living_room

HEIGHT = 2.7  # of the room
FAR = 9.0  # how far floor and walls reach behind the camera
WARM = np.array([1.0, 0.92, 0.76])
COOL = np.array([0.86, 0.94, 1.0])
WHITE = np.array([0.95, 0.95, 0.93])

Points = NDArray[np.float64]
Add = Callable[..., None]  # takes corners, colour and label of a face


class Face(NamedTuple):
    """Hold one polygon: corners in the world (P, 3), colour as seen, label."""

    corners: list[tuple[float, float, float]]
    colour: Colour
    label: str


class Scene(NamedTuple):
    """Hold what the rasteriser needs; glows are (place, colour, radius in metres)."""

    camera: Camera
    faces: list[Face]
    glows: list[tuple[tuple[float, float, float], Colour, float]]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour as RGB."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


def _camera(rng: np.random.Generator, factors: Factors) -> Camera:
    low, high = ((42, 57), (33, 57), (56, 68))[factors.lines]
    return Camera(
        column=factors.column,
        azimuth=math.radians(rng.uniform(low, high)),
        distance=rng.uniform(4.3, 5.2),
        height=rng.uniform(1.3, 1.75),
        pitch=math.radians(rng.uniform(-9.0, -4.0)),
    )


def _wall_patch(
    wall: str, a: float, b: float, low: float, high: float, off: float = 0.0
) -> list[tuple[float, float, float]]:
    """Return a rectangle on a wall: from a to b along it, from low to high above the floor."""
    if wall == "x":
        return [(off, low, a), (off, high, a), (off, high, b), (off, low, b)]
    return [(a, low, off), (a, high, off), (b, high, off), (b, low, off)]


def _floor_patch(x0: float, x1: float, z0: float, z1: float) -> list[tuple[float, float, float]]:
    return [(x0, 0.0, z0), (x0, 0.0, z1), (x1, 0.0, z1), (x1, 0.0, z0)]


def build(rng: np.random.Generator, factors: Factors) -> Scene:
    """Build walls, window, floor and furniture for one picture."""
    uniform = rng.uniform
    camera = _camera(rng, factors)
    indoor, daylight = factors.indoor_light, factors.daylight
    light = 0.38 + 0.44 * indoor * WARM + 0.30 * daylight * COOL
    width = camera.wall_position(factors.second_column) if factors.lines == 2 else FAR
    accent = hsv(factors.accent_hue, factors.accent_saturation, uniform(0.5, 0.9))
    paint = Paint(
        accent=accent,
        timber=np.array([0.46, 0.28, 0.15]) * uniform(0.75, 1.3),
        shade=np.array([1.0, 0.86, 0.52]) * (0.35 + 0.65 * indoor),
    )
    faces: list[Face] = []

    def add(corners: list[tuple[float, float, float]], colour: Colour, label: str) -> None:
        faces.append(Face(corners, colour * light, label))

    # Shell. Two lines: left, frontal and right wall; one: left and right; none: frontal.
    wall = hsv(factors.hue, factors.saturation, uniform(0.75, 0.95))
    names = {
        0: ("left_wall", "frontal_wall"),
        1: ("left_wall", "right_wall"),
        2: ("left_wall", "frontal_wall"),
    }
    left_name, right_name = names[factors.lines]
    add(_wall_patch("x", 0.0, FAR, 0.0, HEIGHT), wall * 0.97, left_name)
    add(_wall_patch("z", 0.0, width, 0.0, HEIGHT), wall * 0.82, right_name)
    if factors.lines == 2:
        add(_wall_patch("x", 0.0, FAR, 0.0, HEIGHT, width), wall * 0.92, "right_wall")
    add(
        [(0.0, HEIGHT, 0.0), (0.0, HEIGHT, FAR), (width, HEIGHT, FAR), (width, HEIGHT, 0.0)], WHITE, "ceiling"
    )
    _floor(rng, factors, width, add)
    # Furniture stands where the camera looks.
    category = CATEGORIES[factors.category]
    group = GROUP_WIDTH[category]
    x = camera.wall_position(uniform(0.46, 0.66)) - group / 2.0
    x = min(max(x, 0.45), width - group - 0.12)
    window, openings = _window(rng, factors, x + group / 2.0, width, daylight, light, accent)
    faces += openings
    if factors.painting:
        _painting(rng, window, x + group / 2.0, width, add)
    if factors.rug:
        a, b = max(0.3, x + uniform(-0.2, 0.4)), uniform(1.2, 1.6)
        add(_floor_patch(a, a + 1.7, b, b + 1.5), hsv(uniform(), 0.4, 0.7), "rug")
    if category == "bedroom":
        boxes, place = bedroom(x, paint)
    elif category == "living_room":
        boxes, place = living_room(x, paint, television=factors.lines > 0 and factors.column > 0.2)
    else:
        boxes, place = dining_room(x, uniform(0.75, 1.05), paint)
    boxes += _clutter(rng, factors.clutter, x, group)
    faces += _box_faces(boxes, camera, light)
    glows = [
        (place, 0.42 * indoor * WARM, 1.1),
        (window, 0.34 * daylight * COOL, 1.3),
    ]
    return Scene(camera, faces, glows)


def _floor(rng: np.random.Generator, factors: Factors, width: float, add: Add) -> None:
    if factors.wood:
        colour = np.array([0.56, 0.36, 0.19]) * rng.uniform(0.8, 1.2)
        add(_floor_patch(0.0, width, 0.0, FAR), colour, "floor")
        for x in np.arange(0.35, min(width, 6.0), 0.35).tolist():
            add(_floor_patch(x, x + 0.06, 0.0, FAR), colour * 0.68, "floor")
        return
    add(
        _floor_patch(0.0, width, 0.0, FAR),
        hsv(rng.uniform(), rng.uniform(0.0, 0.1), rng.uniform(0.55, 0.78)),
        "floor",
    )


def _window(
    rng: np.random.Generator,
    factors: Factors,
    centre: float,
    width: float,
    daylight: float,
    light: Colour,
    accent: Colour,
) -> tuple[tuple[float, float, float], list[Face]]:
    """Build frame, panes and curtains, on the left wall if that is well in view, else above the furniture."""
    beside = factors.lines == 1 and factors.column > 0.27
    wall = "x" if beside else "z"
    a = rng.uniform(0.8, 1.7) if beside else min(max(centre + rng.uniform(-1.0, -0.2), 0.35), width - 1.75)
    b = a + 1.3
    low, high = 1.05, 2.15
    sky = np.array([0.50, 0.72, 1.0]) * (0.12 + 0.72 * daylight) + 0.22 * daylight
    faces = [Face(_wall_patch(wall, a - 0.06, b + 0.06, low - 0.06, high + 0.06), WHITE * light, "window")]
    middle = (a + b) / 2.0
    for pane in ((a, middle - 0.03), (middle + 0.03, b)):
        faces.append(Face(_wall_patch(wall, *pane, low, high), sky, "window"))
    if factors.curtains:
        for start in (a - 0.30, b - 0.02):
            strip = _wall_patch(wall, start, start + 0.32, 0.75, 2.32, 0.04)
            faces.append(Face(strip, accent * 0.95 * light, "curtain"))
    place = (0.0, 1.6, middle) if beside else (middle, 1.6, 0.0)
    return place, faces


def _painting(
    rng: np.random.Generator, window: tuple[float, float, float], centre: float, width: float, add: Add
) -> None:
    on_wall_z = window[0] > 0.0
    a = window[0] + 1.15 if on_wall_z else centre + rng.uniform(-0.6, 0.1)
    if a + 0.75 > width:
        return
    add(_wall_patch("z", a, a + 0.75, 1.4, 1.98), hsv(rng.uniform(), 0.55, 0.7), "painting")


def _clutter(rng: np.random.Generator, count: int, x: float, group: float) -> list[Box]:
    """Place small bright boxes on the floor in front of the furniture."""
    boxes = []
    for _ in range(count):
        size = rng.uniform(0.14, 0.26)
        cx, cz = x + rng.uniform(-0.3, group + 0.2), rng.uniform(0.9, 3.0)
        boxes.append(
            box(
                cx,
                0.0,
                cz,
                size,
                size * rng.uniform(0.6, 1.2),
                size,
                hsv(rng.uniform(), 0.75, 0.9),
                "clutter",
            )
        )
    return boxes


def _box_faces(boxes: list[Box], camera: Camera, light: Colour) -> list[Face]:
    """Return the visible faces of all boxes, farthest box first (painter's order)."""
    ex, ey, ez = camera.eye.tolist()

    def distance(item: Box) -> float:
        return sum(
            ((a + b) / 2.0 - e) ** 2 for a, b, e in zip(item.low, item.high, (ex, ey, ez), strict=True)
        )

    faces = []
    for item in sorted(boxes, key=distance, reverse=True):
        (x0, y0, z0), (x1, y1, z1) = item.low, item.high
        colour = item.colour if item.glows else item.colour * light
        side, front = (0.95, 0.85) if item.glows else (0.80, 0.64)
        if ex > x1 or ex < x0:
            x = x1 if ex > x1 else x0
            faces.append(
                Face([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], colour * side, item.label)
            )
        if ez > z1 or ez < z0:
            z = z1 if ez > z1 else z0
            faces.append(
                Face([(x0, y0, z), (x0, y1, z), (x1, y1, z), (x1, y0, z)], colour * front, item.label)
            )
        if ey > y1:
            faces.append(Face([(x0, y1, z0), (x0, y1, z1), (x1, y1, z1), (x1, y1, z0)], colour, item.label))
        elif ey < y0:
            faces.append(
                Face([(x0, y0, z0), (x0, y0, z1), (x1, y0, z1), (x1, y0, z0)], colour * 0.6, item.label)
            )
    return faces
