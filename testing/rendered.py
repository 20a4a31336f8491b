"""Make pictures of samples and of edited codes, and compare what was made."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from ..core.conformance.passes import span_of, tensors_of, watched_pictures
from ..core.plugins.generator import Generator
from ..core.plugins.records import Inputs, Latents
from ..core.randomness import Stream
from ..core.strata.composition import Pass
from ..core.strata.stepping import advance, begun
from .subject import Subject

SAMPLES = 3
TRIED = 5  # layers at which edits are tried, because each needs passes of its own


def generator_of(subject: Subject) -> Generator:
    """Return the generator that is checked.

    Raises:
        CannotBeBuilt: there is none.
    """
    return cast("Generator", subject.built)


def sampled(generator: Generator, n: int = SAMPLES, start: int = 0) -> Latents:
    """Draw samples start .. start + n - 1 of seed 0."""
    return generator.sample(n, 0, start, Stream.PROBING)


def codes_of(generator: Generator, latents: Latents) -> Tensor:
    """Return the codes (N, L, D) of samples, in memory of their own and without a gradient."""
    with torch.no_grad():
        w = generator.map(latents.z, latents.condition)
        return generator.broadcast(w, latents.condition).detach().clone()


def pictures_of(generator: Generator, n: int = SAMPLES, start: int = 0) -> Tensor:
    """Return the pictures (n, C, H, W) of samples."""
    with torch.no_grad():
        return watched_pictures(generator, n, start, may_write=True)[0]


def some_layers(layers: Sequence[int]) -> list[int]:
    """Return at most `TRIED` of one or more layers, evenly spaced, with the first and the last.

    >>> some_layers(range(18)), some_layers([7])
    ([0, 4, 8, 13, 17], [7])
    """
    if len(layers) <= TRIED:
        return list(layers)
    return [layers[round(i * (len(layers) - 1) / (TRIED - 1))] for i in range(TRIED)]


def edited(codes: Tensor, layer: int) -> Tensor:
    """Return codes (N, L, D) in which each sample has at one layer the code of another sample."""
    changed = codes.clone()
    changed[:, layer] = codes[:, layer].roll(1, 0)
    return changed


def rendered(
    generator: Generator,
    codes: Tensor,
    latents: Latents,
    *,
    precision: str = "fp32",
    features: Collection[int] = (),
    restarts: Collection[int] = (),
) -> Pass:
    """Render codes (N, L, D) with the condition and the index of their samples."""
    return Pass(
        generator,
        codes,
        condition=latents.condition,
        index=latents.index,
        precision=precision,
        features=features,
        restarts=restarts,
    )


def state_before(generator: Generator, latents: Latents, codes: Tensor, stop: int) -> Mapping[str, Tensor]:
    """Return the tensors of the state before stratum `stop` by name, after a whole pass with these codes.

    What a plugin remembers of that pass shows in the state.
    """
    rendered(generator, codes, latents)
    state = begun(generator, Inputs(len(codes), latents.condition, latents.index))
    state = advance(generator, state, codes, 0, stop, {}, ())
    return {name: x for name, x in tensors_of(state).items() if isinstance(x, Tensor)}


def difference(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two tensors, relative to the range of the first.

    Elements that are the same infinity, or both NaN, do not differ. The result is infinite if shapes differ,
    or if one of two elements alone is not finite.

    >>> difference(torch.tensor([0.0, 4.0, torch.inf]), torch.tensor([0.0, 3.0, torch.inf]))
    0.25
    """
    if a.shape != b.shape:
        return math.inf
    x, y = (torch.view_as_real(t).double() if t.is_complex() else t.double() for t in (a, b))
    differ = ~((x == y) | (x.isnan() & y.isnan()))
    if not bool(differ.any()):
        return 0.0
    apart = float((x - y)[differ].abs().max())
    finite = x[x.isfinite()]
    return apart / (span_of(finite) if finite.numel() else 1.0) if math.isfinite(apart) else math.inf
