"""Build the layers of lucidrains' lightweight-gan.

Source: Liu et al. 2021, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
Synthesis", and the library itself (0.16 to 1.2), which differs: excitations look at the level of an eighth
of the size through a pooling by attention (Cao et al. 2020, "Global Context Networks") or by frequencies
(Qin et al. 2021, "FcaNet"), the first feature map is normalised, and pictures are in [0, 1].
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention

EPSILON = 1e-5
LEAK = 0.1


class Convolution(nn.Module):
    """Apply a convolution (O, I, k, k) that keeps the size; for even k it sees one more pixel before."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.normal(0.0, max(inputs * size**2, 1) ** -0.5, (outputs, inputs, size, size))
        )
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H, W)."""
        before = self.weight.shape[2] // 2
        after = self.weight.shape[2] - 1 - before
        x = F.pad(x, (before, after, before, after)) if before or after else x
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class Norm(nn.Module):
    """Apply batch normalisation with stored statistics."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to scale (x - mean) / sqrt(variance + epsilon) + shift."""
        scale = self.scale * torch.rsqrt(self.variance + EPSILON)
        shift = self.shift - self.mean * scale
        return torch.addcmul(shift[:, None, None].to(x.dtype), x, scale[:, None, None].to(x.dtype))


class Initial(nn.Module):
    """Map z to feature maps of 4x4 pixels with vectors of length 1 at every pixel."""

    def __init__(self, z_dim: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, max(z_dim, 1) ** -0.5, (z_dim, 2 * width, 4, 4)))
        self.bias = nn.Parameter(torch.zeros(2 * width))
        self.norm = Norm(2 * width)

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, Z) to (N, C, 4, 4)."""
        x = F.linear(z, self.matrix().to(z.dtype)).reshape(z.shape[0], -1, 4, 4)  # (N, 2 C, 4, 4)
        x = F.glu(self.norm(x + self.bias[:, None, None].to(x.dtype)), dim=1)
        return F.normalize(x, dim=1).contiguous(memory_format=torch.channels_last)

    def matrix(self) -> Tensor:
        """Return the matrix (32 C, Z) from z to the feature map before normalisation."""
        return self.weight.flatten(1).t()


class Excitation(nn.Module):
    """Compute the factors of a later level's channels from a feature map.

    Args:
        inputs: channels of the feature map.
        inside: channels of the layer between.
        outputs: channels of the later level.
        frequencies: width in pixels of the filters, one per channel, that pool the feature map; 0 to pool it
            by attention.
    """

    frequencies: Tensor

    def __init__(self, inputs: int, inside: int, outputs: int, frequencies: int) -> None:
        super().__init__()
        if frequencies:
            self.register_buffer("frequencies", torch.ones(1, inputs, frequencies, frequencies))
        else:
            self.keys = Convolution(inputs, 1, 1)
        self.squeeze = Convolution(inputs, inside, 1)
        self.excite = Convolution(inside, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to factors (N, O, 1, 1) between 0 and 1."""
        if hasattr(self, "keys"):
            weights = self.keys(x).float().flatten(2).softmax(dim=2)  # (N, 1, H W)
        else:
            weights = self.frequencies.flatten(2)  # (1, I, H W)
        pooled = (x.float().flatten(2) * weights).sum(dim=2)[:, :, None, None].to(x.dtype)  # (N, I, 1, 1)
        return torch.sigmoid(self.excite(F.leaky_relu(self.squeeze(pooled), LEAK)))


class Layer(nn.Module):
    """Double the size, and apply a convolution, noise, normalisation and a gated linear unit.

    Args:
        inputs: channels of the level below.
        outputs: channels of this level.
        size: kernel size of the convolution.
        shuffled: whether pixels are made from channels; otherwise they are repeated.
        blurred: whether a filter (3,) follows the doubling.
        noisy: whether noise is added.
    """

    attention: Attention
    excitation: Excitation
    blur: Tensor

    def __init__(
        self, inputs: int, outputs: int, size: int, *, shuffled: bool, blurred: bool, noisy: bool
    ) -> None:
        super().__init__()
        if shuffled:
            self.expand = Convolution(inputs, 4 * inputs, 1)
        if blurred:
            self.register_buffer("blur", torch.tensor([1.0, 2.0, 1.0]))
        self.conv = Convolution(inputs, 2 * outputs, size)
        if noisy:
            self.noise = nn.Parameter(torch.zeros(1))
        self.norm = Norm(2 * outputs)

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Map x (N, I, h, w) with noise (N or 1, 1, 2h, 2w) to (N, O, 2h, 2w)."""
        if hasattr(self, "expand"):
            x = F.pixel_shuffle(F.silu(self.expand(x)), 2)
        else:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        if hasattr(self, "blur"):
            kernel = torch.outer(self.blur, self.blur)
            kernel = (kernel / kernel.abs().sum()).to(x.dtype).expand(x.shape[1], 1, 3, 3)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])
        x = self.conv(x)  # (N, 2 O, 2h, 2w)
        if noise is not None and hasattr(self, "noise"):
            x = x + (self.noise * noise).to(x.dtype)
        return F.glu(self.norm(x), dim=1)


class Network(nn.Module):
    """Hold the modules whose state dict a checkpoint stores.

    Args:
        z_dim: width Z of z.
        widths: channels of each level, from 4 pixels up.
        size: kernel size of the convolutions.
        inside: channels inside the excitation of each level; 0 for levels that excite no other.
        attention: channels of the queries of linear and of local attention before each doubling.
        colours: channels of the image.
        shuffled, blurred, noisy: see Layer.
        frequencies: whether excitations pool by frequencies.
    """

    def __init__(
        self,
        z_dim: int,
        widths: tuple[int, ...],
        size: int,
        inside: tuple[int, ...],
        attention: tuple[tuple[int, int], ...],
        colours: int,
        *,
        shuffled: bool,
        blurred: bool,
        noisy: bool,
        frequencies: bool,
    ) -> None:
        super().__init__()
        self.initial = Initial(z_dim, widths[0])
        self.layers = nn.ModuleList()
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            layer = Layer(inputs, outputs, size, shuffled=shuffled, blurred=blurred, noisy=noisy)
            if any(attention[i]):
                layer.attention = Attention(inputs, *attention[i])
            if inside[i]:
                layer.excitation = Excitation(
                    outputs, inside[i], widths[i + 4], 8 * 2**i if frequencies else 0
                )
            self.layers.append(layer)
        self.output = Convolution(widths[-1], colours, 3)
