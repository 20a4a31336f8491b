"""Discover, name and load plugins, and report which distribution a broken one comes from.

Entry points of the group `ganstrata` are loaded one by one. A broken plugin is listed with its distribution
and the reason, and is an error only where it is used. A plugin with a misspelt hook stops every run, since
the hook would never be called. `GANSTRATA_PLUGINS` selects among them, see entry_points.
`GANSTRATA_TRACE=1` prints every hook call to standard error. Output that plugins print on import goes to
standard error too: standard output is for results.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

import pluggy

from ..errors import GanstrataError, PluginBroken, PluginConflict, PluginNotFound, nearest
from ..messages import listed, visible
from . import hookspecs
from .activity import noted
from .clashes import ways_out
from .docstrings import first_line
from .entry_points import (
    SETTING,
    BrokenPlugin,
    Listener,
    SlowPlugin,
    distribution_of,
    is_built_in,
    selected,
    unmet_requirement,
)
from .failures import reason_of_import
from .import_clock import ImportClock
from .plugin_info import ALL_KINDS, NOUNS, PLURALS, RESERVED, Kind, PluginInfo, name_fault

if TYPE_CHECKING:
    from .generator import Generator
    from .learner import BoundaryLearner
    from .scorer import Scorer

_HOOKS = {
    "generator": "generators",
    "scorer": "scorers",
    "boundary": "boundaries",
    "engine": "engines",
    "inverter": "inverters",
    "analysis": "analyses",
    "command": "commands",
}
STAGES = ("started", "finished", "failed")
"""What the hooks of listeners note of a stage."""
_GROUPS: Mapping[Kind, str] = {"analysis": "ganstrata analysis", "command": "ganstrata"}
MOST_KNOWN = 12  # names of plugins in a message; `ganstrata plugins list` has all
MOST_BROKEN = 5
"""Maximum number of broken plugins whose reasons a message gives."""


class Register:
    """Argument of the registration hooks; call it once per plugin."""

    def __init__(self, kind: Kind, point: EntryPoint, registry: Registry) -> None:
        self._kind, self._point, self._registry = kind, point, registry

    def __repr__(self) -> str:
        return f"<{PLURALS[self._kind]} of {distribution_of(self._point)}>"

    def __call__(self, name: str, target: str, summary: str = "") -> None:
        """Register a plugin.

        Args:
            name: letters, digits and underscores.
            target: the class, "package.module:Class"; of a command, the click command.
            summary: one line of description; by default the first line of the docstring, for which the
                module is parsed and not imported.

        Raises:
            ValueError: the name or the target cannot be used.
        """
        fault = name_fault(self._kind, name)
        if fault:
            raise ValueError(fault)
        if target.count(":") != 1:
            raise ValueError(f"plugin '{name}': target '{target}' must read 'package.module:Class'")
        owner, point = distribution_of(self._point), self._point.name
        line = summary or first_line(target)
        self._registry.add(PluginInfo(self._kind, name, target, line, owner, point))


class Registry:
    """All plugins of the installed distributions."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self.hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self.hooks.add_hookspecs(hookspecs)
        self.broken: list[BrokenPlugin] = []
        self.slow: list[SlowPlugin] = []
        self.listeners: list[Listener] = []
        self._plugins: dict[tuple[Kind, str], list[PluginInfo]] = {}
        if os.environ.get("GANSTRATA_TRACE") == "1":
            self.hooks.add_hookcall_monitoring(_announce, lambda *_: None)
        known = list(entry_points(group=hookspecs.PROJECT) if points is None else points)
        chosen = selected(known)
        self.left_out = sorted({distribution_of(point) for point in known if point not in chosen})
        with redirect_stdout(sys.stderr):
            for point in sorted(chosen, key=lambda p: (distribution_of(p), p.name)):
                unmet = "" if is_built_in(point) else unmet_requirement(point)
                if unmet:
                    self.broken.append(BrokenPlugin(point.name, distribution_of(point), point.value, unmet))
                    continue
                with ImportClock() as clock:
                    self._load(point)
                if clock.span.is_slow and not is_built_in(point):
                    self.slow.append(
                        SlowPlugin(point.name, distribution_of(point), round(clock.span.wall, 2))
                    )

    def _load(self, point: EntryPoint) -> None:
        distribution = distribution_of(point)
        try:
            with noted(f"entry point '{point.name}' from {distribution}", "its import"):
                plugin = point.load()
            self._check_hooks(plugin)
            self.hooks.register(plugin, name=f"{distribution}:{point.name}")
            self.hooks.check_pending()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.hooks.unregister(name=f"{distribution}:{point.name}")
            bad_hook = isinstance(error, pluggy.PluginValidationError)
            reason = str(error) if bad_hook else reason_of_import(error)
            self.broken.append(BrokenPlugin(point.name, distribution, point.value, reason, bad_hook))
            return
        stages = tuple(stage for stage in STAGES if hasattr(plugin, f"ganstrata_stage_{stage}"))
        if stages:
            self.listeners.append(Listener(point.name, distribution, stages))
        for kind in ALL_KINDS:
            name = f"ganstrata_register_{_HOOKS[kind]}"
            implementation = getattr(plugin, name, None)
            if implementation is None:
                continue
            caller = self.hooks.subset_hook_caller(
                name, [p for p in self.hooks.get_plugins() if p is not plugin]
            )
            try:
                caller(register=Register(kind, point, self))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.broken.append(
                    BrokenPlugin(point.name, distribution, point.value, reason_of_import(error))
                )

    def _check_hooks(self, plugin: object) -> None:
        """Refuse hooks with an unknown name, and functions with a hook's name that are not marked as hooks.

        Raises:
            PluginValidationError: there is one; the message suggests the nearest name.
        """
        known = [name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_")]
        for name in dir(plugin):
            marked = self.hooks.parse_hookimpl_opts(plugin, name) is not None
            if marked and name not in known:
                raise pluggy.PluginValidationError(
                    plugin,
                    f"it has an unknown hook {name}.{nearest(name, known)} There are {', '.join(known)}",
                )
            if name in known and not marked:
                raise pluggy.PluginValidationError(
                    plugin, f"its {name} has the name of a hook but lacks the decorator @ganstrata.hookimpl"
                )

    def require_sound_hooks(self) -> None:
        """Refuse to go on if a plugin has invalid hooks, which would never be called.

        Raises:
            PluginBroken: there are some; the message names them all.
        """
        bad = [
            f"{broken.distribution} (entry point {broken.entry_point}): {broken.reason}"
            for broken in self.broken
            if broken.bad_hook
        ]
        if bad:
            raise PluginBroken(
                "A plugin has hooks that would never be called. "
                "Fix it, or leave it out with GANSTRATA_PLUGINS=-NAME.\n  " + "\n  ".join(bad)
            )

    def add(self, info: PluginInfo) -> None:
        """Add a plugin. A name may be added twice; `info` then raises PluginConflict."""
        self._plugins.setdefault((info.kind, info.name), []).append(info)

    def replace(self, info: PluginInfo) -> None:
        """Add a plugin in place of those of its kind and name."""
        self._plugins[info.kind, info.name] = [info]

    def infos(self, kind: Kind | None = None) -> list[PluginInfo]:
        """Return all plugins, or those of one kind, sorted by kind, name and distribution."""
        infos = [info for key, group in self._plugins.items() for info in group if kind in (None, key[0])]
        return sorted(infos, key=lambda info: (ALL_KINDS.index(info.kind), info.name, info.distribution))

    def clashes(self) -> list[list[PluginInfo]]:
        """Return groups of plugins that share kind and name."""
        return [infos for infos in self._plugins.values() if len(infos) > 1]

    def named(self, name: str) -> list[PluginInfo]:
        """Return the plugins of this name, of any kind.

        Raises:
            PluginNotFound: there is none.
            PluginBroken: an entry point of this name does not load.
        """
        infos = [info for info in self.infos() if info.name == name]
        if not infos:
            names = sorted({info.name for info in self.infos()})
            raise self._absence("plugin", name, ALL_KINDS, nearest(name, names))
        return infos

    def info(self, kind: Kind, name: str) -> PluginInfo:
        """Return the plugin of this kind and name.

        Raises:
            PluginNotFound: there is none.
            PluginConflict: there are several.
            PluginBroken: an entry point of this name does not load.
        """
        infos = self._plugins.get((kind, name), [])
        if len(infos) == 1:
            return infos[0]
        if infos:
            owners = " and ".join(f"{i.distribution} ({i.target})" for i in infos)
            raise PluginConflict(
                f"{'Two' if len(infos) == 2 else len(infos)} {PLURALS[kind]} are called '{name}': {owners}. "
                f"{ways_out(infos)}"
            )
        names = sorted({n for k, n in self._plugins if k == kind})
        known = f"{nearest(name, names)}\n  Known: {listed(names, MOST_KNOWN) or 'none'}."
        raise self._absence(NOUNS[kind], name, (kind,), known)

    def _absence(self, noun: str, name: str, kinds: Iterable[Kind], known: str) -> GanstrataError:
        """Return the error that no plugin of these kinds has a name; `known` says which names there are."""
        for broken in self.broken:
            if broken.entry_point == name:
                return PluginBroken(
                    f"Plugin '{name}' comes from {broken.distribution}, which does not load:\n"
                    f"  {broken.reason}"
                )
        for kind, group in _GROUPS.items():
            if kind in kinds and name in RESERVED[kind]:
                return PluginNotFound(
                    f"The {NOUNS[kind]} '{name}' is ganstrata's own and no plugin: "
                    f"`{group} {name} --help` describes it."
                )
        message = f"No {noun} named '{name}'.{known}"
        others = [NOUNS[kind] for kind, other in self._plugins if other == name]
        if others:
            message += f" There is {' and '.join(map(_with_article, others))} of that name."
        message += " For a third-party plugin, `pip install` its package; see `ganstrata plugins list`."
        if self.left_out:
            setting = visible(os.environ.get(SETTING, ""))
            message += f"\n  Left out by {SETTING}={setting}: {listed(self.left_out)}."
        for broken in self.broken[:MOST_BROKEN]:
            message += f"\n  Broken and not loaded: {broken.entry_point} from {broken.distribution}: "
            message += visible(broken.reason, 200)
        if len(self.broken) > MOST_BROKEN:
            message += f"\n  and {len(self.broken) - MOST_BROKEN} more that do not load"
        return PluginNotFound(message)

    def generator(self, name: str) -> type[Generator]:
        """Return the generator class of this name."""
        return cast("type[Generator]", self.info("generator", name).load())

    def scorer(self, name: str) -> type[Scorer]:
        """Return the scorer class of this name."""
        return cast("type[Scorer]", self.info("scorer", name).load())

    def boundary(self, name: str) -> type[BoundaryLearner]:
        """Return the boundary learner class of this name."""
        return cast("type[BoundaryLearner]", self.info("boundary", name).load())


def _with_article(noun: str) -> str:
    """Return `a scorer`, `an engine`."""
    return f"{'an' if noun[0] in 'ae' else 'a'} {noun}"


@cache
def registry() -> Registry:
    """Return the registry of this process, which is filled on first use."""
    return Registry()


def _announce(hook_name: str, _implementations: object, arguments: Mapping[str, Any]) -> None:
    """Print a hook call to standard error, for GANSTRATA_TRACE."""
    text = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    print(f"hook {hook_name}({text})", file=sys.stderr)
