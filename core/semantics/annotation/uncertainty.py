"""Measure where the heads of an ensemble disagree, and choose which pictures to annotate next.

Shapes: K heads, N pictures, M classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import UserError
from ...statistics import Floats
from ..heads import LSE, Size


def entropy(probabilities: Tensor, axis: int) -> Tensor:
    """Return the entropy -sum p log p in nats along an axis; 0 log 0 is 0."""
    result: Tensor = torch.special.entr(probabilities).sum(axis)
    return result


def jensen_shannon(probabilities: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of the heads at each pixel, (N, H, W), in nats.

    It is the entropy of the mean probabilities minus the mean of their entropies: 0 where all heads say the
    same, however unsure they are, and at most log K.

    Args:
        probabilities: class probabilities of each head, (K, N, M, H, W).

    Sources: Lin, "Divergence measures based on the Shannon entropy", 1991; Zhang et al., "DatasetGAN", 2021.

    >>> sure = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[:, None, :, None, None]  # two heads that disagree
    >>> round(float(jensen_shannon(sure)), 4)
    0.6931
    """
    mean = entropy(probabilities.mean(0), 1)
    return (mean - entropy(probabilities, 2).mean(0)).clamp(min=0.0)


def image_weights(images: int, heads: int, seed: int) -> Floats:
    """Return weights (K, N) of N annotated images for each of K heads, with mean 1 in each head.

    They are those of the Bayesian bootstrap: no image, and so no class, is ever left out, as it would be
    where few images are resampled. The first head counts all images alike if it is the only one.

    Raises:
        UserError: there are several heads, but fewer than two images, which no weights can tell apart.

    Source: Rubin, "The Bayesian bootstrap", 1981.
    """
    if heads == 1:
        return np.ones((1, images))
    if images < 2:
        raise UserError(
            f"the {heads} heads of an ensemble differ by how much each annotated picture counts, and "
            "with one picture they would all be the same and never disagree; paint a mask on a second picture"
        )
    drawn = np.random.default_rng(seed).standard_exponential((heads, images))
    return np.asarray(drawn / drawn.mean(axis=1, keepdims=True))


@torch.no_grad()
def doubts(heads: Sequence[LSE], maps: Sequence[Tensor], size: Size) -> tuple[Floats, Floats]:
    """Return how unsure an ensemble is of each picture, and of which classes.

    Args:
        heads: K heads.
        maps: feature maps (N, c_s, h_s, w_s).
        size: height and width of the labels.

    Returns:
        The mean divergence of the pixels of each picture, (N,), and the same split by the probability of each
        class, (N, M), whose rows add up to it.
    """
    amounts, profiles = [], []
    for n in range(maps[0].shape[0]):  # one by one: K M H W numbers are enough at a time
        one = [x[n : n + 1] for x in maps]
        probabilities = torch.stack([head(one, size).softmax(1) for head in heads])
        divergence = jensen_shannon(probabilities)  # (1, H, W)
        amounts.append(float(divergence.mean()))
        profiles.append((probabilities.mean(0)[0] * divergence).mean((1, 2)).double().cpu().numpy())
    return np.array(amounts), np.stack(profiles)


def choose_next(amounts: Floats, profiles: Floats, count: int, diversity: float = 1.0) -> NDArray[np.int64]:
    """Choose pictures that an ensemble is unsure of, each of other classes than those chosen before.

    One after the other, the picture with the largest  u_i (1 - max over chosen j of cos(v_i, v_j))^d  is
    taken, with u the amounts, v the profiles and d the diversity, so near-duplicates are not taken together.

    Args:
        amounts: how unsure the ensemble is of each picture, (N,).
        profiles: of which classes, (N, M).
        count: number of pictures to choose, at most N.
        diversity: 0 takes the largest amounts, whatever they are of.

    >>> amounts = np.array([1.0, 0.9, 0.5])
    >>> profiles = np.array([[1.0, 0.0], [0.9, 0.0], [0.0, 0.5]])
    >>> choose_next(amounts, profiles, 2).tolist(), choose_next(amounts, profiles, 2, 0.0).tolist()
    ([0, 2], [0, 1])
    """
    length = np.linalg.norm(profiles, axis=1, keepdims=True)
    units = profiles / np.where(length > 0, length, 1.0)
    closest, left = np.zeros(len(amounts)), np.ones(len(amounts), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(amounts))):
        value = amounts * np.maximum(1.0 - closest, 1e-9) ** diversity
        best = int(np.where(left, value, -np.inf).argmax())
        chosen.append(best)
        left[best] = False
        closest = np.maximum(closest, units @ units[best])
    return np.array(chosen, dtype=np.int64)
