"""Build the mapping network of StyleGAN2 and StyleGAN3, with the names and scales of NVIDIA's releases."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2
GAIN = math.sqrt(2.0)  # keeps the variance of a leaky ReLU's output near that of its input
EPSILON = 1e-8


class FullyConnected(nn.Module):
    """Compute y = (m / sqrt(I)) W x + m b, a linear layer with equalised learning rate.

    m is lr_multiplier; stored weights W (O, I) are drawn from N(0, 1) / m.

    Source: Karras et al. 2018, section 4.1.
    """

    def __init__(self, inputs: int, outputs: int, *, lr_multiplier: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, 1.0 / lr_multiplier, (outputs, inputs)))
        self.bias = nn.Parameter(torch.full((outputs,), bias / lr_multiplier))
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs) to (N, outputs)."""
        gain = self.lr_multiplier / math.sqrt(self.weight.shape[1])
        # The factors are given to the product, so that no scaled copy of the weights is made.
        return torch.addmm(self.bias, x, self.weight.t(), beta=self.lr_multiplier, alpha=gain)


def normalise_second_moment(x: Tensor) -> Tensor:
    """Return x / sqrt(mean of x^2 + epsilon) for each row of x (N, Z)."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPSILON)


class Mapping(nn.Module):
    """Map z (N, Z) to w (N, D) by fully connected layers with leaky ReLU.

    The input of a conditional network is [norm(z), norm(embedding of the class)]. With `embedding` 0 it is
    norm([z, class vector (N, Z)]), as in networks before StyleGAN2-ADA.

    Args:
        z_dim, w_dim: widths Z of z and D of w.
        layers: number of layers.
        classes: number of classes; 0 if unconditional.
        width: of the hidden layers; None is w_dim.
        embedding: width of the class embedding; None is w_dim.
        embed: maps class weights (N, Y) to (N, embedding); None is a fully connected layer.
        lr_multiplier: factor of the stored weights and biases.
        means: number of stored mean w: 1, L for one per layer (StyleGAN, appendix B), or 0.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        layers: int,
        *,
        classes: int = 0,
        width: int | None = None,
        embedding: int | None = None,
        embed: nn.Module | None = None,
        lr_multiplier: float = 0.01,
        means: int = 1,
    ) -> None:
        super().__init__()
        self.layers = layers
        self.joined = embedding == 0
        width = w_dim if width is None else width
        inputs = z_dim
        if classes and self.joined:
            self.label_weight = nn.Parameter(torch.randn(classes, z_dim))
            inputs += z_dim
        elif classes:
            embedding = w_dim if embedding is None else embedding
            self.embed = FullyConnected(classes, embedding) if embed is None else embed
            inputs += embedding
        for i in range(layers):
            last = i == layers - 1
            fc = FullyConnected(
                inputs if i == 0 else width, w_dim if last else width, lr_multiplier=lr_multiplier
            )
            self.add_module(f"fc{i}", fc)
        if means:
            self.register_buffer("w_avg", torch.zeros(w_dim) if means == 1 else torch.zeros(means, w_dim))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map latents (N, Z), and class weights (N, Y) if the network has classes, to w (N, D)."""
        if condition is None:
            x = normalise_second_moment(z)  # (N, Z)
        elif self.joined:
            x = normalise_second_moment(torch.cat([z, condition @ self.label_weight], dim=1))  # (N, 2Z)
        else:
            embedded = normalise_second_moment(self.embed(condition))  # (N, E)
            x = torch.cat([normalise_second_moment(z), embedded], dim=1)  # (N, Z + E)
        for i in range(self.layers):
            x = F.leaky_relu(self.get_submodule(f"fc{i}")(x), LEAK) * GAIN  # (N, width); (N, D) at the end
        return x
