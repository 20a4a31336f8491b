"""Separate classes of pixels by planes in feature space, computed from sums over pixels in one pass.

Two solutions in closed form are here, ridge regression on class indicators and linear discriminant analysis
(LDA), and the two kinds of class centres. All are linear, so they are LSEs with a bias.

Shapes: P pixels, M classes, F = sum of c_s over the strata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import DataError
from ..heads import LSE

BELOW = 1e4  # how far the logit of a class without pixels is below the mean of the others, in an LSE


@dataclass(frozen=True)
class Planes:
    """Hold a linear classifier of pixels: logits = weight f + bias.

    Attributes:
        weight: (M, F), float64.
        bias: (M,), float64.
        present: whether each class had pixels to learn from, (M,), bool. The others are never given, and
            their rows of weight and bias mean nothing.
    """

    weight: Tensor
    bias: Tensor
    present: Tensor

    def head(self, widths: Sequence[int]) -> LSE:
        """Return the LSE with a bias that computes the same; `widths` are the channels c_s of the strata.

        The logit of a class that is not present is the mean of the others minus BELOW. This is linear, and
        lower than the highest logit of every pixel, whatever its features are.
        """
        head = LSE(widths, len(self.bias), "equal", bias=True)
        weight, bias, absent = self.weight.clone(), self.bias.clone(), ~self.present
        weight[absent], bias[absent] = weight[self.present].mean(0), bias[self.present].mean() - BELOW
        with torch.no_grad():
            for parameter, part in zip(head.T, torch.split(weight, list(widths), dim=1), strict=True):
                parameter.copy_(part)
            assert head.bias is not None
            head.bias.copy_(bias)
        return head.to(self.weight.device)

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits (P, M), float64, of features (P, F); -inf for classes that are not present."""
        logits = features.double() @ self.weight.T + self.bias
        return logits.masked_fill(~self.present, -torch.inf)

    def classes(self, features: Tensor) -> Tensor:
        """Return the class with the highest logit (P,) of features (P, F)."""
        return self.logits(features).max(dim=1).indices

    def scaled(self, scale: float) -> Planes:
        """Return the same classifier with logits times a number above 0."""
        return replace(self, weight=self.weight * scale, bias=self.bias * scale)


class PixelSums:
    """Add up what the solutions need of the features of pixels, in double precision.

    Attributes:
        mass: weight of the pixels of each class, (M,).
        total: weighted sum of their features, (M, F).
        moments: weighted sum of f f^T over all pixels, (F, F).
    """

    def __init__(self, classes: int, features: int, device: torch.device | None = None) -> None:
        self.mass = torch.zeros(classes, dtype=torch.float64, device=device)
        self.total = torch.zeros(classes, features, dtype=torch.float64, device=device)
        self.moments = torch.zeros(features, features, dtype=torch.float64, device=device)

    def add(self, features: Tensor, labels: Tensor, weight: Tensor) -> None:
        """Add pixels.

        Args:
            features: (P, F).
            labels: class of each, (P,), int64.
            weight: number of pixels that each stands for, (P,).
        """
        weight = weight.double()
        exact = features.double()
        weighted = exact * weight[:, None]
        self.mass.index_add_(0, labels, weight)
        self.total.index_add_(0, labels, weighted)
        self.moments += weighted.T @ exact

    @property
    def present(self) -> Tensor:
        """Whether each class has a pixel, (M,), bool."""
        return self.mass > 0

    @property
    def log_shares(self) -> Tensor:
        """Logarithm of the share of each class, (M,); very low for a class without pixels."""
        return (self.mass / self.mass.sum()).clamp(min=1e-300).log()

    @property
    def means(self) -> Tensor:
        """Mean feature of each class, (M, F); zero for a class without pixels."""
        return self.total / self.mass.clamp(min=1e-300)[:, None]

    @property
    def mean(self) -> Tensor:
        """Mean feature of all pixels, (F,)."""
        return self.total.sum(0) / self.mass.sum()

    @property
    def within(self) -> Tensor:
        """Covariance within classes, pooled over them, (F, F)."""
        means = self.means
        return (self.moments - (means * self.mass[:, None]).T @ means) / self.mass.sum()


def ridge(sums: PixelSums, strength: float) -> Planes:
    """Return ridge regression of the class indicators (1 in the class, else 0), one class against all others.

    It minimises  mean |y - A f - b|^2 + strength v |A|^2,  v the mean variance of a feature; b is free:

        A = C^T (S + strength v I)^-1,    b = p - A m

    with S the covariance of all features, C (F, M) that of features with indicators, p the shares of classes
    and m the mean feature. Targets -1 and 1 give twice the planes, and so the same labels.

    Args:
        sums: sums over pixels.
        strength: at least 0.

    Source: Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970.
    """
    mass = sums.mass.sum()
    share = sums.mass / mass
    mean = sums.mean
    covariance = sums.moments / mass - torch.outer(mean, mean)
    with_indicators = sums.total / mass - torch.outer(share, mean)  # (M, F)
    weight = torch.cholesky_solve(with_indicators.T, shrunk_root(covariance, strength)).T
    return _of_present(sums, weight, share - weight @ mean)


def lda(sums: PixelSums, shrinkage: float, prior: float = 1.0) -> Planes:
    """Return linear discriminant analysis: normal classes of one covariance, compared by their posterior.

        a_k = W^-1 m_k,    b_k = -m_k . a_k / 2 + prior log p_k

    with m_k the mean and p_k the share of class k, and W the covariance within classes, shrunk to
    W + shrinkage v I, v the mean variance.

    Args:
        sums: sums over pixels.
        shrinkage: at least 0.
        prior: 1 counts the shares of classes as they are, 0 treats all classes as equally frequent.

    Sources: Fisher, "The use of multiple measurements in taxonomic problems", 1936; Friedman, "Regularized
    discriminant analysis", 1989.
    """
    means = sums.means
    weight = torch.cholesky_solve(means.T, shrunk_root(sums.within, shrinkage)).T
    bias = prior * sums.log_shares - 0.5 * (weight * means).sum(1)
    return _of_present(sums, weight, bias)


def euclidean_centres(sums: PixelSums) -> Planes:
    """Return the classifier by the nearest class mean m_k: a_k = m_k, b_k = -|m_k|^2 / 2.

    Source: the rule of the code of KLiSH (Xu & Zheng, "Extracting Semantic Knowledge from GANs with
    Unsupervised Learning", 2022).
    """
    means = sums.means
    return _of_present(sums, means, -0.5 * (means**2).sum(1))


def spherical_centres(sums: PixelSums) -> Planes:
    """Return the classifier by the class centre at the smallest angle: a_k = m_k / |m_k|, b_k = 0.

    The sums must be of features on the unit sphere, f / |f|. The length of a feature changes no angle, so the
    planes serve features of any length.

    Source: Xu & Zheng 2021, section 3.3 and figure 4.
    """
    means = sums.means
    length = means.norm(dim=1, keepdim=True).clamp(min=1e-300)
    return _of_present(sums, means / length, torch.zeros_like(sums.mass))


def shrunk_root(covariance: Tensor, strength: float) -> Tensor:
    """Return the lower triangular C (F, F) with C C^T = S + strength v I of a covariance S (F, F).

    v is the mean of its diagonal.

    Raises:
        DataError: the matrix is singular, or not finite.
    """
    scale = covariance.diagonal().mean()
    matrix = covariance.clone()
    # The least that is added keeps features that never vary, or repeat others, from dividing by zero.
    matrix.diagonal().add_((strength + 1e-12) * scale)
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if not bool(torch.isfinite(factor).all() & (failed == 0)):
        raise DataError(
            "the features of the sampled pixels have a covariance that cannot be inverted; sample more "
            "pixels, or choose a greater strength"
        )
    return factor


def _of_present(sums: PixelSums, weight: Tensor, bias: Tensor) -> Planes:
    """Return planes that never give a class without pixels.

    Raises:
        DataError: fewer than two classes have pixels.
    """
    present = sums.present
    if not bool(present.sum() > 1):
        raise DataError(
            f"{int(present.sum())} of {len(present)} classes occur in the sampled pixels, but at least two "
            "are needed to tell them apart; use more images"
        )
    return Planes(weight, bias, present)
