"""Small random networks of lucidrains' lightweight-gan, and the forward pass written plainly."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from generators_lucidrains import HEADS, attended_linearly, blurred, normed
from torch import Tensor


def small_state(
    size: int = 128,
    z: int = 8,
    width: int = 6,
    colours: int = 3,
    kernel: int = 4,
    shuffled: bool = True,
    smooth: bool = False,
    noisy: bool = True,
    pooling: str = "attention",
    attention: tuple[int, ...] = (),
    local: bool = True,
    prefix: str = "GE.",
    seed: int = 0,
) -> dict[str, Tensor]:
    """The entry GAN of a training file: one generator, and tensors of the discriminator.

    Args:
        kernel: 4 since version 0.21.4, before it 3.
        shuffled: pixels made from channels, since version 1.0.
        smooth: the option antialias.
        noisy: since version 0.21.3.
        pooling: `attention`, or `frequencies` (the option freq_chan_attn).
        attention: numbers of the layers before which there is attention.
        local: attention with neighbours too, since version 0.21.6.
    """
    random = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def draw(name: str, *shape: int, scale: float = 1.0) -> None:
        fan_in = math.prod(shape[1:]) if len(shape) > 1 else 4.0
        state[prefix + name] = scale * torch.randn(shape, generator=random) / fan_in**0.5

    def norm(name: str, channels: int) -> None:
        state[f"{prefix}{name}.weight"] = 1.0 + 0.3 * torch.randn(channels, generator=random)
        state[f"{prefix}{name}.bias"] = 0.5 * torch.randn(channels, generator=random)
        state[f"{prefix}{name}.running_mean"] = 0.1 * torch.randn(channels, generator=random)
        state[f"{prefix}{name}.running_var"] = 0.2 + 0.3 * torch.rand(channels, generator=random)
        state[f"{prefix}{name}.num_batches_tracked"] = torch.tensor(7)

    draw("initial_conv.0.weight", z, 2 * z, 4, 4)
    draw("initial_conv.0.bias", 2 * z)
    norm("initial_conv.1", 2 * z)
    count = size.bit_length() - 3
    widths = [z, *(3 if i >= 6 else width + i % 2 for i in range(count))]
    for i in range(count):
        inputs, outputs, up = widths[i], widths[i + 1], f"layers.{i}.0."
        if shuffled:
            draw(up + "0.net.0.weight", 4 * inputs, inputs, 1, 1, scale=2.0)
            draw(up + "0.net.0.bias", 4 * inputs)
        if smooth:
            state[f"{prefix}{up}1.f"] = torch.tensor([1.0, 2.0, 1.0])
        convolution = up + ("2.1." if kernel == 4 else "2.")
        draw(convolution + "weight", 2 * outputs, inputs, kernel, kernel)
        draw(convolution + "bias", 2 * outputs)
        if noisy:
            draw(up + "3.weight", 1)
        norm(up + ("4" if noisy else "3"), 2 * outputs)
        if 16 <= 8 * 2**i <= size // 8:
            excited, inside = widths[i + 4], max(3, widths[i + 4] // 2)
            if pooling == "attention":
                draw(f"layers.{i}.1.to_k.weight", 1, outputs, 1, 1)
                draw(f"layers.{i}.1.to_k.bias", 1)
            else:
                draw(f"layers.{i}.1.dct_weights", 1, outputs, 8 * 2**i, 8 * 2**i)
            draw(f"layers.{i}.1.net.0.weight", inside, outputs, 1, 1, scale=3.0)
            draw(f"layers.{i}.1.net.0.bias", inside)
            draw(f"layers.{i}.1.net.2.weight", excited, inside, 1, 1, scale=3.0)
            draw(f"layers.{i}.1.net.2.bias", excited)
        if i in attention:
            at, own, inner = f"layers.{i}.2.", f"layers.{i}.2.fn.to_", 2 * HEADS
            draw(at + "norm.g", 1, inputs, 1, 1)
            draw(at + "norm.b", 1, inputs, 1, 1)
            linear = "lin_" if local else ""
            draw(f"{own}{linear}q.weight", inner, inputs, 1, 1)
            draw(f"{own}{linear}kv.net.0.weight", inputs, 1, 3, 3)
            draw(f"{own}{linear}kv.net.1.weight", 2 * inner, inputs, 1, 1)
            if local:
                draw(own + "q.weight", inner, inputs, 1, 1, scale=3.0)
                draw(own + "kv.weight", 2 * inner, inputs, 1, 1, scale=3.0)
            draw(own + "out.weight", inputs, inner * (1 + local), 1, 1)
            draw(own + "out.bias", inputs)
    draw("out_conv.weight", colours, widths[-1], 3, 3)
    draw("out_conv.bias", colours)
    discriminator = ("D.residual_layers.0.0.weight", "D_aug.D.residual_layers.0.0.weight")
    return state | {name: torch.ones(3, 3, 3, 3) for name in discriminator}


def plain(
    state: dict[str, Tensor], codes: Tensor, noise: dict[int, Tensor] | None = None, prefix: str = "GE."
) -> Tensor:
    """Images (N, colours, H, W) of codes (N, L, Z), in double precision.

    `noise` has (1 or N, 1, r, r) for each level r. The levels that excite others are made from the beginning
    for the code of each excitation, unexcited.
    """
    own = {name.removeprefix(prefix): t.double() for name, t in state.items() if name.startswith(prefix)}
    count = 1 + max(int(name.split(".")[1]) for name in own if name.startswith("layers."))

    def first(code: Tensor) -> Tensor:
        x = F.conv_transpose2d(
            code.double()[:, :, None, None], own["initial_conv.0.weight"], own["initial_conv.0.bias"]
        )
        x = _gated(_normalised(own, "initial_conv.1", x))
        return x / x.square().sum(dim=1, keepdim=True).sqrt()

    def layer(x: Tensor, i: int) -> Tensor:
        up = f"layers.{i}.0."
        if f"layers.{i}.2.norm.g" in own:
            x = x + _attended(x, own, f"layers.{i}.2.")
        if up + "0.net.0.weight" in own:
            y = F.conv2d(x, own[up + "0.net.0.weight"], own[up + "0.net.0.bias"])
            x = _shuffled(y * torch.sigmoid(y))
        else:
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = blurred(x) if up + "1.f" in own else x
        if up + "2.1.weight" in own:
            x = F.conv2d(F.pad(x, (2, 1, 2, 1)), own[up + "2.1.weight"], own[up + "2.1.bias"])
        else:
            x = F.conv2d(x, own[up + "2.weight"], own[up + "2.bias"], padding=1)
        noisy = up + "4.weight" in own
        if noisy and noise is not None:
            x = x + own[up + "3.weight"] * noise[8 * 2**i].double()
        return _gated(_normalised(own, up + ("4" if noisy else "3"), x))

    x, excitation = first(codes[:, 0]), 0
    for i in range(count):
        x = layer(x, i)
        if i >= 4:
            excitation += 1
            low = first(codes[:, excitation])
            for j in range(i - 2):
                low = layer(low, j)
            x = x * _factors(low, own, f"layers.{i - 3}.1.")
    return F.conv2d(x, own["out_conv.weight"], own["out_conv.bias"], padding=1)


def _normalised(own: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    statistics = (own[f"{name}.running_mean"], own[f"{name}.running_var"])
    return F.batch_norm(x, *statistics, own[f"{name}.weight"], own[f"{name}.bias"])


def _gated(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return one * torch.sigmoid(other)


def _shuffled(x: Tensor) -> Tensor:
    """Four channels become the four pixels of a square."""
    n, channels, height, width = x.shape
    result = x.new_zeros(n, channels // 4, 2 * height, 2 * width)
    for place in range(4):
        result[:, :, place // 2 :: 2, place % 2 :: 2] = x[:, place::4]
    return result


def _factors(x: Tensor, own: dict[str, Tensor], at: str) -> Tensor:
    """The factors of an excitation, (N, C, 1, 1)."""
    if at + "to_k.weight" in own:
        weights = torch.exp(F.conv2d(x, own[at + "to_k.weight"], own[at + "to_k.bias"]))
        pooled = (x * weights).sum(dim=(2, 3), keepdim=True) / weights.sum(dim=(2, 3), keepdim=True)
    else:
        pooled = (x * own[at + "dct_weights"]).sum(dim=(2, 3), keepdim=True)
    y = F.conv2d(pooled, own[at + "net.0.weight"], own[at + "net.0.bias"])
    y = torch.where(y > 0.0, y, 0.1 * y)
    return torch.sigmoid(F.conv2d(y, own[at + "net.2.weight"], own[at + "net.2.bias"]))


def _attended(x: Tensor, own: dict[str, Tensor], at: str) -> Tensor:
    """What attention adds to a feature map."""
    y, to = normed(x, own[at + "norm.g"], own[at + "norm.b"]), at + "fn.to_"
    local = to + "lin_q.weight" in own
    linear = "lin_" if local else ""
    q = F.conv2d(y, own[f"{to}{linear}q.weight"])
    kv = F.conv2d(y, own[f"{to}{linear}kv.net.0.weight"], padding=1, groups=y.shape[1])
    k, v = F.conv2d(kv, own[f"{to}{linear}kv.net.1.weight"]).chunk(2, dim=1)
    out = attended_linearly(q, k, v)
    if local:
        k, v = F.conv2d(y, own[to + "kv.weight"]).chunk(2, dim=1)
        out = torch.cat([out, _attended_locally(F.conv2d(y, own[to + "q.weight"]), k, v)], dim=1)
    return F.conv2d(out, own[to + "out.weight"], own[to + "out.bias"])


def _attended_locally(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of each pixel to its 3 x 3 neighbours, which are zero beyond the border; head by head."""
    height, width = q.shape[2:]
    k, v = (F.pad(t, (1, 1, 1, 1)) for t in (k, v))
    moved = [(a, b) for a in range(3) for b in range(3)]
    heads = []
    for one, key, value in zip(*(t.chunk(HEADS, dim=1) for t in (q, k, v)), strict=True):
        similar = torch.stack(
            [(one * key[:, :, a : a + height, b : b + width]).sum(dim=1) for a, b in moved]
        )  # (9, N, H, W)
        weights = (similar / one.shape[1] ** 0.5).softmax(dim=0)
        heads.append(
            sum(
                weight[:, None] * value[:, :, a : a + height, b : b + width]
                for weight, (a, b) in zip(weights, moved, strict=True)
            )
        )
    return torch.cat(heads, dim=1)  # type: ignore[arg-type]
