"""Draw classes for conditional generators, and turn conditions into class weights."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ....core.device import sent
from ....core.errors import CheckpointError, DataError
from ....core.plugins.records import Latents
from ....core.plugins.shapes import check_shape
from ....core.randomness import Stream, Use, uniforms


class Classes:
    """Draw the classes of samples, and turn conditions into class weights.

    Args:
        family: name of the generator, for messages.
        count: number of classes Y of the network; 0 if it is unconditional.
        requested: classes to draw from: `sampled` for all of them, one class, or a list.

    Raises:
        CheckpointError: the network does not have these classes.
    """

    def __init__(self, family: str, count: int, requested: Literal["sampled"] | int | list[int]) -> None:
        self.family, self.count = family, count
        if requested == "sampled":
            self.drawn = list(range(count))
            return
        classes = [requested] if isinstance(requested, int) else list(requested)
        if not count:
            raise CheckpointError(
                f"classes are configured, but this {family} is unconditional; leave `classes` out"
            )
        if not classes or any(not 0 <= c < count for c in classes):
            raise CheckpointError(f"classes {requested}: this {family} has classes 0 to {count - 1}")
        self.drawn = classes

    def sample(self, latents: Latents, seed: int, stream: Stream) -> Latents:
        """Return the latents with classes (N,), drawn uniformly.

        The class of a sample depends only on (seed, stream, index).
        """
        if not self.drawn:
            return latents
        draws = [uniforms(seed, stream, Use.CONDITION, i, 1)[0] for i in latents.index.tolist()]
        classes = [self.drawn[int(draw * len(self.drawn))] for draw in draws]
        return Latents(latents.z, sent(torch.tensor(classes), latents.z.device), latents.index)

    def weights(self, condition: Tensor | None, like: Tensor) -> Tensor | None:
        """Return class weights (N, Y), or None for an unconditional network.

        Args:
            condition: classes (N,), of which the weights are one-hot rows, or weights (N, Y).
            like: a tensor (N, ...) that sets the dtype and device of the weights.

        Raises:
            DataError: the condition is missing, or names classes that the network does not have. On an
                accelerator the weights of such a class are NaN, and so is its picture, which is refused.
        """
        if not self.count:
            return None
        n = like.shape[0]
        if condition is None:
            raise DataError(
                f"this {self.family} is conditional: "
                f"it needs a class from 0 to {self.count - 1} for every sample"
            )
        if condition.is_floating_point():
            check_shape(condition, "N Y", where="class weights", N=n, Y=self.count)
            return condition.to(like)
        check_shape(condition, "N", where="classes", N=n)
        # Reading values would make an accelerator wait. There, a class that does not exist gives NaN.
        if condition.device.type == "cpu" and ((condition < 0) | (condition >= self.count)).any():
            raise DataError(
                f"this {self.family} has classes 0 to {self.count - 1}; "
                f"the condition holds {sorted(set(condition.tolist()))}"
            )
        numbers = torch.arange(self.count, device=condition.device)
        chosen = (condition[:, None] == numbers).to(like)  # (N, Y), one-hot
        return chosen / chosen.sum(dim=1, keepdim=True)
