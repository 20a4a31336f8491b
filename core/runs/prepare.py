"""Build the plugins of a validated config and check that they fit each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.schema import RunConfig, Use
from ..conformance.same_everywhere import rendering_to_check
from ..conformance.scores import check_scorers
from ..device import auto_batch, resolve_device, resolve_precision
from ..errors import ConfigError, Fault, UserError
from ..plugins.base import Plugin
from ..plugins.boundary import STYLES
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.own_classes import own_classes
from ..plugins.plugin_info import Kind
from ..plugins.registry import registry
from ..plugins.scorer import Scorer
from ..strata.scored_generator import ScoredGenerator
from .config_fit import (
    chosen_columns,
    faults_of_conditions,
    faults_of_learner,
    faults_of_workers,
    resolved_groups,
    resolved_sets,
)
from .loading import build
from .spawning import end_if_imported_again


@dataclass(frozen=True, kw_only=True)
class Prepared(ScoredGenerator):
    """Hold the plugins of a run and its resolved settings.

    Attributes:
        config: config of the run.
        learner: learner of the boundaries.
        chosen: columns of the concepts that get a boundary.
        groups: named layer groups.
        sets: layer sets to move in re-scoring, by name.
        device: device to compute on.
        memory: values that a stage keeps between tasks in this process.
    """

    config: RunConfig
    learner: BoundaryLearner
    chosen: tuple[int, ...]
    groups: Mapping[str, tuple[int, ...]]
    sets: Mapping[str, tuple[int, ...]]
    device: torch.device
    memory: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def in_styles(self) -> bool:
        """Whether boundaries are learnt and moved in s, the space of style channels."""
        return self.config.learning.space == STYLES

    @property
    def edit_scale(self) -> NDArray[np.float32]:
        """Factor of an edit on each layer (L,): that of truncation, or 1 if the config says so."""
        scale = self.generator.layer_scale
        return scale if self.config.editing.scale else np.ones_like(scale)

    @property
    def learning_resamples(self) -> int:
        """How often boundaries are learnt again: never if what is learnt does not depend on the samples."""
        return self.config.rescoring.learning_resamples if self.learner.from_samples else 0


def own_plugins(config: RunConfig) -> list[str]:
    """Return which plugins of a config are classes that `ganstrata.register` knows in this process alone."""
    scorers: list[tuple[Kind, str]] = [("scorer", scorer.use) for scorer in config.scorers]
    return own_classes([("generator", config.generator.use), *scorers, ("boundary", config.boundary.use)])


def prepare(
    config: RunConfig,
    *,
    source: str = "config",
    batch: int | None = None,
    check: bool = True,
    device: str | None = None,
) -> Prepared:
    """Build generator, scorers and learner, and check what the config alone cannot show.

    Args:
        config: validated.
        source: the config's file, for messages.
        batch: batch size of an existing run, in place of `auto`.
        check: whether to check the results of plugins, unless the config switches that off.
        device: in place of that of the config, such as the GPU of a worker.

    Raises:
        GanstrataError: a plugin, checkpoint, layer or concept pattern does not fit.
    """
    builder = _builder(config, source, check, device)
    faults: list[Fault] = []
    generator, scorers = _generator_and_scorers(config, builder, faults)
    with _collected(faults):
        learner = cast("BoundaryLearner", builder.build("boundary", config.boundary, ("boundary",)))
    if faults:
        raise ConfigError(source, faults)
    scored = _scored(config, generator, scorers, batch, builder.device)
    chosen = chosen_columns(config, scored, faults)
    groups = resolved_groups(config, generator, faults)
    faults += faults_of_conditions(config, [scored.concepts[j].name for j in chosen], learner)
    sets = resolved_sets(config, groups, generator, faults)
    faults += faults_of_learner(config, learner, generator)
    if own := own_plugins(config):
        faults += faults_of_workers(config, own)
    if faults:
        raise ConfigError(source, faults)
    prepared = Prepared(
        **_fields(scored),
        config=config,
        learner=learner,
        chosen=chosen,
        groups=groups,
        sets=sets,
        device=builder.device,
    )
    if builder.check:
        _check_scorers(prepared)
    return prepared


def prepare_scored(
    config: RunConfig, *, source: str = "config"
) -> tuple[ScoredGenerator, tuple[int, ...], torch.device]:
    """Build the generator and the scorers of a config, whatever its boundary learner is.

    Args:
        config: validated.
        source: the config's file, for messages.

    Returns:
        The generator with its scorers, the columns of the selected concepts, and the device.

    Raises:
        GanstrataError: a plugin, checkpoint or concept pattern does not fit.
    """
    builder = _builder(config, source, check=True)
    faults: list[Fault] = []
    plugins = _generator_and_scorers(config, builder, faults)
    if faults:
        raise ConfigError(source, faults)
    scored = _scored(config, *plugins, None, builder.device)
    chosen = chosen_columns(config, scored, faults)
    if faults:
        raise ConfigError(source, faults)
    if builder.check:
        _check_scorers(scored)
    return scored, chosen, builder.device


def _builder(config: RunConfig, source: str, check: bool, device: str | None = None) -> PluginBuilder:
    """Return what builds the plugins of a config.

    Raises:
        GanstrataError: a hook is broken, or there is no such device.
    """
    end_if_imported_again()
    registry().require_sound_hooks()
    return PluginBuilder(source, resolve_device(device or config.device), check and config.checks)


def _generator_and_scorers(
    config: RunConfig, builder: PluginBuilder, faults: list[Fault]
) -> tuple[Generator, dict[str, Scorer]]:
    """Build the generator, and the scorers by alias; add the faults of all that cannot be built."""
    built: dict[str, Plugin] = {}
    with _collected(faults):
        built[""] = builder.build("generator", config.generator, ("generator",))
    for i, s in enumerate(config.scorers):
        with _collected(faults):
            built[s.alias] = builder.build("scorer", s, ("scorers", i), s.alias)
    generator = cast("Generator", built.pop("", None))
    return generator, cast("dict[str, Scorer]", built)


@contextmanager
def _collected(faults: list[Fault]) -> Iterator[None]:
    """Add the faults of a plugin that cannot be built, so that others are looked at too."""
    try:
        yield
    except ConfigError as error:
        faults += error.faults


def _scored(
    config: RunConfig,
    generator: Generator,
    scorers: Mapping[str, Scorer],
    batch: int | None,
    device: torch.device,
) -> ScoredGenerator:
    """Return the generator with its scorers, with the resolved batch size and precision."""
    precision = resolve_precision(config.precision, device)
    size = config.synthesis.batch_size
    inputs = [scorer.input_size for scorer in scorers.values()]
    whole = auto_batch(generator.card.height, device, generator.card.width, inputs)
    # A batch is always full: 8 samples would be made as 32.
    resolved = min(whole, config.synthesis.samples) if size == "auto" else size
    return ScoredGenerator(
        generator=generator,
        scorers=scorers,
        batch=batch or resolved,
        seed=config.synthesis.seed,
        precision=precision,
        mixing=config.synthesis.mixing,
        tolerant=config.synthesis.allow_nonfinite > 0.0,
    )


def _fields(scored: ScoredGenerator) -> dict[str, Any]:
    """Return the fields of a generator with its scorers, by name."""
    return {field.name: getattr(scored, field.name) for field in fields(scored)}


class PluginBuilder(NamedTuple):
    """Build the plugins of one config.

    Attributes:
        source: the config's file, for messages.
        device: device of the plugins.
        check: whether to check their results.
    """

    source: str
    device: torch.device
    check: bool

    def build(self, kind: Kind, used: Use, place: tuple[str | int, ...], alias: str = "") -> Plugin:
        """Build one plugin; errors name its place in the config.

        Raises:
            ConfigError: the fault is in the config or in a file that it names.
            GanstrataError: the fault is in the plugin.
        """
        with fault_placed(self.source, used, place):
            return build(kind, used.use, used.options, device=str(self.device), alias=alias, check=self.check)


@contextmanager
def fault_placed(source: str, used: Use, place: tuple[str | int, ...]) -> Iterator[None]:
    """Name the place in the config in errors about a plugin that the user can correct.

    Args:
        source: the config's file, for messages.
        used: the plugin.
        place: its place in the config.

    Raises:
        ConfigError: in place of a UserError.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            source, [Fault((*place, *fault.path), fault.message) for fault in error.faults]
        ) from error
    except UserError as error:
        raise ConfigError(source, [Fault((*place, "with"), f"'{used.use}': {error}")]) from error


def _check_scorers(prepared: ScoredGenerator) -> None:
    """Check the scores of a few pictures by each scorer.

    Raises:
        GanstrataError: a scorer breaks the contract.
    """
    check_scorers(list(prepared.scorers.values()), rendering_to_check(prepared))
