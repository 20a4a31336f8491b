"""Keep the squared weights of a convolution, which its demodulation needs in every pass."""

from __future__ import annotations

from torch import Tensor


class Squares:
    """Return the sum over the pixels k of w_oik^2, of weights (O, I, k, k): computed once for those in use.

    If another tensor takes the place of the weights, as those that were tuned for a picture do, its squares
    are computed in every pass, with gradients.
    """

    def __init__(self) -> None:
        self._weight: Tensor | None = None
        self._kept: Tensor | None = None

    def keep(self, weight: Tensor) -> None:
        """Compute the squares of these weights, which must not change while they are in use."""
        self._weight, self._kept = weight, squares_of(weight.detach())

    def of(self, weight: Tensor) -> Tensor:
        """Return the squares (O, I) of weights, the kept ones if they are of this very tensor."""
        if self._kept is not None and weight is self._weight and not weight.requires_grad:
            return self._kept
        return squares_of(weight)


def squares_of(weight: Tensor) -> Tensor:
    """Return the sums (O, I) of the squares of weights (O, I, k, k)."""
    return weight.square().sum(dim=(2, 3))
