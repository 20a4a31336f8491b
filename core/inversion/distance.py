"""Say how far pictures of a generator are from wanted ones: a weighted sum of terms, one number per picture.

    d = a * mean (x - y)^2 + b * perceptual(x, y) + c * (1 - MS-SSIM(x, y))

with x what the degradation makes of the generator's picture, and y what was given. Means are over pixels and
channels in [0, 1], so that the weights mean the same at every size.

Unknown pixels count in no term. In the squared error they have no weight. For the other terms they are
replaced in x by those of y, and the term is divided by the known share of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..device import rows_at
from ..errors import DataError
from ..plugins.records import Rendering
from .degradation import Degradation
from .perceptual import Perceptual
from .similarity import composited, ms_ssim, squared_error

PERCEPTUAL = 0.1  # default weight; with 0.8, as e4e has for LPIPS, PSNR and MS-SSIM end lower


@dataclass(frozen=True)
class DistanceRule:
    """Set which terms a distance has, whatever the pictures.

    Attributes:
        pixel: weight of the mean squared error.
        perceptual: weight of the perceptual distance; of no effect without a network.
        ms_ssim: weight of 1 - MS-SSIM.
        network: the perceptual distance; None for none.
        degradation: what is done to the generator's pictures before they are compared; None for nothing.
        floor: mean squared error below which that term is 0: the variance of noise in the given pictures.

    Raises:
        DataError: a weight is negative or not finite, or all are 0.
    """

    pixel: float = 1.0
    perceptual: float = PERCEPTUAL
    ms_ssim: float = 0.0
    network: Perceptual | None = None
    degradation: Degradation | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        weights = {"pixel": self.pixel, "perceptual": self.perceptual, "ms_ssim": self.ms_ssim}
        for name, value in {**weights, "floor": self.floor}.items():
            if not 0.0 <= value < float("inf"):
                raise DataError(f"distance: {name} is {value}; a number of 0 or more was expected")
        if not self.pixel and not self.ms_ssim and not (self.perceptual and self.network):
            raise DataError(
                "distance: all weights are 0, so that every picture would be as good as any; "
                "give pixel, ms_ssim, or perceptual with a network, a weight above 0"
            )

    @property
    def name(self) -> str:
        """Return the formula for tables: weights, terms, the network and the degradation."""
        terms = []
        if self.pixel:
            above = f" above {self.floor:g}" if self.floor else ""
            terms.append(f"{self.pixel:g} MSE{above}")
        if self.perceptual and self.network is not None:
            terms.append(f"{self.perceptual:g} perceptual({self.network.name})")
        if self.ms_ssim:
            terms.append(f"{self.ms_ssim:g} (1 - MS-SSIM)")
        after = "" if self.degradation is None else f" after {self.degradation.name}"
        return " + ".join(terms) + after

    def to(self, wanted: Tensor, known: Tensor | None = None) -> Distance:
        """Return the distance from given pictures.

        Args:
            wanted: (N, 3, h, w) in [0, 1], of the size that the degradation gives.
            known: weights of their pixels (N, 1, h, w) or (1, 1, h, w) in [0, 1]; None if all are known.

        Raises:
            DataError: shapes do not match, or no pixel of a picture is known.
        """
        if wanted.ndim != 4 or wanted.shape[1] != 3 or not wanted.is_floating_point():
            raise DataError(
                f"wanted pictures have the shape {tuple(wanted.shape)} and type {wanted.dtype}; "
                "floats (N, 3, height, width) in [0, 1] were expected"
            )
        # A search saves these tensors for its gradients, which tensors of inference mode do not allow.
        with torch.inference_mode(mode=False):
            wanted = wanted.detach().clone()
            return Distance(self, wanted, None if known is None else _checked_mask(known, wanted))


def _checked_mask(known: Tensor, wanted: Tensor) -> Tensor:
    """Return a mask as (N, 1, h, w), of the type of the wanted pictures.

    Raises:
        DataError: it has another shape or other values, or no pixel of a picture is known.
    """
    n, _, height, width = wanted.shape
    if known.ndim != 4 or len(known) not in (1, n) or tuple(known.shape[1:]) != (1, height, width):
        raise DataError(
            f"the mask of known pixels has the shape {tuple(known.shape)}; "
            f"({n}, 1, {height}, {width}) was expected, the size of the given pictures"
        )
    mask = known.detach().to(wanted).expand(n, -1, -1, -1).clone()
    if not bool(((mask >= 0.0) & (mask <= 1.0)).all()):
        raise DataError("the mask of known pixels has values outside [0, 1]")
    some = mask.flatten(1).sum(dim=1) > 0.0
    if not bool(some.all()):
        raise DataError(
            f"no pixel of picture {some.tolist().index(False)} (from 0) is known, so that nothing says what "
            "it should be; "
            "1 (white) marks known pixels in a mask, 0 (black) unknown ones"
        )
    return mask


@dataclass(frozen=True)
class Distance:
    """Compare renderings with given pictures.

    Attributes:
        rule: terms and weights.
        wanted: the given pictures (N, 3, h, w).
        known: weights of their pixels (N, 1, h, w); None if all are known.
    """

    rule: DistanceRule
    wanted: Tensor
    known: Tensor | None = None

    @property
    def name(self) -> str:
        """Return the formula for tables."""
        return self.rule.name

    def __call__(self, rendering: Rendering, rows: Sequence[int] | None = None) -> Tensor:
        """Return the distance (M,) of the pictures of a rendering, with gradients if they have any.

        Args:
            rendering: M pictures.
            rows: which of the given pictures each is compared with; None if M = N, in their order.

        Raises:
            DataError: the pictures, degraded, are not of the size and number of the given ones.
            UserError: the perceptual network gives no gradients.
        """
        rule, terms = self.rule, self.terms(rendering, rows)
        weights = {"MSE": rule.pixel, "perceptual": rule.perceptual, "MS-SSIM": rule.ms_ssim}
        parts = [weights[name] * value for name, value in terms.items()]
        return torch.stack(parts).sum(dim=0)

    def terms(self, rendering: Rendering, rows: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Return each term (M,) before its weight, by name: MSE, perceptual, MS-SSIM (1 - its value).

        Arguments as for a call.

        Raises:
            DataError, UserError: as for a call.
        """
        rule, images = self.rule, rendering.images
        if rule.degradation is not None:
            images = rule.degradation(images)
        wanted, known, share = self.wanted, self.known, self._share
        if rows is not None:
            wanted = rows_at(wanted, rows)
            known = None if known is None else rows_at(known, rows)
            share = rows_at(share, rows) if isinstance(share, Tensor) else share
        if images.shape != wanted.shape:
            raise DataError(
                f"the generator's pictures are {_size(images)}"
                + ("" if rule.degradation is None else f" after {rule.degradation.name}")
                + f", the given ones {_size(wanted)}; fit the given ones to that size"
            )
        terms: dict[str, Tensor] = {}
        if rule.pixel:
            terms["MSE"] = (squared_error(images, wanted, known) - rule.floor).clamp(min=0.0)
        images = composited(images, wanted, known)
        if rule.perceptual and rule.network is not None:
            compared = Rendering(images, composed=True)
            features = self._features if rows is None else [rows_at(x, rows) for x in self._features]
            terms["perceptual"] = rule.network.compare(rule.network.features(compared), features) / share
        if rule.ms_ssim:
            terms["MS-SSIM"] = (1.0 - ms_ssim(images, wanted)) / share
        return terms

    @cached_property
    def _share(self) -> Tensor | float:
        """Known share of each picture (N,)."""
        with torch.inference_mode(mode=False):
            return 1.0 if self.known is None else self.known.flatten(1).mean(dim=1)

    @cached_property
    def _features(self) -> Sequence[Tensor]:
        """Feature maps of the given pictures, which do not change."""
        assert self.rule.network is not None
        with torch.inference_mode(mode=False), torch.no_grad():
            maps = self.rule.network.features(Rendering(self.wanted, composed=True))
            return [x.detach() for x in maps]


def _size(images: Tensor) -> str:
    n, _, height, width = images.shape
    return f"{n} of {height} x {width} px (height x width)"
