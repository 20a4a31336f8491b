"""Define the joint discriminator of pictures and codes, an option of the loss of an encoder.

It tells pairs (G(c), c) of the generator from pairs (x, E(x)) of the encoder. Where it cannot, codes of
pictures are distributed as the generator's own are, given the picture.

    loss of D = softplus(-D(G(c), c)) + softplus(D(x, E(x))) + gamma / 2 |grad D(G(c), c)|^2

Source: Donahue and Simonyan, "Large Scale Adversarial Representation Learning", NeurIPS 2019, section 2, with
the logistic loss and R1 (Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", ICML 2018, eq. 9) in place of its hinge loss and its unary terms.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .network import Architecture, Reading, Trunk

GAMMA = 1.0  # weight of R1
WIDTH = 128


class Discriminator(nn.Module):
    """Tell pairs of the generator from pairs of the encoder: high for those of the generator."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.trunk = Trunk(architecture.size, architecture.height, architecture.width)
        self.picture = Reading(self.trunk.channels[0], 16, WIDTH)
        self.code = nn.Linear(architecture.rows * architecture.values, WIDTH)
        self.hidden = nn.Linear(2 * WIDTH, WIDTH)
        self.verdict = nn.Linear(WIDTH, 1)

    def forward(self, pictures: Tensor, variables: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) and codes (N, R, V) in standard units to logits (N,)."""
        both = torch.cat([self.picture(self.trunk(pictures)[0]), self.code(variables.flatten(1))], dim=1)
        logits: Tensor = self.verdict(F.silu(self.hidden(F.silu(both))))[:, 0]
        return logits


def discriminator_loss(
    discriminator: Discriminator, true: tuple[Tensor, Tensor], made: tuple[Tensor, Tensor]
) -> Tensor:
    """Return the loss of the discriminator, with R1 on the generator's pairs.

    Args:
        discriminator: the discriminator.
        true: pictures (N, 3, H, W) and codes (N, R, V) of the generator.
        made: pictures and the encoder's codes of them, which get no gradients.
    """
    inputs = [part.detach().requires_grad_(True) for part in true]
    of_true = discriminator(*inputs)
    gradients = torch.autograd.grad(of_true.sum(), inputs, create_graph=True)
    penalty = sum((g.float().square().flatten(1).sum(1).mean() for g in gradients), torch.zeros(()))
    of_made = discriminator(*(part.detach() for part in made))
    return F.softplus(-of_true).mean() + F.softplus(of_made).mean() + 0.5 * GAMMA * penalty


def adversarial_loss(discriminator: Discriminator, pictures: Tensor, variables: Tensor) -> Tensor:
    """Return the encoder's part softplus(-D(x, E(x))); the discriminator must not learn from it."""
    return F.softplus(-discriminator(pictures, variables)).mean()
