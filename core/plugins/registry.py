"""Finds plugins, names them, and says where they come from and why one does not work.

Entry points of the group `ganstrata` are loaded one by one: a broken plugin is listed with its
distribution and reason, and stops only those who ask for it; one whose hooks are none stops every run,
since it may follow runs and would do so in silence. `GANSTRATA_PLUGINS=a,b` loads only the entry points or
distributions named; `GANSTRATA_TRACE=1` prints every hook call to standard error. What plugins print when
they are imported goes there too: standard output is for results.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, cast

import pluggy

from ..errors import PluginBroken, PluginConflict, PluginNotFound, nearest
from ..text import visible
from . import hookspecs
from .failures import one_line

if TYPE_CHECKING:
    from .contracts import BoundaryLearner, Generator, Scorer

Kind = Literal["generator", "scorer", "boundary"]
KINDS: tuple[Kind, ...] = ("generator", "scorer", "boundary")
RESERVED = "auto"  # no generator's name: see config.AUTO
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
        from .base import PluginConfig
        from .process_settings import ProcessSettings

        before = ProcessSettings.current()
        module_name, _, class_name = self.target.partition(":")
        try:
            with redirect_stdout(sys.stderr):
                found = getattr(importlib.import_module(module_name), class_name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginBroken(
                f"{_NOUNS[self.kind].capitalize()} '{self.name}' comes from {self.distribution}, which does not load:\n  {_reason(error)}"
            ) from error
        finally:
            before.restore()
        base = getattr(contracts, _BASES[self.kind])
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginBroken(
                f"{self.target} from {self.distribution} is registered as a {_NOUNS[self.kind]} but is not a subclass of {base.__name__}."
            )
        config: object = getattr(found, "Config", None)
        if not (isinstance(config, type) and issubclass(config, PluginConfig)):
            raise PluginBroken(
                f"{_NOUNS[self.kind].capitalize()} '{self.name}' from {self.distribution} has a Config that is no ganstrata.PluginConfig; "
                "derive it from that, or leave it out where there is nothing to configure."
            )
        return found


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that does not load.

    Attributes:
        bad_hook: whether that is because it has a hook that is none, or one that is not as it must be.
    """

    entry_point: str
    distribution: str
    target: str
    reason: str
    bad_hook: bool = False


class Register:
    """What a registration hook is given; call it once per plugin."""

    def __init__(self, kind: Kind, distribution: str, registry: Registry) -> None:
        self._kind, self._distribution, self._registry = kind, distribution, registry

    def __repr__(self) -> str:
        return f"<{self._kind}s of {self._distribution}>"

    def __call__(self, name: str, target: str, summary: str) -> None:
        """Register `target` ("package.module:Class") under a name, with one line that says what it is."""
        if not name.isidentifier():
            raise ValueError(f"plugin name '{name}' must be letters, digits and underscores")
        if self._kind == "generator" and name == RESERVED:
            raise ValueError(
                f"no generator can be called '{RESERVED}': in a config, that leaves the choice to the checkpoint"
            )
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
        known = list(entry_points(group=hookspecs.PROJECT) if points is None else points)
        with redirect_stdout(sys.stderr):
            for point in sorted(_wanted(known), key=lambda p: (_distribution(p), p.name)):
                self._load(point)

    def _load(self, point: EntryPoint) -> None:
        distribution = _distribution(point)
        try:
            plugin = point.load()
            self._check_hooks(plugin)
            self.hooks.register(plugin, name=f"{distribution}:{point.name}")
            self.hooks.check_pending()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.hooks.unregister(name=f"{distribution}:{point.name}")
            bad_hook = isinstance(error, pluggy.PluginValidationError)
            reason = str(error) if bad_hook else _reason(error)
            self.broken.append(BrokenPlugin(point.name, distribution, point.value, reason, bad_hook))
            return
        for kind in KINDS:
            name = f"ganstrata_register_{_HOOKS[kind]}"
            implementation = getattr(plugin, name, None)
            if implementation is None:
                continue
            caller = self.hooks.subset_hook_caller(
                name, [p for p in self.hooks.get_plugins() if p is not plugin]
            )
            try:
                caller(register=Register(kind, distribution, self))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.broken.append(BrokenPlugin(point.name, distribution, point.value, _reason(error)))

    def _check_hooks(self, plugin: object) -> None:
        """Refuse hooks whose name is none, and functions with the name of a hook that are not marked as one.

        Raises:
            PluginValidationError: with the nearest name.
        """
        known = [name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_")]
        for name in dir(plugin):
            marked = self.hooks.parse_hookimpl_opts(plugin, name) is not None
            if marked and name not in known:
                raise pluggy.PluginValidationError(
                    plugin,
                    f"it has a hook {name}, which is none.{nearest(name, known)} There are {', '.join(known)}",
                )
            if name in known and not marked:
                raise pluggy.PluginValidationError(
                    plugin, f"its {name} has a hook's name, but not its mark: @ganstrata.hookimpl"
                )

    def require_sound_hooks(self) -> None:
        """Refuse to go on where a plugin has hooks that are none: it may follow runs, and would not.

        Raises:
            PluginBroken: it names them all.
        """
        bad = [
            f"{broken.distribution} (entry point {broken.entry_point}): {broken.reason}"
            for broken in self.broken
            if broken.bad_hook
        ]
        if bad:
            raise PluginBroken(
                "A plugin has hooks that are never called. Mend it, or leave it out with GANSTRATA_PLUGINS.\n  "
                + "\n  ".join(bad)
            )

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
            raise PluginConflict(
                f"Two {_NOUNS[kind]}s are called '{name}': {owners}. Uninstall one, or choose with GANSTRATA_PLUGINS."
            )
        for broken in self.broken:
            if broken.entry_point == name:
                raise PluginBroken(
                    f"Plugin '{name}' comes from {broken.distribution}, which does not load:\n  {broken.reason}"
                )
        names = sorted({n for k, n in self._found if k == kind})
        message = (
            f"No {_NOUNS[kind]} named '{name}'.{nearest(name, names)}\n  Known: {', '.join(names) or 'none'}."
        )
        message += " Third parties bring more: `pip install` their package, then `ganstrata plugins list`."
        if self.broken:
            message += (
                "\n  Broken and not loaded: "
                + ", ".join(f"{b.entry_point} from {b.distribution}" for b in self.broken)
                + "."
            )
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


def _wanted(points: Sequence[EntryPoint]) -> list[EntryPoint]:
    """Those that GANSTRATA_PLUGINS names; all where it is not set.

    Raises:
        PluginNotFound: it names something that is not installed.
    """
    chosen = os.environ.get("GANSTRATA_PLUGINS")
    if chosen is None:
        return list(points)
    names = {name.strip() for name in chosen.split(",")} - {""}
    known = {point.name for point in points} | {point.dist.name for point in points if point.dist is not None}
    plain = {_plain(name) for name in known}
    unknown = sorted(name for name in names if name not in known and _plain(name) not in plain)
    if unknown:
        raise PluginNotFound(
            f"GANSTRATA_PLUGINS names '{visible(unknown[0])}', which is no installed distribution with plugins and none of their entry points."
            f"{nearest(unknown[0], known)} Installed: {', '.join(sorted(known)) or 'none'}."
        )
    chosen_plain = {_plain(name) for name in names}
    return [
        point
        for point in points
        if point.name in names or (point.dist is not None and _plain(point.dist.name) in chosen_plain)
    ]


def _plain(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


def _reason(error: BaseException) -> str:
    """The error with the file and line it came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_machinery(f.filename)]
    place = f"   ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{one_line(error)}{place}"


def _is_machinery(file: str) -> bool:
    """Whether a file has to do with how plugins are found, and not with what is wrong in them."""
    return (
        file.startswith("<")
        or "importlib" in file
        or file == __file__
        or os.path.dirname(file) == os.path.dirname(pluggy.__file__)
    )


def _announce(hook_name: str, _implementations: object, arguments: Mapping[str, Any]) -> None:
    shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    print(f"hook {hook_name}({shown})", file=sys.stderr)
