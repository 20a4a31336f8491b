"""Compute the styles of probing samples from their stored codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..plugins.generator import Generator
from ..storage.rows import Rows
from ..strata.styles import require_styles, style_channels, styles_of

ROWS = 256  # samples in one pass through the affine maps, which need little memory


@torch.inference_mode()
def styles_of_samples(
    generator: Generator,
    w: NDArray[np.float32],
    codes: NDArray[np.float32] | None,
    condition: NDArray[Any] | None,
) -> NDArray[np.float32]:
    """Compute the points in s of samples: the styles with which their pictures are made, after truncation.

    Args:
        generator: generator of the samples.
        w: (N, D).
        codes: (N, L, D) if styles were mixed; None where every layer has w.
        condition: condition of each sample (N, ...), on which truncation may depend, or None.

    Returns:
        (N, S).

    Raises:
        UserError: the generator has no styles.
    """
    require_styles(generator)
    styles = np.empty((len(w), style_channels(generator)), dtype=np.float32)
    for start in range(0, len(w), ROWS):
        rows = slice(start, start + ROWS)
        if codes is not None:
            layers = torch.from_numpy(codes[rows]).to(generator.device)
        else:
            given = None if condition is None else torch.from_numpy(condition[rows]).to(generator.device)
            layers = generator.broadcast(torch.from_numpy(w[rows]).to(generator.device), given)
        styles[rows] = styles_of(generator, layers).cpu().numpy()
    return styles


class StyleRows:
    """Represent the styles (N, S) of samples as a table, computed from their codes when rows are read.

    Args:
        generator: generator of the samples.
        w: (N, D).
        codes: (N, L, D) if styles were mixed, else None.
        condition: condition of each sample (N, ...), or None.

    Raises:
        UserError: the generator has no styles.
    """

    def __init__(self, generator: Generator, w: Rows, codes: Rows | None, condition: Rows | None) -> None:
        require_styles(generator)
        self._generator, self._w, self._codes, self._condition = generator, w, codes, condition
        self.shape = (w.shape[0], style_channels(generator))

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Compute the styles of consecutive samples, (n, S)."""
        codes, condition = (None if x is None else x[rows] for x in (self._codes, self._condition))
        return styles_of_samples(self._generator, self._w[rows], codes, condition)
