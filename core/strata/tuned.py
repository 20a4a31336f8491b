"""Add weights of pivotal tuning to a generator for a while.

Nothing is written into its tensors: others take their places, and afterwards the old ones lie there again.
What autograd has noted of a pass stays right, and gradients reach what is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from ..errors import MismatchError, PluginBroken
from ..messages import listed, visible
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..plugins.held_tensors import Place, places_of


@contextmanager
def tuned(generator: Generator, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Make pictures with theta + delta in place of theta inside the block; afterwards theta is as before.

    Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", ACM Transactions on
    Graphics 42, 2022.

    Args:
        generator: generator whose tensors `Generator.tunable` names. It must not be used elsewhere meanwhile.
        weights: delta of each tensor, by its name; empty changes nothing.

    Raises:
        MismatchError: the generator has no such tensor, or it has another shape. Nothing was changed.
        PluginBroken: `tunable` names a tensor that the plugin does not hold. Nothing was changed.
    """
    if not weights:
        yield
        return
    tensors = checked(generator, weights)
    places = places_of(generator, tensors)
    lost = [visible(name) for name, where in places.items() if not where]
    if lost:
        raise PluginBroken(
            f"{owner_of(generator)}: `tunable` names {listed(lost, 3)}, and neither an attribute of the "
            "plugin nor one of its modules is that tensor; give the tensors that passes use"
        )
    moved = {name: tensor.detach() + weights[name].to(tensor) for name, tensor in tensors.items()}
    try:
        _put(places, moved)
        yield
    finally:
        _put(places, tensors)


def _put(places: Mapping[str, list[Place]], tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        for holder, key in places[name]:
            holder[key] = tensor


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
