"""Find the tensors that the constructor of a plugin leaves on the processor, whatever device it is given.

The stand-in for an accelerator cannot load weights from a file. So the plugin is built for torch's device
`meta`, which takes tensors from the processor and has, like the stand-in, no values.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor

from ..core.plugins.base import Plugin
from .moving import slots_of

_CLOSED = (type, FunctionType, ModuleType, Tensor)
_OF_MODULES = ("_parameters", "_buffers", "_modules")  # where a network keeps what is read as its attribute
META = torch.device("meta")


def left_behind(plugin: Plugin, build: Callable[[torch.device], Plugin]) -> dict[int, str]:
    """Return the names, by `id`, of a plugin's tensors that its constructor leaves on the processor.

    It is empty where that cannot be found out, since the constructor needs values on the device.

    Args:
        plugin: the plugin on the processor. Networks that it shares with others stay as they are.
        build: builds it anew for a device.
    """
    here = tensors_of(plugin)
    modules = [held for _, held in _walk(plugin, "", set()) if isinstance(held, torch.nn.Module)]
    groups = [vars(module)[name] for module in modules for name in _OF_MODULES]
    before = [dict(group) for group in groups]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that weights are copied to a device without values
            elsewhere = tensors_of(build(META))
        stayed = {path for path, tensor in elsewhere.items() if tensor.device.type == "cpu"}
    except Exception:
        return {}
    finally:  # a constructor may have moved a network that it keeps for all plugins
        for group, content in zip(groups, before, strict=True):
            group.clear()
            group.update(content)
    return {id(tensor): path for path, tensor in here.items() if path in stayed}


def tensors_of(plugin: object) -> dict[str, Tensor]:
    """Return the tensors that an object holds, wherever they lie, by the way to them.

    >>> sorted(tensors_of({"scale": [torch.ones(1)], "net": torch.nn.Linear(1, 1)}))
    ["['net'].bias", "['net'].weight", "['scale'][0]"]
    """
    return {path.lstrip("."): held for path, held in _walk(plugin, "", set()) if isinstance(held, Tensor)}


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield a value and all that lies in it, each once, with the way to it."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield path, value
    if isinstance(value, Mapping):
        parts = [(f"{path}[{key!r}]", item) for key, item in value.items()]
    elif isinstance(value, list | tuple | deque):
        parts = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    elif isinstance(value, _CLOSED):
        return
    else:
        parts = [(f"{path}.{name}", item) for name, item in _attributes(value)]
    for way, item in parts:
        yield from _walk(item, way, seen)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object, with a network's weights and parts among them."""
    for name, item in getattr(value, "__dict__", {}).items():
        if name in _OF_MODULES and isinstance(value, torch.nn.Module):
            yield from item.items()
        else:
            yield name, item
    for slot in slots_of(value):
        yield slot, getattr(value, slot)
