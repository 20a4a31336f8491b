"""Add weights of pivotal tuning to a generator for a while, and take them away exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import MismatchError
from ..messages import listed, visible
from ..plugins.base import owner_of
from ..plugins.contracts import Generator


@contextmanager
def tuned(generator: Generator, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Make pictures with theta + delta in place of theta inside the block; afterwards theta is as before.

    Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", ACM Transactions on
    Graphics 42, 2022.

    Args:
        generator: generator whose tensors `Generator.tunable` names.
        weights: delta of each tensor, by its name; empty changes nothing.

    Raises:
        MismatchError: the generator has no such tensor, or it has another shape. Nothing was changed.
    """
    if not weights:
        yield
        return
    tensors = checked(generator, weights)
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    try:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.add_(weights[name].to(tensor))
        yield
    finally:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(before[name])


def checked(generator: Generator, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the generator's tensors to which weights belong, by name.

    Raises:
        MismatchError: the generator has no such tensor, or it has another shape.
    """
    tunable = generator.tunable
    unknown = sorted(weights.keys() - tunable.keys())
    if unknown:
        raise MismatchError(
            f"tuned weights are for {listed([visible(name) for name in unknown], 3)}, which "
            f"{owner_of(generator)} does not let be tuned; they belong to another generator"
        )
    for name, delta in weights.items():
        if delta.shape != tunable[name].shape:
            raise MismatchError(
                f"tuned weights for {visible(name)} have the shape {tuple(delta.shape)}; that of "
                f"{owner_of(generator)} is {tuple(tunable[name].shape)}"
            )
    return {name: tunable[name] for name in weights}
