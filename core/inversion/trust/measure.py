"""Measure how far inverted pictures can be trusted: their codes, warnings, edits.

Shapes: N pictures, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...editing.directions import EditPart
from ...errors import UserError
from ...messages import quantity
from ...plugins.generator import Generator
from ...randomness import Stream, noise_seed
from ...runs.inversion_rows import rows_of
from ...runs.inversions import StoredInversion
from ...runs.progress import Progress, Step
from ...strata.composition import Pass
from ...strata.moves import move
from ..invert import Inverted, Method, OnLoss, invert_batch
from ..rendering import Renderer
from ..target import Target
from .alarm import RATE, Alarm, alarm_of, fewest
from .code_distance import CodeCloud, tail, whole
from .consistency import Consistency, apart, consistency

Floats = NDArray[np.float64]
BEYOND = 1_000_000  # added to the numbers of pictures that are made here, so that they share no noise


@dataclass(frozen=True)
class CodeTrust:
    """Hold how far codes lie from those of samples.

    Attributes:
        layers: distance at each layer, (N, L); 1 is usual, NaN where samples do not vary.
        whole: over all layers, (N,).
        beyond: share of samples that lie at least as far over all layers, (N,).
        shrinkage: largest share of the shrinkage target in a covariance.
    """

    layers: Floats
    whole: Floats
    beyond: Floats
    shrinkage: float


@dataclass(frozen=True)
class Warnings:
    """Hold out-of-domain warnings: of the code, and of the error that is left.

    Attributes:
        code: alarm on the distance of a code over all layers.
        error: alarm on -PSNR, in dB.
        either: share of the inverted samples for which either is raised, with the samples' number.
        samples: distances over all layers of the codes of inverted samples, (n,).
        psnr: PSNR of inverted samples, (n,).
        raised: for each picture, which alarms are raised, (N, 2).
    """

    code: Alarm
    error: Alarm
    either: float
    samples: Floats
    psnr: Floats
    raised: NDArray[np.bool_]


def code_trust(cloud: CodeCloud, codes: Tensor) -> CodeTrust:
    """Return how far codes (N, L, D) lie from those of samples."""
    layers = cloud.distances(codes)
    total = whole(layers)
    return CodeTrust(layers, total, tail(cloud.usual_whole, total), float(cloud.shrinkage.max()))


@dataclass(frozen=True)
class Calibration:
    """Hold the thresholds of both warnings for one way of inverting.

    Attributes:
        code, error: as of `Warnings`.
        either, samples, psnr: as of `Warnings`.
    """

    code: Alarm
    error: Alarm
    either: float
    samples: Floats
    psnr: Floats

    @classmethod
    def of(cls, distances: Floats, psnr: Floats) -> Calibration:
        """Set both thresholds by n inverted samples.

        Args:
            distances: over all layers of their codes, (n,).
            psnr: of their reconstructions, (n,).

        Raises:
            UserError: there are too few samples for a rate of false alarms of RATE.
        """
        code, error = alarm_of(distances), alarm_of(-psnr)
        either = float((code.raised(distances) | error.raised(-psnr)).mean())
        return cls(code, error, either, distances, psnr)

    def warnings(self, codes: CodeTrust, psnr: Sequence[float]) -> Warnings:
        """Return which of N pictures are warned of.

        Args:
            codes: distances of the pictures' codes.
            psnr: PSNR of each picture's reconstruction, (N,).
        """
        errors = -np.asarray(psnr, dtype=np.float64)
        raised = np.stack([self.code.raised(codes.whole), self.error.raised(errors)], axis=1)
        return Warnings(self.code, self.error, self.either, self.samples, self.psnr, raised)


def calibrated(
    method: Method,
    cloud: CodeCloud,
    *,
    samples: int,
    batch: int,
    done: Callable[[int], object],
    on_loss: OnLoss = lambda losses: None,
) -> Calibration:
    """Invert samples of the generator as pictures are, and set both thresholds by them.

    Args:
        method: how the pictures are inverted.
        cloud: where codes of samples lie.
        samples: number n of samples.
        batch: of them at once.
        done: called with the number of samples that are done.
        on_loss: called with the losses of a batch after each step of a search.

    Raises:
        UserError: there are too few samples for a rate of false alarms of RATE.
    """
    check_samples(samples)
    numbers = []
    for start in range(0, samples, batch):
        count = min(batch, samples - start)
        numbers.append(sample_numbers(method, cloud, start, count, on_loss))
        done(count)
    distances, psnr = (np.concatenate(parts) for parts in zip(*numbers, strict=True))
    return Calibration.of(distances, psnr)


def sample_numbers(
    method: Method, cloud: CodeCloud, start: int, count: int, on_loss: OnLoss = lambda losses: None
) -> tuple[Floats, Floats]:
    """Invert samples start .. start + count - 1 of the generator as pictures are.

    Returns:
        Distances over all layers of their codes (count,), and PSNR of their reconstructions (count,).
    """
    images = sample_pictures(method.generator, method.seed, start, count)
    found = inverted(method, images, [BEYOND + start + i for i in range(count)], on_loss)
    distances = whole(cloud.distances(torch.cat([one.inversion.codes for one in found])))
    return distances, np.array([one.measures["psnr"] for one in found])


def check_samples(samples: int) -> None:
    """Refuse too few samples before anything is computed.

    Raises:
        UserError: a rate of false alarms of RATE cannot be reached.
    """
    if samples < fewest():
        raise UserError(
            f"--calibrate {samples}: {quantity(samples, 'inverted sample')} cannot give a warning with "
            f"{RATE:.0%} of false alarms; give at least {fewest()}, or 0 for no warning"
        )


@torch.no_grad()
def sample_pictures(generator: Generator, seed: int, start: int, count: int) -> Tensor:
    """Return pictures (count, 3, H, W) of samples of Stream.TARGETS, clamped to [0, 1]."""
    latents = generator.sample(count, seed, start, Stream.TARGETS)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    made = Pass(
        generator,
        codes,
        condition=latents.condition,
        index=latents.index,
        noise=noise_seed(seed, Stream.TARGETS),
    )
    return made.rendering.images.clamp(0.0, 1.0)


def inverted(
    method: Method, images: Tensor, index: Sequence[int], on_loss: OnLoss = lambda losses: None
) -> list[Inverted]:
    """Invert pictures (N, 3, H, W) as the method says; `index` decides their fresh noise."""
    targets = [
        Target(str(i), "made by the generator", "", image.cpu(), image.cpu())
        for i, image in zip(index, images, strict=True)
    ]
    return invert_batch(method, targets, index, on_loss)


@dataclass(frozen=True)
class ConsistencyRequest:
    """State which edits are to come back where they began.

    Attributes:
        parts: boundaries with their layers, and their direction per step.
        step: distance, in the unit of the run.
        pictures: number of pictures, the first ones.
        batch: of them at once.
    """

    parts: tuple[EditPart, ...]
    step: float
    pictures: int
    batch: int


def consistencies(
    method: Method, stored: StoredInversion, request: ConsistencyRequest, progress: Progress
) -> dict[str, Consistency]:
    """Return the latent editing consistency along each boundary, by its name and layers.

    Raises:
        UserError: a boundary moves style channels, which no inversion finds again.
    """
    styled = [part.boundary.name for part in request.parts if part.in_styles]
    if styled:
        raise UserError(
            f"--consistency: {styled[0]} moves style channels, which no inversion finds; give --consistency 0"
        )
    count = min(request.pictures, len(stored.names))
    first = stored.rows(range(count))
    codes, sd = first.inversion.codes, spread_of_codes(method.generator, method.seed)
    total = count * (1 + len(request.parts))
    with progress.stage("consistency", total=total) as done:

        def reinvert(moved: Tensor) -> Tensor:
            return _found_again(method, first, moved, request.batch, done)

        repeat = apart(reinvert(codes), codes, sd)
        return {
            part.name: consistency(codes, move(codes, part.direction, request.step), reinvert, sd, repeat)
            for part in request.parts
        }


def _found_again(method: Method, stored: StoredInversion, codes: Tensor, batch: int, done: Step) -> Tensor:
    """Return the codes that are found for the pictures of codes (N, L, D), with the noise of the pictures."""
    found = []
    for start in range(0, len(codes), batch):
        rows = list(range(start, min(start + batch, len(codes))))
        part = replace(rows_of(stored.inversion, rows), codes=codes[rows])
        render = Renderer(method.generator, stored.index[rows], noise_seed(stored.seed, Stream.EDITING))
        with torch.no_grad():
            images = render(part).images.clamp(0.0, 1.0)
        found += [one.inversion.codes for one in inverted(method, images, stored.index[rows].tolist())]
        done(len(rows))
    return torch.cat(found).to(codes)


@torch.no_grad()
def spread_of_codes(generator: Generator, seed: int, samples: int = 2048) -> Tensor:
    """Return the standard deviation of each entry of samples' codes, (L, D)."""
    latents = generator.sample(samples, seed, 0, Stream.PROBING)
    w = generator.map(latents.z, latents.condition)
    return generator.broadcast(w, latents.condition).std(dim=0)
