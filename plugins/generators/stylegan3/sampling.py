"""Compute rates, sizes and filters of a StyleGAN3 by the paper's formulas, or infer them from a file.

Source: Karras et al. 2021, section 3.2 and appendix C: cutoff and stopband frequencies grow geometrically
from the first layer to the last but `critical`, and each layer runs at the least power of two that holds
its stopband. Frequencies are in cycles, rates in samples per width of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.errors import CheckpointError
from ....core.messages import shown

FIRST_CUTOFF = 2.0
FIRST_STOPBAND = 2.0**2.1
TAPS = 6  # of a filter, times its factor
FILTER = 1_000  # taps of a filter, at most; published ones have up to 48
TOLERANCE = 1e-3  # within which a stored filter is one of the paper's: weights may be stored in 16 bits


@dataclass(frozen=True)
class Sampling:
    """How a network samples; one entry per layer L0, L1, ..., the last of which is ToRGB.

    Attributes:
        sizes: width of each layer's output, margin included.
        rates: samples per width of the picture.
        bandwidth: of the Fourier features.
        finer: factor by which a nonlinearity samples above the higher rate of its layer's two ends.
        taps: of a filter, times its factor.
    """

    sizes: tuple[int, ...]
    rates: tuple[int, ...]
    bandwidth: float
    finer: int = 2
    taps: int = TAPS

    def factors(self, i: int) -> tuple[int, int]:
        """By how much layer i goes up before its nonlinearity, and down after it."""
        last = len(self.rates) - 1
        before, after = self.rates[max(i - 1, 0)], self.rates[i]
        between = max(before, after) * (1 if i == last else self.finer)
        return between // before, between // after

    def filters(self, i: int) -> tuple[int, int]:
        """Lengths of the two filters of layer i; 0 where there is none."""
        if i == len(self.rates) - 1:
            return 0, 0
        up, down = (self.taps * factor if factor > 1 else 0 for factor in self.factors(i))
        return up, down


def by_settings(settings: Mapping[str, Any]) -> Sampling:
    """By the formulas, from constructor arguments; those that are not there have their published values.

    Raises:
        CheckpointError: arguments that no network can have.
    """
    resolution = whole(settings, "img_resolution", 0, least=4)
    layers = whole(settings, "num_layers", 14, least=1)
    critical = whole(settings, "num_critical", 2, least=0)
    margin = whole(settings, "margin_size", 10, least=0)
    first_cutoff = number(settings, "first_cutoff", FIRST_CUTOFF)
    first_stopband = number(settings, "first_stopband", FIRST_STOPBAND)
    last_stopband = resolution / 2.0 * number(settings, "last_stopband_rel", 2.0**0.3)
    if critical >= layers or layers > 99:
        raise CheckpointError(
            f"settings for a StyleGAN3 of {layers} layers with {critical} critically sampled are stored "
            "in the file"
        )
    sizes, rates = [], []
    for i in range(layers + 1):
        stopband = first_stopband * (last_stopband / first_stopband) ** min(i / (layers - critical), 1.0)
        rate = 2 ** math.ceil(math.log2(min(2.0 * stopband, resolution)))
        rates.append(max(rate, 1))
        sizes.append(rates[-1] + 2 * margin if i < layers - 1 else resolution)
    finer, taps = (
        whole(settings, "lrelu_upsampling", 2, least=1),
        whole(settings, "filter_size", TAPS, least=1),
    )
    return Sampling(tuple(sizes), tuple(rates), first_cutoff, finer, taps)


def by_shapes(
    sizes: Sequence[int], lengths: Sequence[tuple[int, int]], first_filter: NDArray[np.float64] | None
) -> Sampling:
    """Infer factors from the filters of a state dict, rates from factors, the bandwidth from a filter.

    Args:
        sizes: of the layers' outputs, from their names.
        lengths: of each layer's two filters, 0 where there is none; without ToRGB.
        first_filter: that of layer 0 before its nonlinearity, which knows the bandwidth, if it has one.

    Raises:
        CheckpointError: they do not fit together.
    """
    resolution, last = sizes[-1], len(sizes) - 1
    longest = max((length for pair in lengths for length in pair), default=0)
    if longest > FILTER:
        raise CheckpointError(f"this StyleGAN3 has a filter of {longest} taps; up to {FILTER} can be used")
    taps, finer = _taps(lengths)
    if resolution < 4:
        raise CheckpointError(f"by its names this StyleGAN3 makes images {resolution} pixels wide")
    rates = [2 ** math.ceil(math.log2(resolution))] * (last + 1)
    for i in range(last - 1, 0, -1):
        up, down = (max(length // taps, 1) for length in lengths[i])
        rates[i - 1] = max(rates[i] * down // up, 1)
    margin = (sizes[0] - rates[0]) // 2
    found = Sampling(tuple(sizes), tuple(rates), FIRST_CUTOFF, finer, taps)
    expected = (*(rate + 2 * margin for rate in rates[:-2]), resolution, resolution)
    if (
        margin < 0
        or found.sizes != expected
        or any(found.filters(i) != tuple(pair) for i, pair in enumerate(lengths))
    ):
        raise CheckpointError(
            f"the layers of this StyleGAN3 are {_listed(sizes)} pixels wide with filters of "
            f"{_listed(f'{up}/{down}' for up, down in lengths)} taps, "
            "which fit no choice of sampling rates and margin; "
            "its constructor arguments would decide it, and the file does not store them"
        )
    if first_filter is None:
        return found
    return Sampling(
        found.sizes, found.rates, _bandwidth(first_filter, rates[0], rates[0] * finer), finer, taps
    )


def low_pass(taps: int, cutoff: float, half_width: float, rate: float) -> NDArray[np.float64]:
    """A sinc under Kaiser's window, (T,), summing to one.

    Args:
        taps: T.
        cutoff: where it passes half.
        half_width: of the band from pass to stop.
        rate: at which the filter runs.
    """
    at = (np.arange(taps) - (taps - 1) / 2.0) / rate
    values = np.sinc(2.0 * cutoff * at) * kaiser(taps, half_width, rate)
    scaled: NDArray[np.float64] = values / values.sum()
    return scaled


def kaiser(taps: int, half_width: float, rate: float) -> NDArray[np.float64]:
    """Kaiser's window (T,), by his formulas for the attenuation that so many taps reach."""
    attenuation = 2.285 * (taps - 1) * math.pi * 4.0 * half_width / rate + 7.95
    if attenuation > 50.0:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21.0:
        beta = 0.5842 * (attenuation - 21.0) ** 0.4 + 0.07886 * (attenuation - 21.0)
    else:
        beta = 0.0
    return np.kaiser(taps, beta)


def number(settings: Mapping[str, Any], name: str, default: float) -> float:
    """A setting above 0.

    Raises:
        CheckpointError: it is something else.
    """
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise CheckpointError(f"{name} stored in the file is {shown(value)}, expected a number above 0")
    return float(value)


def whole(settings: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    """A setting that is a whole number.

    Raises:
        CheckpointError: it is something else.
    """
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 2**16:
        raise CheckpointError(
            f"{name} stored in the file is {shown(value)}, expected a whole number from {least} up"
        )
    return value


def _taps(lengths: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Taps per factor, and how much finer nonlinearities sample; layer 0 has the same rate at both ends."""
    first = lengths[0][0]
    if first == 0:
        return TAPS, 1
    return (TAPS, first // TAPS) if first % TAPS == 0 else (max(first // 2, 1), 2)


def _bandwidth(stored: NDArray[np.float64], rate: int, between: int) -> float:
    """The cutoff of which a stored filter (T,) is the paper's: 2, or the one that fits best.

    Raises:
        CheckpointError: none does.
    """

    def miss(cutoff: float, stopband: float) -> float:
        return float(np.abs(low_pass(len(stored), cutoff, stopband - cutoff, between) - stored).max())

    # A rate is twice the stopband, rounded up to a power of two, but the resolution is its limit.
    stopbands = sorted({rate / 2.0, max(rate / 2.0, FIRST_STOPBAND)})
    if any(miss(FIRST_CUTOFF, stopband) < TOLERANCE / 4.0 for stopband in stopbands):
        return FIRST_CUTOFF
    candidates = [
        (float(cutoff), stopband)
        for cutoff in np.linspace(0.0, rate / 2.0, 2**11 + 1)[1:-1]
        for stopband in stopbands
    ]
    best, stopband = min(candidates, key=lambda pair: miss(*pair))
    step = candidates[0][0]
    best = min(np.linspace(best - step, best + step, 129), key=lambda cutoff: miss(cutoff, stopband))
    if not miss(best, stopband) < TOLERANCE:
        raise CheckpointError(
            "the first filter of this StyleGAN3 is none of the paper's, "
            "so that the bandwidth of its input is not known"
        )
    return float(best)


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)
