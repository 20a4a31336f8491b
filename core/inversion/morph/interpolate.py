"""Go from picture to picture through a latent space, and measure how far each step is to the eye.

Everything of which two pictures are made changes along the path: codes straight (w, w+) or on an arc (z),
noise on an arc, classes and tuned weights straight. So both ends are exactly the two pictures.

Shapes: N pictures, T pictures of the path, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import UserError
from ...figures.pictures import Pixels
from ...plugins.base import owner_of
from ...plugins.generator import Generator
from ...plugins.inverter import Inversion
from ...plugins.pending import Pending, one_late
from ...plugins.records import Rendering
from ...runs.inversion_rows import joined
from ..perceptual import Perceptual
from .paths import lerp, places, slerp
from .points import Points, begin_shown

Floats = NDArray[np.float64]
Space = Literal["z", "w", "w+"]
SPACES: tuple[Space, ...] = get_args(Space)
JUMP = 2.0  # times the median distance above which a step counts as a jump


class Place(NamedTuple):
    """Hold where a picture of a path lies: at `at`, from 0 to 1, from one picture to another."""

    first: str
    second: str
    at: float


@dataclass(frozen=True)
class Interpolated:
    """Hold the pictures of a path and how far neighbours are from each other.

    Attributes:
        space: in which codes went.
        places: of each picture, (T,).
        pictures: (T, H, W, C).
        inversion: everything of which they are made.
        index: (T,), which decide fresh noise.
        pixels: root mean squared difference of each picture from the one before, (T - 1,), in [0, 1].
        perceptual: perceptual distance from the one before, (T - 1,); None if it was not measured.
        network: what gave the perceptual distance; empty without.
    """

    space: Space
    places: tuple[Place, ...]
    pictures: Pixels
    inversion: Inversion
    index: Tensor
    pixels: Floats
    perceptual: Floats | None
    network: str

    @property
    def measured(self) -> Floats:
        """The distance that says where it jumps: the perceptual one if there is one, (T - 1,)."""
        return self.pixels if self.perceptual is None else self.perceptual

    @property
    def relative(self) -> Floats:
        """`measured` in multiples of its median, (T - 1,); 1 where no picture differs."""
        middle = float(np.median(self.measured))
        return self.measured / middle if middle > 0.0 else np.ones_like(self.measured)

    @property
    def jumps(self) -> list[int]:
        """Numbers of the pictures, from 1, that are far from the one before: more than JUMP medians."""
        return [int(t) + 1 for t in np.flatnonzero(self.relative > JUMP)]


def default_space(points: Points) -> Space:
    """Return the space in which a path goes by default: that of the pictures; for samples, w if there is one.

    One z per picture goes in z only where the generator has no w.
    """
    if points.inversion.space == "w+" or points.inversion.latent is None:
        return "w+"
    return "w" if points.generator.space == "w" else "z"


@torch.no_grad()
def interpolate(
    points: Points,
    steps: int,
    space: Space | None = None,
    *,
    network: Perceptual | None = None,
    batch: int = 8,
    done: Callable[[int], None] = lambda count: None,
) -> Interpolated:
    """Return the path through all pictures in their order.

    Args:
        points: at least 2 pictures.
        steps: pictures from one to the next, both of them included; at least 2.
        space: z, w or w+; None for `default_space`.
        network: gives the perceptual distance; None for none.
        batch: pictures in one pass.
        done: called with the number of pictures after each pass.

    Raises:
        UserError: there is no such path.
    """
    space = default_space(points) if space is None else space
    check_path(points, steps, space)
    at = places(steps)
    maps = points.whole_noise()
    pictures: list[Pixels] = []
    parts: list[Inversion] = []
    indices: list[Tensor] = []
    where: list[Place] = []
    pixels: list[Tensor] = []
    seen: list[Tensor] = []
    segments = len(points.names) - 1

    def begun() -> Iterator[tuple[int, Pending[Pixels]]]:
        before: Rendering | None = None
        for a in range(segments):
            kept = at if a == segments - 1 else at[:-1]  # the next part begins where this one ends
            part = between(points, a, a + 1, kept, space, maps)
            index = points.index[[a]].expand(len(kept))
            parts.append(part)
            indices.append(index)
            where.extend(Place(points.names[a], points.names[a + 1], float(t)) for t in kept)
            for rendering in points.renderings(part, index, batch):
                both = rendering if before is None else _with(before, rendering)
                pixels.append(_steps(both.images))
                if network is not None:
                    maps_of = network.features(both)
                    seen.append(network.compare([x[:-1] for x in maps_of], [x[1:] for x in maps_of]))
                before = _last(rendering)
                yield len(rendering.images), begin_shown(rendering)

    for count, made in one_late(begun()):
        pictures.append(made)
        done(count)
    return Interpolated(
        space,
        tuple(where),
        np.concatenate(pictures),
        joined(parts),
        torch.cat(indices),
        torch.cat(pixels).double().cpu().numpy(),
        torch.cat(seen).double().cpu().numpy() if network is not None else None,
        "" if network is None else network.name,
    )


def check_path(points: Points, steps: int, space: Space) -> None:
    """Refuse a path that does not exist, before anything is computed.

    Raises:
        UserError: says why, and what to give instead.
    """
    generator, inversion = points.generator, points.inversion
    if len(points.names) < 2:
        raise UserError("there is one picture, and a path needs two; name more of them")
    if steps < 2:
        raise UserError(f"--steps {steps}: from one picture to the next there are at least 2")
    if space not in SPACES:
        raise UserError(f"--space {space}: there is no such space; give z, w or w+")
    if space == "w" and generator.space == "z":
        raise UserError(f"{owner_of(generator)} has no w; give --space z or w+")
    if space != "w+" and (inversion.latent is None or (space == "z" and inversion.space != "z")):
        raise UserError(
            f"--space {space}: these pictures were inverted with one code per layer, and have no {space} of "
            f"their own; give --space w+, or invert them with --refine {space}"
            if inversion.latent is None
            else f"--space {space}: these pictures have a w of their own, and no z; give --space w or w+"
        )
    classes = inversion.condition
    mixable = classes is None or classes.is_floating_point()
    if classes is not None and not mixable and any(not torch.equal(row, classes[0]) for row in classes):
        raise UserError(
            "these pictures are of different classes, and no class lies between two; take pictures of one "
            "class, or invert them with weights of classes"
        )


@torch.no_grad()
def between(
    points: Points, a: int, b: int, at: Tensor, space: Space, noise: Mapping[int, Tensor]
) -> Inversion:
    """Return everything of which the pictures (T,) of the path from picture a to picture b are made."""
    generator, inversion = points.generator, points.inversion
    condition = inversion.condition
    if condition is not None:
        mixed = condition.is_floating_point()
        condition = (
            lerp(condition[a], condition[b], at)
            if mixed
            else condition[a : a + 1].expand(len(at), *condition.shape[1:])
        )
    latent = None
    if space == "w+":
        codes = lerp(inversion.codes[a], inversion.codes[b], at)
    else:
        latent = _latents(generator, inversion, a, b, at, space)
        w = generator.map(latent, condition) if space == "z" else latent
        codes = generator.broadcast(w, condition)
    weights: tuple[dict[str, Tensor], ...] = ()
    if any(inversion.weights):
        weights = tuple(_weights(inversion.weights[a], inversion.weights[b], float(t)) for t in at)
    return Inversion(
        codes,
        condition,
        latent,
        space,
        {s: slerp(maps[a], maps[b], at) for s, maps in noise.items()},
        weights,
    )


def _latents(generator: Generator, inversion: Inversion, a: int, b: int, at: Tensor, space: Space) -> Tensor:
    """Return z (T, Z) on the arc, or w (T, D) on the straight line."""
    assert inversion.latent is not None
    if space == "z":
        return slerp(inversion.latent[a], inversion.latent[b], at)
    w = inversion.latent
    if inversion.space == "z":
        w = generator.map(w, inversion.condition)
    return lerp(w[a], w[b], at)


def _weights(first: Mapping[str, Tensor], second: Mapping[str, Tensor], t: float) -> dict[str, Tensor]:
    """Return what is added to the generator at t; a tensor that is tuned for one picture alone fades."""
    names = {**first, **second}
    return {
        name: (1.0 - t) * first.get(name, torch.zeros_like(any_))
        + t * second.get(name, torch.zeros_like(any_))
        for name, any_ in names.items()
    }


def _steps(images: Tensor) -> Tensor:
    """Return the root mean squared difference of neighbours (T - 1,) of pictures (T, 3, H, W)."""
    clamped = images.clamp(0.0, 1.0)
    return (clamped[1:] - clamped[:-1]).square().flatten(1).mean(dim=1).sqrt()


def _last(rendering: Rendering) -> Rendering:
    return Rendering(rendering.images[-1:], {s: x[-1:] for s, x in rendering.features.items()}, composed=True)


def _with(before: Rendering, rendering: Rendering) -> Rendering:
    """Return the last picture of a batch with those of the next."""
    return Rendering(torch.cat([before.images, rendering.images]), composed=True)


def chosen(points: Points, names: str | None) -> Points:
    """Return the pictures that are named `A,B,C`, in this order; None for all."""
    return points if names is None else points.rows(points.named(names, "--pictures"))
