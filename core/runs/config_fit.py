"""Find where a config does not fit its plugins: its concepts, layers, conditions, space and workers.

Each function returns faults, or adds them to those that were found before, so that the user sees all at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from ..config.engine_schema import LOCAL
from ..config.schema import RunConfig
from ..errors import Fault, UserError, nearest
from ..messages import listed
from ..plugins.boundary import STYLES
from ..plugins.compatibility import refusal_of_space
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.records import Concept
from ..strata.layers import groups_of, layer_sets, parse_layers
from ..strata.scored_generator import ScoredGenerator
from ..strata.styles import require_styles


def chosen_columns(config: RunConfig, scored: ScoredGenerator, faults: list[Fault]) -> tuple[int, ...]:
    """Return the columns of the selected concepts; add a fault for each scorer that does not fit."""
    faults.extend(
        Fault(("scorers",), f"'{alias}' reads features of stratum {s}, which this generator does not have")
        for alias, s in scored.missing_features
    )
    chosen = _selected(config, scored.concepts, faults)
    for i, (alias, scorer) in enumerate(scored.scorers.items()):
        try:
            scorer.check(config.synthesis.samples)
            scorer.check_generator(scored.generator)
        except UserError as error:
            faults.append(Fault(("scorers", i), f"'{alias}': {error}"))
    return chosen


def _selected(config: RunConfig, concepts: tuple[Concept, ...], faults: list[Fault]) -> tuple[int, ...]:
    """Return the columns of the concepts that the config selects; a pattern without a match is a fault."""
    ids = [concept.name for concept in concepts]
    for key, patterns in (("include", config.concepts.include), ("exclude", config.concepts.exclude)):
        faults.extend(
            Fault(
                ("concepts", key),
                f"'{pattern}' matches no concept.{nearest(pattern, ids)} "
                f"Concepts are named alias/name, such as {ids[0]}",
            )
            for pattern in patterns
            if not any(fnmatchcase(name, pattern) for name in ids)
        )
    chosen = tuple(
        j
        for j, concept in enumerate(concepts)
        if concept.level in config.concepts.levels
        and any(fnmatchcase(concept.name, p) for p in config.concepts.include)
        and not any(fnmatchcase(concept.name, p) for p in config.concepts.exclude)
    )
    if not chosen and not faults:
        faults.append(Fault(("concepts",), "no concept is left by include, exclude and levels"))
    return chosen


def resolved_groups(
    config: RunConfig, generator: Generator, faults: list[Fault]
) -> dict[str, tuple[int, ...]]:
    """Return the groups of the config, else those of the generator, else the default ones; add faults."""
    configured = config.rescoring.groups
    if configured is None:
        return groups_of(generator)
    groups = {}
    for name, text in configured.items():
        try:
            groups[name] = parse_layers(text, generator.card.layers)
        except UserError as error:
            faults.append(Fault(("rescoring", "groups", name), str(error)))
    return groups


def resolved_sets(
    config: RunConfig, groups: Mapping[str, tuple[int, ...]], generator: Generator, faults: list[Fault]
) -> dict[str, tuple[int, ...]]:
    """Return the layer sets to move in re-scoring, by name; add faults."""
    place = ("rescoring", "layers")
    try:
        sets = layer_sets(config.rescoring.layers, groups, generator.card.layers)
    except UserError as error:
        faults.append(Fault(place, str(error)))
        return {}
    if sets and "all" not in sets:
        reason = "must contain `all`: whether a concept is a variation factor is decided there"
        faults.append(Fault(place, reason))
    return sets


def faults_of_conditions(config: RunConfig, chosen: Collection[str], learner: BoundaryLearner) -> list[Fault]:
    """Return a fault for each concept of a condition that gets no boundary; `chosen` get one."""
    if not learner.supervised:  # names are known when directions are found
        return []
    return [
        Fault(("conditions", i), f"'{name}' has no boundary.{nearest(name, chosen)}")
        for i, condition in enumerate(config.conditions)
        for name in (condition.edit, *condition.keep)
        if name not in chosen
    ]


def faults_of_learner(config: RunConfig, learner: BoundaryLearner, generator: Generator) -> list[Fault]:
    """Return why the learner does not fit the samples, the generator, the space or the null directions."""
    faults = []
    try:
        learner.check(config.synthesis.samples)
        learner.check_generator(generator)
    except UserError as error:
        faults.append(Fault(("boundary", "with"), str(error)))
    if learner.layerwise and config.synthesis.mixing == 0.0:
        reason = (
            f"'{config.boundary.use}' learns a boundary per layer, which needs style-mixed codes: "
            "set it above 0"
        )
        faults.append(Fault(("synthesis", "mixing"), reason))
    faults += _faults_of_space(config, generator, learner)
    if config.rescoring.null == "permuted" and not learner.supervised:
        reason = f"'{config.boundary.use}' uses no scores, so permuting them changes nothing; use random"
        faults.append(Fault(("rescoring", "null"), reason))
    return faults


def _faults_of_space(config: RunConfig, generator: Generator, learner: BoundaryLearner) -> list[Fault]:
    """Return why boundaries cannot be learnt in the space of the config; empty if they can."""
    place, faults = ("learning", "space"), []
    if config.learning.space == STYLES:
        try:
            require_styles(generator)
        except UserError as error:
            faults.append(Fault(place, f"{error}; only w is possible"))
    if reason := refusal_of_space(learner, config.learning.space):
        faults.append(Fault(place, f"'{config.boundary.use}' {reason}"))
    return faults


def faults_of_workers(config: RunConfig, own: Sequence[str]) -> list[Fault]:
    """Return a fault if other processes would have to know plugins of this one."""
    reason = (
        "because worker processes do not know what `ganstrata.register` made a plugin of this process: "
        f"{listed(own)}. They know installed distributions; `ganstrata plugins new` begins one"
    )
    if config.engine.use != LOCAL:
        return [Fault(("engine", "use"), f"must be {LOCAL}, {reason}")]
    if config.engine.workers not in ("auto", 1):
        return [Fault(("engine", "workers"), f"must be 1 or auto, {reason}")]
    return []
