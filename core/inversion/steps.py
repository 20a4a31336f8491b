"""Choose the steps of an inversion by name, set their fields, and check that they fit the generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from pydantic import Field

from ..config.overrides import override
from ..config.reading import option_faults
from ..errors import ConfigError, Fault, GanstrataError, UserError, nearest
from ..messages import listed, visible
from ..plugins.base import PluginConfig
from ..plugins.config_contents import contents
from ..plugins.generator import Generator
from ..plugins.inverter import Inverter
from ..plugins.registry import registry
from ..runs.loading import build
from .distance import PERCEPTUAL

NONE = "none"
BEST = "best"  # the step that needs no gradients
DISTANCE = "distance"  # in place of the name of a step: the weights of what is compared


@dataclass(frozen=True)
class Step:
    """Hold one step: its registered name, and the inverter with its fields set."""

    name: str
    inverter: Inverter

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of the step as plain data, defaults included."""
        fields: dict[str, Any] = contents(self.inverter.config)
        return fields


class DistanceWeights(PluginConfig):
    """Set the weights of the terms of the distance."""

    pixel: float = Field(default=1.0, ge=0.0, le=1e6, description="weight of the mean squared error")
    perceptual: float = Field(
        default=PERCEPTUAL, ge=0.0, le=1e6, description="weight of the perceptual distance"
    )
    ms_ssim: float = Field(default=0.0, ge=0.0, le=1e6, description="weight of 1 - MS-SSIM")


Options = Mapping[str, Mapping[str, Any]]  # name of a step, or DISTANCE -> its fields


def chosen_names(
    generator: Generator, embed: str | None, refine: Sequence[str] | None, default_embed: str = BEST
) -> tuple[str, ...]:
    """Return the names of the steps: one that starts from the pictures alone, and those that refine.

    Args:
        generator: generator of the codes.
        embed: name of the first step; None for `default_embed`.
        refine: names of the others, in order; `none` or no name for no refinement, None for codes per layer,
            or for z where the generator has no w.
        default_embed: name of the first step if none is given.

    Raises:
        PluginNotFound: there is no step of this name.
        UserError: a step is of the other kind, or given twice.
    """
    if refine is None:
        refine = ("z",) if generator.space == "z" else ("w+",)
    if NONE in refine and len(refine) > 1:
        raise UserError("--refine none stands alone: it means that no step refines what was found")
    names = (default_embed if embed is None else embed, *(name for name in refine if name != NONE))
    for i, name in enumerate(names):
        wanted, option = ("refine", "--refine") if i else ("embed", "--embed")
        if _class(name).step != wanted:
            what = "starts from pictures alone" if i else "refines what another one found"
            raise UserError(
                f"{option} {visible(name)}: this step {what}; {option} takes "
                f"{listed(_names_of_kind(wanted), 20)}"
            )
        if name in names[:i]:
            raise UserError(f"--refine {visible(name)} is given twice; give it once, with more steps")
    return names


def chosen_steps(generator: Generator, names: Sequence[str], options: Options) -> tuple[Step, ...]:
    """Build the steps, and check that they fit the generator.

    Args:
        generator: generator of the codes.
        names: as `chosen_names` returns them.
        options: fields by name of the step; those of other names are not looked at.

    Raises:
        UserError: a step does not fit the generator, such as one that gives no gradients.
        GanstrataError: a step cannot be built.
    """
    steps = tuple(
        Step(
            name,
            cast("Inverter", build("inverter", name, options.get(name, {}), device=str(generator.device))),
        )
        for name in names
    )
    for step in steps:
        step.inverter.check_generator(generator)
    return steps


def options_of(names: Sequence[str], settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the fields that texts `NAME.FIELD=VALUE` set, by name.

    Raises:
        UserError: a text has another form, or names neither a step that is used nor the distance.
    """
    options: dict[str, Any] = {name: {} for name in (*names, DISTANCE)}
    for text in settings:
        name, dot, _ = text.partition("=")[0].partition(".")
        if not dot or name not in options:
            hint = "" if name in options else nearest(name, options)
            raise UserError(
                f"--set {visible(text)}: write it as NAME.FIELD=VALUE; the names here are "
                f"{listed(options, 20)}.{hint}"
            )
        override(options, text)
    return options


def check_options(names: Sequence[str], options: Options, source: str) -> DistanceWeights:
    """Check the fields of all steps, and return the weights of the distance.

    Args:
        names: the steps that are used.
        options: fields by name.
        source: where they are from, for messages.

    Raises:
        UserError: a name is not that of a step that is used.
        ConfigError: fields have faults; the error lists all of them.
    """
    known = (*names, DISTANCE)
    for name in options:
        if name not in known:
            raise UserError(
                f"{source}: no step {visible(name)} is used; the names here are {listed(known, 20)}."
                f"{nearest(name, known)}"
            )
    faults: list[Fault] = []
    for name in names:
        owner = f"'{name}' (from {registry().info('inverter', name).distribution})"
        faults += option_faults(_class(name).Config, dict(options.get(name, {})), (name,), owner)
    weights = dict(options.get(DISTANCE, {}))
    faults += option_faults(DistanceWeights, weights, (DISTANCE,), "the distance")
    if faults:
        raise ConfigError(source, faults)
    return DistanceWeights.model_validate(weights)


def _class(name: str) -> type[Inverter]:
    return cast("type[Inverter]", registry().info("inverter", name).load())


def _names_of_kind(kind: str) -> list[str]:
    """Return the registered steps of a kind; those that do not load are left out."""
    names = []
    for info in registry().infos("inverter"):
        with suppress(GanstrataError):
            names += [info.name] if _class(info.name).step == kind else []
    return names


def as_data(steps: Sequence[Step]) -> list[Mapping[str, Any]]:
    """Return names and fields of steps as plain data."""
    return [{"step": step.name, "with": step.fields} for step in steps]
