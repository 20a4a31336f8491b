"""Small random networks of lucidrains' stylegan2-pytorch, and the forward pass written plainly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HEADS = 8


def small_state(
    widths: tuple[int, ...] = (8, 6, 4),
    size: int = 10,
    depth: int = 2,
    colours: int = 3,
    attention: tuple[int, ...] = (),
    constant: bool = True,
    blurred: bool = True,
    others: bool = True,
    names: tuple[str, str] = ("SE.", "GE."),
    seed: int = 0,
) -> dict[str, Tensor]:
    """The entry GAN of a training file: one pair of networks, and with `others` tensors of the rest.

    Args:
        attention: numbers of the blocks before which there is attention.
        names: prefixes of the mapping and the synthesis network.
    """
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        fan_in = torch.tensor(shape[1:]).prod() if len(shape) > 1 else torch.tensor(4.0)
        return scale * torch.randn(shape, generator=random) / fan_in**0.5

    mapping, own = names
    state: dict[str, Tensor] = {}
    for i in range(depth):  # the learning rate of 0.1 is undone, so that w varies
        state[f"{mapping}net.{2 * i}.weight"] = draw(size, size, scale=20.0)
        state[f"{mapping}net.{2 * i}.bias"] = draw(size, scale=5.0)
    first = widths[0]
    if constant:
        state[f"{own}initial_block"] = torch.randn(1, first, 4, 4, generator=random)
    else:
        state[f"{own}to_initial_block.weight"] = torch.randn(size, first, 4, 4, generator=random)
    state |= {f"{own}initial_conv.weight": draw(first, first, 3, 3), f"{own}initial_conv.bias": draw(first)}
    for i, (inputs, outputs) in enumerate(zip((first, *widths[:-1]), widths, strict=True)):
        block = f"{own}blocks.{i}."
        for j, channels in ((1, inputs), (2, outputs)):
            state[f"{block}to_style{j}.weight"] = draw(channels, size)
            state[f"{block}to_style{j}.bias"] = draw(channels)
            state[f"{block}to_noise{j}.weight"] = draw(outputs, 1)
            state[f"{block}to_noise{j}.bias"] = draw(outputs)
            state[f"{block}conv{j}.weight"] = draw(outputs, channels, 3, 3)
        state[f"{block}to_rgb.to_style.weight"] = draw(outputs, size)
        state[f"{block}to_rgb.to_style.bias"] = draw(outputs)
        state[f"{block}to_rgb.conv.weight"] = draw(colours, outputs, 1, 1)
        if blurred and i < len(widths) - 1:
            state[f"{block}to_rgb.upsample.1.f"] = torch.tensor([1.0, 2.0, 1.0])
        if i in attention:
            state |= {f"{own}attns.{i}.{name}": draw(*shape) for name, shape in _attention(inputs).items()}
    if others:
        state |= {"D.blocks.0.conv_res.weight": draw(3, 3, 1, 1), "D_aug.D.to_logit.bias": draw(1)}
    return state


def _attention(channels: int, inside: int = 2 * HEADS) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of attention and of the layers after it."""
    attend, feed = "0.fn.", "1.fn."
    return {
        f"{attend}norm.g": (1, channels, 1, 1),
        f"{attend}norm.b": (1, channels, 1, 1),
        f"{attend}fn.to_q.weight": (inside, channels, 1, 1),
        f"{attend}fn.to_kv.net.0.weight": (channels, 1, 3, 3),
        f"{attend}fn.to_kv.net.1.weight": (2 * inside, channels, 1, 1),
        f"{attend}fn.to_out.weight": (channels, inside, 1, 1),
        f"{attend}fn.to_out.bias": (channels,),
        f"{feed}norm.g": (1, channels, 1, 1),
        f"{feed}norm.b": (1, channels, 1, 1),
        f"{feed}fn.0.weight": (2 * channels, channels, 1, 1),
        f"{feed}fn.0.bias": (2 * channels,),
        f"{feed}fn.2.weight": (channels, 2 * channels, 1, 1),
        f"{feed}fn.2.bias": (channels,),
    }


def mapped(state: dict[str, Tensor], z: Tensor, lr_mlp: float = 0.1, mapping: str = "SE.") -> Tensor:
    """Codes w (N, D) of z (N, D), in double precision."""
    x = z.double() / z.double().norm(dim=1, keepdim=True)
    i = 0
    while f"{mapping}net.{i}.weight" in state:
        weight, bias = (state[f"{mapping}net.{i}.{kind}"].double() * lr_mlp for kind in ("weight", "bias"))
        x = _leaky(x @ weight.t() + bias)
        i += 2
    return x


def plain(state: dict[str, Tensor], codes: Tensor, noise: Tensor, prefix: str = "GE.") -> Tensor:
    """Images (N, colours, H, W) of codes (N, L, D) in double precision, with a kernel per sample.

    `noise` is (H, W, 1) or (N, H, W, 1), as the library draws it.
    """
    own = {
        name.removeprefix(prefix): tensor.double()
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    codes, noise = codes.double(), noise.double().expand(codes.shape[0], -1, -1, 1)
    if "initial_block" in own:
        x = own["initial_block"].expand(codes.shape[0], -1, -1, -1)
    else:
        x = torch.einsum("nz,zcyx->ncyx", codes.mean(dim=1), own["to_initial_block.weight"])
    x = F.conv2d(x, own["initial_conv.weight"], own["initial_conv.bias"], padding=1)
    rgb = torch.zeros(())
    for i in range(codes.shape[1]):
        at, code = f"blocks.{i}.", codes[:, i]
        x = _attended(x, own, f"attns.{i}.") if f"attns.{i}.0.fn.norm.g" in own else x
        x = F.interpolate(x, scale_factor=2, mode="bilinear") if i else x
        for j in (1, 2):
            shown = noise[:, : x.shape[3], : x.shape[2], 0]  # (N, W, H): the library exchanges the axes
            added = torch.einsum("nxy,c->ncyx", shown, own[f"{at}to_noise{j}.weight"][:, 0])
            style = code @ own[f"{at}to_style{j}.weight"].t() + own[f"{at}to_style{j}.bias"]
            x = _modulated(x, own[f"{at}conv{j}.weight"], style, demodulate=True)
            x = _leaky(x + added + own[f"{at}to_noise{j}.bias"][:, None, None])
        style = code @ own[f"{at}to_rgb.to_style.weight"].t() + own[f"{at}to_rgb.to_style.bias"]
        rgb = rgb + _modulated(x, own[f"{at}to_rgb.conv.weight"], style, demodulate=False)
        if i < codes.shape[1] - 1:
            rgb = F.interpolate(rgb, scale_factor=2, mode="bilinear")
            rgb = blurred(rgb) if f"{at}to_rgb.upsample.1.f" in own else rgb
    return rgb


def _leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0.0, x, 0.2 * x)


def _modulated(x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool) -> Tensor:
    """Convolve every sample with its own weights."""
    pictures = []
    for picture, factors in zip(x, style, strict=True):
        own = weight * (1.0 + factors)[None, :, None, None]
        if demodulate:
            own = own / (own.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        pictures.append(F.conv2d(picture[None], own, padding=weight.shape[2] // 2))
    return torch.cat(pictures)


def blurred(rgb: Tensor) -> Tensor:
    """The weighted mean of the 3 x 3 pixels around each, mirrored at the border without repeating it."""
    padded = F.pad(rgb, (1, 1, 1, 1), mode="reflect")
    height, width = rgb.shape[2:]
    total = torch.zeros_like(rgb)
    for a, down in enumerate((1.0, 2.0, 1.0)):
        for b, right in enumerate((1.0, 2.0, 1.0)):
            total += down * right / 16.0 * padded[:, :, a : a + height, b : b + width]
    return total


def normed(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Every pixel's channels with mean 0 and variance 1, then scaled and shifted."""
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() * gain + bias


def attended_linearly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Linear attention of (N, E, H, W), each head and sample by itself, and GELU."""
    samples = []
    for sample in range(q.shape[0]):
        heads = []
        for one, key, value in zip(*(t[sample].flatten(1).chunk(HEADS) for t in (q, k, v)), strict=True):
            context = key.softmax(dim=1) @ value.t()  # (E / heads, E / heads)
            heads.append((one.softmax(dim=0) * one.shape[0] ** -0.5).t() @ context)  # (H W, E / heads)
        samples.append(torch.cat(heads, dim=1).t().reshape(q.shape[1:]))
    return F.gelu(torch.stack(samples))


def _attended(x: Tensor, own: dict[str, Tensor], at: str) -> Tensor:
    """A feature map with attention, and the layer of each pixel, added."""
    y = normed(x, own[f"{at}0.fn.norm.g"], own[f"{at}0.fn.norm.b"])
    q = F.conv2d(y, own[f"{at}0.fn.fn.to_q.weight"])
    y = F.conv2d(y, own[f"{at}0.fn.fn.to_kv.net.0.weight"], padding=1, groups=y.shape[1])
    k, v = F.conv2d(y, own[f"{at}0.fn.fn.to_kv.net.1.weight"]).chunk(2, dim=1)
    out = attended_linearly(q, k, v)
    x = x + F.conv2d(out, own[f"{at}0.fn.fn.to_out.weight"], own[f"{at}0.fn.fn.to_out.bias"])
    y = normed(x, own[f"{at}1.fn.norm.g"], own[f"{at}1.fn.norm.b"])
    y = _leaky(F.conv2d(y, own[f"{at}1.fn.fn.0.weight"], own[f"{at}1.fn.fn.0.bias"]))
    return x + F.conv2d(y, own[f"{at}1.fn.fn.2.weight"], own[f"{at}1.fn.fn.2.bias"])
