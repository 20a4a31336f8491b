"""Builds plugins by name: config checked first, then the class, on a device, then what it makes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ..checkpoints.detect import plugin_for
from ..config.reading import check_options
from ..config.schema import AUTO
from ..conformance import random_state
from ..conformance.declared import check_declared
from ..conformance.passes import check_generator
from ..device import resolve_device
from ..errors import ConfigError, Fault
from ..plugins.base import Plugin
from ..plugins.contracts import BoundaryLearner, Generator, Scorer
from ..plugins.failures import plugin_call
from ..plugins.registry import Kind, registry
from ..text import visible

_checked: set[tuple[type, str, str, str]] = set()  # generators that were checked in this process


def build(
    kind: Kind,
    name: str,
    options: Mapping[str, Any],
    *,
    device: str = "auto",
    alias: str = "",
    check: bool = True,
) -> Generator | Scorer | BoundaryLearner:
    """A plugin of any kind; the generator `auto` is the one that the option `checkpoint` belongs to.

    Args:
        kind: generator, scorer or boundary.
        name: under which it is registered.
        options: its config.
        device: auto, cpu, cuda or cuda:N.
        alias: what the config calls it.
        check: whether to look at what it makes: of a generator four pictures when it is built, once in a process;
            of a scorer the range of the first pictures that it is given.

    Raises:
        PluginNotFound, PluginConflict: the registry has none that works.
        PluginBroken: it does not load, fails in its constructor, or breaks the contract.
        ConfigError: options that its Config does not allow, or a file that is not there.
        CheckpointError: for `auto`, a file that no plugin knows.
    """
    if kind == "generator" and name == AUTO:
        name = plugin_for(str(options.get("checkpoint", "")))
    info = registry().info(kind, name)
    plugin = info.load()
    source = f"config of {kind} '{name}'"
    faults = check_options(kind, name, dict(options), ())
    if faults:
        raise ConfigError(source, faults)
    config, where = plugin.Config.model_validate(dict(options)), resolve_device(device)
    own = f"'{name}' from {info.distribution}"
    origin = f"{plugin.noun} '{alias}' ({own})" if alias and alias != name else f"{plugin.noun} {own}"
    # What a constructor draws, such as weights that a file then replaces, is no concern of the caller's.
    with (
        random_state.preserved(),
        plugin_call(origin, "its constructor", home=plugin.__module__, relief=plugin.relief),
    ):
        try:
            built: Plugin = plugin(config, where)
        except OSError as error:
            fault = _about_file(error, options)
            if fault is None:
                raise
            raise ConfigError(source, [fault]) from error
    built.origin, built.name = origin, name
    check_declared(built)
    if isinstance(built, Generator) and check:
        key = (plugin, json.dumps(dict(options), sort_keys=True, default=str), str(where), built.fingerprint)
        if key not in _checked:
            check_generator(built)
            _checked.add(key)
    if isinstance(built, Scorer):
        built.judges_range = check
    return cast("Generator | Scorer | BoundaryLearner", built)


def load_generator(name: str, /, *, device: str = "auto", check: bool = True, **config: Any) -> Generator:
    """A generator by plugin name, built from its config; `auto` looks into the checkpoint to find the plugin.

    `check` has it make four small-batch pictures, once in a process, to see that they are what they must be.

    Example:
        >>> generator = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> generator.card.resolution, generator.card.layers
        (64, 10)
    """
    return cast("Generator", build("generator", name, config, device=device, check=check))


def load_scorer(name: str, /, *, device: str = "auto", check: bool = True, **config: Any) -> Scorer:
    """A scorer by plugin name, built from its config.

    `check` has it refuse the first pictures that it is given if they do not look as if they were in [0, 1].

    Example:
        >>> len(load_scorer("hue", device="cpu").concepts)
        14
    """
    return cast("Scorer", build("scorer", name, config, device=device, check=check))


def load_learner(name: str, /, *, device: str = "auto", **config: Any) -> BoundaryLearner:
    """A boundary learner by plugin name, built from its config."""
    return cast("BoundaryLearner", build("boundary", name, config, device=device))


def _about_file(error: OSError, options: Mapping[str, Any]) -> Fault | None:
    """The option that names the file which a constructor could not open; None if none does."""
    named = "" if error.filename is None else str(error.filename)
    for path, value in _texts(options, ("with",)):
        same = value == named or (named and Path(value).expanduser().name == Path(named).name)
        if same or (not named and value and value in str(error)):
            reason = (error.strerror or "cannot be opened").lower()
            place = "" if Path(value).is_absolute() else f" (looked in {Path.cwd()})"
            return Fault(path, f"{visible(value)}: {reason}{place}")
    return None


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """All text in plain data, with its place."""
    if isinstance(value, str | Path):
        yield path, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _texts(item, (*path, i))
