"""Find the tensors that a plugin holds: parameters by name, and the places that hold a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from torch import Tensor, nn


def parameters_of(plugin: object) -> dict[str, Tensor]:
    """Return the parameters of all modules that are attributes of an object, as `attribute.name`.

    A parameter that several of them share is named once.
    """
    named: dict[str, Tensor] = {}
    seen: set[int] = set()
    for attribute, value in vars(plugin).items():
        if isinstance(value, nn.Module):
            for name, parameter in value.named_parameters(attribute):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    named[name] = parameter
    return named


Place = tuple[MutableMapping[str, Any], str]
"""A mapping of attributes, and the name under which it holds a tensor."""


def places_of(plugin: object, tensors: Mapping[str, Tensor]) -> dict[str, list[Place]]:
    """Return by name the places where a plugin holds each tensor; none if it holds it nowhere.

    These are its attributes, and those of its modules: parameters, buffers, and tensors that are neither.
    Modules may lie in lists, tuples and mappings.
    """
    names = {id(tensor): name for name, tensor in tensors.items()}
    found: dict[str, list[Place]] = {name: [] for name in tensors}
    holders: list[MutableMapping[str, Any]] = [vars(plugin)]
    for module in _modules(plugin):
        holders += [module._parameters, module._buffers, vars(module)]
    for holder in holders:
        for key, value in holder.items():
            if isinstance(value, Tensor) and id(value) in names:
                found[names[id(value)]].append((holder, key))
    return found


def _modules(plugin: object) -> Iterator[nn.Module]:
    """Yield each module of an object once."""
    seen: set[int] = set()
    waiting = list(vars(plugin).values())
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, nn.Module):
            yield value
            waiting.extend(vars(value)["_modules"].values())
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
