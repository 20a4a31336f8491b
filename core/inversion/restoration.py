"""Restore pictures: find codes whose picture, degraded as the given one was, looks like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError
from ..messages import quantity
from ..plugins.generator import Generator
from .degradation import Degradation, Mask
from .photographs import Pictures
from .target import Target
from .target_reading import Picture, Targets, read_targets


@dataclass(frozen=True)
class Restoration:
    """Hold how given pictures were degraded, and what is known of them.

    Attributes:
        degradation: what was done to them.
        truths: what they were before, one for each; none if nobody knows.
        spoil: whether the given pictures are whole, to try a restoration: they are degraded first, and are
            the truth themselves.
    """

    degradation: Degradation
    truths: tuple[Picture, ...] = ()
    spoil: bool = False

    def __post_init__(self) -> None:
        if self.spoil and self.truths:
            raise UserError("--truth says what pictures were before; with --spoil they are that themselves")

    def check_mask(self, *, has_masks: bool) -> None:
        """Refuse to fill in what no mask says.

        Raises:
            UserError: the pictures have lost pixels, and no mask is given that says which.
        """
        if isinstance(self.degradation, Mask) and not has_masks:
            raise UserError("which pixels are to be made up? Give a --mask: white is known, black is not")


def degraded_targets(
    pictures: Picture | Sequence[Picture] | Pictures,
    generator: Generator,
    restoration: Restoration,
    *,
    crop: str,
    masks: Picture | Sequence[Picture] | None = None,
    resize_mask: bool = False,
    seed: int = 0,
) -> Targets:
    """Read pictures that are to be restored.

    Args:
        pictures: as for `read_targets`. They are fitted to the size to which the degradation brings those of
            the generator.
        generator: restores them.
        restoration: how they were degraded.
        crop: rule by which pictures and truths are fitted.
        masks: of known pixels.
        resize_mask: whether masks of another size are resized.
        seed: of the noise that spoils pictures.

    Raises:
        DataError: the generator's pictures cannot be degraded so, or a file is not a picture.
        UserError: a mask is missing, or the number of truths is another one.
    """
    height, width = generator.card.height, generator.card.width
    degradation = restoration.degradation
    size = (height, width) if restoration.spoil else degradation.size(height, width)
    restoration.check_mask(has_masks=masks is not None)
    chosen = read_targets(pictures, generator, crop=crop, masks=masks, resize_mask=resize_mask, size=size)
    truths = _truths(pictures, generator, restoration, crop)
    if truths and len(truths) != len(chosen.targets):
        raise UserError(
            f"{quantity(len(truths), 'truth')} for {quantity(len(chosen.targets), 'picture')}: give one for "
            "each, in their order"
        )
    targets = []
    for i, one in enumerate(chosen.targets):
        observed, known = one.observed, one.known
        if restoration.spoil:
            observed = degradation.spoilt(observed[None], [i], seed)[0]
        elif degradation.size(height, width) == (height, width):
            observed = degradation(observed[None])[0]  # grey of what may have colours
        mask = None if known is None else whole_known(known, *observed.shape[1:])
        whole = degradation.whole(
            observed[None].clamp(0.0, 1.0), None if mask is None else mask[None], height, width
        )[0]
        truth = truths[i].picture if truths else None
        targets.append(replace(one, picture=whole, observed=observed.contiguous(), known=mask, truth=truth))
    return Targets(tuple(targets), chosen.notes)


def whole_known(known: Tensor, height: int, width: int) -> Tensor:
    """Return the mask of a picture that was averaged down: a pixel is as known as the least of its own.

    Args:
        known: (1, H, W) in [0, 1].
        height: divides H.
        width: divides W.

    >>> import torch
    >>> whole_known(torch.tensor([[[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]]), 1, 2).tolist()
    [[[1.0, 0.0]]]
    """
    return -F.adaptive_max_pool2d(-known, (height, width))


def _truths(
    pictures: Picture | Sequence[Picture] | Pictures,
    generator: Generator,
    restoration: Restoration,
    crop: str,
) -> tuple[Target, ...]:
    """Return what the pictures were before, fitted to the generator; none if nobody knows."""
    if restoration.spoil:
        return read_targets(pictures, generator, crop=crop).targets
    return read_targets(list(restoration.truths), generator, crop=crop).targets if restoration.truths else ()
