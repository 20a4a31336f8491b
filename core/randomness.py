"""Generate random numbers that depend only on (seed, stream, use, sample), with the same bits on any machine.

Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) computes bits from a key and a
counter. The key contains seed, stream and use, the counter sample and stratum. Wichura's inverse of the
normal distribution function (AS 241, 1988) converts them to normal variables, with a logarithm implemented
here. So only additions, multiplications, divisions and square roots are used. IEEE 754 rounds these the same
everywhere, unlike the logarithms of libraries.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """Independent streams of samples, so that probing and verification share none."""

    PROBING = 0
    VERIFICATION = 1
    NULL = 2
    EDITING = 3
    RESAMPLING = 4
    TRAINING = 5
    VALIDATION = 6
    TARGETS = 7
    LEARNING = 8


class Use(IntEnum):
    """Purposes of the random numbers of a sample; each has numbers of its own."""

    LATENT = 0
    CONDITION = 1
    NOISE = 2
    MIXING = 3
    NOISE_SEED = 4
    JITTER = 5
    PIXELS = 6


LARGEST_SEED = 2**63 - 1


def _bits(seed: int, stream: Stream, use: Use, sample: int, part: int, count: int) -> NDArray[np.uint64]:
    """Return `count` words of 64 random bits; `part` (a stratum) distinguishes several draws of one use."""
    key = np.array([seed, (int(stream) << 8) | int(use)], dtype=np.uint64)
    counter = np.array([0, part, sample, 0], dtype=np.uint64)  # the first word counts blocks of four
    philox = np.random.Philox(key=key, counter=counter)
    raw: NDArray[np.uint64] = np.asarray(philox.random_raw(count), dtype=np.uint64)
    return raw


def noise_seed(seed: int, stream: Stream) -> int:
    """Return the seed of fresh noise for the samples of one stream; streams do not share noise.

    >>> noise_seed(0, Stream.PROBING) != noise_seed(0, Stream.VERIFICATION)
    True
    """
    return int(_bits(seed, stream, Use.NOISE_SEED, 0, 0, 1)[0] >> np.uint64(1))


def uniforms(
    seed: int, stream: Stream, use: Use, sample: int, count: int, *, part: int = 0
) -> NDArray[np.float64]:
    """Return `count` numbers, uniform in the open interval (0, 1), for one sample.

    They are (k + 1/2) / 2^53, where k are the upper 53 bits of a random word.

    >>> uniforms(0, Stream.PROBING, Use.LATENT, 7, 2).round(6).tolist()
    [0.638099, 0.853604]
    """
    raw = _bits(seed, stream, use, sample, part, count)
    # The largest would round to 1, where the inverse distribution function is infinite.
    return np.minimum(((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53, 1.0 - 2.0**-53)


def normals(
    seed: int, stream: Stream, use: Use, samples: range, count: int, *, part: int = 0
) -> NDArray[np.float32]:
    """Return standard normal variables (len(samples), count), one row per sample.

    The row of a sample does not depend on the others. `part` distinguishes several draws of one use, such as
    the strata for whose noise they are.

    >>> both = normals(0, Stream.PROBING, Use.LATENT, range(4, 6), 3)
    >>> alone = normals(0, Stream.PROBING, Use.LATENT, range(5, 6), 3)
    >>> bool((both[1] == alone[0]).all())
    True
    """
    rows = np.empty((len(samples), count))
    for row, sample in zip(rows, samples, strict=True):
        row[:] = uniforms(seed, stream, use, sample, count, part=part)
    return inverse_normal(rows).astype(np.float32)


# Wichura 1988, "The percentage points of the normal distribution", algorithm AS 241 (PPND16).
_CENTRAL = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_MIDDLE = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.296560571828504891230,
     0.0265321895265761230930, 0.00124266094738807843860, 2.71155556874348757815e-5,
     2.01033439929228813265e-7),
    (1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _ratio(
    x: NDArray[np.float64], polynomials: tuple[tuple[float, ...], tuple[float, ...]]
) -> NDArray[np.float64]:
    """Return the quotient of two polynomials, given as coefficients in ascending order."""
    numerator, denominator = (_polynomial(x, coefficients) for coefficients in polynomials)
    return numerator / denominator


def _polynomial(x: NDArray[np.float64], coefficients: tuple[float, ...]) -> NDArray[np.float64]:
    """Evaluate a polynomial by Horner's rule, with coefficients in ascending order."""
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def _logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithm of x > 0 with an error below 1e-15.

    With x = f 2^e, 1/sqrt(2) <= f < sqrt(2) and r = (f - 1) / (f + 1), it is
    e log 2 + 2 r (1 + r^2/3 + r^4/5 + ... + r^24/25).
    """
    fraction, exponent = np.frexp(x)  # exact: x = fraction 2^exponent, fraction in [1/2, 1)
    small = fraction < 0.70710678118654752440
    fraction = np.where(small, 2.0 * fraction, fraction)
    exponent = exponent.astype(np.float64) - small
    ratio = (fraction - 1.0) / (fraction + 1.0)
    series = _polynomial(ratio * ratio, tuple(2.0 / (2 * k + 1) for k in range(13)))
    return exponent * 0.69314718055994530942 + ratio * series


def inverse_normal(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the x at which the standard normal distribution function is p, for 0 < p < 1.

    The relative error is about 1e-15 (Wichura 1988, AS 241).

    >>> float(inverse_normal(np.array([0.975]))[0])
    1.9599639845400536
    """
    q = p - 0.5
    value = np.empty_like(q)
    centre = np.abs(q) <= 0.425
    value[centre] = q[centre] * _ratio(0.180625 - q[centre] * q[centre], _CENTRAL)
    outer = ~centre
    r = np.sqrt(-_logarithm(np.minimum(p[outer], 1.0 - p[outer])))
    tail = np.where(r <= 5.0, _ratio(r - 1.6, _MIDDLE), _ratio(r - 5.0, _TAIL))
    value[outer] = np.where(q[outer] < 0.0, -tail, tail)
    return value
