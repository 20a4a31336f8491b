"""Compute the sampling rates, sizes and filters of a StyleGAN3, or infer them from a file.

Source: Karras et al. 2021, "Alias-Free Generative Adversarial Networks", section 3.2 and appendix C.

Cutoff and stopband frequencies grow geometrically over the layers and are constant over the last
`num_critical` ones. The sampling rate of a layer is twice its stopband, rounded up to a power of two, and at
most the resolution. Frequencies are in cycles per image width, rates in samples per image width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.errors import CheckpointError
from ....core.messages import shown

FIRST_CUTOFF = 2.0
FIRST_STOPBAND = 2.0**2.1
TAPS = 6  # taps per resampling factor
MAX_TAPS = 1_000  # of a filter; published ones have up to 48
TOLERANCE = 1e-3  # on the taps of a stored filter, which may be stored in 16 bits


@dataclass(frozen=True)
class Sampling:
    """Hold the sampling of a network, with one entry per layer L0, L1, ..., the last of which is ToRGB.

    Attributes:
        sizes: width of each layer's output, margins included.
        rates: sampling rate of each layer's output.
        bandwidth: of the Fourier features.
        lrelu_upsampling: sampling rate of a nonlinearity, relative to the higher rate of its layer's input
            and output.
        taps: filter taps per resampling factor.
    """

    sizes: tuple[int, ...]
    rates: tuple[int, ...]
    bandwidth: float
    lrelu_upsampling: int = 2
    taps: int = TAPS

    def factors(self, i: int) -> tuple[int, int]:
        """Return the factors of upsampling before the nonlinearity of layer i, and downsampling after it."""
        last = len(self.rates) - 1
        before, after = self.rates[max(i - 1, 0)], self.rates[i]
        high = max(before, after) * (1 if i == last else self.lrelu_upsampling)
        return high // before, high // after

    def filters(self, i: int) -> tuple[int, int]:
        """Return the taps of the upsampling and downsampling filters of layer i; 0 where there is none."""
        if i == len(self.rates) - 1:
            return 0, 0
        up, down = (self.taps * factor if factor > 1 else 0 for factor in self.factors(i))
        return up, down


def sampling_from_settings(settings: Mapping[str, Any]) -> Sampling:
    """Compute the sampling from NVIDIA's constructor arguments, which default to the published values.

    With N layers of which M are critical, layer i has the stopband

        f_i = f_0 (f_last / f_0)^min(i / (N - M), 1)

    and the rate min(2 f_i, resolution), rounded up to a power of two.

    Raises:
        CheckpointError: an argument is invalid.
    """
    resolution = integer(settings, "img_resolution", 0, minimum=4)
    layers = integer(settings, "num_layers", 14, minimum=1)
    critical = integer(settings, "num_critical", 2, minimum=0)
    margin = integer(settings, "margin_size", 10, minimum=0)
    first_cutoff = number(settings, "first_cutoff", FIRST_CUTOFF)
    first_stopband = number(settings, "first_stopband", FIRST_STOPBAND)
    last_stopband = resolution / 2.0 * number(settings, "last_stopband_rel", 2.0**0.3)
    if critical >= layers or layers > 99:
        raise CheckpointError(
            f"the settings stored in the file are for a StyleGAN3 of {layers} layers with {critical} "
            "critically sampled; expected at most 99 layers, and fewer that are critically sampled"
        )
    sizes, rates = [], []
    for i in range(layers + 1):
        stopband = first_stopband * (last_stopband / first_stopband) ** min(i / (layers - critical), 1.0)
        rate = 2 ** math.ceil(math.log2(min(2.0 * stopband, resolution)))
        rates.append(max(rate, 1))
        sizes.append(rates[-1] + 2 * margin if i < layers - 1 else resolution)
    lrelu_upsampling = integer(settings, "lrelu_upsampling", 2, minimum=1)
    taps = integer(settings, "filter_size", TAPS, minimum=1)
    return Sampling(tuple(sizes), tuple(rates), first_cutoff, lrelu_upsampling, taps)


def sampling_from_shapes(
    sizes: Sequence[int], lengths: Sequence[tuple[int, int]], first_filter: NDArray[np.float64] | None
) -> Sampling:
    """Infer the sampling of a network from the filters in its state dict.

    The lengths of filters give the resampling factors, and these give the rates. The taps of the first
    filter give the bandwidth.

    Args:
        sizes: width of each layer's output, from the names of the layers.
        lengths: taps of each layer's upsampling and downsampling filters, 0 where there is none; without
            ToRGB.
        first_filter: upsampling filter of layer 0, (T,), if it has one.

    Raises:
        CheckpointError: sizes and filters are inconsistent.
    """
    resolution, last = sizes[-1], len(sizes) - 1
    longest = max((length for pair in lengths for length in pair), default=0)
    if longest > MAX_TAPS:
        raise CheckpointError(
            f"this StyleGAN3 has a filter of {longest} taps; at most {MAX_TAPS} are supported"
        )
    taps, lrelu_upsampling = _taps(lengths)
    if resolution < 4:
        raise CheckpointError(
            f"by the names of its tensors this StyleGAN3 makes images {resolution} pixels wide; "
            "at least 4 are needed"
        )
    rates = [2 ** math.ceil(math.log2(resolution))] * (last + 1)
    for i in range(last - 1, 0, -1):
        up, down = (max(length // taps, 1) for length in lengths[i])
        rates[i - 1] = max(rates[i] * down // up, 1)
    margin = (sizes[0] - rates[0]) // 2
    sampling = Sampling(tuple(sizes), tuple(rates), FIRST_CUTOFF, lrelu_upsampling, taps)
    expected = (*(rate + 2 * margin for rate in rates[:-2]), resolution, resolution)
    if (
        margin < 0
        or sampling.sizes != expected
        or any(sampling.filters(i) != tuple(pair) for i, pair in enumerate(lengths))
    ):
        raise CheckpointError(
            f"the layers of this StyleGAN3 are {_listed(sizes)} pixels wide with filters of "
            f"{_listed(f'{up}/{down}' for up, down in lengths)} taps, "
            "which fit no choice of sampling rates and margin; "
            "its constructor arguments are needed, and the file does not store them"
        )
    if first_filter is None:
        return sampling
    return replace(sampling, bandwidth=_bandwidth(first_filter, rates[0], rates[0] * lrelu_upsampling))


def low_pass(taps: int, cutoff: float, half_width: float, rate: float) -> NDArray[np.float64]:
    """Return a low-pass filter (T,) with sum 1: a sinc under a Kaiser window (appendix C.1).

    Args:
        taps: number of taps T.
        cutoff: frequency of which half the amplitude passes.
        half_width: of the transition band.
        rate: sampling rate of the filter.
    """
    times = (np.arange(taps) - (taps - 1) / 2.0) / rate  # (T,), in image widths
    values = np.sinc(2.0 * cutoff * times) * kaiser(taps, half_width, rate)
    normalised: NDArray[np.float64] = values / values.sum()
    return normalised


def kaiser(taps: int, half_width: float, rate: float) -> NDArray[np.float64]:
    """Return the Kaiser window (T,) of a low-pass filter; arguments as in low_pass().

    With d the width of the transition band as a share of the Nyquist frequency, T taps attenuate by
    A = 2.285 (T - 1) pi d + 7.95 decibels. Kaiser's formulas give the shape beta of the window from A.
    Source: Kaiser 1974, "Nonrecursive digital filter design using the I0-sinh window function".
    """
    attenuation = 2.285 * (taps - 1) * math.pi * 4.0 * half_width / rate + 7.95
    if attenuation > 50.0:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21.0:
        beta = 0.5842 * (attenuation - 21.0) ** 0.4 + 0.07886 * (attenuation - 21.0)
    else:
        beta = 0.0
    return np.kaiser(taps, beta)


def number(settings: Mapping[str, Any], name: str, default: float) -> float:
    """Return a setting that is a number above 0.

    Raises:
        CheckpointError: it is anything else.
    """
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise CheckpointError(f"{name} stored in the file is {shown(value)}, expected a number above 0")
    return float(value)


def integer(settings: Mapping[str, Any], name: str, default: int, *, minimum: int) -> int:
    """Return a setting that is a whole number from `minimum` to 65536.

    Raises:
        CheckpointError: it is anything else.
    """
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= 2**16:
        raise CheckpointError(
            f"{name} stored in the file is {shown(value)}, expected a whole number from {minimum} to {2**16}"
        )
    return value


def _taps(lengths: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the taps per resampling factor, and `lrelu_upsampling`.

    Input and output of layer 0 have the same rate, so its upsampling factor is `lrelu_upsampling`.
    """
    first = lengths[0][0]
    if first == 0:
        return TAPS, 1
    return (TAPS, first // TAPS) if first % TAPS == 0 else (max(first // 2, 1), 2)


def _bandwidth(stored: NDArray[np.float64], rate: int, high_rate: int) -> float:
    """Return the cutoff of a stored low-pass filter (T,): the published one, or the one that fits best.

    Args:
        stored: the upsampling filter of layer 0.
        rate: sampling rate of layer 0.
        high_rate: sampling rate of the filter.

    Raises:
        CheckpointError: no cutoff gives the filter within TOLERANCE.
    """

    def deviation(cutoff: float, stopband: float) -> float:
        return float(np.abs(low_pass(len(stored), cutoff, stopband - cutoff, high_rate) - stored).max())

    # The rate is twice the stopband, rounded up to a power of two. Where the resolution limits the rate, the
    # stopband may be higher.
    stopbands = sorted({rate / 2.0, max(rate / 2.0, FIRST_STOPBAND)})
    if any(deviation(FIRST_CUTOFF, stopband) < TOLERANCE / 4.0 for stopband in stopbands):
        return FIRST_CUTOFF
    candidates = [
        (float(cutoff), stopband)
        for cutoff in np.linspace(0.0, rate / 2.0, 2**11 + 1)[1:-1]
        for stopband in stopbands
    ]
    best, stopband = min(candidates, key=lambda pair: deviation(*pair))
    step = candidates[0][0]
    best = min(np.linspace(best - step, best + step, 129), key=lambda cutoff: deviation(cutoff, stopband))
    if not deviation(best, stopband) < TOLERANCE:
        raise CheckpointError(
            "the first filter of this StyleGAN3 is not a Kaiser low-pass filter, "
            "so the bandwidth of its Fourier features cannot be inferred"
        )
    return float(best)


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)
