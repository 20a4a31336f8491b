"""Define the request of an analysis, and select the boundaries and layers that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import ConfigError, Fault, LayerError, UserError, nearest
from ..plugins.records import LEVELS
from ..rescoring.results import Effects
from ..storage.json_values import JsonObject, JsonValue
from ..strata.layers import layer_sets
from .labelled_runs import LabelledRun


@dataclass(frozen=True)
class AnalysisRequest:
    """Represent the options of an analysis.

    Attributes:
        concepts: patterns of names such as attribute/*; empty for all concepts that have a boundary.
        levels: levels to include; empty for all.
        top: number of concepts, strongest first; None for the default of the analysis.
        layers: a layer set of the run; None for the default of the analysis.
        out: folder to write; None for analysis/NAME in the run.
        cluster: in the entanglement matrix, place concepts that move each other next to each other.
    """

    concepts: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    top: int | None = None
    layers: str | None = None
    out: Path | None = None
    cluster: bool = False


def request_record(request: AnalysisRequest, **resolved: JsonValue) -> JsonObject:
    """Return the request as NAME.json stores it: without the output folder, with resolved defaults."""
    options = {key: value for key, value in asdict(request).items() if key not in ("out", "cluster")}
    return options | resolved


def select_boundaries(
    effects: Effects,
    request: AnalysisRequest,
    order: Sequence[int] | None = None,
    *,
    runs: Sequence[LabelledRun] = (),
) -> list[int]:
    """Return the positions of the boundaries that match the patterns and levels, strongest first.

    Args:
        effects: effects of the run.
        request: patterns and levels.
        order: positions of the candidates, in the order to keep; None for the ranking at all layers, without
            conditional directions.
        runs: all runs of the figure; a pattern is valid if it matches a boundary of any of them.

    Raises:
        ConfigError: a pattern matches no boundary or a level is unknown; the error lists all such faults.
        UserError: no boundary matches.
    """
    order = effects.ranking() if order is None else order
    names = [effects.boundaries[i].name for i in order]
    faults = [
        Fault((f"--concepts {pattern}",), f"no boundary of this run matches.{nearest(pattern, names)}")
        for pattern in request.concepts
        if not any(
            fnmatchcase(name, pattern)
            for name in [*names, *(b.name for source in runs for b in source.effects.boundaries)]
        )
    ]
    faults += [
        Fault(
            (f"--levels {level}",),
            f"there is no such level.{nearest(level, LEVELS)} Levels: {', '.join(LEVELS)}",
        )
        for level in request.levels
        if level not in LEVELS
    ]
    if faults:
        raise ConfigError(f"boundaries of this run: {', '.join(names) or 'none'}", faults)
    selected = [
        i
        for i, name in zip(order, names, strict=True)
        if (not request.concepts or any(fnmatchcase(name, pattern) for pattern in request.concepts))
        and (not request.levels or effects.boundaries[i].level in request.levels)
    ]
    if not selected:
        available = ", ".join(dict.fromkeys(effects.boundaries[i].level for i in order))
        label = next((f"{source.label}: " for source in runs[1:] and runs if source.effects is effects), "")
        conditions = [
            *(f"is of level {' or '.join(request.levels)}" for _ in request.levels[:1]),
            *(f"matches {', '.join(request.concepts)}" for _ in request.concepts[:1]),
        ]
        raise UserError(
            f"{label}no boundary {' and '.join(conditions) or 'was learnt'}; "
            f"there are boundaries of {available or 'no level'}"
        )
    return selected


def select_layer_set(effects: Effects, layers: str | None, *, default: str = "all") -> tuple[str, int]:
    """Return the name of a re-scored layer set and its position on the axis of sets.

    Args:
        effects: effects of the run.
        layers: name or numbers of the set, such as `upper` or `6-11`; None for the default.
        default: name of the default set.

    Raises:
        LayerError: there is no such set, there are several, or it was not re-scored.
    """
    names, count = list(effects.sets), len(effects.sets["all"])
    if layers is None:
        return default, names.index(default)
    if layers in names:
        return layers, names.index(layers)
    requested = layer_sets([layers], effects.groups, count)
    same = [name for name in names if effects.sets[name] in requested.values()]
    if len(requested) != 1 or not same:
        fault = (
            "that is several layer sets; name one"
            if len(requested) != 1
            else "these layers were not re-scored together"
        )
        raise LayerError(
            f"--layers {layers}: {fault}. This run has {', '.join(names)}; "
            "rescoring.layers in the config of a new run adds others"
        )
    return same[0], names.index(same[0])
