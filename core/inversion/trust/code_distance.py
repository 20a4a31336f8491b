"""Measure how far codes lie from those of the generator's own samples: the Mahalanobis distance, per layer.

    d_l = sqrt( (c_l - m_l)^T S_l^-1 (c_l - m_l) / r_l )        d = sqrt( mean over l of d_l^2 )

m_l and S_l are mean and shrunk covariance of the codes of samples at layer l, and r_l the dimension in which
they vary, so that d_l^2 is 1 on average over samples. The distance does not change under the truncation of
the generator, which scales codes about a point.

Shapes: N codes, M samples, L layers, D code size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...plugins.generator import Generator
from ...plugins.records import Latents
from ...randomness import Stream

Floats = NDArray[np.float64]
SAMPLES = 8192  # whose codes give mean and covariance
OTHERS = 1024  # further samples whose own distances are what is usual
BATCH = 256
DEGENERATE = 1e-10  # share of the largest eigenvalue below which codes do not vary


@dataclass(frozen=True)
class CodeCloud:
    """Hold where the codes of a generator's samples lie.

    Attributes:
        mean: (L, D).
        whitening: (L, D, D): rows w with |w (c - m)|^2 = d_l^2 r_l.
        rank: r_l (L,); 0 where codes do not vary, such as behind a truncation that takes all to one point.
        shrinkage: share of the shrinkage target in each covariance, (L,), in [0, 1].
        usual: distances of OTHERS samples that were not used otherwise, sorted per layer, (OTHERS, L).
        usual_whole: their distances over all layers, sorted, (OTHERS,).
    """

    mean: Floats
    whitening: Floats
    rank: NDArray[np.int64]
    shrinkage: Floats
    usual: Floats
    usual_whole: Floats

    def distances(self, codes: Tensor) -> Floats:
        """Return the distance of each code at each layer, (N, L); NaN where samples do not vary."""
        centred = codes.detach().cpu().double().numpy() - self.mean  # (N, L, D)
        white = np.einsum("nld,lkd->nlk", centred, self.whitening)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt((white**2).sum(axis=2) / np.where(self.rank > 0, self.rank, np.nan)))

    def beyond(self, distances: Floats) -> Floats:
        """Return the share of samples that lie at least as far at each layer, for distances (N, L).

        The picture itself counts among them, so that the share is never 0.
        """
        return np.stack([tail(self.usual[:, at], distances[:, at]) for at in range(distances.shape[1])], 1)


def whole(distances: Floats) -> Floats:
    """Return the distance over all layers (N,) of distances (N, L): the root of the mean of their squares.

    Layers at which samples do not vary are left out.

    >>> whole(np.array([[3.0, 4.0, np.nan]])).round(3).tolist()
    [3.536]
    """
    known = ~np.isnan(distances)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(known, distances, 0.0) ** 2
        return np.asarray(np.sqrt(total.sum(axis=1) / known.sum(axis=1)))


def tail(usual: Floats, values: Floats) -> Floats:
    """Return (1 + number of `usual` at or above each value) / (1 + number of `usual`); NaN for NaN.

    Args:
        usual: sorted, (M,).
        values: (N,).

    >>> tail(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.5, 9.0])).tolist()
    [1.0, 0.5, 0.25]
    """
    above = len(usual) - np.searchsorted(usual, values, side="left")
    return np.where(np.isnan(values), np.nan, (1.0 + above) / (1.0 + len(usual)))


@torch.no_grad()
def cloud_of(generator: Generator, seed: int = 0) -> CodeCloud:
    """Measure where the codes of samples lie.

    Mean and covariance are of SAMPLES samples in Stream.PROBING, usual distances of OTHERS in
    Stream.VERIFICATION.
    """
    drawn = [generator.sample(BATCH, seed, i, Stream.PROBING) for i in range(0, SAMPLES, BATCH)]
    mean = (
        torch.stack([codes.sum(dim=0) for codes in _codes(generator, drawn)]).sum(dim=0) / SAMPLES
    )  # (L, D)
    covariance = torch.zeros(*mean.shape, mean.shape[1], dtype=torch.float64)  # (L, D, D)
    fourth = torch.zeros(len(mean), dtype=torch.float64)  # mean over samples of |c_l - m_l|^4
    for codes in _codes(generator, drawn):
        apart = (codes - mean).transpose(0, 1)  # (L, BATCH, D)
        covariance += apart.transpose(1, 2) @ apart / SAMPLES
        fourth += apart.square().sum(dim=2).square().sum(dim=1) / SAMPLES
    rows, rank, shrinkage = zip(
        *map(_whitening, covariance.numpy(), mean.numpy(), fourth.tolist()), strict=True
    )
    empty = np.zeros((0, len(mean)))
    cloud = CodeCloud(mean.numpy(), np.stack(rows), np.array(rank), np.array(shrinkage), empty, empty[:, 0])
    others = [generator.sample(BATCH, seed, i, Stream.VERIFICATION) for i in range(0, OTHERS, BATCH)]
    usual = np.concatenate([cloud.distances(codes) for codes in _codes(generator, others)])
    return replace(cloud, usual=np.sort(usual, axis=0), usual_whole=np.sort(whole(usual)))


def _codes(generator: Generator, drawn: Iterable[Latents]) -> Iterator[Tensor]:
    """Yield codes (BATCH, L, D) of samples in double precision."""
    for latents in drawn:
        w = generator.map(latents.z, latents.condition)
        yield generator.broadcast(w, latents.condition).cpu().double()


def shrinkage_of(variances: Floats, fourth: float, samples: int) -> float:
    """Return the share rho of Ledoit and Wolf with which a covariance is drawn towards a multiple of I.

        S' = (1 - rho) S + rho (tr S / D) I        rho = min(b^2, d^2) / d^2
        d^2 = |S - (tr S / D) I|^2        b^2 = (mean |x - m|^4 - |S|^2) / M

    with Frobenius norms. It is the share that brings S' nearest to the true covariance on average.

    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal
    of Multivariate Analysis 88, 2004, section 3.3.

    Args:
        variances: eigenvalues of S (D,), S with divisor M.
        fourth: mean over samples of |x - m|^4.
        samples: M.

    >>> round(shrinkage_of(np.array([1.0, 3.0]), 32.0, 20), 3)
    0.55
    """
    apart = float(((variances - variances.mean()) ** 2).sum())
    error = max((fourth - float((variances**2).sum())) / samples, 0.0)
    return min(error, apart) / apart if apart > 0.0 else 0.0


def _whitening(covariance: Floats, mean: Floats, fourth: float) -> tuple[Floats, int, float]:
    """Return rows (D, D) that whiten the shrunk covariance, how many of them are not 0, and the shrinkage.

    A direction in which all samples have the same code is left out: shrinkage must not give it a width.
    """
    size = len(covariance)
    values, vectors = np.linalg.eigh(covariance)  # ascending
    if values[-1] <= DEGENERATE**2 * float((mean**2).mean()):
        return np.zeros((size, size)), 0, 0.0
    varies = values > DEGENERATE * values[-1]
    share = shrinkage_of(values[varies], fourth, SAMPLES)
    shrunk = (1.0 - share) * values + share * float(values[varies].mean())
    scale = np.where(varies, 1.0 / np.sqrt(np.where(varies, shrunk, 1.0)), 0.0)
    return scale[:, None] * vectors.T, int(varies.sum()), share
