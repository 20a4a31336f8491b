"""Say where pictures lie themselves: how far from a boundary, at the layers that an edit moves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..plugins.generator import Generator
from ..strata.moves import signed_distance
from ..strata.styles import style_strata, styles_of
from .directions import EditPart

Floats = NDArray[np.float32]


@torch.inference_mode()
def places_of(
    generator: Generator,
    part: EditPart,
    codes: Tensor,
    mean: Tensor | None,
    added: Mapping[int, Tensor] | None = None,
) -> Floats:
    """Return the signed distance of N pictures from a boundary (N,), averaged over the layers it moves.

    In s it is n.s + b of all styles with which a picture is made. It is in units of w, or of the styles; NaN
    if broadcast() is not a truncation towards a point.

    Args:
        generator: generator of the codes.
        part: the boundary and its layers.
        codes: (N, L, D).
        mean: the w towards which truncation pulls, as `mean_code` gives it.
        added: in s, what an edit adds to the styles: stratum -> (C_s,) or (N, C_s).
    """
    b = part.boundary
    if part.in_styles:
        styles = styles_of(generator, codes)  # (N, S)
        moves = [
            added[s].expand(len(styles), -1) if added and s in added else styles.new_zeros(len(styles), width)
            for s, width in style_strata(generator)
        ]
        normal = sent(b.normal, styles.device).to(styles)
        distances = (styles + torch.cat(moves, dim=1)) @ normal + float(b.offset)
    elif mean is None:
        return np.full(len(codes), np.nan, dtype=np.float32)
    else:
        codes = codes.float()
        distances = signed_distance(
            codes, b.normal, b.offset, part.layers, generator.layer_scale, mean.to(codes.device)
        )
    return np.asarray(distances.cpu().numpy(), dtype=np.float32)
