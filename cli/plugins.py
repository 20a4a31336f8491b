"""Define `ganstrata plugins`: list installed plugins, and show the config of one."""

from __future__ import annotations

import json
import sys
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import click

from ..core.messages import visible
from ..core.plugins.registry import KINDS, registry
from .errors import reported
from .options import Commands
from .plugin_check import check
from .plugin_new import new
from .streams import say, tell

if TYPE_CHECKING:
    from ..core.plugins.registry import PluginInfo

TITLES = {"generator": "Generators", "scorer": "Scorers", "boundary": "Boundary learners"}


@click.group(cls=Commands)
def plugins() -> None:
    """List plugins, show one, check one, or begin a new one.

    The environment variable GANSTRATA_PLUGINS=a,b loads only these entry points or distributions;
    GANSTRATA_TRACE=1 prints every hook call.

    \b
    Examples:
      ganstrata plugins list
      ganstrata plugins show stylegan2
      ganstrata plugins check hue
      ganstrata plugins new scorer smile
    """


plugins.add_command(check)
plugins.add_command(new)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """List all plugins with their distributions, and those that fail to load.

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
        }
        say(json.dumps(content, indent=2))
        return
    width = max((len(info.name) for info in loaded.infos()), default=0)
    for kind in KINDS:
        say(f"{TITLES[kind]}:")
        for info in loaded.infos(kind):
            say(f"  {info.name:<{width}}  {visible(info.summary)}  [{visible(info.distribution)}]")
    for clash in loaded.clashes():
        owners = " and ".join(visible(info.distribution) for info in clash)
        tell(f"\nClash: {clash[0].kind} '{clash[0].name}' is registered by {owners}; neither can be used.")
    for broken in loaded.broken:
        tell(
            f"\nBroken: {visible(broken.entry_point)} from {visible(broken.distribution)}\n"
            f"  {visible(broken.reason, 1000)}"
        )


@plugins.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show where plugin NAME comes from, and the fields of its config.

    \b
    Example:
      ganstrata plugins show linear_svm
    """
    with reported():
        for info in registry().named(name):
            _describe(info)


def _describe(info: PluginInfo) -> None:
    """Print where a plugin comes from, its docstring and its config fields."""
    plugin = info.load()
    module = sys.modules[plugin.__module__]
    say(f"{info.name}: {info.kind}, {visible(info.summary)}")
    say(
        f"  from {visible(info.distribution)}, {plugin.__module__}.{plugin.__qualname__} in {module.__file__}"
    )
    if plugin.__doc__:
        say("\n" + "\n".join("  " + line.strip() for line in plugin.__doc__.strip().splitlines()))
    say("\n  Config:")
    fields = plugin.Config.model_fields
    if not fields:
        say("    none")
    for key, field in fields.items():
        default = (
            "required"
            if field.is_required()
            else f"default {_plain(field.get_default(call_default_factory=True, validated_data={}))}"
        )
        description = visible(field.description or "", 500)
        say(f"    {field.alias or key}  ({_type(field.annotation)}, {default})  {description}")
    say("")


def _type(annotation: Any) -> str:
    """Return a type in plain words: `int or none`, `sampled or int or list[int]`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "none"
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments)
    if origin is Literal:
        return " or ".join(str(argument) for argument in arguments)
    if arguments:
        name = getattr(origin, "__name__", str(origin))
        inner = ", ".join("..." if argument is Ellipsis else _type(argument) for argument in arguments)
        return f"{name}[{inner}]"
    return getattr(annotation, "__name__", str(annotation).replace("typing.", ""))


def _plain(value: Any) -> str:
    return json.dumps(value, default=str)
