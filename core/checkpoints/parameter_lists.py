"""Read moving averages that are stored as a list of parameters without names.

FastGAN's training keeps its average in this way: {"g": state dict, "g_ema": [parameter, parameter, ...]}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..messages import visible
from .limits import Budget
from .pickles.modules import as_tensor

# Tensors of a state dict that are no parameters: statistics and counters of norms, vectors of spectral norms.
_BUFFERS = re.compile(r"(^|\.)(running_(mean|var)|num_batches_tracked|weight_[uv]|0\._[uv])$")
_AVERAGE = re.compile(r"[_.]?(ema|avg|average)$", re.IGNORECASE)


def averages(
    content: Mapping[Any, Any], networks: Mapping[str, Mapping[str, Tensor]], budget: Budget
) -> Iterator[tuple[str, dict[str, Tensor], str]]:
    """Yield the averages in a dictionary that are lists of parameters of one of its networks.

    Args:
        content: the dictionary that a file holds.
        networks: the state dicts found in it, by name.
        budget: counts the time that this takes.

    Yields:
        the name of an average, its state dict, and a sentence on it.
    """
    for name, values in content.items():
        network = network_of(name) if isinstance(name, str) else None
        if network is None or network not in networks or name in networks:
            continue
        if not isinstance(values, list | tuple):
            continue
        budget.step(len(values) + len(networks[network]))
        tensors = with_names(values, networks[network])
        if tensors is not None:
            note = (
                f"The parameters of {visible(name)} are stored without names; "
                f"they are taken in the order of {visible(network)}, whose statistics are used."
            )
            yield name, tensors, note


def network_of(name: str) -> str | None:
    """Return the name of the network of which an entry would be the average, or None.

    >>> network_of("g_ema"), network_of("g")
    ('g', None)
    """
    network = _AVERAGE.sub("", name)
    return network if network and network != name else None


def with_names(values: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return a state dict with its parameters replaced by those of a list, in the order of both.

    Args:
        values: what is stored in place of a state dict.
        state: the network's own state dict, which gives the names, and the tensors that are no parameters.

    Returns:
        None if the values are no list of tensors with exactly the shapes of the state dict's parameters.
    """
    names = [name for name in state if not _BUFFERS.search(name)]
    if not isinstance(values, list | tuple) or len(values) != len(names) or not names:
        return None
    tensors = [as_tensor(value) for value in values]
    named: dict[str, Tensor] = {}
    for name, tensor in zip(names, tensors, strict=True):
        if tensor is None or tensor.shape != state[name].shape:
            return None
        named[name] = tensor
    return {**state, **named}
