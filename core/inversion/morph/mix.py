"""Mix styles: some layers take their codes from another picture.

    c_l = codes of the style picture for l in the mixed layers, else codes of the structure picture

Source: Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks",
CVPR 2019, section 3.1.

Shapes: R structure pictures, C style pictures, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...device import rows_at
from ...errors import UserError
from ...figures.pictures import Pixels
from ...plugins.inverter import Inversion
from ...plugins.pending import one_late
from ...runs.inversion_rows import rows_of
from ...strata.layers import groups_of, layer_sets
from .points import Points, begin_shown


@dataclass(frozen=True)
class Mixed:
    """Hold a grid of mixed pictures.

    Attributes:
        rows: names of the structure pictures (R,).
        columns: names of the style pictures (C,).
        layers: whose codes are those of the style pictures.
        structure: structure pictures as they are, (R, H, W, C').
        style: style pictures as they are, (C, H, W, C').
        pictures: (R, C, H, W, C').
        inversion: everything of which they are made, R * C rows, row by row.
        index: (R * C,), which decide fresh noise.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    layers: tuple[int, ...]
    structure: Pixels
    style: Pixels
    pictures: Pixels
    inversion: Inversion
    index: Tensor

    @property
    def grid(self) -> Pixels:
        """The pictures with the style pictures above and the structure pictures before them.

        (R + 1, C + 1, H, W, C'); the corner is white.
        """
        corner = np.full_like(self.structure[:1], 255)
        head = np.concatenate([corner, self.style])[None]
        body = np.concatenate([self.structure[:, None], self.pictures], axis=1)
        return np.concatenate([head, body])


def layers_named(points: Points, text: str) -> tuple[int, ...]:
    """Return the layers of numbers such as 4-7, or of a group.

    Raises:
        UserError: they are all layers, which leaves nothing of the structure, or the generator has one.
        LayerError: there are no such layers.
    """
    count = points.generator.card.layers
    if count == 1:
        raise UserError("this generator has one layer, so there is nothing to mix")
    sets = layer_sets([text], groups_of(points.generator), count).values()
    layers = tuple(sorted({layer for one in sets for layer in one}))
    if len(layers) == count:
        raise UserError(
            f"--layers {text}: these are all layers, so that nothing is left of the other picture; name some"
        )
    return layers


@torch.no_grad()
def mix(
    points: Points,
    rows: Sequence[int],
    columns: Sequence[int],
    layers: Sequence[int],
    *,
    batch: int = 8,
    done: Callable[[int], None] = lambda count: None,
) -> Mixed:
    """Return the grid of all structure pictures with the styles of all style pictures.

    Noise, class and tuned weights of a mixed picture are those of its structure picture.

    Args:
        points: the pictures.
        rows: numbers of the structure pictures.
        columns: numbers of the style pictures.
        layers: whose codes are taken from the style pictures.
        batch: pictures in one pass.
        done: called with the number of pictures after each pass.
    """
    inversion = points.inversion
    pairs = [(r, c) for r in rows for c in columns]
    base = rows_of(inversion, [r for r, _ in pairs])
    codes = base.codes.clone()
    style_codes = rows_at(inversion.codes, [c for _, c in pairs])
    for layer in layers:
        codes[:, layer] = style_codes[:, layer]
    made = replace(base, codes=codes, latent=None, space="w+")
    index = points.index[[r for r, _ in pairs]]
    shown = []
    for part in (
        (rows_of(inversion, rows), points.index[list(rows)]),
        (rows_of(inversion, columns), points.index[list(columns)]),
        (made, index),
    ):
        parts = []
        begun = ((None, begin_shown(rendering)) for rendering in points.renderings(*part, batch))
        for _, made_pictures in one_late(begun):
            parts.append(made_pictures)
            done(len(made_pictures))
        shown.append(np.concatenate(parts))
    structure, style, pictures = shown
    return Mixed(
        tuple(points.names[r] for r in rows),
        tuple(points.names[c] for c in columns),
        tuple(layers),
        structure,
        style,
        pictures.reshape(len(rows), len(columns), *pictures.shape[1:]),
        made,
        index,
    )
