"""Builds plugins by name: config checked first, then the class, on a device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from . import naming
from .config import AUTO
from .configfile import check_options
from .contracts import BoundaryLearner, Generator, Scorer
from .device import resolve_device
from .errors import ConfigError, PluginBroken
from .recognition import plugin_for
from .registry import Kind, registry
from .text import visible


def build(kind: Kind, name: str, options: Mapping[str, Any], *, device: str = "auto") -> Generator | Scorer | BoundaryLearner:
    """A plugin of any kind; the generator `auto` is the one that the option `checkpoint` belongs to.

    Raises:
        PluginNotFound, PluginBroken, PluginConflict: the registry has none that works.
        ConfigError: options that its Config does not allow.
        CheckpointError: for `auto`, a file that no plugin knows.
    """
    if kind == "generator" and name == AUTO:
        name = plugin_for(str(options.get("checkpoint", "")))
    info = registry().info(kind, name)
    plugin = info.load()
    faults = check_options(kind, name, dict(options), ())
    if faults:
        raise ConfigError(f"config of {kind} '{name}'", faults)
    built = plugin(plugin.Config.model_validate(dict(options)), resolve_device(device))
    if isinstance(built, Generator):
        _check_generator(built, f"Generator '{name}' from {info.distribution}")
    if isinstance(built, Scorer):
        _check_scorer(built, f"Scorer '{name}' from {info.distribution}")
    return cast("Generator | Scorer | BoundaryLearner", built)


def load_generator(name: str, /, *, device: str = "auto", **config: Any) -> Generator:
    """A generator by plugin name, built from its config; `auto` looks into the checkpoint to find the plugin.

    Example:
        >>> generator = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> generator.card.resolution, generator.card.layers
        (64, 10)
    """
    return cast("Generator", build("generator", name, config, device=device))


def load_scorer(name: str, /, *, device: str = "auto", **config: Any) -> Scorer:
    """A scorer by plugin name, built from its config.

    Example:
        >>> len(load_scorer("hue", device="cpu").concepts)
        14
    """
    return cast("Scorer", build("scorer", name, config, device=device))


def load_learner(name: str, /, *, device: str = "auto", **config: Any) -> BoundaryLearner:
    """A boundary learner by plugin name, built from its config."""
    return cast("BoundaryLearner", build("boundary", name, config, device=device))


def _check_generator(generator: Generator, owner: str) -> None:
    """What the core relies on, checked once, so that a slip is named and not met later."""
    layers = generator.card.layers
    read = {stratum.reads for stratum in generator.strata if stratum.reads is not None}
    if not generator.strata:
        raise PluginBroken(f"{owner} has no strata.")
    if read != set(range(layers)):
        raise PluginBroken(f"{owner} declares {layers} layer{'' if layers == 1 else 's'}, but its strata read {sorted(read)}.")
    if generator.layer_scale.shape != (layers,):
        raise PluginBroken(f"{owner}: layer_scale has shape {generator.layer_scale.shape}, expected ({layers},).")


def _check_scorer(scorer: Scorer, owner: str) -> None:
    names = [concept.name for concept in scorer.concepts]
    if not names:
        raise PluginBroken(f"{owner} has no concepts.")
    faults = ((name, naming.fault_of(name)) for name in names)
    awkward = next(((name, fault) for name, fault in faults if fault), None)
    if awkward is not None:
        raise PluginBroken(f"{owner}: the name of the concept '{visible(awkward[0])}' {awkward[1]}.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PluginBroken(f"{owner} has two concepts called '{twice[0]}'.")
