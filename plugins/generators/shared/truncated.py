"""Share what every generator does that truncates its codes towards a mean w."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from . import truncation
from .published import PublishedGenerator


class TruncatedGenerator(PublishedGenerator):
    """Expand w to codes that are truncated towards the mean w (Karras et al. 2019, appendix B).

    Subclasses set `_scale`, the factors psi (L,), and `_mean`, the mean w (D,) or (L, D).
    """

    _scale: NDArray[np.float32]
    _mean: Tensor

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """Truncation factors (L,): psi on the truncated layers, 1 on the others."""
        return self._scale

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Expand w (N, D) to codes (N, L, D), truncated towards the mean w."""
        return truncation.truncate(w, self._mean, self._scale)
