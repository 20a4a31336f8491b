"""Select the entry points to load, and record those that follow runs, do not load or take long."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint

from ..errors import PluginNotFound, nearest
from ..messages import this_version, visible

SETTING = "GANSTRATA_PLUGINS"
ENGINES = "builtin_engines"  # entry point of ganstrata's own


@dataclass(frozen=True)
class SlowPlugin:
    """An entry point whose import and registration are slow, see import_clock; seconds by the wall clock."""

    entry_point: str
    distribution: str
    seconds: float

    def __str__(self) -> str:
        return (
            f"{visible(self.distribution)} (entry point {visible(self.entry_point)}) took "
            f"{self.seconds:.1f} s to register its plugins. A module with hooks should import nothing heavy; "
            "to leave it out, set "
            f"{SETTING}=-{visible(self.entry_point)}"
        )


@dataclass(frozen=True)
class Listener:
    """An entry point that follows runs.

    Attributes:
        entry_point: its name.
        distribution: name and version of the distribution.
        stages: what it is told of a stage: started, finished, failed.
    """

    entry_point: str
    distribution: str
    stages: tuple[str, ...]


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that does not load.

    Attributes:
        entry_point: its name.
        distribution: name and version of the distribution.
        target: the module or object that it names.
        reason: why it does not load.
        bad_hook: whether the reason is an unknown or invalid hook.
    """

    entry_point: str
    distribution: str
    target: str
    reason: str
    bad_hook: bool = False


def selected(points: Sequence[EntryPoint]) -> list[EntryPoint]:
    """Return the entry points that GANSTRATA_PLUGINS selects, or all if it is not set.

    `a,b` keeps these entry points or distributions alone. `-a` drops one: from those that are kept, or from
    all if none is named without a minus. Every run needs an engine, so ganstrata's own stay in any case.

    Raises:
        PluginNotFound: it names something that is not installed.
    """
    setting = os.environ.get(SETTING)
    if setting is None:
        return list(points)
    names = [name.strip() for name in setting.split(",") if name.strip()]
    dropped = [name[1:].strip() for name in names if name.startswith("-")]
    kept = [name for name in names if not name.startswith("-")]
    for name in (*kept, *dropped):
        if not any(_is_called(point, name) for point in points):
            known = {one for point in points for one in _names(point)}
            raise PluginNotFound(
                f"{SETTING} names '{visible(name)}', which is neither an installed distribution "
                f"with plugins nor one of their entry points.{nearest(name, known)} "
                f"Installed: {', '.join(sorted(known)) or 'none'}."
            )
    only_drops = bool(dropped) and not kept
    return [
        point
        for point in points
        if (is_built_in(point) and point.name == ENGINES)
        or (
            (only_drops or any(_is_called(point, name) for name in kept))
            and not any(_is_called(point, name) for name in dropped)
        )
    ]


def unmet_requirement(point: EntryPoint) -> str:
    """Return why a distribution is not for this ganstrata, or nothing.

    pip sees to that when it installs; but ganstrata may have been changed since, or installed with --no-deps.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    if not this_version():
        return ""
    for line in (point.dist.requires if point.dist is not None else None) or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if (
            _normalised(requirement.name) == "ganstrata"
            and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
            and not requirement.specifier.contains(this_version(), prereleases=True)
        ):
            return (
                f"it is written for ganstrata {requirement.specifier}, and this is {this_version()}: "
                "install a release of the plugin for this version, or another ganstrata "
                f"(`pip install 'ganstrata{requirement.specifier}'`)"
            )
    return ""


def _names(point: EntryPoint) -> list[str]:
    """Return the name of an entry point and, if it has one, of its distribution."""
    return [point.name, *([_called(point.dist)[0]] if point.dist is not None else [])]


def _is_called(point: EntryPoint, name: str) -> bool:
    """Return whether an entry point, or its distribution, has this name, in any spelling of it."""
    return any(same_name(name, one) for one in _names(point))


def same_name(a: str, b: str) -> bool:
    """Return whether two names of distributions or entry points are the same in different spelling.

    >>> same_name("my-plugin", "My_Plugin")
    True
    """
    return _normalised(a) == _normalised(b)


def _normalised(name: str) -> str:
    """Return a name as package indexes compare those of distributions (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_built_in(point: EntryPoint) -> bool:
    """Return whether an entry point is ganstrata's own."""
    return point.dist is not None and _called(point.dist)[0] == "ganstrata"


def distribution_of(point: EntryPoint) -> str:
    """Return the name and the version of an entry point's distribution."""
    return " ".join(_called(point.dist)) if point.dist is not None else "an unknown distribution"


@lru_cache(maxsize=256)
def _called(distribution: Distribution) -> tuple[str, str]:
    """Return the name and the version of a distribution, which parses all its metadata for each."""
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]
