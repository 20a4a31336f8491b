"""Small BigGANs as StudioGAN stores them, with their forward pass.

Written from what is known of the library, independently of the package, and in double precision. Weights
have the singular vectors of torch's spectral normalisation, u and v.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def studio(
    widths: Sequence[int] = (16, 8, 8),
    *,
    deep: bool = False,
    skip: bool = False,
    chunk: int = 3,
    classes: int = 5,
    shared: int = 6,
    attention: int | None = 0,
    spectral: bool = True,
    seed: int = 0,
) -> State:
    """A state dict of StudioGAN's generator.

    Args:
        widths: of the feature maps, a stage between each and the next.
        deep: BigGAN-deep, whose stages have two blocks and whose blocks read all of z.
        skip: whether the shortcuts of BigGAN-deep are convolutions.
        chunk: entries of z that a linear map reads.
        classes: how many; 0 for an unconditional network.
        shared: width of the shared embedding.
        attention: block behind which it stands.
        spectral: whether weights come with singular vectors.
        seed: of the weights.
    """
    random = torch.Generator().manual_seed(seed)
    state: State = {}

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    def weight(name: str, *shape: int, bias: bool = True) -> None:
        values = draw(*shape) / torch.tensor(shape[1:]).prod() ** 0.5
        state[f"{name}.weight_orig" if spectral else f"{name}.weight"] = values
        if bias:
            state[f"{name}.bias"] = 0.3 * draw(shape[0])
        if spectral:
            v = draw(values[0].numel())
            for _ in range(5):
                u = F.normalize(values.flatten(1) @ v, dim=0)
                v = F.normalize(u @ values.flatten(1), dim=0)
            state[f"{name}.weight_u"], state[f"{name}.weight_v"] = u, v

    def statistics(name: str, channels: int) -> None:
        state[f"{name}.running_mean"] = 0.1 * draw(channels)
        state[f"{name}.running_var"] = 0.01 + torch.rand(channels, generator=random)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    embedding = shared if classes else 0
    if classes:
        state["shared.weight"] = draw(classes, shared)
    weight("linear0", widths[0] * 16, chunk + (embedding if deep else 0))
    pairs = list(pairwise(widths))
    if deep:
        pairs = [pair for a, b in pairs for pair in ((a, a), (a, b))]
    place = 0
    for i, (a, b) in enumerate(pairs):
        h, name = a // 4, f"blocks.{place}.0"
        shapes = ((a, h, 1), (h, h, 3), (h, h, 3), (h, b, 1)) if deep else ((a, b, 3), (b, b, 3))
        for j, (inputs, outputs, kernel) in enumerate(shapes, 1):
            for part in ("gain", "bias"):
                weight(f"{name}.bn{j}.{part}", inputs, embedding + chunk, bias=False)
            statistics(f"{name}.bn{j}.bn", inputs)
            weight(f"{name}.conv2d{j}", outputs, inputs, kernel, kernel)
        if skip or not deep:
            weight(f"{name}.conv2d0", b, a, 1, 1)
        place += 1
        if i == attention:
            name = f"blocks.{place}.0"
            weight(f"{name}.conv1x1_theta", b // 8, b, 1, 1, bias=False)
            weight(f"{name}.conv1x1_phi", b // 8, b, 1, 1, bias=False)
            weight(f"{name}.conv1x1_g", b // 2, b, 1, 1, bias=False)
            weight(f"{name}.conv1x1_attn", b, b // 2, 1, 1, bias=False)
            state[f"{name}.sigma"] = torch.tensor([0.7])
            place += 1
    state["bn4.weight"], state["bn4.bias"] = 0.3 * draw(widths[-1]), 0.3 * draw(widths[-1])
    statistics("bn4", widths[-1])
    weight("conv2d5", 3, widths[-1], 3, 3)
    return state


def pictures(state: State, z: Tensor, weights: Tensor | None, *, up: Sequence[bool] | None = None) -> Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] of z (N, Z) and class weights (N, Y)."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def matrix(name: str) -> Tensor:
        if f"{name}.weight" in state:
            return state[f"{name}.weight"]
        weight = state[f"{name}.weight_orig"]
        return weight / torch.dot(state[f"{name}.weight_u"], weight.flatten(1) @ state[f"{name}.weight_v"])

    def conv(name: str, x: Tensor) -> Tensor:
        weight = matrix(name)
        return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[2] // 2)

    def norm(name: str, x: Tensor, y: Tensor) -> Tensor:
        mean, var = (state[f"{name}.bn.running_{part}"][:, None, None] for part in ("mean", "var"))
        gain, bias = (F.linear(y, matrix(f"{name}.{part}"))[:, :, None, None] for part in ("gain", "bias"))
        return F.relu((x - mean) / (var + 1e-4).sqrt() * (1.0 + gain) + bias)

    def double(x: Tensor, doubled: bool) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3) if doubled else x

    deep = "blocks.0.0.conv2d4.bias" in state
    z = z.double()
    label = z[:, :0] if weights is None else weights.double() @ state["shared.weight"]
    if deep:
        first = torch.cat([label, z], 1)
        rest = [first] * 100
    else:
        first, *chunks = z.split(matrix("linear0").shape[1], 1)
        rest = [torch.cat([label, chunk], 1) for chunk in chunks]
    x = F.linear(first, matrix("linear0"), state["linear0.bias"])
    x = x.view(len(z), -1, 4, 4)
    block = place = 0
    while any(name.startswith(f"blocks.{place}.") for name in state):
        name = f"blocks.{place}.0"
        place += 1
        if f"{name}.sigma" in state:
            theta = conv(f"{name}.conv1x1_theta", x).flatten(2)
            phi, g = (F.max_pool2d(conv(f"{name}.conv1x1_{part}", x), 2).flatten(2) for part in ("phi", "g"))
            mixed = g @ torch.softmax(theta.transpose(1, 2) @ phi, 2).transpose(1, 2)
            mixed = mixed.view(len(x), -1, *x.shape[2:])
            x = x + state[f"{name}.sigma"] * conv(f"{name}.conv1x1_attn", mixed)
            continue
        y, doubled = rest[block], (block % 2 == 1 if deep else True) if up is None else up[block]
        block += 1
        if deep:
            h = conv(f"{name}.conv2d1", norm(f"{name}.bn1", x, y))
            h = conv(f"{name}.conv2d2", double(norm(f"{name}.bn2", h, y), doubled))
            h = conv(f"{name}.conv2d3", norm(f"{name}.bn3", h, y))
            h = conv(f"{name}.conv2d4", norm(f"{name}.bn4", h, y))
        else:
            h = conv(f"{name}.conv2d1", double(norm(f"{name}.bn1", x, y), doubled))
            h = conv(f"{name}.conv2d2", norm(f"{name}.bn2", h, y))
        x = double(x, doubled)
        x = h + (conv(f"{name}.conv2d0", x) if f"{name}.conv2d0.bias" in state else x[:, : h.shape[1]])
    mean, var, gain, bias = (
        state[f"bn4.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return torch.tanh(conv("conv2d5", F.relu((x - mean) / (var + 1e-4).sqrt() * gain + bias)))
