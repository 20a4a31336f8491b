"""Classes of conditional generators: which are drawn, and how a condition becomes class weights."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ....core.errors import CheckpointError, DataError
from ....core.plugins.records import Latents
from ....core.plugins.shapes import check_shape
from ....core.randomness import Stream, Use, uniforms


class Classes:
    """The classes of one network.

    Args:
        family: of the generator, for messages.
        count: how many classes the network has; 0 if it is unconditional.
        asked: `sampled` for all of them, one class, or a list.

    Raises:
        CheckpointError: classes that the network does not have.
    """

    def __init__(self, family: str, count: int, asked: Literal["sampled"] | int | list[int]) -> None:
        self.family, self.count = family, count
        if asked == "sampled":
            self.drawn = list(range(count))
            return
        wanted = [asked] if isinstance(asked, int) else list(asked)
        if not count:
            raise CheckpointError(
                f"classes are configured, but this {family} is unconditional; leave `classes` out"
            )
        if not wanted or any(not 0 <= c < count for c in wanted):
            raise CheckpointError(f"classes {asked}: this {family} has classes 0 to {count - 1}")
        self.drawn = wanted

    def sample(self, latents: Latents, seed: int, stream: Stream) -> Latents:
        """The same latents with a class each, drawn evenly: a function of (seed, stream, index) alone."""
        if not self.drawn:
            return latents
        draws = [uniforms(seed, stream, Use.CONDITION, i, 1)[0] for i in latents.index.tolist()]
        chosen = [self.drawn[int(draw * len(self.drawn))] for draw in draws]
        return Latents(latents.z, torch.tensor(chosen, device=latents.z.device), latents.index)

    def weights(self, condition: Tensor | None, like: Tensor) -> Tensor | None:
        """Class weights (N, Y) from classes (N,) or class weights (N, Y); None for unconditional networks.

        Args:
            condition: as sample() or the user gives it.
            like: a tensor (N, ...) whose type and device the weights get.

        Raises:
            DataError: no condition where one is needed, or classes that are not there.
        """
        if not self.count:
            return None
        n = like.shape[0]
        if condition is None:
            raise DataError(
                f"this {self.family} is conditional: it needs a class from 0 to {self.count - 1} for every sample"
            )
        if condition.is_floating_point():
            check_shape(condition, "N Y", where="class weights", N=n, Y=self.count)
            return condition.to(like)
        check_shape(condition, "N", where="classes", N=n)
        if ((condition < 0) | (condition >= self.count)).any():
            raise DataError(
                f"this {self.family} has classes 0 to {self.count - 1}; it was given {sorted(set(condition.tolist()))}"
            )
        return torch.nn.functional.one_hot(condition.long(), self.count).to(like)
