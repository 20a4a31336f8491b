"""Register classes of this process, such as those of a notebook, as plugins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import PluginConflict, UserError, nearest
from ..messages import shown
from .kinds import class_fault
from .plugin_info import KINDS, Kind, PluginInfo, name_fault
from .registry import registry

HERE = "this process"
REGISTERED: tuple[Kind, ...] = (*KINDS, "inverter")
"""Kinds that need no distribution."""


@dataclass(frozen=True)
class OwnClass(PluginInfo):
    """A class that `register` made a plugin."""

    plugin: type = field(kw_only=True)

    def imported(self) -> Any:
        """Return the class."""
        return self.plugin


def register(kind: Kind, name: str, plugin: type, summary: str = "") -> None:
    """Make a class a plugin of this process, so that a config finds it by name, without a distribution.

    It is meant for notebooks and scripts. Worker processes do not know the class, so a run with it has one:
    `engine.workers` is 1 or auto. Commands do not know it either. The same name may be registered again, as a
    notebook does when a cell runs again.

    Args:
        kind: generator, scorer, boundary or inverter.
        name: letters, digits and underscores; not the name of an installed plugin.
        plugin: a subclass of Generator, Scorer, BoundaryLearner or Inverter.
        summary: one line of description.

    Raises:
        UserError: the kind, the name or the class cannot be used.
        PluginConflict: an installed plugin has this name.
    """
    if kind not in REGISTERED:
        hint = " Did you mean 'boundary'?" if "learn" in str(kind) else nearest(str(kind), REGISTERED)
        raise UserError(f"kind is {shown(kind)}; give {', '.join(REGISTERED)}.{hint}")
    fault = name_fault(kind, name)
    if fault:
        raise UserError(fault)
    fault = class_fault(kind, plugin)
    if fault:
        raise UserError(f"{shown(plugin)}, which was given for {kind} '{name}', {fault}")
    installed = [info for info in registry().infos(kind) if info.name == name]
    installed = [info for info in installed if not isinstance(info, OwnClass)]
    if installed:
        raise PluginConflict(
            f"{kind} '{name}' is installed already, by {installed[0].distribution}; register another name"
        )
    target = f"{plugin.__module__}:{plugin.__qualname__}"
    summary = summary or "registered in this process"
    registry().replace(OwnClass(kind, name, target, summary, HERE, plugin=plugin))


def own_classes(names: Iterable[tuple[Kind, str]]) -> list[str]:
    """Return which of these plugins are classes of this process, in words."""
    known = {(info.kind, info.name) for info in registry().infos() if isinstance(info, OwnClass)}
    return [f"{kind} '{name}'" for kind, name in names if (kind, name) in known]
