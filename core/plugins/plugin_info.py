"""Name the kinds of plugins, and hold what is known of a plugin before it is loaded."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..errors import PluginBroken
from .activity import noted
from .failures import reason_of_import

Kind = Literal["generator", "scorer", "boundary", "engine", "inverter", "analysis", "command"]
KINDS: tuple[Kind, ...] = ("generator", "scorer", "boundary")
"""Kinds of plugins on which the numbers of a run depend."""
CONFIGURED: tuple[Kind, ...] = (*KINDS, "engine")
"""Kinds of plugins that a config names."""
CHECKED: tuple[Kind, ...] = (*CONFIGURED, "inverter")
"""Kinds of plugins for which there are checks."""
ALL_KINDS: tuple[Kind, ...] = (*CHECKED, "analysis", "command")
RESERVED: Mapping[Kind, tuple[str, ...]] = {
    "generator": ("auto",),  # see config.schema.AUTO
    "analysis": ("ablation", "entanglement", "hierarchy", "layers", "objects", "ranking"),
    "command": (
        *("analysis", "app", "boundaries", "config", "dissect", "edit", "encoder", "init", "invert"),
        *("leaderboard", "learn", "manipulate", "model", "morph", "plugins", "report", "rescore"),
        *("restore", "run", "segment", "status", "study", "synthesize", "trust"),
    ),
}
"""Names that ganstrata itself gives a meaning."""
NOUNS = {kind: kind for kind in ALL_KINDS} | {"boundary": "boundary learner"}
PLURALS = {kind: f"{noun}s" for kind, noun in NOUNS.items()} | {"analysis": "analyses"}


@dataclass(frozen=True)
class PluginInfo:
    """A registered plugin.

    Attributes:
        kind: generator, scorer, boundary, engine, inverter, analysis or command.
        name: the registered name.
        target: the class, "package.module:Class"; of a command, the click command.
        summary: one line of description.
        distribution: name and version of the distribution.
        entry_point: name of the entry point that registered it; empty if `ganstrata.register` did.
    """

    kind: Kind
    name: str
    target: str
    summary: str
    distribution: str
    entry_point: str = ""

    @property
    def owner(self) -> str:
        """The plugin in words, with its distribution."""
        return f"{NOUNS[self.kind]} '{self.name}' from {self.distribution}"

    def imported(self) -> Any:
        """Import and return what is registered, of whatever type.

        Raises:
            PluginBroken: it cannot be imported.
        """
        module_name, _, class_name = self.target.partition(":")
        try:
            with redirect_stdout(sys.stderr), noted(self.owner, "its import"):
                return getattr(importlib.import_module(module_name), class_name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginBroken(
                f"{NOUNS[self.kind].capitalize()} '{self.name}' comes from {self.distribution}, "
                f"which does not load:\n  {reason_of_import(error)}"
            ) from error

    def load(self) -> type[Any]:
        """Import and return the class of a plugin that is not a command.

        Raises:
            PluginBroken: it cannot be imported, or is not a plugin of its kind.
        """
        from .kinds import class_fault
        from .process_settings import ProcessSettings

        before = ProcessSettings.current()
        try:
            plugin = self.imported()
        finally:
            before.restore()
        fault = class_fault(self.kind, plugin)
        if fault:
            raise PluginBroken(f"The {self.owner} {fault} ({self.target}).")
        return cast("type[Any]", plugin)


def name_fault(kind: Kind, name: str) -> str:
    """Return why a plugin of this kind cannot have a name; empty if it can.

    An inverter may be called after a space, and that of codes per layer is w+.

    >>> name_fault("inverter", "w+"), name_fault("scorer", "w+")
    ('', "plugin name 'w+' must be letters, digits and underscores")
    """
    bare = name.removesuffix("+") if kind == "inverter" else name
    if not bare.isidentifier():
        return f"plugin name '{name}' must be letters, digits and underscores"
    if name not in RESERVED.get(kind, ()):
        return ""
    meaning = (
        "in a config, that leaves the choice to the checkpoint"
        if kind == "generator"
        else "ganstrata has one of this name"
    )
    return f"no {NOUNS[kind]} can be called '{name}': {meaning}"
