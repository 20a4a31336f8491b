"""Check a generator's pictures of two samples: type, size, range, and independence of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import PluginBroken
from ..messages import shown
from ..plugins.base import owner_of
from ..plugins.dropped_rows import dropped_rows_named
from ..plugins.finiteness import finite_rows, locate_nonfinite, nonfinite_error
from ..plugins.generator import Generator
from ..plugins.picture_checks import FLOATS, range_fault
from ..plugins.records import Inputs, Latents, State
from ..plugins.scoring import digest
from ..randomness import Stream
from ..strata.stepping import advance, begun, finished
from . import random_state
from .ill_conditioned import batch_error
from .networks import check_evaluation_mode

SAMPLES = 2
REPEAT_TOLERANCE = 1e-4  # for pictures computed twice in the same way, relative to their range
BATCH_TOLERANCE = 1e-3  # for pictures computed in batches of different sizes, where kernels may differ
NOISE = 1  # seed of fresh noise


class Batch(NamedTuple):
    """Hold pictures (N, C, H, W) in float32 of samples 0 .. N - 1, made in one pass, and their latents."""

    pictures: Tensor
    latents: Latents


def check_generator(
    generator: Generator,
    *,
    seed: int = 0,
    noise: int = NOISE,
    together: Callable[[], Batch | None] | None = None,
) -> None:
    """Refuse a generator whose pictures break the contract.

    Two samples are made together, and the second alone, the first alone, and the second alone again. The
    range is checked only if the generator's `judges_range` is set.

    Args:
        generator: the generator.
        seed: seed of the samples.
        noise: seed of fresh noise.
        together: makes a batch of two or more samples with these seeds, in place of the two that are made
            together; None if not all of its pictures are finite, which the run then decides about.

    Raises:
        PluginBroken: the message says what is wrong and how to correct it.
        PictureError: no picture is finite, or the network amplifies rounding.
    """
    owner = owner_of(generator)
    check_evaluation_mode(generator)
    watched = partial(watched_pictures, generator, seed=seed, noise=noise)
    with torch.no_grad(), random_state.unchanged(owner, "making pictures"):
        batch = None if together else Batch(*watched(SAMPLES, 0)[:2])
        alone, single, exchanged = watched(1, SAMPLES - 1)
        watched(1, 0)
        check_unmodified(exchanged, owner)
        again, _, _ = watched(1, SAMPLES - 1)
        check_size(generator, alone.shape[2], alone.shape[3])
        if together is not None:
            batch = together()
    if batch is None:
        return
    pictures, latents = batch
    check_size(generator, pictures.shape[2], pictures.shape[3])
    finite = finite_rows(pictures)
    if finite is not None:
        if not bool(finite.any()):
            _refuse_nonfinite(generator, latents, finite)
        return  # the run decides how many such pictures it allows
    if generator.judges_range:
        check_range(pictures, owner)
    span = span_of(pictures)
    check_same(alone, again, span, owner)
    difference = distance(pictures[SAMPLES - 1 : SAMPLES], alone, span)
    if not difference <= BATCH_TOLERANCE:
        fault = batch_fault(generator, latents, single, difference)

        def make() -> Tensor:
            return watched(1, SAMPLES - 1)[0]

        with torch.no_grad(), random_state.preserved():
            raise batch_error(owner, fault, difference, make, alone, span, BATCH_TOLERANCE)


def check_size(generator: Generator, height: int, width: int) -> None:
    """Refuse a generator whose pictures have other sides than its card says.

    A card that names `resolution` alone says only how long the longer side is.

    Raises:
        PluginBroken: a side differs.
    """
    card = generator.card
    if (height, width) == (card.height, card.width):
        return
    owner, made = owner_of(generator), f"pictures of {height} x {width} pixels"
    if card.names_sides:
        raise PluginBroken(
            f"{owner} makes {made}; its card says height {card.height} and width {card.width}: "
            f"write ModelCard(..., resolution={max(height, width)}, height={height}, width={width})"
        )
    if max(height, width) != card.resolution:
        raise PluginBroken(f"{owner} makes {made}; its card says resolution {card.resolution}")


def check_same(first: Tensor, second: Tensor, width: float, owner: str) -> None:
    """Refuse pictures that differ when they are made again.

    Args:
        first: pictures (N, C, H, W).
        second: the same pictures, made again.
        width: width of the pictures' range.
        owner: the generator, for messages.

    Raises:
        PluginBroken: they differ.
    """
    difference = distance(first, second, width)
    if not difference <= REPEAT_TOLERANCE:
        raise PluginBroken(
            f"{owner} does not give the same picture twice: it differs by {difference:.2g} of the range, "
            f"{REPEAT_TOLERANCE:g} is allowed. "
            "Nothing may be kept of earlier pictures, and noise of a sample may depend on Inputs.noise, its "
            "Inputs.index and the stratum only. " + random_state.ADVICE
        )


def distance(a: Tensor, b: Tensor, width: float = 1.0) -> float:
    """Return the largest absolute difference of pictures, divided by `width`; infinite if shapes differ."""
    return float((a - b).abs().max()) / width if a.shape == b.shape else float("inf")


def span_of(images: Tensor) -> float:
    """Return the width of the range of values, at least 1, to which tolerances of pictures are relative."""
    return max(1.0, float(images.max() - images.min()))


@dataclass(frozen=True)
class Exchanged:
    """A tensor passed between the core and a plugin, with a digest of its content at that time.

    Attributes:
        what: the tensor, for messages.
        receiver: the method that receives it; empty for pictures, which the core receives.
        tensor: the tensor.
        content: its digest.
    """

    what: str
    receiver: str
    tensor: Tensor
    content: tuple[int, ...]

    @property
    def is_modified(self) -> bool:
        """Whether somebody has written into the tensor since."""
        return digest(self.tensor) != self.content


def watched_pictures(
    generator: Generator, n: int, start: int, *, may_write: bool = False, seed: int = 0, noise: int = NOISE
) -> tuple[Tensor, Latents, list[Exchanged]]:
    """Make pictures (n, C, H, W) of samples start .. start + n - 1, stratum by stratum.

    Args:
        generator: the generator.
        n: number of samples.
        start: index of the first one.
        may_write: whether methods may write into what they are given.
        seed: seed of the samples.
        noise: seed of fresh noise.

    Returns:
        the pictures, their latents, and all tensors exchanged on the way.

    Raises:
        PluginBroken: a method returns something wrong, or writes where it may not.
    """
    latents = generator.sample(n, seed, start, Stream.PROBING)
    exchanged: list[Exchanged] = []

    def arguments_of(method: str, tensors: Mapping[str, object]) -> list[Exchanged]:
        return [Exchanged(name, method, x, digest(x)) for name, x in tensors.items() if isinstance(x, Tensor)]

    def check_after(arguments: list[Exchanged]) -> None:
        modified = next((argument for argument in arguments if argument.is_modified), None)
        if modified is not None and not may_write:
            raise PluginBroken(
                f"{owner_of(generator)}: {modified.receiver} writes into {modified.what} that it is given, "
                "from which edits restart; make it compute on a copy, without in-place operations "
                "(add_, mul_, x[...] = )"
            )
        exchanged.extend(arguments)

    arguments = arguments_of("map", {"the z": latents.z, "the condition": latents.condition})
    w = generator.map(latents.z, latents.condition)
    check_after(arguments)
    arguments = arguments_of("broadcast", {"the w": w})
    codes = generator.broadcast(w, latents.condition)
    check_after(arguments)
    state = first = begun(generator, Inputs(n, latents.condition, latents.index, noise))
    for s in range(len(generator.strata)):
        arguments = arguments_of(f"stratum({s})", tensors_of(state) | {"the codes": codes})
        with dropped_rows_named(generator, first, codes, 0):
            state = advance(generator, state, codes, s, s + 1, {}, ())
        check_after(arguments)
    arguments = arguments_of("finish", tensors_of(state))
    with dropped_rows_named(generator, first, codes, 0):
        images = finished(generator, state, n)
    check_after(arguments)
    exchanged += arguments_of("", {"the pictures": images})
    if images.dtype not in FLOATS:
        raise PluginBroken(
            f"{owner_of(generator)}: finish returned {images.dtype}; "
            "float32, float16 or bfloat16 was expected: images.float()"
        )
    return images.float(), latents, exchanged


def check_unmodified(exchanged: Sequence[Exchanged], owner: str) -> None:
    """Refuse a generator that returns memory and writes into it again in a later pass.

    Raises:
        PluginBroken: it does.
    """
    modified = next((record for record in exchanged if record.is_modified), None)
    if modified is not None:
        what = f"{modified.what}, as {modified.receiver} is given it," if modified.receiver else "pictures"
        raise PluginBroken(
            f"{owner} gives {what} in memory that it writes into again when it makes other pictures; edits "
            "restart from earlier states, so return new tensors, not buffers that are used again "
            "(out=, copy_)"
        )


def tensors_of(state: State) -> dict[str, object]:
    """Return what is in a state, by its name in messages."""
    named: dict[str, object] = {"the state's x": state.x, "the state's rgb": state.rgb}
    return named | {f"the state's kept {shown(name)}": value for name, value in state.kept.items()}


def check_range(images: Tensor, owner: str) -> None:
    """Refuse unedited pictures (N, C, H, W), all finite, whose range is not nominally [0, 1].

    Raises:
        PluginBroken: it is not.
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
        f"{owner}: pictures are expected in [0, 1], or a little beyond, but the first {fault}{cure}. If that "
        "is intended, set judges_range = False in the plugin, or checks: false in the config"
    )


def batch_fault(generator: Generator, together: Latents, alone: Latents, difference: float) -> str:
    """Describe what depends on the batch of a sample: its latent or its picture."""
    count, at = len(together.z), int(alone.index[0]) - int(together.index[0])
    one = slice(at, at + 1)
    if distance(together.z[one], alone.z) > 0.0 or (
        alone.condition is not None
        and together.condition is not None
        and not torch.equal(together.condition[one], alone.condition)
    ):
        return (
            f"sample() gives another sample {at} in a batch of samples 0 {'and' if count == 2 else 'to'} "
            f"{count - 1} than alone; "
            "it may depend on the seed, the stream and the index only"
        )
    return (
        f"the picture of a sample changes by {difference:.2g} of the range with the other samples of its "
        f"batch, {BATCH_TOLERANCE:g} is allowed: some layer computes statistics of the batch (normalisation "
        "over it), or noise is drawn for a batch and not for each Inputs.index"
    )


def _refuse_nonfinite(generator: Generator, latents: Latents, finite: Tensor) -> None:
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    state = begun(generator, Inputs(len(codes), latents.condition, latents.index, NOISE))
    raise nonfinite_error(generator, finite, latents.index, locate_nonfinite(generator, state, codes, 0, 0))
