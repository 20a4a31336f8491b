"""Compute the loss of an encoder.

With codes c = E(x) of pictures x, both of N pictures, and pairs (G(c'), c') of the generator's own:

    a mean (E(G(c')) - c')^2          latent: what ALAE calls reciprocity
  + b mean (G(E(x)) - x)^2            pixels
  + p perceptual(G(E(x)), x)
  + d mean_l rms(d_l)                 changes per layer, as in e4e
  + r mean (E(G(E(x))) - E(x))^2      reciprocity of reconstructions, of pictures without known codes too
  + cross entropy of the classes, if there are any
  + j softplus(-D(x, E(x)))           joint discriminator of pictures and codes, as in BigBiGAN

Codes are in standard units, pixels in [0, 1].

Sources: Pidhorskyi, Adjeroh and Doretto, "Adversarial Latent Autoencoders", CVPR 2020, eq. 5; Tov et al.,
"Designing an Encoder for StyleGAN Image Manipulation", SIGGRAPH 2021, section 5; Zhu et al., "In-Domain GAN
Inversion for Real Image Editing", ECCV 2020, section 3.1; Donahue and Simonyan, "Large Scale Adversarial
Representation Learning", NeurIPS 2019, section 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DELTAS_FROM, DELTAS_UNTIL = 0.1, 0.4  # share of the training in which changes are switched on one by one


def latent_loss(found: Tensor, true: Tensor) -> Tensor:
    """Return the mean squared difference of codes (N, R, V) in standard units."""
    return (found - true).square().mean()


def deltas_loss(deltas: Tensor, active: int) -> Tensor:
    """Return the mean over rows 1 .. active - 1 of the root mean square of their changes (N, R - 1, V).

    It is e4e's sum of the norms |d_l|, divided by the number of rows and by sqrt(V), so that its weight means
    the same for every generator.
    """
    moved = deltas[:, : max(0, active - 1)]
    if moved.shape[1] == 0:
        return deltas.new_zeros(())
    # The root has no gradient at 0, where changes begin.
    return (moved.square().mean(dim=2) + 1e-8).sqrt().mean()


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of logits (N, Y) with labels (N,), or with shares of classes (N, Y)."""
    return F.cross_entropy(logits, labels)


def active_rows(progress: float, rows: int, *, progressive: bool) -> int:
    """Return how many rows have their own change after this share of the training.

    >>> [active_rows(p, 10, progressive=True) for p in (0.0, 0.1, 0.25, 0.4, 1.0)]
    [1, 1, 5, 10, 10]
    """
    if not progressive or progress >= DELTAS_UNTIL:
        return rows
    share = max(0.0, (progress - DELTAS_FROM) / (DELTAS_UNTIL - DELTAS_FROM))
    return 1 + int(share * (rows - 1))


def rate(progress: float, warm: float = 0.02) -> float:
    """Return the factor of the learning rate: up from 0 in the first 2 %, then a cosine down to 0.

    >>> [round(rate(p), 3) for p in (0.0, 0.01, 0.02, 0.51, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if progress < warm:
        return progress / warm
    turn = torch.pi * (min(progress, 1.0) - warm) / (1.0 - warm)
    return float(0.5 + 0.5 * torch.cos(torch.tensor(turn, dtype=torch.float64)))
