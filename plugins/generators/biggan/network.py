"""Build BigGAN for inference, with spectral and batch normalisation folded into its weights.

Source: Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis",
appendix B. Every layer computes in the precision of its feature map; scales and shifts are always
float32.

A normalisation is y = x s + t. Its scale s and shift t are affine in the condition (e, c): the class
vector e (E,) and the part c of z that the normalisation reads. `style` is the term of c in s and t.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import stored
from .architecture import Architecture, Block


class Convolution(nn.Module):
    """Apply a convolution (O, I, k, k) of stride 1 with zero padding."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, I, H, W) to (N, O, H, W)."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv2d(x, self.weight.to(x.dtype), bias, padding=self.weight.shape[-1] // 2)


class Condition(nn.Module):
    """Compute the affine map W_z c + W_e e + b of a part c of z and the class vector e.

    Args:
        code: W_z, (O, chunk).
        of_class: W_e, (O, E), or None.
        constant: b, (O,).
    """

    def __init__(self, code: Tensor, of_class: Tensor | None, constant: Tensor) -> None:
        super().__init__()
        self.code = nn.Parameter(code)
        self.of_class = None if of_class is None else nn.Parameter(of_class)
        self.constant = nn.Parameter(constant)

    def forward(self, style: Tensor | None, e: Tensor) -> Tensor:
        """Add the term W_z c (N, O), None if z is not read, to that of class vectors (N, E): (N, O)."""
        class_term = self.constant if self.of_class is None else F.linear(e, self.of_class, self.constant)
        return class_term if style is None else class_term + style


class Norm(nn.Module):
    """Apply conditional batch normalisation, then ReLU."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.condition = condition

    def forward(self, x: Tensor, style: Tensor | None, e: Tensor) -> Tensor:
        """Map x (N, C, H, W) with style (N, 2C) and class vectors (N, E) to relu(x s + t)."""
        s, t = self.condition(style, e).to(x.dtype)[:, :, None, None].chunk(2, dim=1)  # (N, C, 1, 1) each
        return normalise(x, s, t)


def normalise(x: Tensor, s: Tensor, t: Tensor) -> Tensor:
    """Return relu(x s + t) for s and t (N or 1, C, 1, 1)."""
    return F.relu(torch.mul(x, s).add_(t), inplace=True)


def upsample(x: Tensor) -> Tensor:
    """Upsample (N, C, H, W) to (N, C, 2H, 2W) with nearest neighbours."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Attention(nn.Module):
    """Apply self-attention (SAGAN, Zhang et al. 2019) from every pixel to max-pooled 2x2 blocks."""

    def __init__(self, a: stored.Attention) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            Convolution(w.effective(), None) for w in (a.query, a.key, a.value)
        )
        self.out = Convolution(a.gamma * a.out.effective(), None)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to x + gamma o(softmax(q(x) k(x)^T) v(x)), of the same shape."""
        query = _pixels(self.query(x))  # (N, 1, H*W, K)
        key = _pixels(F.max_pool2d(self.key(x), 2))  # (N, 1, H*W/4, K)
        value = _pixels(F.max_pool2d(self.value(x), 2))  # (N, 1, H*W/4, V)
        # Pad queries and keys to the width of values, so that torch need not store the attention matrix.
        # Zeros do not change the products.
        padding = (0, max(0, value.shape[-1] - key.shape[-1]))
        attended = F.scaled_dot_product_attention(
            F.pad(query, padding), F.pad(key, padding), value, scale=1.0
        )  # (N, 1, H*W, V)
        n, _, height, width = x.shape
        y: Tensor = self.out(attended.reshape(n, height, width, -1).permute(0, 3, 1, 2))  # (N, C, H, W)
        return x + y


def _pixels(x: Tensor) -> Tensor:
    """Reshape (N, C, H, W) to (N, 1, H*W, C)."""
    return x.flatten(2).transpose(1, 2)[:, None]


class Original(nn.Module):
    """Apply a residual block of two convolutions, in two halves: each half is one layer."""

    def __init__(
        self, block: Block, norms: list[Norm], convolutions: list[Convolution], shortcut: Convolution
    ) -> None:
        super().__init__()
        self.norms, self.convolutions = nn.ModuleList(norms), nn.ModuleList(convolutions)
        self.shortcut = shortcut
        self.conditions = tuple(norm.condition for norm in norms)
        self.up = block.up

    def first(self, x: Tensor, style: Tensor | None, e: Tensor) -> Tensor:
        """Map the input of the block (N, I, H, W) to the input of the second half, (N, O, h, w)."""
        x = self.norms[0](x, style, e)  # (N, I, H, W)
        h: Tensor = self.convolutions[0](upsample(x) if self.up else x)  # (N, O, h, w)
        return h

    def second(self, h: Tensor, x: Tensor, style: Tensor | None, e: Tensor) -> Tensor:
        """Map h, the output of first(), and the input x of the block to its output (N, O, h, w)."""
        # A 1x1 convolution commutes with upsampling, and is cheaper before it.
        skip = self.shortcut(x)  # (N, O, H, W)
        out: Tensor = self.convolutions[1](self.norms[1](h, style, e))  # (N, O, h, w)
        return out + (upsample(skip) if self.up else skip)


class Deep(nn.Module):
    """Apply a bottleneck block: four normalisations, each followed by a convolution, and a shortcut.

    The shortcut drops the input channels beyond the number of outputs, if it is not a convolution.
    """

    def __init__(
        self,
        block: Block,
        norms: list[Norm],
        convolutions: list[Convolution],
        shortcut: Convolution | None = None,
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.norms, self.convolutions = nn.ModuleList(norms), nn.ModuleList(convolutions)
        self.conditions = tuple(norm.condition for norm in norms)
        self.widths = [condition.constant.shape[0] for condition in self.conditions]
        self.outputs, self.up = block.outputs, block.up

    def forward(self, x: Tensor, style: Tensor, e: Tensor) -> Tensor:
        """Map x (N, I, H, W) with the styles (N, C_s) of all norms to (N, O, H, W) or (N, O, 2H, 2W)."""
        styles = torch.split(style, self.widths, dim=1)  # (N, 2C) for each norm
        h = x
        for j, (norm, convolution) in enumerate(zip(self.norms, self.convolutions, strict=True)):
            h = norm(h, styles[j], e)  # (N, I_j, ...)
            h = convolution(upsample(h) if self.up and j == 1 else h)  # (N, O_j, ...)
        # A 1x1 convolution commutes with upsampling, and is cheaper before it.
        skip = x[:, : self.outputs] if self.shortcut is None else self.shortcut(x)  # (N, O, H, W)
        return h + (upsample(skip) if self.up else skip)


class Network(nn.Module):
    """Hold the folded network: linear map, blocks, attention after some of them, and output.

    Args:
        a: sizes of the network.
        source: the stored network.
        truncation: for which the statistics of batch normalisation are chosen.
    """

    def __init__(self, a: Architecture, source: stored.Network, truncation: float) -> None:
        super().__init__()
        self.bottom = a.bottom
        self.embedding = nn.Parameter(source.embedding.detach().clone()) if a.shared else None
        weight, bias = source.linear.effective(), source.linear.bias
        assert bias is not None
        self.linear = Condition(*_split(a, weight), bias) if a.deep else Condition(weight, None, bias)
        self.blocks = nn.ModuleList(
            _fold_block(a, block, module, truncation)
            for block, module in zip(a.blocks, source.blocks, strict=True)
        )
        self.attention = nn.ModuleDict(
            {
                i: Attention(module)
                for i, module in source.attention.items()
                if isinstance(module, stored.Attention)
            }
        )
        mean, inverse = source.output_norm.at(truncation, a.eps)
        gain = source.output_norm.gain * inverse
        self.register_buffer("output_scale", gain[None, :, None, None])
        self.register_buffer("output_shift", (source.output_norm.bias - mean * gain)[None, :, None, None])
        output_bias = source.output.bias
        assert output_bias is not None
        # Channels beyond the third are not used.
        self.output = Convolution(source.output.effective()[:3], output_bias[:3])

    output_scale: Tensor
    output_shift: Tensor

    def begin(self, style: Tensor, e: Tensor, dtype: torch.dtype) -> Tensor:
        """Map the style (N, O) and class vectors (N, E) to the first feature map (N, C, bottom, bottom)."""
        x: Tensor = self.linear(style, e).to(dtype)  # (N, C * bottom^2)
        return x.view(x.shape[0], -1, self.bottom, self.bottom).contiguous(memory_format=torch.channels_last)

    def finish(self, x: Tensor) -> Tensor:
        """Map the last feature map (N, C, H, W) to float32 RGB (N, 3, H, W) in [-1, 1]."""
        x = normalise(x, self.output_scale.to(x.dtype), self.output_shift.to(x.dtype))
        rgb: Tensor = self.output(x).float().tanh()
        return rgb


def _split(a: Architecture, weight: Tensor) -> tuple[Tensor, Tensor | None]:
    """Split weights (O, I) into the columns of z, (O, I - E), and of the class vector, (O, E) or None."""
    if not a.embedding:
        return weight, None
    columns = weight.shape[1] - a.embedding
    if a.z_first:
        return weight[:, :columns], weight[:, columns:]
    return weight[:, a.embedding :], weight[:, : a.embedding]


def _fold_norm(a: Architecture, norm: stored.ConditionalNorm, truncation: float) -> Norm:
    """Fold ((x - m) r) (1 + g) + b into x s + t, with s = r (1 + g) and t = b - m s.

    m is the mean of a channel and r = 1 / sqrt(variance + eps). g and b are linear in the condition.
    """
    mean, inverse = norm.at(truncation, a.eps)  # m and r, (C,)
    gain = norm.gain.effective() * inverse[:, None]  # (C, E + chunk)
    weight = torch.cat([gain, norm.bias.effective() - mean[:, None] * gain])  # (2C, E + chunk)
    return Norm(Condition(*_split(a, weight), torch.cat([inverse, -mean * inverse])))


def _fold_block(a: Architecture, block: Block, module: nn.Module, truncation: float) -> Original | Deep:
    """Fold the spectral and batch normalisations of a block into its weights."""
    norms, convolutions = [], []
    for j in range(1, len(block.convolutions(deep=a.deep)) + 1):
        norm, convolution = module.get_submodule(f"norm{j}"), module.get_submodule(f"conv{j}")
        assert isinstance(norm, stored.ConditionalNorm)
        norms.append(_fold_norm(a, norm, truncation))
        convolutions.append(_fold_convolution(convolution))
    if a.deep:
        shortcut = _fold_convolution(module.get_submodule("shortcut")) if a.skip else None
        return Deep(block, norms, convolutions, shortcut)
    return Original(block, norms, convolutions, _fold_convolution(module.get_submodule("shortcut")))


def _fold_convolution(module: nn.Module) -> Convolution:
    """Build a convolution whose weights are divided by their spectral norm."""
    assert isinstance(module, stored.Weight)
    return Convolution(module.effective(), module.bias)
