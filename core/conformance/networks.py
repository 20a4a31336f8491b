"""Find the networks of a plugin that are in training mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from ..errors import PluginBroken
from ..messages import listed
from ..plugins.base import Plugin, owner_of

DEPTH = 3  # levels of containers searched in a plugin's attributes


def check_evaluation_mode(plugin: Plugin) -> None:
    """Refuse a plugin whose networks, or parts of them, are in training mode.

    Raises:
        PluginBroken: there are some; the message names them.
    """
    training = [name for name, module in _networks(plugin) if getattr(module, "training", False)]
    if training:
        raise PluginBroken(
            f"{owner_of(plugin)} leaves {listed(training)} in training mode, where batch normalisation mixes "
            "the samples of a batch and dropout is active; call .eval() on its network in its constructor"
        )


def _networks(plugin: Plugin) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module in the attributes of a plugin, with its name."""
    for attribute, value in vars(plugin).items():
        for name, module in _modules_in(attribute, value, DEPTH):
            yield from (
                (f"{name}.{inner}" if inner else name, part) for inner, part in module.named_modules()
            )


def _modules_in(name: str, value: Any, depth: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules in a value and its containers, with their names; not modules within modules."""
    if isinstance(value, nn.Module):
        yield name, value
    elif depth and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _modules_in(f"{name}[{key!r}]", item, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _modules_in(f"{name}[{i}]", item, depth - 1)
