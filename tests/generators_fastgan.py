"""Small random FastGANs under the names of its two published forms, and the forward pass written plainly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FORMS = ("FastGAN", "projected", "lite", "conditional", "conditional lite")
MULTIPLES = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}
SINGLE = (16, 64, 256, 1024)  # levels of FastGAN whose block has one convolution
CLASSES = 3


def small_state(
    form: str = "FastGAN",
    size: int = 256,
    base: int = 4,
    z: int = 6,
    colours: int = 3,
    seed: int = 0,
    top: int | None = None,
) -> dict[str, Tensor]:
    """A generator with the names of its form.

    Args:
        form: one of FORMS.
        size: pixels of the picture.
        base: channels of the level of 128 pixels.
        z: width of z.
        colours: channels of the picture.
        seed: of the weights.
        top: highest level that is built; default `size`.
    """
    random = torch.Generator().manual_seed(seed)
    width = {r: int(times * base) for r, times in MULTIPLES.items()}
    state: dict[str, Tensor] = {}
    prefix = "" if form == "FastGAN" else "synthesis."

    def spectral(name: str, *shape: int, rows: int = 0, strength: float = 1.0) -> None:
        weight = torch.randn(shape, generator=random)
        outputs = shape[rows]
        u, v = (torch.randn(n, generator=random) for n in (outputs, weight.numel() // outputs))
        for _ in range(3):  # nearly the singular vectors, as training leaves them
            matrix = weight.transpose(0, rows).flatten(1)
            v = F.normalize(u @ matrix, dim=0)
            u = F.normalize(matrix @ v, dim=0)
        state[f"{prefix}{name}.weight_orig"] = weight
        state[f"{prefix}{name}.weight_u"], state[f"{prefix}{name}.weight_v"] = u / strength, v

    def norm(name: str, channels: int, mean: str = "running_mean", var: str = "running_var") -> None:
        state[f"{prefix}{name}.{mean}"] = 0.1 * torch.randn(channels, generator=random)
        state[f"{prefix}{name}.{var}"] = 0.2 + 0.3 * torch.rand(channels, generator=random)
        if mean == "running_mean":
            state[f"{prefix}{name}.weight"] = 1.0 + 0.3 * torch.randn(channels, generator=random)
            state[f"{prefix}{name}.bias"] = 0.5 * torch.randn(channels, generator=random)
            state[f"{prefix}{name}.num_batches_tracked"] = torch.tensor(7)

    def convolution(level: str, place: int, inputs: int, outputs: int, *, noisy: bool) -> None:
        if not form.startswith("conditional"):
            spectral(f"{level}.{place}", 2 * outputs, inputs, 3, 3)
            if noisy:
                state[f"{prefix}{level}.{place + 1}.weight"] = 0.3 * torch.randn(1, generator=random)
            norm(f"{level}.{place + 1 + noisy}", 2 * outputs)
            return
        number = "" if form.endswith("lite") else "2" if place > 1 else "1"
        spectral(f"{level}.conv{number}", 2 * outputs, inputs, 3, 3)
        norm(f"{level}.bn{number}", 2 * outputs, "stored_mean", "stored_var")
        for kind in ("gain", "bias"):
            spectral(f"{level}.bn{number}.{kind}", 2 * outputs, z)
            bias = 0.3 * torch.randn(2 * outputs, generator=random)
            state[f"{prefix}{level}.bn{number}.{kind}.bias"] = bias

    spectral("init.init.0", z, 2 * width[4], 4, 4, rows=1)
    norm("init.init.1", 2 * width[4])
    for r in (8, 16, 32, 64, 128, 256, 512, 1024):
        if r > (top or size):
            break
        double = not form.endswith("lite") and not (form == "FastGAN" and r in SINGLE)
        convolution(f"feat_{r}", 1, width[r // 2], width[r], noisy=double)
        if double:
            convolution(f"feat_{r}", 5, width[r], width[r], noisy=True)
            if form == "conditional":
                state[f"{prefix}feat_{r}.noise.weight"] = 0.3 * torch.randn(1, generator=random)
        if r in (64, 128, 256, 512):
            spectral(f"se_{r}.main.1", width[r], width[r // 16], 4, 4, strength=10.0)
            spectral(f"se_{r}.main.3", width[r], width[r], 1, 1, strength=10.0)
    spectral("to_big", colours, width[size], 3, 3)
    if form == "FastGAN":
        spectral("to_128", colours, width[128], 1, 1)
    else:
        state["synthesis.to_big.bias"] = torch.randn(colours, generator=random)
    if form.startswith("conditional"):
        state["synthesis.embed.weight"] = torch.randn(CLASSES, z, generator=random)
    return state


def plain(
    state: dict[str, Tensor],
    codes: Tensor,
    noise: dict[tuple[int, int], Tensor] | None = None,
    classes: Tensor | None = None,
    *,
    size: int = 256,
    tanh: bool = False,
) -> Tensor:
    """Images (N, colours, H, W) in [-1, 1] of codes (N, L, Z), in double precision.

    `noise` has (1 or N, 1, r, r) for each level r and number of the convolution in it; None is no noise. The
    levels that excite others are made from the beginning for the code of each excitation.
    """
    own = {name.removeprefix("synthesis."): tensor.double() for name, tensor in state.items()}
    e = None if classes is None else own["embed.weight"][classes]

    def level(x: Tensor, r: int) -> Tensor:
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        at = f"feat_{r}."
        names = [name for name in ("1", "5", "conv", "conv1", "conv2") if f"{at}{name}.weight_orig" in own]
        for number, name in enumerate(names):
            x = F.conv2d(x, _spectral(own, at + name), padding=1)
            strength = own.get(f"{at}noise.weight")
            if strength is None and len(names) == 2 and name in "15":
                strength = own[f"{at}{int(name) + 1}.weight"]
            if strength is not None and noise is not None:
                x = x + strength * noise[r, number].double()
            norm = (
                name.replace("conv", "bn")
                if "conv" in name
                else str(int(name) + (2 if len(names) == 2 else 1))
            )
            x = _gated(_normed(own, at + norm, x, e))
        return x

    def low(code: Tensor, r: int) -> Tensor:
        z = code.double()
        z = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt() if "to_big.bias" in own else z
        x = F.conv_transpose2d(z[:, :, None, None], _spectral(own, "init.init.0", rows=1))
        x = _gated(_normed(own, "init.init.1", x, None))
        for below in (8, 16, 32):
            x = level(x, below) if below <= r else x
        return x

    x, r, layer = low(codes[:, 0], min(size, 32)), min(size, 32), 1
    while r < size:
        r *= 2
        x = level(x, r)
        if r <= 512:
            means = _mean_of_16(low(codes[:, layer], r // 16))
            y = torch.einsum("nckl,ockl->no", means, _spectral(own, f"se_{r}.main.1"))
            y = (y * torch.sigmoid(y)) @ _spectral(own, f"se_{r}.main.3")[:, :, 0, 0].t()
            x, layer = x * torch.sigmoid(y)[:, :, None, None], layer + 1
    x = F.conv2d(x, _spectral(own, "to_big"), own.get("to_big.bias"), padding=1)
    return torch.tanh(x) if tanh else x


def _spectral(own: dict[str, Tensor], name: str, rows: int = 0) -> Tensor:
    """The weight divided by sum over o and i of u_o W_oi v_i."""
    weight, u, v = (own[f"{name}.weight_{kind}"] for kind in ("orig", "u", "v"))
    matrix = weight.transpose(0, rows).reshape(u.shape[0], v.shape[0])
    return weight / torch.einsum("o,oi,i->", u, matrix, v)


def _normed(own: dict[str, Tensor], name: str, x: Tensor, e: Tensor | None) -> Tensor:
    """Batch normalisation with stored statistics, scaled and shifted by constants or by the class."""
    if e is None or f"{name}.running_mean" in own:
        statistics = (own[f"{name}.running_mean"], own[f"{name}.running_var"])
        return F.batch_norm(x, *statistics, own[f"{name}.weight"], own[f"{name}.bias"])
    x = F.batch_norm(x, own[f"{name}.stored_mean"], own[f"{name}.stored_var"])
    gain, bias = (
        e @ _spectral(own, f"{name}.{kind}").t() + own[f"{name}.{kind}.bias"] for kind in ("gain", "bias")
    )
    return x * (1.0 + gain)[:, :, None, None] + bias[:, :, None, None]


def _gated(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=1)
    return first * torch.sigmoid(second)


def _mean_of_16(x: Tensor) -> Tensor:
    """The means of 4 x 4 equal parts of every channel, (N, C, 4, 4)."""
    side = x.shape[2] // 4
    return x.unfold(2, side, side).unfold(3, side, side).mean(dim=(4, 5))
