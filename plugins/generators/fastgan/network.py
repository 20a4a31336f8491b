"""Build the layers of FastGAN.

Source: Liu et al. 2021, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
Synthesis", section 3.1 (skip-layer excitation), and the form of it in Sauer et al. 2021, "Projected GANs
Converge Faster", whose conditional networks scale and shift every normalisation by the class.

`Network` holds the weights as stored. `fold` divides them by their spectral norms, after which it computes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5


class Weight(nn.Module):
    """Hold weights, and the singular vectors u and v of their spectral norm.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", section 2.1.

    Args:
        shape: of the weights.
        rows: axis of the outputs: 0, or 1 for a transposed convolution.
        spectral: whether the weights are divided by their spectral norm.
        bias: whether there is a bias.
    """

    folded: Tensor
    bias: nn.Parameter | None
    u: Tensor | None
    v: Tensor | None

    def __init__(
        self, shape: tuple[int, ...], *, rows: int = 0, spectral: bool = True, bias: bool = False
    ) -> None:
        super().__init__()
        self.rows = rows
        outputs, inputs = shape[rows], math.prod(shape) // max(shape[rows], 1)
        self.weight = nn.Parameter(torch.normal(0.0, max(inputs, 1) ** -0.5, shape))
        self.register_parameter("bias", nn.Parameter(torch.zeros(outputs)) if bias else None)
        # Of length 1. A checkpoint replaces them.
        self.register_buffer("u", torch.full((outputs,), max(outputs, 1) ** -0.5) if spectral else None)
        self.register_buffer("v", torch.full((inputs,), max(inputs, 1) ** -0.5) if spectral else None)

    def fold(self) -> None:
        """Store W / sigma with sigma = u W v, where W is the matrix (O, I k k), and u and v are as stored."""
        self.folded = self.weight.detach()
        if self.u is not None and self.v is not None:
            matrix = self.folded.movedim(self.rows, 0).flatten(1)
            self.folded = self.folded / torch.dot(self.u, matrix @ self.v)


class Norm(nn.Module):
    """Apply batch normalisation with stored statistics: y = x s + t.

    Without classes s = scale / sqrt(variance + epsilon) and t = shift - mean s. With a class vector e it is
    s = (1 + gain(e)) / sqrt(variance + epsilon) and t = offset(e) - mean s, with affine maps of e.

    Args:
        channels: number of channels C.
        embedding: width E of the class vector; 0 without classes.
        spectral: whether the affine maps are divided by their spectral norms.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, embedding: int, *, spectral: bool) -> None:
        super().__init__()
        if embedding:
            self.gain = Weight((channels, embedding), spectral=spectral, bias=True)
            self.offset = Weight((channels, embedding), spectral=spectral, bias=True)
        else:
            self.scale = nn.Parameter(torch.ones(channels))
            self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor, e: Tensor | None) -> Tensor:
        """Map x (N, C, H, W), with class vectors (N, E) or None, to the same shape."""
        if e is None:
            scale, shift = self.scale[None], self.shift[None]  # (1, C)
        else:
            scale = 1.0 + F.linear(e, self.gain.folded, self.gain.bias)  # (N, C)
            shift = F.linear(e, self.offset.folded, self.offset.bias)
        scale = scale * torch.rsqrt(self.variance + EPSILON)
        shift = shift - self.mean * scale
        return torch.addcmul(shift[:, :, None, None].to(x.dtype), x, scale[:, :, None, None].to(x.dtype))


class Initial(nn.Module):
    """Map z to feature maps of 4x4 pixels: a matrix, normalisation and a gated linear unit."""

    def __init__(self, z_dim: int, width: int, *, spectral: bool) -> None:
        super().__init__()
        self.conv = Weight((z_dim, 2 * width, 4, 4), rows=1, spectral=spectral)
        self.norm = Norm(2 * width, 0, spectral=spectral)

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, Z) to (N, C, 4, 4)."""
        x = F.linear(z, self.matrix().to(z.dtype)).unflatten(1, (-1, 4, 4))  # type: ignore[no-untyped-call]
        return F.glu(self.norm(x, None), dim=1).contiguous(memory_format=torch.channels_last)

    def matrix(self) -> Tensor:
        """Return the matrix (32 C, Z) from z to the feature map before normalisation."""
        return self.conv.folded.flatten(1).t()


class Layer(nn.Module):
    """Apply a 3x3 convolution, noise, normalisation and a gated linear unit."""

    def __init__(self, inputs: int, outputs: int, embedding: int, *, noisy: bool, spectral: bool) -> None:
        super().__init__()
        self.conv = Weight((2 * outputs, inputs, 3, 3), spectral=spectral)
        self.norm = Norm(2 * outputs, embedding, spectral=spectral)
        if noisy:
            self.noise = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor | None, e: Tensor | None) -> Tensor:
        """Map x (N, I, H, W), with noise (N or 1, 1, H, W) already scaled, to (N, O, H, W)."""
        x = F.conv2d(x, self.conv.folded.to(x.dtype), padding=1)  # (N, 2 O, H, W)
        x = x if noise is None else x + noise.to(x.dtype)
        return F.glu(self.norm(x, e), dim=1)


class Block(nn.Module):
    """Double the size with nearest neighbours, and apply one layer without noise or two with noise.

    Args:
        inputs: channels of the level below.
        outputs: channels of this level.
        embedding: width of the class vector; 0 without classes.
        double: whether there are two layers.
        shared: whether both have one strength of noise, as in conditional networks.
        spectral: see Weight.
    """

    def __init__(
        self, inputs: int, outputs: int, embedding: int, *, double: bool, shared: bool, spectral: bool
    ) -> None:
        super().__init__()
        noisy = double and not shared
        self.first = Layer(inputs, outputs, embedding, noisy=noisy, spectral=spectral)
        if double:
            self.second = Layer(outputs, outputs, embedding, noisy=noisy, spectral=spectral)
            if shared:
                self.noise = nn.Parameter(torch.zeros(1))

    def layers(self) -> list[tuple[Layer, Tensor | None]]:
        """Return the layers with the strengths (1,) of their noise; None without noise."""
        layers = [self.first, self.second] if hasattr(self, "second") else [self.first]
        return [(layer, getattr(self, "noise", getattr(layer, "noise", None))) for layer in layers]


class Excitation(nn.Module):
    """Compute the factors of a level's channels from a level of a sixteenth of its size."""

    def __init__(self, inputs: int, outputs: int, *, spectral: bool) -> None:
        super().__init__()
        self.squeeze = Weight((outputs, inputs, 4, 4), spectral=spectral)
        self.excite = Weight((outputs, outputs, 1, 1), spectral=spectral)

    def forward(self, low: Tensor) -> Tensor:
        """Map a feature map (N, I, h, w) to factors (N, O, 1, 1) between 0 and 1."""
        x = F.adaptive_avg_pool2d(low, 4)
        x = F.silu(F.conv2d(x, self.squeeze.folded.to(x.dtype)))  # (N, O, 1, 1)
        return torch.sigmoid(F.conv2d(x, self.excite.folded.to(x.dtype)))


class Network(nn.Module):
    """Hold the modules whose state dict a checkpoint stores.

    Args:
        z_dim: width Z of z.
        widths: channels of each level, from 4 pixels up.
        doubled: whether the block of each level above 4 pixels has two layers.
        excited: sizes of the levels that are excited.
        colours: channels of the image.
        classes: number of classes, whose vectors have the width Z; 0 if unconditional.
        spectral: see Weight.
        biased: whether the last convolution has a bias.
    """

    def __init__(
        self,
        z_dim: int,
        widths: tuple[int, ...],
        doubled: tuple[bool, ...],
        excited: tuple[int, ...],
        colours: int,
        classes: int,
        *,
        spectral: bool,
        biased: bool,
    ) -> None:
        super().__init__()
        if classes:
            self.embed = nn.Parameter(torch.randn(classes, z_dim))
        self.init = Initial(z_dim, widths[0], spectral=spectral)
        of = {4 * 2**level: width for level, width in enumerate(widths)}
        self.blocks = nn.ModuleDict(
            {
                str(size): Block(
                    of[size // 2],
                    of[size],
                    z_dim if classes else 0,
                    double=double,
                    shared=classes > 0,
                    spectral=spectral,
                )
                for size, double in zip(list(of)[1:], doubled, strict=True)
            }
        )
        self.excitations = nn.ModuleDict(
            {str(size): Excitation(of[size // 16], of[size], spectral=spectral) for size in excited}
        )
        self.output = Weight((colours, widths[-1], 3, 3), spectral=spectral, bias=biased)

    def fold(self) -> None:
        """Divide all weights by their spectral norms; the weights must not change afterwards."""
        for module in self.modules():
            if isinstance(module, Weight):
                module.fold()
