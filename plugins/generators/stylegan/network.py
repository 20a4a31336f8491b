"""Build the layers of StyleGAN.

Source: Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
section 2 and appendix C. Equalised learning rate, pixel norm and upsampling are those of ProgressiveGAN.

`Network` holds the weights as published. `Mapping`, `Layer` and `Output` compute with weights that are
already multiplied by their gains, and with upsampling fused into the convolution that follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.convolutions import equalised, fuse_upsampling, pixel_norm
from ..shared.mapping import EPSILON, GAIN, LEAK


class Dense(nn.Module):
    """Hold weights (O, I) and a bias (O,)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))


class StoredMapping(nn.Module):
    """Hold the mapping network: dense layers, the class embedding `labels` (Y, Z), and the mean w `w_avg`.

    Args:
        sizes: of the layers, from the inputs of the first to the outputs of the last.
        classes: number of classes Y; 0 if unconditional.
        z_dim: width Z of z.
        mean: length of the mean w; 0 if there is none.
    """

    w_avg: Tensor

    def __init__(self, sizes: Sequence[int], classes: int, z_dim: int, mean: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Dense(a, b) for a, b in pairwise(sizes))
        if classes:
            self.labels = nn.Parameter(torch.randn(classes, z_dim))
        if mean:
            self.register_buffer("w_avg", torch.zeros(mean))


class StoredLayer(nn.Module):
    """Hold a convolution (O, I, 3, 3), a bias (O,), noise, and the affine map (2 O, D) to styles.

    The first layer, with `inputs` 0, has no convolution. With `filtered` there is a low-pass filter of its
    own, (O, 1, 3, 3).
    """

    noise_const: Tensor
    blur: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        size: tuple[int, int],
        *,
        filtered: bool = False,
    ) -> None:
        super().__init__()
        if inputs:
            self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise_const", torch.randn(size))
        self.register_buffer("blur", torch.zeros(outputs, 1, 3, 3) if filtered else None)
        self.affine = Dense(w_dim, 2 * outputs)


class StoredOutput(nn.Module):
    """Hold the 1x1 convolution (colours, I, 1, 1) to RGB, RGB with alpha or grey."""

    def __init__(self, inputs: int, colours: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))


class StoredSynthesis(nn.Module):
    """Hold the learned constant (C, *start), two layers per size, and the output layer."""

    def __init__(
        self,
        widths: Sequence[int],
        w_dim: int,
        colours: int,
        start: tuple[int, int],
        filtered: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.ones(widths[0], *start))
        self.layers = nn.ModuleList()
        previous = 0
        for level, width in enumerate(widths):
            for inputs in (previous, width):
                size = start[0] << level, start[1] << level
                filters = len(self.layers) in filtered
                self.layers.append(StoredLayer(inputs, width, w_dim, size, filtered=filters))
            previous = width
        self.output = StoredOutput(widths[-1], colours)


class Network(nn.Module):
    """Hold the weights of a checkpoint.

    Args:
        widths: channels at the constant's size, at twice that, and so on.
        w_dim: width of the code that a layer reads.
        mapping: sizes of the mapping network's layers, from its inputs to its outputs.
        classes: number of classes Y; 0 if unconditional.
        z_dim: width Z of z, and of the class embedding.
        mean: length of the stored mean w; 0 if there is none.
        colours: channels of the image: 1, 3 or 4.
        start: height and width of the learned constant.
        filtered: layers with a low-pass filter of their own.
    """

    def __init__(
        self,
        widths: Sequence[int],
        w_dim: int,
        mapping: Sequence[int],
        *,
        filtered: Sequence[int] = (),
        classes: int,
        z_dim: int,
        mean: int,
        colours: int,
        start: tuple[int, int] = (4, 4),
    ) -> None:
        super().__init__()
        self.mapping = StoredMapping(mapping, classes, z_dim, mean)
        self.synthesis = StoredSynthesis(widths, w_dim, colours, start, filtered)


class Linear(nn.Module):
    """Apply a dense layer whose weights are already multiplied by their gain."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stored: Dense, *, gain: float = 1.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("weight", equalised(stored.weight.detach(), gain * lr_multiplier))
        self.register_buffer("bias", stored.bias.detach() * lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I) to (N, O)."""
        return F.linear(x, self.weight, self.bias)


class Mapping(nn.Module):
    """Map z (N, Z) to w (N, D).

    In conditional networks the class embedding is appended to z, and both are normalised together.
    """

    labels: Tensor | None

    def __init__(self, stored: StoredMapping, lr_multiplier: float) -> None:
        super().__init__()
        layers = [layer for layer in stored.layers if isinstance(layer, Dense)]
        self.layers = nn.ModuleList(Linear(layer, gain=GAIN, lr_multiplier=lr_multiplier) for layer in layers)
        self.register_buffer("labels", stored.labels.detach() if hasattr(stored, "labels") else None)

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Map latents (N, Z), and class weights (N, Y) if the network has classes, to w (N, D)."""
        if classes is not None:
            assert self.labels is not None
            z = torch.cat([z, classes @ self.labels], dim=1)  # (N, 2Z)
        x = pixel_norm(z, EPSILON)  # (N, Z or 2Z)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAK)  # (N, width); (N, D) at the end
        return x


class _Blur(torch.autograd.Function):
    """Apply a filter (C, 1, 3, 3), mostly [1, 2, 1] x [1, 2, 1] / 16, to the channels, and add the bias.

    The gradient is written out, because autograd's is several times slower on a CPU. It applies the flipped
    filter.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(kernel)
        return F.conv2d(x, kernel, bias, padding=1, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kernel,) = ctx.saved_tensors
        return _Blur.apply(grad, kernel.flip(2, 3), None), None, None  # type: ignore[no-untyped-call]


def binomial() -> Tensor:
    """Return the low-pass filter [1, 2, 1] x [1, 2, 1] / 16, (3, 3), that follows upsampling."""
    row = torch.tensor([0.25, 0.5, 0.25])
    return torch.outer(row, row)


def adain(x: Tensor, scale: Tensor, shift: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return AdaIN(x, y) = y_s (x - mean(x)) / std(x) + y_b (Karras et al. 2019, equation 1).

    Args:
        x: (N, C, H, W); mean and standard deviation are over the pixels of a channel.
        scale: y_s, (N, C).
        shift: y_b, (N, C).
        epsilon: added to the variance.
    """
    mean = x.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)  # (N, C, 1, 1)
    # In two steps, because E[x^2] - E[x]^2 loses all digits where a channel is nearly constant.
    x = x - mean.to(x.dtype)
    variance = x.float().square().mean(dim=(2, 3))  # (N, C)
    factor = scale * torch.rsqrt(variance + epsilon)  # (N, C)
    return torch.addcmul(shift[:, :, None, None].to(x.dtype), x, factor[:, :, None, None].to(x.dtype))


class Layer(nn.Module):
    """Apply convolution, bias, noise, leaky ReLU and adaptive instance normalisation.

    Args:
        stored: the layer as published.
        up: whether it doubles the size.
        blur: whether a low-pass filter then follows the convolution.
        bias_blurred: whether the bias is added before that filter, which pads with zeros.
        epsilon: added to the variance in adaptive instance normalisation.
    """

    weight: Tensor | None
    blur: Tensor | None
    bias: Tensor
    noise_strength: Tensor
    noise_const: Tensor

    def __init__(
        self,
        stored: StoredLayer,
        *,
        up: bool,
        blur: bool = True,
        bias_blurred: bool = False,
        epsilon: float = EPSILON,
    ) -> None:
        super().__init__()
        self.up, self.bias_blurred, self.epsilon = up, bias_blurred, epsilon
        weight = equalised(stored.weight.detach(), GAIN) if hasattr(stored, "weight") else None
        channels = stored.bias.shape[0]
        self.register_buffer(
            "weight", fuse_upsampling(weight).contiguous() if up and weight is not None else weight
        )
        kernel = binomial().expand(channels, 1, 3, 3) if stored.blur is None else stored.blur
        self.register_buffer("blur", kernel.clone() if up and blur else None)
        self.register_buffer("bias", stored.bias.detach().clone())
        self.register_buffer("noise_strength", stored.noise_strength.detach()[None, :, None, None].clone())
        self.register_buffer("noise_const", stored.noise_const[None, None].clone())
        self.affine = Linear(stored.affine)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Map x (N, I, h, w) with style (N, 2 O) and unscaled noise (N or 1, 1, H, W) to (N, O, H, W)."""
        bias = self.bias.to(x.dtype)
        if self.weight is None:
            x = x + bias[:, None, None]  # (N, O, h, w)
        elif not self.up:
            x = F.conv2d(x, self.weight.to(x.dtype), bias, padding=1)  # (N, O, h, w)
        else:
            first, last = (None, bias) if self.blur is not None and not self.bias_blurred else (bias, None)
            x = F.conv_transpose2d(x, self.weight.to(x.dtype), first, stride=2, padding=1)  # (N, O, 2h, 2w)
            if self.blur is not None:
                # (N, O, 2h, 2w)
                x = _Blur.apply(x, self.blur.to(x.dtype), last)  # type: ignore[no-untyped-call]
        if noise is not None:
            x = torch.addcmul(x, noise.to(x.dtype), self.noise_strength.to(x.dtype))
        x = F.leaky_relu(x, LEAK, inplace=True)
        scale, shift = style.chunk(2, dim=1)  # (N, O) each
        return adain(x, scale + 1.0, shift, self.epsilon)


class Output(nn.Module):
    """Apply the 1x1 convolution to RGB, RGB with alpha or grey."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stored: StoredOutput) -> None:
        super().__init__()
        self.register_buffer("weight", equalised(stored.weight.detach(), 1.0))
        self.register_buffer("bias", stored.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to float32 (N, colours, H, W)."""
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).float()
