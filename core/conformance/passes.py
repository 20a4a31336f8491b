"""Checks the pictures of a generator, on two samples: kind, size, range, and that they depend on nothing but what is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import PluginBroken
from ..plugins.base import owner_of
from ..plugins.contracts import Generator
from ..plugins.finiteness import finite_rows, locate_nonfinite, nonfinite_error
from ..plugins.picture_checks import FLOATS, range_fault
from ..plugins.records import Inputs, Latents, State
from ..plugins.scoring import digest
from ..randomness import Stream
from ..strata.composition import advance, begun, finished
from ..text import shown
from . import random_state
from .networks import check_evaluation_mode

SAMPLES = 2
REPEAT_TOLERANCE = 1e-4  # pictures computed twice in one way, in parts of their range
BATCH_TOLERANCE = 1e-3  # pictures computed in batches of two shapes, where kernels may differ
NOISE = 1  # seed of fresh noise


def check_generator(generator: Generator) -> None:
    """Refuse a generator whose pictures are not what the core takes them for.

    Two samples are made together, and the second alone, twice, with the first alone between. Without `judges_range` the range is left out.

    Raises:
        PluginBroken: what is wrong, with the cure.
        PictureError: no picture is finite.
    """
    owner = owner_of(generator)
    check_evaluation_mode(generator)
    with torch.no_grad(), random_state.unchanged(owner, "making pictures"):
        together, latents, _ = _pictures(generator, SAMPLES, 0)
        alone, single, held = _pictures(generator, 1, SAMPLES - 1)
        _pictures(generator, 1, 0)
        _check_untouched(held, owner)
        again, _, _ = _pictures(generator, 1, SAMPLES - 1)
    height, across = together.shape[2:]
    if max(height, across) != generator.card.resolution:
        raise PluginBroken(
            f"{owner} makes pictures of {height} x {across} pixels; its card says resolution {generator.card.resolution}"
        )
    finite = finite_rows(together)
    if finite is not None:
        if not bool(finite.any()):
            _refuse(generator, latents, finite)
        return  # how many may be so is for the run to say
    if generator.judges_range:
        check_range(together, owner)
    width = max(1.0, float(together.max() - together.min()))
    check_same(alone, again, width, owner)
    apart = distance(together[-1:], alone, width)
    if not apart <= BATCH_TOLERANCE:
        raise PluginBroken(f"{owner}: {_company(generator, latents, single, apart)}")


def check_same(first: Tensor, second: Tensor, width: float, owner: str) -> None:
    """Refuse pictures that are others when they are made again.

    Raises:
        PluginBroken: they are.
    """
    apart = distance(first, second, width)
    if not apart <= REPEAT_TOLERANCE:
        raise PluginBroken(
            f"{owner} does not give the same picture twice: it differs by {apart:.2g} of the range. Noise of a sample may depend on "
            "Inputs.noise, its Inputs.index and the stratum only. " + random_state.ADVICE
        )


def distance(a: Tensor, b: Tensor, width: float = 1.0) -> float:
    """Return the largest difference of two sets of pictures, in parts of the width of their range; infinite for other shapes."""
    return float((a - b).abs().max()) / width if a.shape == b.shape else float("inf")


@dataclass(frozen=True)
class _Held:
    """A tensor that a plugin was given or gave, and what was in it then."""

    what: str
    given_to: str
    tensor: Tensor
    content: tuple[int, ...]

    @property
    def is_written(self) -> bool:
        return digest(self.tensor) != self.content


def _pictures(generator: Generator, n: int, start: int) -> tuple[Tensor, Latents, list[_Held]]:
    """Pictures (n, 3, H, W) of samples start .. start + n, made stratum by stratum, and all tensors on the way."""
    latents = generator.sample(n, 0, start, Stream.PROBING)
    held: list[_Held] = []

    def handed(method: str, tensors: Mapping[str, object]) -> list[_Held]:
        return [_Held(what, method, x, digest(x)) for what, x in tensors.items() if isinstance(x, Tensor)]

    def after(given: list[_Held]) -> None:
        written = next((one for one in given if one.is_written), None)
        if written is not None:
            raise PluginBroken(
                f"{owner_of(generator)}: {written.given_to} writes into {written.what} that it is given, from which edits begin again; "
                "have it work on a copy, without operations in place (add_, mul_, x[...] = )"
            )
        held.extend(given)

    given = handed("map", {"the z": latents.z, "the condition": latents.condition})
    w = generator.map(latents.z, latents.condition)
    after(given)
    given = handed("broadcast", {"the w": w})
    codes = generator.broadcast(w)
    after(given)
    state = begun(generator, Inputs(n, latents.condition, latents.index, NOISE))
    for s in range(len(generator.strata)):
        given = handed(f"stratum({s})", _tensors(state) | {"the codes": codes})
        state = advance(generator, state, codes, s, s + 1, {}, ())
        after(given)
    given = handed("finish", _tensors(state))
    images = finished(generator, state, n)
    after(given)
    held += handed("", {"the pictures": images})
    if images.dtype not in FLOATS:
        raise PluginBroken(
            f"{owner_of(generator)}: finish returned {images.dtype}; float32, float16 or bfloat16 was expected: images.float()"
        )
    return images.float(), latents, held


def _check_untouched(held: Sequence[_Held], owner: str) -> None:
    """Refuse a generator that gives memory into which it writes again in a later pass.

    Raises:
        PluginBroken: it does.
    """
    written = next((one for one in held if one.is_written), None)
    if written is not None:
        what = "pictures" if not written.given_to else f"{written.what}, as {written.given_to} is given it,"
        raise PluginBroken(
            f"{owner} gives {what} in memory that it writes into again when it makes other pictures; edits begin again from "
            "states of before, so give new tensors, not buffers that are used again (out=, copy_)"
        )


def _tensors(state: State) -> dict[str, object]:
    named: dict[str, object] = {"the state's x": state.x, "the state's rgb": state.rgb}
    return named | {f"the state's kept {shown(name)}": value for name, value in state.kept.items()}


def check_range(images: Tensor, owner: str) -> None:
    """Refuse unedited pictures (N, 3, H, W), all finite, of another range than [0, 1].

    Raises:
        PluginBroken: they are.
    """
    fault = range_fault(images)
    if not fault:
        return
    low, high = float(images.min()), float(images.max())
    if high > 10.0:
        cure = ": these look like [0, 255], so divide by 255 in finish()"
    elif low < -0.25 and high <= 1.1:
        cure = ": these look like [-1, 1], so add 1 and divide by 2 in finish()"
    else:
        cure = ""
    raise PluginBroken(
        f"{owner}: pictures are expected in [0, 1], a little beyond allowed, but the first {fault}{cure}. Where that is meant, "
        "the plugin sets judges_range = False, or the config checks: false"
    )


def _company(generator: Generator, together: Latents, alone: Latents, apart: float) -> str:
    """What a sample that differs by its company differs in first."""
    if distance(together.z[-1:], alone.z) > 0.0 or (
        alone.condition is not None
        and together.condition is not None
        and not torch.equal(together.condition[-1:], alone.condition)
    ):
        return "sample() gives another sample 1 in a batch of samples 0 and 1 than alone; it may depend on the seed, the stream and the index only"
    return (
        f"the picture of a sample changes by {apart:.2g} of the range with the samples that it is computed with: some layer takes statistics "
        "of the batch (normalisation over it), or noise is drawn for a batch and not for each Inputs.index"
    )


def _refuse(generator: Generator, latents: Latents, finite: Tensor) -> None:
    codes = generator.broadcast(generator.map(latents.z, latents.condition))
    state = begun(generator, Inputs(len(codes), latents.condition, latents.index, NOISE))
    raise nonfinite_error(generator, finite, latents.index, locate_nonfinite(generator, state, codes, 0, 0))
