"""The layers of StyleGAN.

Source: Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
section 2 and appendix C; equalised learning rate, pixel norm and upsampling are ProgressiveGAN's.

`Network` holds the weights as they are published. `Mapping`, `Layer` and `Output` are what computes:
weights times their factors, and upsampling put into the convolution that follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.convolutions import equalised, pixel_norm, with_upsampling
from ..shared.mapping import EPSILON, GAIN, LEAK


class Dense(nn.Module):
    """Weights (O, I) and bias (O,)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))


class StoredMapping(nn.Module):
    """Dense layers of the given sizes; `labels` (Y, Z) embeds classes, `w_avg` is the mean w."""

    w_avg: Tensor

    def __init__(self, sizes: Sequence[int], classes: int, z_dim: int, mean: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Dense(a, b) for a, b in pairwise(sizes))
        if classes:
            self.labels = nn.Parameter(torch.randn(classes, z_dim))
        if mean:
            self.register_buffer("w_avg", torch.zeros(mean))


class StoredLayer(nn.Module):
    """A convolution (O, I, 3, 3), none in the first layer, with all that follows it; affine.weight is (2 O, D)."""

    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, size: int) -> None:
        super().__init__()
        if inputs:
            self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise_const", torch.randn(size, size))
        self.affine = Dense(w_dim, 2 * outputs)


class StoredOutput(nn.Module):
    """A convolution (3, I, 1, 1) to colours."""

    def __init__(self, inputs: int, colours: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))


class StoredSynthesis(nn.Module):
    """A constant, two layers per resolution of the given widths, and the last resolution's output."""

    def __init__(self, widths: Sequence[int], w_dim: int, colours: int) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.ones(widths[0], 4, 4))
        self.layers = nn.ModuleList()
        below = 0
        for level, width in enumerate(widths):
            for inputs in (below, width):
                self.layers.append(StoredLayer(inputs, width, w_dim, 4 * 2**level))
            below = width
        self.output = StoredOutput(widths[-1], colours)


class Network(nn.Module):
    """What a checkpoint holds.

    Args:
        widths: channels at 4, 8, 16 ... pixels.
        w_dim: how many numbers the affine of a layer reads.
        mapping: sizes of the mapping network, from its inputs to its outputs.
        classes: how many classes have an embedding, which is as wide as z.
        z_dim: Z.
        mean: size of the stored mean w; 0 if there is none.
        colours: channels of the picture.
    """

    def __init__(
        self,
        widths: Sequence[int],
        w_dim: int,
        mapping: Sequence[int],
        *,
        classes: int,
        z_dim: int,
        mean: int,
        colours: int,
    ) -> None:
        super().__init__()
        self.mapping = StoredMapping(mapping, classes, z_dim, mean)
        self.synthesis = StoredSynthesis(widths, w_dim, colours)


class Linear(nn.Module):
    """A dense layer ready for use: weights times their factor."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stored: Dense, *, gain: float = 1.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("weight", equalised(stored.weight.detach(), gain * lr_multiplier))
        self.register_buffer("bias", stored.bias.detach() * lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I) to (N, O)."""
        return F.linear(x, self.weight, self.bias)


class Mapping(nn.Module):
    """z (N, Z) to w (N, D): with classes their embedding is appended to z, then both are normalised together."""

    labels: Tensor | None

    def __init__(self, stored: StoredMapping, lr_multiplier: float) -> None:
        super().__init__()
        layers = [layer for layer in stored.layers if isinstance(layer, Dense)]
        self.layers = nn.ModuleList(Linear(layer, gain=GAIN, lr_multiplier=lr_multiplier) for layer in layers)
        self.register_buffer("labels", stored.labels.detach() if hasattr(stored, "labels") else None)

    def forward(self, z: Tensor, classes: Tensor | None) -> Tensor:
        """Latents (N, Z), and class weights (N, Y) if the network has classes."""
        if classes is not None:
            assert self.labels is not None
            z = torch.cat([z, classes @ self.labels], dim=1)
        x = pixel_norm(z, EPSILON)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAK)
        return x


class _Blur(torch.autograd.Function):
    """The filter [1, 2, 1] x [1, 2, 1] / 16 on every channel, then the bias.

    Autograd's own gradient of a depthwise convolution is several times slower on a CPU. The filter is
    symmetric, so that it is its own gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(kernel)
        return F.conv2d(x, kernel, bias, padding=1, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kernel,) = ctx.saved_tensors
        return _Blur.apply(grad, kernel, None), None, None  # type: ignore[no-untyped-call]


def binomial() -> Tensor:
    """The low-pass filter after upsampling, (3, 3), summing to one."""
    row = torch.tensor([0.25, 0.5, 0.25])
    return torch.outer(row, row)


def normalise_instance(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Adaptive instance normalisation (equation 1): each channel of x (N, C, H, W) to mean shift and deviation scale, (N, C)."""
    mean = x.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)
    # In two steps, because the mean of squares less the square of the mean cancels where a channel is nearly constant.
    x = x - mean.to(x.dtype)
    variance = x.float().square().mean(dim=(2, 3))
    factor = scale * torch.rsqrt(variance + EPSILON)
    return torch.addcmul(shift[:, :, None, None].to(x.dtype), x, factor[:, :, None, None].to(x.dtype))


class Layer(nn.Module):
    """One layer ready for use: convolution, noise, bias, leaky ReLU, instance normalisation to the style.

    Args:
        stored: as it is published.
        up: whether it doubles the size; the filter follows its convolution.
    """

    weight: Tensor | None
    blur: Tensor | None
    bias: Tensor
    noise_strength: Tensor
    noise_const: Tensor

    def __init__(self, stored: StoredLayer, *, up: bool) -> None:
        super().__init__()
        weight = equalised(stored.weight.detach(), GAIN) if hasattr(stored, "weight") else None
        channels = stored.bias.shape[0]
        self.register_buffer(
            "weight", with_upsampling(weight).contiguous() if up and weight is not None else weight
        )
        self.register_buffer("blur", binomial().expand(channels, 1, 3, 3).contiguous() if up else None)
        self.register_buffer("bias", stored.bias.detach().clone())
        self.register_buffer("noise_strength", stored.noise_strength.detach()[None, :, None, None].clone())
        self.register_buffer("noise_const", stored.noise_const[None, None].clone())
        self.affine = Linear(stored.affine)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """X (N, I, h, w), style (N, 2 O), noise (N or 1, 1, H, W) unscaled: to (N, O, H, W)."""
        bias = self.bias.to(x.dtype)
        if self.weight is None:
            x = x + bias[:, None, None]
        elif self.blur is None:
            x = F.conv2d(x, self.weight.to(x.dtype), bias, padding=1)
        else:
            x = F.conv_transpose2d(x, self.weight.to(x.dtype), stride=2, padding=1)
            x = _Blur.apply(x, self.blur.to(x.dtype), bias)  # type: ignore[no-untyped-call]
        if noise is not None:
            x = torch.addcmul(x, noise.to(x.dtype), self.noise_strength.to(x.dtype))
        x = F.leaky_relu(x, LEAK, inplace=True)
        scale, shift = style.chunk(2, dim=1)
        return normalise_instance(x, scale + 1.0, shift)


class Output(nn.Module):
    """The convolution to colours, ready for use."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stored: StoredOutput) -> None:
        super().__init__()
        self.register_buffer("weight", equalised(stored.weight.detach(), 1.0))
        self.register_buffer("bias", stored.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """X (N, C, H, W) to float32 (N, colours, H, W)."""
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).float()
