"""Choose what of an inversion a search moves: one z, one w, or the codes of all layers, in standard units.

Shapes: N pictures, L layers, D code size, Z latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.inverter import Inversion, InversionTask
from .standard import Standard, standards

SpaceName = Literal["z", "w", "w+"]


@dataclass(frozen=True)
class Moved:
    """Hold variables of a search, and what follows from them.

    Attributes:
        units: variables in standard units where the search starts: (N, Z), (N, D) or (N, L, D).
        found: makes the inversion of variables, with gradients.
    """

    units: Tensor
    found: Callable[[Tensor], Inversion]


def in_z(task: InversionTask, start: Inversion) -> Moved:
    """Move one z; samples have mean 0 and standard deviation 1 in every entry.

    Raises:
        UserError: the start is not made of one z.
    """
    if start.space != "z" or start.latent is None:
        raise UserError(
            f"z cannot be refined, since what was found before is no z but codes in {start.space}; "
            "begin with `best`, or refine in w+"
        )

    def found(units: Tensor) -> Inversion:
        w = task.generator.map(units, start.condition)
        codes = task.generator.broadcast(w, start.condition)
        return replace(start, codes=codes, latent=units, space="z")

    return Moved(start.latent.detach().float().clone(), found)


def in_w(task: InversionTask, start: Inversion) -> Moved:
    """Move one w. Of a start with a code per layer, it begins with the mean of these, in standard units.

    Raises:
        UserError: the generator has no w.
    """
    generator = task.generator
    if generator.space == "z":
        raise UserError(
            f"{owner_of(generator)} has no w: its layers take z itself. Refine in z, or in w+, which is then "
            "one z per layer"
        )
    measured = standards(generator, start.condition, task.seed)
    if start.latent is None or start.space == "w+":
        units = measured.codes.units(start.codes).mean(dim=1)
    else:
        w = generator.map(start.latent, start.condition) if start.space == "z" else start.latent
        units = measured.w.units(w)

    def found(units: Tensor) -> Inversion:
        w = measured.w.values(units)
        return replace(start, codes=generator.broadcast(w, start.condition), latent=w, space="w")

    return Moved(units.detach().clone(), found)


def in_w_plus(task: InversionTask, start: Inversion) -> Moved:
    """Move the codes of all layers."""
    standard = codes_standard(task, start)

    def found(units: Tensor) -> Inversion:
        return replace(start, codes=standard.values(units), latent=None, space="w+")

    return Moved(standard.units(start.codes).detach().clone(), found)


def codes_standard(task: InversionTask, start: Inversion) -> Standard:
    """Return the standard units of the codes of a start."""
    return standards(task.generator, start.condition, task.seed).codes


SPACES: Mapping[SpaceName, Callable[[InversionTask, Inversion], Moved]] = {
    "z": in_z,
    "w": in_w,
    "w+": in_w_plus,
}
