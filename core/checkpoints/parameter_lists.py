"""Read moving averages that are stored as a list of parameters without names.

FastGAN's training keeps its average as {"g": state dict, "g_ema": [parameter, parameter, ...]}, torch_ema and
diffusers as {"ema": {"shadow_params": [parameter, parameter, ...]}}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..messages import visible
from .limits import Budget
from .pickles.modules import as_tensor

# Last components of the names of tensors that are not parameters: statistics and counters of norms, vectors
# of spectral norms, filters, fixed noise and mean codes.
_BUFFERS = re.compile(
    r"(^|\.)((running|stored)_(mean|var)|num_batches_tracked|accumulation_counter|weight_[uv]|0\._[uv]"
    r"|s?[uv]\d+|resample_filter|(blur_)?kernel|noise(_const)?|\w*noise_\d+|(\w*latent|w)_avg|lod|truncation)$"
)
_AVERAGE = re.compile(r"(^|[_.])(ema|avg|averaged?)([_.]model)?$", re.IGNORECASE)
_LIST = "shadow_params"  # key of the parameters in the averages of torch_ema and diffusers
_LEAST = 4  # tensors in a list that is told when it fits no network


def averages(
    content: Mapping[Any, Any], networks: Mapping[str, Mapping[str, Tensor]], budget: Budget
) -> Iterator[tuple[str, dict[str, Tensor] | None, str]]:
    """Yield the averages in a dictionary that are lists of parameters of one of its networks.

    Args:
        content: the dictionary that a file holds.
        networks: the state dicts found in it, by name; the likeliest first.
        budget: counts the time that this takes.

    Yields:
        the name of an average, its state dict or None if it fits no network, and a sentence on it.
    """
    for name, held in content.items():
        network = network_of(name) if isinstance(name, str) else None
        values = held.get(_LIST) if isinstance(held, dict) else held
        if network is None or name in networks or not isinstance(values, list | tuple):
            continue
        is_unused = len(values) >= _LEAST
        for owner in [network] if network else networks:
            if owner not in networks:
                continue
            budget.step(len(values) + len(networks[owner]))
            tensors = with_names(values, networks[owner])
            if tensors is not None:
                yield (
                    name,
                    tensors,
                    f"The parameters of {visible(name)} are stored without names; "
                    f"they are taken in the order of {visible(owner)}, whose statistics are used.",
                )
                is_unused = False
                break
        if is_unused and any(as_tensor(value) is not None for value in values[:_LEAST]):
            yield (
                name,
                None,
                f"the average {visible(name)} is not used: its {len(values)} parameters are stored without "
                "names, and they are not those of a network in the file",
            )


def network_of(name: str) -> str | None:
    """Return the name of the network of which an entry would be the average; "" for any, None for no average.

    >>> network_of("g_ema"), network_of("ema"), network_of("g")
    ('g', '', None)
    """
    network = _AVERAGE.sub("", name)
    return network if network != name else None


def with_names(values: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return a state dict with its parameters replaced by those of a list, in the order of both.

    Args:
        values: what is stored in place of a state dict.
        state: the network's own state dict, which gives the names, and the tensors that are not parameters.

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
