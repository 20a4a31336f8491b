"""Give quantiles and tails of the distributions that intervals and tests need.

They are functions of scipy.special, of which scipy.stats makes its own: that module takes most of a second to
import, in every process of a run.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def t_quantile(probability: float, freedom: ArrayLike) -> Any:
    """Return where Student's t with these degrees of freedom (...) reaches a probability; NaN if <= 0.

    >>> round(float(t_quantile(0.975, 9)), 3)
    2.262
    """
    return special.stdtrit(freedom, probability)


def t_tail(score: Floats, freedom: ArrayLike) -> Floats:
    """Return the probability that Student's t is larger than scores (...); NaN for NaN.

    >>> float(t_tail(np.array(0.0), 5))
    0.5
    """
    return cast("Floats", special.stdtr(freedom, -score))


def normal_quantile(probability: float) -> float:
    """Return where the standard normal distribution reaches a probability.

    >>> round(normal_quantile(0.975), 3)
    1.96
    """
    return float(special.ndtri(probability))


def chi_square_tail(value: float, freedom: float) -> float:
    """Return the probability that chi square with freedom > 0 is larger than a value.

    >>> round(chi_square_tail(3.841, 1), 3)
    0.05
    """
    return float(special.chdtrc(freedom, value))


def beta_quantile(probability: float, first: float, second: float) -> float:
    """Return where the beta distribution with two shapes > 0 reaches a probability.

    >>> round(beta_quantile(0.5, 2, 2), 6)
    0.5
    """
    return float(special.betaincinv(first, second, probability))


def mean_ranks(values: Floats, axis: int | None = None) -> Floats:
    """Return the ranks of values from 1; equal values share the mean of theirs.

    >>> mean_ranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    from scipy.stats import rankdata  # few callers need it

    return cast("Floats", rankdata(values, axis=axis))
