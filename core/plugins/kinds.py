"""Say which class a plugin of each kind inherits from, and what is wrong with a class that cannot be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .analysis import Analysis
from .base import Plugin, PluginConfig
from .engine import Engine
from .generator import Generator
from .inverter import Inverter
from .learner import BoundaryLearner
from .scorer import Scorer

if TYPE_CHECKING:
    from .plugin_info import Kind

CONTRACTS: Mapping[Kind, type[Plugin]] = {
    "generator": Generator,
    "scorer": Scorer,
    "boundary": BoundaryLearner,
    "engine": Engine,
    "inverter": Inverter,
    "analysis": Analysis,
}
"""Base class of the plugins of each kind."""


def has_kind(kind: Kind, plugin: object) -> bool:
    """Return whether an object is a class of plugins of this kind, whatever its Config.

    >>> has_kind("scorer", Scorer), has_kind("scorer", "hue")
    (True, False)
    """
    return kind in CONTRACTS and isinstance(plugin, type) and issubclass(plugin, CONTRACTS[kind])


def class_fault(kind: Kind, plugin: object) -> str:
    """Return why an object is no class of a plugin of this kind; empty if it is one.

    >>> class_fault("scorer", dict)
    'is not a subclass of ganstrata.Scorer'
    """
    if kind not in CONTRACTS:
        return f"is a {kind}, which has no class"
    base = CONTRACTS[kind]
    if isinstance(plugin, base):
        return f"is an instance; give the class, {type(plugin).__name__}"
    if not has_kind(kind, plugin):
        return f"is not a subclass of ganstrata.{base.__name__}"
    config: object = getattr(plugin, "Config", None)
    if not (isinstance(config, type) and issubclass(config, PluginConfig)):
        return (
            "has a Config that is not a subclass of ganstrata.PluginConfig; derive it from that, or remove "
            "it if there is nothing to configure"
        )
    return ""
