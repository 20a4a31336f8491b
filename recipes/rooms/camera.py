"""Project with a pinhole camera that looks into the corner of a room at the origin.

The walls are the planes x = 0 (left) and z = 0 (right), the floor is y = 0; lengths in metres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FOCAL = 0.85  # focal length in picture widths: a horizontal field of view of 61 degrees
NEAR = 0.15  # what comes closer to the camera than this is cut away

Array = NDArray[np.float64]


class Camera:
    """Stand `distance` from the corner, and show it at a given column of the picture.

    Args:
        column: position of the corner line, in picture widths; outside [0, 1] it is not visible.
        azimuth: angle of the camera's place on the floor from the x axis, in radians.
        distance: from the corner, in metres.
        height: of the eye, in metres.
        pitch: up (positive) or down (negative), in radians.
    """

    def __init__(self, column: float, azimuth: float, distance: float, height: float, pitch: float) -> None:
        self.eye = np.array([distance * math.cos(azimuth), height, distance * math.sin(azimuth)])
        towards_corner = math.atan2(-self.eye[2], -self.eye[0])
        self.yaw = towards_corner - math.atan((column - 0.5) / FOCAL)
        forward = np.array(
            [
                math.cos(self.yaw) * math.cos(pitch),
                math.sin(pitch),
                math.sin(self.yaw) * math.cos(pitch),
            ]
        )
        right = np.array([-forward[2], 0.0, forward[0]])
        right /= math.hypot(right[0], right[2])
        self.axes = np.stack([right, np.cross(right, forward), forward])  # (3, 3) rows

    def see(self, points: Array) -> Array:
        """Return world points (P, 3) in camera coordinates (P, 3): right, up, depth."""
        return (points - self.eye) @ self.axes.T

    @staticmethod
    def project(seen: Array, width: int) -> list[tuple[float, float]] | None:
        """Return a polygon in camera coordinates as pixels, cut at the near plane; None if behind it."""
        corners: list[tuple[float, float, float]] = [(p[0], p[1], p[2]) for p in seen.tolist()]
        if min(c[2] for c in corners) <= NEAR:
            corners = _cut(corners)
            if len(corners) < 3:
                return None
        half, focal = width / 2.0, FOCAL * width
        return [(half + focal * x / z, half - focal * y / z) for x, y, z in corners]

    def wall_position(self, column: float) -> float:
        """Return the x at which the ray through a column hits the wall z = 0 (no pitch)."""
        angle = self.yaw + math.atan((column - 0.5) / FOCAL)
        return float(self.eye[0] - self.eye[2] * math.cos(angle) / math.sin(angle))


def _cut(corners: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Return the part of a polygon beyond the near plane (Sutherland and Hodgman, one plane)."""
    kept = []
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        if a[2] > NEAR:
            kept.append(a)
        if (a[2] > NEAR) != (b[2] > NEAR):
            t = (NEAR - a[2]) / (b[2] - a[2])
            kept.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), NEAR))
    return kept
