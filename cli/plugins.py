"""Define `ganstrata plugins`, and its command `list`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ..core.messages import visible
from ..core.plugins.clashes import ways_out
from ..core.plugins.plugin_info import ALL_KINDS, KINDS
from ..core.plugins.registry import registry
from .errors import reported
from .options import Commands
from .plugin_check import check
from .plugin_new import new
from .plugin_show import show
from .streams import say, tell

TITLES = {
    "generator": "Generators",
    "scorer": "Scorers",
    "boundary": "Boundary learners",
    "engine": "Engines",
    "inverter": "Inverters",
    "analysis": "Analyses",
    "command": "Commands",
}


@click.group(cls=Commands)
def plugins() -> None:
    """List plugins, show one, check one, or begin a new one.

    The environment variable GANSTRATA_PLUGINS=a,b loads only these entry points or distributions, and
    GANSTRATA_PLUGINS=-a all but this one; GANSTRATA_TRACE=1 prints every hook call.

    \b
    Examples:
      ganstrata plugins list
      ganstrata plugins show stylegan2
      ganstrata plugins check hue
      ganstrata plugins new scorer smile
    """


plugins.add_command(check)
plugins.add_command(new)
plugins.add_command(show)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """List all plugins and listeners with their distributions, and those that fail to load.

    \b
    Example:
      ganstrata plugins list --json
    """
    with reported():
        loaded = registry()
    if as_json:
        content = {
            "plugins": [vars(info) for info in loaded.infos()],
            "broken": [vars(b) for b in loaded.broken],
            "listeners": [asdict(listener) for listener in loaded.listeners],
            "slow": [asdict(plugin) for plugin in loaded.slow],
        }
        say(json.dumps(content, indent=2))
        return
    names = [info.name for info in loaded.infos()] + [each.entry_point for each in loaded.listeners]
    width = max(map(len, names), default=0)
    for kind in ALL_KINDS:
        infos = loaded.infos(kind)
        if infos or kind in KINDS:
            say(f"{TITLES[kind]}:")
        for info in infos:
            say(f"  {info.name:<{width}}  {visible(info.summary)}  [{visible(info.distribution)}]")
    if loaded.listeners:
        say("Listeners:")
    for listener in loaded.listeners:
        stages = f"stages {', '.join(listener.stages)}"
        say(f"  {visible(listener.entry_point):<{width}}  {stages}  [{visible(listener.distribution)}]")
    for clash in loaded.clashes():
        owners = " and ".join(visible(info.distribution) for info in clash)
        tell(
            f"\nClash: {clash[0].kind} '{clash[0].name}' is registered by {owners}; none can be used. "
            f"{visible(ways_out(clash), 500)}"
        )
    for broken in loaded.broken:
        tell(
            f"\nBroken: {visible(broken.entry_point)} from {visible(broken.distribution)}\n"
            f"  {visible(broken.reason, 1000)}"
        )
