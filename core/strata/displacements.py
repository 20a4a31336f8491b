"""Move samples along unit normals at some layers, in a space of codes or in s, and render them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..plugins.generator import Generator
from ..plugins.records import Rendering
from .composition import Pass
from .moves import edit_direction, move, move_jointly
from .styles import styles_at

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Displacement:
    """Hold what one unit of an edit adds, to the codes or to the styles; plain data for workers.

    Attributes:
        layers: layers at which something is moved.
        codes: added to the codes, (L, D); None in space s.
        styles: added to the style of each stratum, number -> (C_s,); None in a space of codes.
    """

    layers: tuple[int, ...]
    codes: NDArray[np.float32] | None = None
    styles: Mapping[int, NDArray[np.float32]] | None = None


def displacement(
    generator: Generator,
    normal: Floats,
    layers: Sequence[int],
    scale: Floats,
    *,
    styles: bool,
    length: float = 1.0,
) -> Displacement:
    """Return what one unit of an edit adds along a normal at some layers.

        codes    c'_l = c_l + length scale_l n_l         for l in the layers
        styles   s'_k = s_k + length n_k                 for the channels k of strata that read these layers

    Styles are those of truncated codes, so a step in s does not shrink where truncation shrinks w.

    Args:
        generator: gives the strata.
        normal: unit normal n (D,), one per layer (L, D), or (S,) in s.
        layers: layers to edit.
        scale: factor of a step on each layer (L,), for codes.
        styles: whether the normal lies in s.
        length: length of one unit.
    """
    at = tuple(layers)
    if styles:
        pieces = styles_at(generator, normal, at)
        return Displacement(at, styles={s: piece * np.float32(length) for s, piece in pieces.items()})
    return Displacement(at, codes=edit_direction(normal, at, scale) * np.float32(length))


def edited(
    rendered: Pass,
    codes: Tensor,
    displacements: Sequence[Displacement],
    amounts: Sequence[float],
    layers: Collection[int],
) -> Rendering:
    """Render a batch again after a step along one direction, or along several together.

    Args:
        rendered: the unedited pass.
        codes: its codes (N, L, D).
        displacements: one or several, all of codes or all of styles.
        amounts: units to move along each.
        layers: layers at which something is moved.
    """
    if displacements[0].styles is not None:
        device = rendered.generator.device
        return rendered.edited(codes, layers, added_styles(displacements, amounts, device))
    directions = [d.codes for d in displacements if d.codes is not None]
    if len(directions) == 1:
        return rendered.edited(move(codes, directions[0], amounts[0]), layers)
    return rendered.edited(move_jointly(codes, directions, amounts), layers)


def added_styles(
    displacements: Sequence[Displacement], amounts: Sequence[float], device: torch.device
) -> dict[int, Tensor]:
    """Return what edits in s add to the style of each stratum together, number -> (C_s,)."""
    total: dict[int, Tensor] = {}
    for each, amount in zip(displacements, amounts, strict=True):
        for s, piece in (each.styles or {}).items():
            step = sent(piece, device) * float(amount)
            total[s] = total[s] + step if s in total else step
    return total
