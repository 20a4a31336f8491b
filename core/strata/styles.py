"""Lay out the style channels of a generator in one vector, space s, and split a direction in it by stratum.

The style of a stratum is what its affine map makes of a code (Wu, Lischinski and Shechtman 2021, StyleSpace).
Space s joins the styles of all strata that have one, in the order of the strata: (S,), S = sum of their C_s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import UserError
from ..plugins.base import owner_of
from ..plugins.generator import Generator


def style_strata(generator: Generator) -> tuple[tuple[int, int], ...]:
    """Return number and style width C_s of every stratum with a style, in order."""
    return tuple(
        (s, stratum.style_width)
        for s, stratum in enumerate(generator.strata)
        if stratum.style_width is not None and stratum.reads is not None
    )


def style_channels(generator: Generator) -> int:
    """Return the number S of style channels of all strata."""
    return sum(width for _, width in style_strata(generator))


@torch.inference_mode()
def require_styles(generator: Generator) -> None:
    """Check that each stratum with a style width gives a style of that width.

    Raises:
        UserError: the generator has no styles, or a stratum gives another style than it declares.
    """
    strata = style_strata(generator)
    if not strata:
        raise UserError(
            f"the {owner_of(generator)} has no style channels: no stratum has a style_width and reads a layer"
        )
    code = torch.zeros(1, generator.card.code_size, device=generator.device)
    for s, width in strata:
        style = generator.style(s, code)
        if style is None or tuple(style.shape) != (1, width):
            given = "no style" if style is None else f"a style of shape {tuple(style.shape)}"
            raise UserError(
                f"the {owner_of(generator)} has no space s: style({s}, ...) gives {given} for one code, "
                f"but stratum {s} ('{generator.strata[s].name}') declares {width} channels"
            )


def styles_of(generator: Generator, codes: Tensor) -> Tensor:
    """Compute the point in s of samples: the styles of their codes, as the strata read them.

    Args:
        generator: a generator with styles, see `require_styles`.
        codes: (N, L, D), after truncation.

    Returns:
        (N, S), float32.
    """
    styles = []
    for s, _ in style_strata(generator):
        layer = generator.strata[s].reads
        assert layer is not None
        style = generator.style(s, codes[:, layer].float())
        assert style is not None
        styles.append(style.float())
    return torch.cat(styles, dim=1)


def split_styles(
    vector: NDArray[np.floating], strata: Sequence[tuple[int, int]]
) -> dict[int, NDArray[np.float32]]:
    """Split a direction in s by stratum, without the strata at which it is 0.

    Args:
        vector: (S,).
        strata: from `style_strata`.

    Returns:
        Number of the stratum -> (C_s,).

    Example:
        >>> split_styles(np.array([0.0, 0.0, 1.0]), [(0, 2), (3, 1)])
        {3: array([1.], dtype=float32)}
    """
    ends = np.cumsum([width for _, width in strata])
    pieces = np.split(np.asarray(vector, dtype=np.float32), ends[:-1])
    return {s: piece for (s, _), piece in zip(strata, pieces, strict=True) if np.any(piece)}


def styles_at(
    generator: Generator, vector: NDArray[np.floating], layers: Collection[int]
) -> dict[int, NDArray[np.float32]]:
    """Split a direction in s by stratum, and keep the strata that read one of the layers.

    Args:
        generator: gives the strata.
        vector: (S,).
        layers: layers to edit.

    Returns:
        Number of the stratum -> (C_s,); empty if the direction moves no style of these layers.
    """
    pieces = split_styles(vector, style_strata(generator))
    return {s: piece for s, piece in pieces.items() if generator.strata[s].reads in layers}
