"""Build the layers of the StyleGAN2 in lucidrains' stylegan2-pytorch.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2.2, and the
library itself (1.0 to 1.9), which differs: weights are used as stored (no equalised learning rate, except in
the mapping network), a style is added to 1, feature maps and RGB are upsampled bilinearly, one image of
uniform noise serves all layers, and each block reads one code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention

LEAK = 0.2
EPSILON = 1e-8


class FullyConnected(nn.Module):
    """Hold weights (O, I) and a bias (O,)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, max(inputs, 1) ** -0.5, (outputs, inputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., I) to (..., O)."""
        return F.linear(x, self.weight, self.bias)


class Mapping(nn.Module):
    """Map z (N, D), divided by its length, to w (N, D) by layers y = lrelu(m (W x + b)).

    m is lr_multiplier, the option lr_mlp of the library, which its files do not store.
    """

    def __init__(self, size: int, layers: int, lr_multiplier: float = 0.1) -> None:
        super().__init__()
        self.layers, self.lr_multiplier = layers, lr_multiplier
        for i in range(layers):
            self.add_module(f"fc{i}", FullyConnected(size, size))

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, D) to (N, D)."""
        x = F.normalize(z, dim=1)
        for i in range(self.layers):
            x = F.leaky_relu(self.get_submodule(f"fc{i}")(x) * self.lr_multiplier, LEAK)
        return x


class Convolution(nn.Module):
    """Apply a modulated and demodulated 3x3 convolution, noise and leaky ReLU.

    With style s (I,) and weights w (O, I, 3, 3) the weights of a sample are

        w'_oik = (1 + s_i) w_oik        w''_oik = w'_oik / sqrt(sum over i, k of w'_oik^2 + epsilon)

    and noise n adds a_o n + b_o to channel o.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int) -> None:
        super().__init__()
        self.style = FullyConnected(w_dim, inputs)
        self.noise = FullyConnected(1, outputs)
        self.weight = nn.Parameter(torch.normal(0.0, (9 * max(inputs, 1)) ** -0.5, (outputs, inputs, 3, 3)))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Map x (N, I, H, W) with 1 + s (N, I) and noise (N, 1, H, W) to (N, O, H, W)."""
        squared = self.weight.square().sum(dim=(2, 3))  # (O, I)
        demodulation = torch.rsqrt(style.square() @ squared.t() + EPSILON)  # (N, O)
        # Modulating the input and demodulating the output equals modulating the weights, but needs no
        # weights per sample.
        x = F.conv2d(x * style[:, :, None, None].to(x.dtype), self.weight.to(x.dtype), padding=1)
        # In place, to stay in the memory format of x, which a sum that begins with noise would lose.
        x = x * demodulation[:, :, None, None].to(x.dtype)
        x.addcmul_(noise.to(x.dtype), self.noise.weight[:, :, None].to(x.dtype))
        x.add_(self.noise.bias[:, None, None].to(x.dtype))
        return F.leaky_relu(x, LEAK, inplace=True)


class ToRGB(nn.Module):
    """Apply a modulated 1x1 convolution to the colours, without demodulation and bias.

    The filter `blur` (3,) of the upsampling belongs to the block below, whose output it smooths.
    """

    blur: Tensor

    def __init__(self, inputs: int, w_dim: int, colours: int, *, blurred: bool) -> None:
        super().__init__()
        self.style = FullyConnected(w_dim, inputs)
        self.weight = nn.Parameter(torch.normal(0.0, max(inputs, 1) ** -0.5, (colours, inputs, 1, 1)))
        if blurred:
            self.register_buffer("blur", torch.tensor([1.0, 2.0, 1.0]))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map x (N, I, H, W) with 1 + s (N, I) to float32 (N, colours, H, W)."""
        return F.conv2d(x * style[:, :, None, None].to(x.dtype), self.weight.to(x.dtype)).float()

    def upsample(self, rgb: Tensor) -> Tensor:
        """Upsample rgb (N, colours, H, W) to (N, colours, 2H, 2W); smooth it if the block has a filter."""
        rgb = upsample(rgb)
        if not hasattr(self, "blur"):
            return rgb
        kernel = torch.outer(self.blur, self.blur)
        kernel = (kernel / kernel.abs().sum()).to(rgb.dtype).expand(rgb.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(rgb, (1, 1, 1, 1), mode="reflect"), kernel, groups=rgb.shape[1])


def upsample(x: Tensor) -> Tensor:
    """Upsample x (N, C, H, W) bilinearly to (N, C, 2H, 2W)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Initial(nn.Module):
    """Make the first feature map: a learned constant, or a linear map of w, and a 3x3 convolution.

    Args:
        width: channels C.
        w_dim: width D of w.
        constant: whether the feature map is a constant (1, C, 4, 4); otherwise weights are (D, C, 4, 4).
    """

    def __init__(self, width: int, w_dim: int, *, constant: bool) -> None:
        super().__init__()
        if constant:
            self.block = nn.Parameter(torch.randn(1, width, 4, 4))
        else:
            self.from_code = nn.Parameter(torch.normal(0.0, max(w_dim, 1) ** -0.5, (w_dim, width, 4, 4)))
        self.weight = nn.Parameter(torch.normal(0.0, (9 * max(width, 1)) ** -0.5, (width, width, 3, 3)))
        self.bias = nn.Parameter(torch.zeros(width))

    def map(self, code: Tensor) -> Tensor:
        """Map codes (N, D) to feature maps (N, C, 4, 4)."""
        return torch.einsum("nz,zcyx->ncyx", code, self.from_code)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution to (N, C, 4, 4)."""
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype), padding=1)


class Block(nn.Module):
    """Hold the layers of one resolution: attention before the upsampling, conv1, conv2 and rgb."""

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, colours: int, attention: int, *, blurred: bool
    ) -> None:
        super().__init__()
        if attention:
            self.attention = Attention(inputs, attention)
        self.conv1 = Convolution(inputs, outputs, w_dim)
        self.conv2 = Convolution(outputs, outputs, w_dim)
        self.rgb = ToRGB(outputs, w_dim, colours, blurred=blurred)


class Network(nn.Module):
    """Hold mapping and synthesis networks, whose state dict a checkpoint stores.

    Args:
        size: width D of z and w.
        mapping_layers: number of layers of the mapping network.
        initial: channels of the first feature map.
        widths: channels of each block, from 4 pixels up.
        colours: channels of the image: 4 with alpha.
        attention: width of the queries of each block's attention; 0 without one.
        constant: see Initial.
        blurred: whether upsampled RGB is smoothed.
    """

    def __init__(
        self,
        size: int,
        mapping_layers: int,
        initial: int,
        widths: tuple[int, ...],
        colours: int,
        attention: tuple[int, ...],
        *,
        constant: bool,
        blurred: bool,
    ) -> None:
        super().__init__()
        self.mapping = Mapping(size, mapping_layers)
        self.initial = Initial(initial, size, constant=constant)
        last = len(widths) - 1
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, size, colours, width, blurred=blurred and i < last)
            for i, (inputs, outputs, width) in enumerate(
                zip((initial, *widths[:-1]), widths, attention, strict=True)
            )
        )
