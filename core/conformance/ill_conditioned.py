"""Tell networks that amplify rounding from plugins whose pictures depend on the batch.

The same picture is computed differently in another batch: sums are added in another order, so the last digits
differ. A sound network keeps that difference near 1e-6 of the range. Weights that are damaged, or that
overflow almost, may blow it up until it looks like a layer that mixes the samples of a batch.

Which of the two it is can be measured: the picture is made again in the same batch while every number of the
computation is changed in its last digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from ..errors import GanstrataError, PictureError, PluginBroken

# Networks with untrained and trained weights of every built-in family have batches that differ by at most as
# much as changed last digits do. A layer that mixes samples differs by hundreds of times more.
FACTOR = 10.0


class LastDigits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Change every floating-point input of every operation in the block by one part in its last digit.

    The signs are drawn, from the same seed for every block. Views and in-place operations are left alone:
    their results are inputs of the next operation.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._signs = torch.Generator().manual_seed(0)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if all(argument.alias_info is None for argument in func._schema.arguments):
            args, kwargs = tree_map(self._changed, (args, kwargs))
        return func(*args, **kwargs)

    def _changed(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        signs = torch.randint(0, 2, value.shape, generator=self._signs, dtype=torch.int8).to(value.device)
        return value * (1.0 + torch.finfo(value.dtype).eps * (2 * signs - 1).to(value.dtype))


def rounding_effect(make: Callable[[], Tensor], pictures: Tensor) -> float:
    """Return how far pictures move if the last digits of all numbers are changed; 0 if that fails.

    Args:
        make: computes the pictures once more.
        pictures: as they were, (N, C, H, W).

    Returns:
        the largest absolute difference; infinite if the pictures are no longer finite.
    """
    try:
        with LastDigits():
            moved = make()
    except GanstrataError:
        return 0.0  # the plugin takes no tensors that are changed on the way, so nothing is known
    if moved.shape != pictures.shape:
        return 0.0
    effect = float((moved - pictures).abs().max())
    return effect if math.isfinite(effect) else math.inf


def batch_error(
    owner: str,
    fault: str,
    difference: float,
    make: Callable[[], Tensor],
    pictures: Tensor,
    span: float,
    tolerance: float,
) -> GanstrataError:
    """Return the error for pictures that change with their batch: of the plugin, or of the weights.

    Args:
        owner: the generator, for messages.
        fault: what was observed, in words.
        difference: by how much pictures change, relative to their range.
        make: computes some of the pictures once more, in the same batch.
        pictures: these pictures, (N, C, H, W).
        span: width of the range of the pictures.
        tolerance: the difference that is allowed.

    Returns:
        a PictureError if rounding explains the difference; else a PluginBroken.
    """
    effect = rounding_effect(make, pictures) / span
    if effect * FACTOR < difference:
        return PluginBroken(f"{owner}: {fault}")
    return PictureError(
        f"{owner}: pictures change by {difference:.2g} of the range with the other samples of their batch, "
        f"{tolerance:g} is allowed. The network amplifies rounding: in the same batch, pictures change by "
        f"{effect:.2g} if every number of the computation is changed in its last digit. The weights may be "
        "damaged: get the file once more, or take another. If the precision is not fp32, try that"
    )
