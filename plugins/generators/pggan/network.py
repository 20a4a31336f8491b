"""Build the layers of ProgressiveGAN.

Source: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
sections 4.1 (equalised learning rate), 4.2 (pixel norm), 2 (levels of detail) and appendix A.1 (table 2).

`Network` holds the weights as published. `InferenceLayer` computes with weights that are already multiplied
by gain / sqrt(fan-in). The first layer is a matrix product there, and nearest-neighbour upsampling is fused
into the convolution that follows it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.convolutions import equalised, fuse_upsampling


class Convolution(nn.Module):
    """Hold weights (O, I, *size), drawn from N(0, 1), and a bias (O,), or (O, *size) if it is `per_pixel`."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], *, per_pixel: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *size))
        self.bias = nn.Parameter(torch.zeros((outputs, *size) if per_pixel else outputs))


class Network(nn.Module):
    """Hold the weights of a checkpoint: two layers per level, and the output layers that are used.

    Args:
        inputs: inputs of the first layer: Z, plus Y for conditional networks.
        widths: channels of each level, from that of the first layer up.
        colours: channels of the image: 1, 3 or 4.
        outputs: levels that have an output layer.
        start: height and width of the first layer's kernel, and of its output.
        per_pixel: whether the bias of the first layer is another one at each pixel.
    """

    def __init__(
        self,
        inputs: int,
        widths: tuple[int, ...],
        colours: int,
        outputs: tuple[int, ...],
        start: tuple[int, int] = (4, 4),
        *,
        per_pixel: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for level, width in enumerate(widths):
            layer_inputs = widths[level - 1] if level else inputs
            self.layers.append(
                Convolution(
                    layer_inputs, width, (3, 3) if level else start, per_pixel=per_pixel and not level
                )
            )
            self.layers.append(Convolution(width, width, (3, 3)))
        self.outputs = nn.ModuleDict(
            {str(level): Convolution(widths[level], colours, (1, 1)) for level in outputs}
        )


def as_matrix(weight: Tensor) -> Tensor:
    """Return the matrix (h w C, Z) of a convolution (C, Z, h, w) of one pixel with padding h - 1, w - 1.

    Row h w c + w y + x gives channel c at pixel (y, x). SeFa factorises this matrix (Shen and Zhou 2021).
    """
    return weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)


class InferenceLayer(nn.Module):
    """Apply one layer, without pixel norm.

    Args:
        stored: the layer as published.
        kind: `dense` for the first layer, `up` for a layer that doubles the size, `same` for others.
        gain: of the equalised learning rate; None uses the weights as stored.
        leak: slope of the leaky ReLU; None for an output layer, which has no activation.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, stored: Convolution, kind: str, gain: float | None, leak: float | None) -> None:
        super().__init__()
        self.kind, self.leak = kind, leak
        weight = stored.weight.detach()
        self.start = weight.shape[2:]
        if gain is not None:
            weight = equalised(weight, gain)
        if kind == "dense":
            weight = as_matrix(weight)
        elif kind == "up":
            weight = fuse_upsampling(weight)
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", stored.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, Z) to (N, C, h, w) if dense, otherwise (N, I, h, w) to (N, O, 2h, 2w) or (N, O, h, w)."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        if self.kind == "dense":
            bias = bias if bias.ndim == 3 else bias[:, None, None]  # (C, h, w) or (C, 1, 1)
            y = F.linear(x, weight).view(x.shape[0], -1, *self.start) + bias  # (N, C, h, w)
            y = y.contiguous(memory_format=torch.channels_last)
        elif self.kind == "up":
            y = F.conv_transpose2d(x, weight, bias, stride=2, padding=1)  # (N, O, 2h, 2w)
        else:
            y = F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)  # (N, O, h, w)
        return y if self.leak is None else F.leaky_relu(y, self.leak, inplace=True)


def enlarge(rgb: Tensor, factor: int) -> Tensor:
    """Upsample rgb (N, C, H, W) by an integer factor, with nearest neighbours."""
    return rgb if factor == 1 else F.interpolate(rgb, scale_factor=factor, mode="nearest")
