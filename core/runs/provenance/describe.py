"""Build the provenance of a run: what its numbers will be computed from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import torch
from pydantic import BaseModel

from ...config.schema import Use
from ...errors import GanstrataError, UserError
from ...plugins.config_contents import contents
from ...plugins.generator import Generator
from ...plugins.learner import BoundaryLearner
from ...plugins.plugin_info import KINDS, Kind
from ...plugins.registry import registry
from ...plugins.scorer import Scorer
from ...strata.scored_generator import ScoredGenerator
from ..prepare import Prepared
from .files import files_named, values_in
from .imports import OURS
from .records import Environment, PluginRecord, Provenance, digest
from .sources import class_code, target_code

NUMERIC = (OURS, "torch", "numpy", "scipy", "scikit-learn")
"""Distributions whose version affects every number."""

Plugin = Generator | Scorer | BoundaryLearner


def describe(prepared: Prepared) -> Provenance:
    """Return the records of all plugins of a run, and of its numeric environment.

    Raises:
        UserError: a file that the config names cannot be read.
    """
    config = prepared.config
    return Provenance(
        environment=environment_of(prepared, prepared.device),
        generator=plugin_record("generator", config.generator, prepared.generator),
        scorers={
            used.alias: plugin_record("scorer", used, prepared.scorers[used.alias]) for used in config.scorers
        },
        boundary=plugin_record("boundary", config.boundary, prepared.learner),
    )


def environment_of(scored: ScoredGenerator, device: torch.device) -> Environment:
    """Return the record of what affects the last digits of every number."""
    return Environment(
        batch=scored.batch,
        device=device.type,
        precision=scored.precision,
        packages={name: version_of(name) for name in NUMERIC},
    )


def plugin_record(kind: Kind, used: Use, built: Plugin | None = None) -> PluginRecord:
    """Return the record of everything that one plugin's numbers depend on.

    Args:
        kind: kind of the plugin.
        used: its name and options in the config.
        built: the plugin; without it, the record has only what class and config show.

    Raises:
        UserError: a file that the config names cannot be read.
    """
    info = registry().info(kind, used.use)
    plugin = info.load() if built is None else type(built)
    options = validated(plugin.Config, used.options)
    code = class_code(plugin, info.distribution)
    targets = {
        place: target
        for place, value in values_in(options)
        if isinstance(value, str) and (target := target_code(value)) is not None
    }
    try:
        files = files_named(options) | {place: target.digest for place, target in targets.items()}
    except OSError as error:
        raise UserError(
            f"{kind} '{used.use}': cannot read {error.filename}: {error.strerror or error}"
        ) from None
    return PluginRecord(
        kind=kind,
        name=used.use,
        distribution=info.distribution,
        code=code.digest,
        config=digest(options),
        output=digest(_output(built)),
        weights=_weights(built),
        files=files,
        packages=_packages(
            info.distribution,
            built,
            code.distributions.union(*(target.distributions for target in targets.values())),
        ),
        parts={place: plugin_record(inner, use) for place, inner, use in _parts(options)},
    )


def validated(model: type[BaseModel], options: Mapping[str, Any]) -> Any:
    """Return a plugin's config as plain data with defaults, so that an omitted value equals its default."""
    return contents(model.model_validate(dict(options)))


def _output(built: Plugin | None) -> Any:
    """Return what a plugin declares about its results."""
    if isinstance(built, Generator):
        return [
            {name: value for name, value in asdict(built.card).items() if name != "assumptions"},
            built.card.scored_as,
            built.fingerprint,
            built.space,
            [asdict(stratum) for stratum in built.strata],
            built.layer_scale.tolist(),
        ]
    if isinstance(built, Scorer):
        return [[asdict(concept) for concept in built.concepts], list(built.extras), list(built.features)]
    return []


def _weights(built: Plugin | None) -> str:
    """Return the digests of the weights that a plugin gives; empty if it has none."""
    if isinstance(built, Generator):
        return " ".join(filter(None, (built.card.sha256, built.card.weights)))
    return built.checkpoint if isinstance(built, Scorer | BoundaryLearner) else ""


def _packages(owner: str, built: Plugin | None, imported: set[str]) -> dict[str, str]:
    """Return versions of packages that affect a plugin.

    These are what the distribution of a third party requires, what the plugin names, and what its code
    imports.
    """
    own = owner.rpartition(" ")[0]
    try:
        requirements = [] if own in ("", OURS) else requires(own) or []
    except (PackageNotFoundError, ValueError):
        requirements = []
    names = {
        match[0]
        for text in requirements
        if "extra ==" not in text and (match := re.match(r"[A-Za-z0-9._-]+", text))
    }
    names |= imported | set(getattr(built, "packages", ()))
    return {name: version_of(name) for name in sorted(names - {own, *NUMERIC})}


def _parts(options: Any, place: str = "") -> Iterator[tuple[str, Kind, Use]]:
    """Yield the plugins that a config names in its options, as {use: ..., with: {...}}, with their places."""
    if isinstance(options, Mapping):
        if isinstance(options.get("use"), str):
            for kind in KINDS:
                try:
                    registry().info(kind, options["use"]).load()
                    yield (
                        place,
                        kind,
                        Use.model_validate({"use": options["use"], "with": options.get("with") or {}}),
                    )
                    break
                except (GanstrataError, ValueError):
                    continue
        for key, value in options.items():
            yield from _parts(value, f"{place}.{key}" if place else str(key))
    elif isinstance(options, list | tuple):
        for i, value in enumerate(options):
            yield from _parts(value, f"{place}.{i}" if place else str(i))


def version_of(name: str) -> str:
    """Return the version of a distribution, or `not installed`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
