"""Say how to decide between plugins of one kind and name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .entry_points import SETTING, same_name

if TYPE_CHECKING:
    from .plugin_info import PluginInfo


def ways_out(infos: Sequence[PluginInfo]) -> str:
    """Return what a user can do about plugins of one kind and name, in sentences.

    Args:
        infos: the plugins, of two or more entry points or of one that registers the name twice.
    """
    distributions = list(dict.fromkeys(_distribution(info) for info in infos))
    dropped = {info: _dropping(info, infos) for info in infos if _distribution(info) != "ganstrata"}
    settings = list(dict.fromkeys(f"{SETTING}=-{name}" for name in dropped.values() if name))
    if not settings:
        return f"Only the author of {distributions[0]} can rename one: its entry points have one name."
    several = "Uninstall one, or leave one out" if len(distributions) > 1 else "Leave one out"
    return f"{several}: {' or '.join(settings)}."


def _dropping(info: PluginInfo, infos: Sequence[PluginInfo]) -> str:
    """Return the name of what leaves this plugin out and spares another one; empty if there is none.

    That of the distribution is best. If all are of one distribution, it is that of the entry point, which
    must not be the distribution's, since a name drops whatever has it.
    """
    distribution = _distribution(info)
    if any(_distribution(other) != distribution for other in infos):
        return distribution
    others = [other.entry_point for other in infos if not same_name(other.entry_point, info.entry_point)]
    return info.entry_point if others and not same_name(info.entry_point, distribution) else ""


def _distribution(info: PluginInfo) -> str:
    return info.distribution.partition(" ")[0]
