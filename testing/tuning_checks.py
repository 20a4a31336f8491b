"""Check what an inversion of pictures rests on: noise that is given, and weights that are tuned."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..core.conformance.passes import BATCH_TOLERANCE
from ..core.messages import listed, visible
from ..core.plugins.generator import Generator
from ..core.plugins.records import Inputs, Latents
from ..core.strata.composition import Pass
from ..core.strata.tuned import tuned
from .kit import DoesNotApply, NotConforming
from .rendered import codes_of, difference, generator_of, rendered, sampled
from .subject import Subject

STEP = 3e-5  # of weights, in their root mean square, for a difference quotient
SLOPE_TOLERANCE = 0.1  # share by which the derivative may differ from it


def given_noise_takes_the_place_of_its_own(subject: Subject) -> None:
    """A picture with the noise of another sample is made with that sample's noise."""
    generator = generator_of(subject)
    latents = sampled(generator)
    codes, n = codes_of(generator, latents), len(latents.index)
    other = latents.index.flip(0)
    maps = {
        s: x
        for s in range(len(generator.strata))
        if (x := generator.noise_map(s, Inputs(n, latents.condition, other))) is not None
    }
    if not maps:
        raise DoesNotApply("no stratum has a noise_map")
    for s, x in maps.items():
        stratum = generator.strata[s]
        if x.ndim != 4 or x.shape[0] not in (1, n) or x.shape[1] != 1:
            raise NotConforming(
                f"noise_map({s}, ...) has the shape {tuple(x.shape)}; (N or 1, 1, h, w) was expected, "
                f"such as {(n, 1, stratum.height, stratum.size)}"
            )
    with torch.no_grad():
        given = _with_noise(generator, codes, latents, latents.index, maps)
        own = _with_noise(generator, codes, latents, other, {})
    apart = difference(own, given)
    if not apart <= BATCH_TOLERANCE:
        raise NotConforming(
            f"pictures whose noise is given as inputs.maps differ by {apart:.2g} of the range from those of "
            f"the samples whose noise_map that is, {BATCH_TOLERANCE:g} is allowed; a stratum with a "
            "noise_map must add the noise of inputs.maps instead, if there is any"
        )


def _with_noise(
    generator: Generator, codes: Tensor, latents: Latents, index: Tensor, maps: Mapping[int, Tensor]
) -> Tensor:
    """Return the pictures of codes (N, L, D) with the fresh noise of an index (N,), or with maps."""
    expanded = {s: x.to(generator.device).expand(len(codes), -1, -1, -1) for s, x in maps.items()}
    made = Pass(generator, codes, condition=latents.condition, index=index, maps=expanded)
    return made.rendering.pictures


def tunable_weights_are_those_of_the_picture(subject: Subject) -> None:
    """Pictures change with the weights that may be tuned as their derivative says, and change back."""
    generator = generator_of(subject)
    weights = {name: x for name, x in generator.tunable.items() if x.is_floating_point()}
    if not weights:
        raise DoesNotApply("it has no tunable weights")
    latents = sampled(generator)
    codes = codes_of(generator, latents)
    with torch.no_grad():
        before = rendered(generator, codes, latents).rendering.pictures
    towards = torch.randn(before.shape, generator=torch.Generator().manual_seed(0)).to(before)

    def seen(added: Mapping[str, Tensor]) -> Tensor:
        """Return a number () that all pixels decide, with something added to weights."""
        with tuned(generator, added):
            return (rendered(generator, codes, latents).rendering.pictures.double() * towards).sum()

    zeros = {name: torch.zeros_like(x, requires_grad=True) for name, x in weights.items()}
    with torch.enable_grad():
        value = seen(zeros)
    gradients: dict[str, Tensor] = {}
    if value.requires_grad:
        found = torch.autograd.grad(value, list(zeros.values()), allow_unused=True)
        gradients = {name: g for name, g in zip(zeros, found, strict=True) if g is not None}
    # Along the gradient, where the number changes most; of tensors without one, in all entries alike.
    steps = {
        name: STEP
        * _size(x)
        * (gradients[name] / _size(gradients[name]) if name in gradients else 1.0)
        * torch.ones_like(x)
        for name, x in weights.items()
    }
    with torch.no_grad():
        ahead, back = (float(seen({k: sign * x for k, x in steps.items()})) for sign in (1.0, -1.0))
    change, expected = (ahead - back) / 2.0, sum(float((g * steps[k]).sum()) for k, g in gradients.items())
    if not gradients or not abs(change - expected) <= SLOPE_TOLERANCE * max(abs(change), abs(expected)):
        raise NotConforming(
            f"if weights of `tunable` ({listed([visible(name) for name in weights], 3)}) change a little, "
            f"what is looked at of the pictures changes by {change:.3g}, and their derivative says "
            f"{expected:.3g}; strata must compute with these very tensors, and with nothing that was made of "
            "them before"
        )
    with torch.no_grad():
        after = rendered(generator, codes, latents).rendering.pictures
    if not torch.equal(before, after):
        raise NotConforming(
            "pictures are others after weights were tuned and put back; strata must keep nothing of a pass"
        )


def _size(x: Tensor) -> float:
    """Return the root mean square of a tensor, 1 if it is zero or empty."""
    size = float(x.detach().float().square().mean().sqrt()) if x.numel() else 0.0
    return size if math.isfinite(size) and size > 0.0 else 1.0
