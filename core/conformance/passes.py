"""Checks the pictures of a generator, on two samples: kind, size, range, and that they depend on nothing but what is declared."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..composition import advance, finished
from ..contracts import Generator
from ..errors import PluginBroken
from ..finiteness import finite_rows, refusal, where_lost
from ..picture_checks import FLOATS, range_fault
from ..plugin import owner_of
from ..randomness import Stream
from ..records import Inputs, Latents, State
from . import chance
from .networks import check_evaluation_mode

SAMPLES = 2
SAME = 1e-4  # pictures computed twice in one way, in parts of their range
COMPANY = 1e-3  # pictures computed in batches of two shapes, where kernels may differ
NOISE = 1  # seed of fresh noise


def check_generator(generator: Generator) -> None:
    """Refuse a generator whose pictures are not what the core takes them for.

    Two samples are made together, and the second alone, twice. Without `judges_range` the range is left out.

    Raises:
        PluginBroken: what is wrong, with the cure.
        PictureError: no picture is finite.
    """
    owner = owner_of(generator)
    check_evaluation_mode(generator)
    with torch.no_grad(), chance.held(owner, "making pictures"):
        together, latents = _pictures(generator, SAMPLES, 0)
        alone, single = _pictures(generator, 1, SAMPLES - 1)
        again, _ = _pictures(generator, 1, SAMPLES - 1)
    height, across = together.shape[2:]
    if max(height, across) != generator.card.resolution:
        raise PluginBroken(f"{owner} makes pictures of {height} x {across} pixels; its card says resolution {generator.card.resolution}")
    finite = finite_rows(together)
    if finite is not None:
        if not bool(finite.any()):
            _refuse(generator, latents, finite)
        return  # how many may be so is for the run to say
    if generator.judges_range:
        _check_range(together, owner)
    width = max(1.0, float(together.max() - together.min()))
    apart = distance(alone, again, width)
    if not apart <= SAME:
        raise PluginBroken(
            f"{owner} does not give the same picture twice: it differs by {apart:.2g} of the range. Noise of a sample may depend on "
            "Inputs.noise, its Inputs.index and the stratum only. " + chance.ADVICE
        )
    apart = distance(together[-1:], alone, width)
    if not apart <= COMPANY:
        raise PluginBroken(f"{owner}: {_company(generator, latents, single, apart)}")


def distance(a: Tensor, b: Tensor, width: float = 1.0) -> float:
    """Return the largest difference of two sets of pictures, in parts of the width of their range; infinite for other shapes."""
    return float((a - b).abs().max()) / width if a.shape == b.shape else float("inf")


def _pictures(generator: Generator, n: int, start: int) -> tuple[Tensor, Latents]:
    """Pictures (n, 3, H, W) of samples start .. start + n, made stratum by stratum."""
    latents = generator.sample(n, 0, start, Stream.PROBING)
    _check_latents(generator, latents, n)
    codes = generator.broadcast(generator.map(latents.z, latents.condition))
    state = generator.begin(Inputs(n, latents.condition, latents.index, NOISE))
    for s in range(len(generator.strata)):
        before = [(name, tensor, tensor._version) for name, tensor in _tensors(state, codes)]
        following = advance(generator, state, codes, s, s + 1, {}, ())
        written = [name for name, tensor, version in before if tensor._version != version]
        if written:
            raise PluginBroken(
                f"{owner_of(generator)}: stratum({s}) writes into {written[0]} that it is given, from which edits begin again; "
                "have it work on a copy, without operations in place (add_, mul_, x[...] = )"
            )
        state = following
    images = finished(generator, state, n)
    if images.dtype not in FLOATS:
        raise PluginBroken(f"{owner_of(generator)}: finish returned {images.dtype}; float32, float16 or bfloat16 was expected: images.float()")
    return images.float(), latents


def _check_latents(generator: Generator, latents: object, n: int) -> None:
    owner = owner_of(generator)
    if not isinstance(latents, Latents):
        raise PluginBroken(f"{owner}: sample returned {type(latents).__name__}; a ganstrata.Latents was expected")
    rows = {"z": latents.z, "index": latents.index, **({} if latents.condition is None else {"condition": latents.condition})}
    for name, values in rows.items():
        if not isinstance(values, Tensor):
            raise PluginBroken(f"{owner}: sample returned {name} as {type(values).__name__}; a torch.Tensor was expected")
        if values.ndim == 0 or len(values) != n:
            raise PluginBroken(f"{owner}: sample({n}, ...) returned {name} of shape {tuple(values.shape)}; it needs {n} rows")


def _tensors(state: State, codes: Tensor) -> Iterator[tuple[str, Tensor]]:
    named = {"the codes": codes, "the state's x": state.x, "the state's rgb": state.rgb}
    named |= {f"the state's kept '{name}'": value for name, value in state.kept.items()}
    return ((name, tensor) for name, tensor in named.items() if isinstance(tensor, Tensor) and not tensor.is_inference())


def _check_range(images: Tensor, owner: str) -> None:
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
        alone.condition is not None and together.condition is not None and not torch.equal(together.condition[-1:], alone.condition)
    ):
        return "sample() gives another sample 1 in a batch of samples 0 and 1 than alone; it may depend on the seed, the stream and the index only"
    return (
        f"the picture of a sample changes by {apart:.2g} of the range with the samples that it is computed with: some layer takes statistics "
        "of the batch (normalisation over it), or noise is drawn for a batch and not for each Inputs.index"
    )


def _refuse(generator: Generator, latents: Latents, finite: Tensor) -> None:
    codes = generator.broadcast(generator.map(latents.z, latents.condition))
    state = generator.begin(Inputs(len(codes), latents.condition, latents.index, NOISE))
    raise refusal(generator, finite, latents.index, where_lost(generator, state, codes, 0, 0))
