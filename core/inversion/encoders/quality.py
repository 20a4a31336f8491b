"""Measure what an encoder makes of pictures that it has not learnt from.

Shapes: N pictures, R rows of codes, V numbers in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from ...device import sent
from ...plugins.finiteness import Doubts
from ...plugins.pending import OneBehind
from ...randomness import Stream
from .losses import latent_loss
from .network import Encoded
from .pairs import PairSource, rendered
from .real import RealPictures
from .training import condition_told

BATCH = 32
LEAST, MOST = 8, 200  # held-out samples, and real pictures, that are measured


@dataclass(frozen=True)
class Quality:
    """Hold how well held-out pictures are encoded.

    Attributes:
        samples: number of held-out samples of the generator.
        latent: mean squared error of their codes in standard units; 1 is that of the mean code, about.
        psnr: mean PSNR of their reconstructions in dB.
        mean_psnr: the same for the picture of the mean code: what no encoder needs to be trained for.
        real: number of held-out pictures that the generator did not make.
        real_psnr: mean PSNR of their reconstructions; None without any.
        real_mean_psnr: the same for the picture of the mean code.
        classes: share of the samples whose class is right; None without classes.
    """

    samples: int
    latent: float
    psnr: float
    mean_psnr: float
    real: int = 0
    real_psnr: float | None = None
    real_mean_psnr: float | None = None
    classes: float | None = None

    def as_data(self) -> dict[str, float | None]:
        """Return the measures by name."""
        return asdict(self)


@torch.no_grad()
def measure(
    encode: Callable[[Tensor], Encoded],
    source: PairSource,
    active: int,
    *,
    samples: int = MOST,
    real: RealPictures | None = None,
    classes: tuple[int, ...] = (),
) -> Quality:
    """Measure an encoder on unmixed samples of the stream of validation, and on real pictures.

    Args:
        encode: the network.
        source: the generator's pairs.
        active: rows that have their own change.
        samples: samples to draw, and real pictures to take at most.
        real: pictures that were not learnt from.
        classes: numbers of the classes that the network tells.
    """
    weights: list[int] = []
    rows: list[Tensor] = []  # latent, psnr, mean psnr
    right = []
    late, checks = Doubts(), OneBehind()
    for start in range(0, samples, BATCH):
        pairs = source.draw(start, min(start + BATCH, samples), Stream.VALIDATION, late=late)
        encoded = encode(pairs.pictures)
        variables = encoded.variables(active)
        found, mean = (
            rendered(pairs.space, codes, pairs.index, pairs.noise, source.precision, late=late)
            for codes in (variables, torch.zeros_like(variables))
        )
        weights.append(len(found))
        ends = [psnr(made, pairs.pictures).mean() for made in (found, mean)]
        rows.append(torch.stack([latent_loss(variables, pairs.variables), *ends]))
        checks.add(late.check())
        if classes and pairs.space.condition is not None:
            told = condition_told(encoded.classes, classes, pairs.space.condition)
            same = told == pairs.space.condition
            right.append(same if same.ndim == 1 else same.all(1))
    checks.end()
    # Read together, at the end: an accelerator is waited for once.
    values = np.array(torch.stack(rows).tolist()).T
    latent, found_psnr, mean_psnr = (float(np.average(v, weights=weights)) for v in values)
    share = float(torch.cat(right).float().mean()) if right else None
    if real is None or real.count == 0:
        return Quality(samples, latent, found_psnr, mean_psnr, classes=share)
    of_real = _of_real(encode, source, active, real, classes, samples)
    return Quality(samples, latent, found_psnr, mean_psnr, *of_real, share)


def _of_real(
    encode: Callable[[Tensor], Encoded],
    source: PairSource,
    active: int,
    real: RealPictures,
    classes: tuple[int, ...],
    samples: int,
) -> tuple[int, float, float]:
    """Return the number of real pictures, their PSNR, and that of the mean code."""
    count = min(real.count, samples)
    found: list[Tensor] = []
    mean: list[Tensor] = []
    late, checks = Doubts(), OneBehind()
    for start in range(0, count, BATCH):
        numbers = np.arange(start, min(start + BATCH, count))
        pictures = sent(real.read(numbers), source.generator.device)
        pairs = source.draw(start, start + len(numbers), Stream.VALIDATION, late=late)
        encoded = encode(pictures)
        variables, condition = encoded.variables(active), pairs.space.condition
        space = pairs.space
        if condition is not None:
            space = space.conditioned(condition_told(encoded.classes, classes, condition))
        for codes, into in ((variables, found), (torch.zeros_like(variables), mean)):
            again = rendered(space, codes, pairs.index, pairs.noise, source.precision, late=late)
            into.append(psnr(again, pictures))
        checks.add(late.check())
    checks.end()
    return count, float(torch.cat(found).mean()), float(torch.cat(mean).mean())


def held_out(pictures: int) -> int:
    """Return how many pictures of each kind are measured after learning from so many: a tenth, within limits.

    >>> held_out(4), held_out(1000), held_out(10**6)
    (8, 100, 200)
    """
    return min(MOST, max(LEAST, pictures // 10))


def psnr(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio (N,) in dB of pictures (N, 3, H, W) in [0, 1]: -10 log10 MSE."""
    return -10.0 * (made - wanted).square().flatten(1).mean(1).clamp(min=1e-12).log10()


def in_words(quality: Mapping[str, float | None]) -> list[str]:
    """Say in sentences what was measured."""
    told = [
        f"held-out samples of the generator ({quality['samples']}) are reconstructed with "
        f"{quality['psnr']:.2f} dB (the mean code: {quality['mean_psnr']:.2f} dB); the mean squared error of "
        f"their codes is {quality['latent']:.3f} in standard units"
    ]
    if quality.get("real_psnr") is not None:
        told.append(
            f"held-out real pictures ({quality['real']}) are reconstructed with "
            f"{quality['real_psnr']:.2f} dB (the mean code: {quality['real_mean_psnr']:.2f} dB)"
        )
    if quality.get("classes") is not None:
        told.append(f"the class of {100 * (quality['classes'] or 0.0):.1f} % of the samples is told")
    return told
