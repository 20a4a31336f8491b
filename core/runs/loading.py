"""Build plugins by name, and check their config, their class and their results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from ..checkpoints.detect import plugin_for
from ..config.reading import option_faults
from ..config.schema import AUTO
from ..conformance import random_state
from ..conformance.declared import check_declared
from ..conformance.passes import check_generator
from ..device import resolve_device
from ..errors import CheckpointError, ConfigError, Fault, PictureError, PluginBroken
from ..messages import visible
from ..plugins.base import Plugin, class_in_words
from ..plugins.failures import plugin_call
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.plugin_info import Kind
from ..plugins.registry import registry
from ..plugins.scorer import Scorer

_checked: set[tuple[type, str, str, str]] = set()  # generators that were checked in this process


def build(
    kind: Kind,
    name: str,
    options: Mapping[str, Any],
    *,
    device: str = "auto",
    alias: str = "",
    check: bool = True,
) -> Plugin:
    """Build a plugin, an instance of the class of its kind.

    The generator `auto` is found from its option `checkpoint`.

    Args:
        kind: generator, scorer, boundary, engine or analysis.
        name: registered name.
        options: its config.
        device: auto, cpu, cuda or cuda:N.
        alias: its alias in the config.
        check: whether to check its results: of a generator four pictures when it is built, once per process;
            of a scorer the range of the first pictures that it receives.

    Raises:
        PluginNotFound, PluginConflict: the registry has no such plugin, or two.
        PluginBroken: the plugin does not load or is a command, its constructor fails, or it breaks the
            contract.
        ConfigError: its Config does not allow the options, or a file is missing.
        CheckpointError: for `auto`, no plugin knows the file; or its weights make no finite picture or
            amplify rounding.
        PictureError: the same of a generator without a checkpoint.
    """
    if kind == "generator" and name == AUTO:
        name = plugin_for(str(options.get("checkpoint", "")))
    info = registry().info(kind, name)
    plugin = info.load()
    source = f"config of {kind} '{name}'"
    own = f"'{name}' from {info.distribution}"
    origin = f"{plugin.noun} '{alias}' ({own})" if alias and alias != name else f"{plugin.noun} {own}"
    where = resolve_device(device)
    built = build_class(plugin, options, where, origin=origin, name=name, source=source)
    if isinstance(built, Generator) and check:
        key = (plugin, json.dumps(dict(options), sort_keys=True, default=str), str(where), built.fingerprint)
        if key not in _checked:
            with checkpoint_named(options):
                check_generator(built)
            _checked.add(key)
    if isinstance(built, Scorer):
        built.judges_range = check
    return built


@contextmanager
def checkpoint_named(options: Mapping[str, Any]) -> Iterator[None]:
    """Name the checkpoint in errors about the pictures of a generator.

    Args:
        options: config of the generator; without a `checkpoint`, errors pass unchanged.

    Raises:
        CheckpointError: in place of a PictureError, since another file corrects it.
        PluginBroken: the plugin's fault; the message names the file all the same.
    """
    try:
        yield
    except (PictureError, PluginBroken) as error:
        file = options.get("checkpoint")
        if not file:
            raise
        kind = CheckpointError if isinstance(error, PictureError) else PluginBroken
        raise kind(f"{visible(str(file))}: {error}") from error.__cause__


def build_class(
    plugin: type[Plugin],
    options: Mapping[str, Any],
    device: torch.device,
    *,
    origin: str = "",
    name: str = "",
    source: str = "config",
) -> Plugin:
    """Build a plugin from its class, and check what it declares.

    Args:
        plugin: the class.
        options: its config.
        device: where it computes.
        origin: the plugin with its distribution, for messages; by default its class.
        name: registered name.
        source: where the config comes from, for messages.

    Raises:
        PluginBroken: the constructor fails, or a declaration is wrong.
        ConfigError: its Config does not allow the options, or a file is missing.
    """
    own = origin or class_in_words(plugin)
    faults = option_faults(plugin.Config, dict(options), ("with",), own)
    if faults:
        raise ConfigError(source, faults)
    config = plugin.Config.model_validate(dict(options))
    # A constructor may draw random numbers, such as initial weights; the caller's state must not change.
    with (
        random_state.preserved(),
        plugin_call(own, "its constructor", home=plugin.__module__, relief=plugin.relief),
    ):
        try:
            built = plugin(config, device)
        except OSError as error:
            fault = _about_file(error, options)
            if fault is None:
                raise
            raise ConfigError(source, [fault]) from error
    built.origin, built.name = origin, name
    check_declared(built)
    return built


def load_generator(name: str, /, *, device: str = "auto", check: bool = True, **config: Any) -> Generator:
    """Build a generator from its plugin name and config; `auto` finds the plugin from the checkpoint.

    `check` makes four pictures, once per process, and checks them against the contract.

    Example:
        >>> generator = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> generator.card.resolution, generator.card.layers
        (64, 10)
    """
    return cast("Generator", build("generator", name, config, device=device, check=check))


def load_scorer(name: str, /, *, device: str = "auto", check: bool = True, **config: Any) -> Scorer:
    """Build a scorer from its plugin name and config.

    `check` makes it refuse the first pictures it receives if their range does not seem to be [0, 1].

    Example:
        >>> len(load_scorer("hue", device="cpu").concepts)
        14
    """
    return cast("Scorer", build("scorer", name, config, device=device, check=check))


def load_learner(name: str, /, *, device: str = "auto", **config: Any) -> BoundaryLearner:
    """Build a boundary learner from its plugin name and config.

    Example:
        >>> load_learner("ridge", device="cpu", positives=0.2, negatives=0.2)
        <Ridge 'ridge' on cpu>
    """
    return cast("BoundaryLearner", build("boundary", name, config, device=device))


def _about_file(error: OSError, options: Mapping[str, Any]) -> Fault | None:
    """Return the fault of the option that names the file of this error, or None."""
    named = "" if error.filename is None else str(error.filename)
    for path, value in _texts(options, ("with",)):
        same = value == named or (named and Path(value).name == Path(named).name)
        if same or (not named and value and value in str(error)):
            reason = (error.strerror or "cannot be opened").lower()
            place = "" if Path(value).is_absolute() else f" (looked in {Path.cwd()})"
            return Fault(path, f"{visible(value)}: {reason}{place}")
    return None


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield all texts in plain data, with their paths."""
    if isinstance(value, str | Path):
        yield path, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _texts(item, (*path, i))
