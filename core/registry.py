"""Finds plugins, names them, and says where they come from and why one does not work.

Entry points of the group `ganstrata` are loaded one by one: a broken plugin is listed with its
distribution and reason, and stops only those who ask for it. `GANSTRATA_PLUGINS=a,b` loads only the
entry points or distributions named; `GANSTRATA_TRACE=1` prints every hook call to standard error.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, cast

import pluggy

from . import hookspecs
from .errors import PluginBroken, PluginConflict, PluginNotFound, nearest

if TYPE_CHECKING:
    from .contracts import BoundaryLearner, Generator, Scorer

Kind = Literal["generator", "scorer", "boundary"]
KINDS: tuple[Kind, ...] = ("generator", "scorer", "boundary")
_HOOKS = {"generator": "generators", "scorer": "scorers", "boundary": "boundaries"}
_NOUNS = {"generator": "generator", "scorer": "scorer", "boundary": "boundary learner"}
_BASES = {"generator": "Generator", "scorer": "Scorer", "boundary": "BoundaryLearner"}


@dataclass(frozen=True)
class PluginInfo:
    """One registered name."""

    kind: Kind
    name: str
    target: str  # "package.module:Class"
    summary: str
    distribution: str  # name and version

    def load(self) -> type[Any]:
        """Import the class.

        Raises:
            PluginBroken: it does not import, or is no plugin of its kind.
        """
        from . import contracts

        module_name, _, class_name = self.target.partition(":")
        try:
            found = getattr(importlib.import_module(module_name), class_name)
        except Exception as error:
            raise PluginBroken(
                f"{_NOUNS[self.kind].capitalize()} '{self.name}' comes from {self.distribution}, which does not load:\n  {_reason(error)}"
            ) from error
        base = getattr(contracts, _BASES[self.kind])
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginBroken(f"{self.target} from {self.distribution} is registered as a {_NOUNS[self.kind]} but is no {base.__name__}.")
        return found


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that does not load."""

    entry_point: str
    distribution: str
    target: str
    reason: str


class Register:
    """What a registration hook is given; call it once per plugin."""

    def __init__(self, kind: Kind, distribution: str, registry: Registry) -> None:
        self._kind, self._distribution, self._registry = kind, distribution, registry

    def __call__(self, name: str, target: str, summary: str) -> None:
        """Register `target` ("package.module:Class") under a name, with one line that says what it is."""
        if not name.isidentifier():
            raise ValueError(f"plugin name '{name}' must be letters, digits and underscores")
        if target.count(":") != 1:
            raise ValueError(f"plugin '{name}': target '{target}' must read 'package.module:Class'")
        self._registry.add(PluginInfo(self._kind, name, target, summary, self._distribution))


class Registry:
    """All plugins that the installed distributions bring."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self.hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self.hooks.add_hookspecs(hookspecs)
        self.broken: list[BrokenPlugin] = []
        self._found: dict[tuple[Kind, str], list[PluginInfo]] = {}
        if os.environ.get("GANSTRATA_TRACE") == "1":
            self.hooks.add_hookcall_monitoring(_announce, lambda *_: None)
        known = entry_points(group=hookspecs.PROJECT) if points is None else points
        for point in sorted(known, key=lambda p: (_distribution(p), p.name)):
            if _wanted(point):
                self._load(point)

    def _load(self, point: EntryPoint) -> None:
        distribution = _distribution(point)
        try:
            plugin = point.load()
            self.hooks.register(plugin, name=f"{distribution}:{point.name}")
            self.hooks.check_pending()
        except (Exception, SystemExit) as error:
            self.hooks.unregister(name=f"{distribution}:{point.name}")
            self.broken.append(BrokenPlugin(point.name, distribution, point.value, _reason(error)))
            return
        for kind in KINDS:
            name = f"ganstrata_register_{_HOOKS[kind]}"
            implementation = getattr(plugin, name, None)
            if implementation is None:
                continue
            caller = self.hooks.subset_hook_caller(name, [p for p in self.hooks.get_plugins() if p is not plugin])
            try:
                caller(register=Register(kind, distribution, self))
            except Exception as error:
                self.broken.append(BrokenPlugin(point.name, distribution, point.value, _reason(error)))

    def add(self, info: PluginInfo) -> None:
        """Take a plugin in; names that clash are kept and complained about when asked for."""
        self._found.setdefault((info.kind, info.name), []).append(info)

    def infos(self, kind: Kind | None = None) -> list[PluginInfo]:
        """All plugins, by kind and name; clashing ones appear once per distribution."""
        chosen = [info for key, infos in self._found.items() for info in infos if kind in (None, key[0])]
        return sorted(chosen, key=lambda info: (KINDS.index(info.kind), info.name, info.distribution))

    def clashes(self) -> list[list[PluginInfo]]:
        """Groups of plugins of one kind that share a name."""
        return [infos for infos in self._found.values() if len(infos) > 1]

    def info(self, kind: Kind, name: str) -> PluginInfo:
        """The plugin of this kind and name.

        Raises:
            PluginNotFound: there is none.
            PluginConflict: there are several.
            PluginBroken: an entry point of this name does not load.
        """
        infos = self._found.get((kind, name), [])
        if len(infos) == 1:
            return infos[0]
        if infos:
            owners = " and ".join(f"{i.distribution} ({i.target})" for i in infos)
            raise PluginConflict(f"Two {_NOUNS[kind]}s are called '{name}': {owners}. Uninstall one, or choose with GANSTRATA_PLUGINS.")
        for broken in self.broken:
            if broken.entry_point == name:
                raise PluginBroken(f"Plugin '{name}' comes from {broken.distribution}, which does not load:\n  {broken.reason}")
        names = sorted({n for k, n in self._found if k == kind})
        message = f"No {_NOUNS[kind]} named '{name}'.{nearest(name, names)}\n  Known: {', '.join(names) or 'none'}."
        message += " Third parties bring more: `pip install` their package, then `ganstrata plugins list`."
        if self.broken:
            message += "\n  Broken and not loaded: " + ", ".join(f"{b.entry_point} from {b.distribution}" for b in self.broken) + "."
        raise PluginNotFound(message)

    def generator(self, name: str) -> type[Generator]:
        """A generator class by name."""
        return cast("type[Generator]", self.info("generator", name).load())

    def scorer(self, name: str) -> type[Scorer]:
        """A scorer class by name."""
        return cast("type[Scorer]", self.info("scorer", name).load())

    def boundary(self, name: str) -> type[BoundaryLearner]:
        """A boundary learner class by name."""
        return cast("type[BoundaryLearner]", self.info("boundary", name).load())


@cache
def registry() -> Registry:
    """The registry of this process, filled on first use."""
    return Registry()


def _wanted(point: EntryPoint) -> bool:
    chosen = os.environ.get("GANSTRATA_PLUGINS")
    if chosen is None:
        return True
    names = {name.strip() for name in chosen.split(",")}
    owner = point.dist.name if point.dist is not None else ""
    return point.name in names or owner in names


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


def _reason(error: BaseException) -> str:
    """The error with the file and line it came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename and not f.filename.startswith("<")]
    place = f"   ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _announce(hook_name: str, _implementations: object, arguments: Mapping[str, Any]) -> None:
    shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    print(f"hook {hook_name}({shown})", file=sys.stderr)
