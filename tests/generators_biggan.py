"""Random BigGANs under the names of every published layout, and the network written plainly in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
ORIGINAL_128, DEEP_256 = (16, 16, 8, 4, 2, 1), (16, 16, 8, 8, 4, 2, 1)
"""Widths in units of ch, from the first feature map on: one per stage."""
Z_FIRST = {"theta": "theta", "phi": "phi", "g": "g", "o": "o_conv"}


def _weight(
    state: State, name: str, shape: Sequence[int], random: torch.Generator, *, spectral: bool, bias: bool
) -> None:
    state[f"{name}.weight"] = torch.randn(*shape, generator=random) / math.prod(shape[1:]) ** 0.5
    if bias:
        state[f"{name}.bias"] = torch.randn(shape[0], generator=random) / 4
    if spectral:
        state[f"{name}.u0"] = torch.randn(1, shape[0], generator=random)
        state[f"{name}.sv0"] = torch.ones(1)


def _statistics(state: State, name: str, channels: int, random: torch.Generator) -> None:
    state[f"{name}.stored_mean"] = torch.randn(channels, generator=random) / 10
    state[f"{name}.stored_var"] = torch.rand(channels, generator=random) + 0.5


def pytorch(
    widths: Sequence[int] = (16, 16, 8, 4),
    *,
    deep: bool = False,
    chunk: int = 3,
    classes: int = 5,
    shared: int | None = 6,
    hierarchical: bool = True,
    attention: Sequence[int] = (1,),
    spectral: bool = True,
    depth: int = 2,
    bottom: int = 4,
    seed: int = 0,
) -> State:
    """A state dict as BigGAN-PyTorch saves it: ajbrock's BigGAN.Generator, or BigGANdeep.Generator.

    Args:
        widths: of the feature maps, a stage between each and the next.
        deep: BigGAN-deep, whose stages have `depth` blocks.
        chunk: entries of z that a linear map reads; all of them in deep.
        classes: how many.
        shared: width of the shared embedding; None for an embedding in every normalisation.
        hierarchical: whether normalisations read z.
        attention: blocks behind which it stands.
        spectral: whether weights come with singular vectors.
        depth: blocks per stage, in deep.
        bottom: pixels of the first feature map.
        seed: of the weights.
    """
    random = torch.Generator().manual_seed(seed)
    state: State = {}
    if shared is not None:
        state["shared.weight"] = torch.randn(classes, shared, generator=random)
    read = chunk + (shared or 0) if deep else chunk
    _weight(state, "linear", (widths[0] * bottom**2, read), random, spectral=spectral, bias=True)

    def norm(name: str, channels: int) -> None:
        for part in ("gain", "bias"):
            if shared is None:
                state[f"{name}.{part}.weight"] = torch.randn(classes, channels, generator=random) / 2
            else:
                inputs = shared + (chunk if hierarchical else 0)
                _weight(state, f"{name}.{part}", (channels, inputs), random, spectral=spectral, bias=False)
        _statistics(state, name, channels, random)

    pairs = list(pairwise(widths))
    if deep:
        pairs = [(a, b if i == depth - 1 else a) for a, b in pairs for i in range(depth)]
    for i, (a, b) in enumerate(pairs):
        h = a // 4
        shapes = ((a, h, 1), (h, h, 3), (h, h, 3), (h, b, 1)) if deep else ((a, b, 3), (b, b, 3))
        for j, (inputs, outputs, kernel) in enumerate(shapes, start=1):
            norm(f"blocks.{i}.0.bn{j}", inputs)
            _weight(
                state,
                f"blocks.{i}.0.conv{j}",
                (outputs, inputs, kernel, kernel),
                random,
                spectral=spectral,
                bias=True,
            )
        if not deep:
            _weight(state, f"blocks.{i}.0.conv_sc", (b, a, 1, 1), random, spectral=spectral, bias=True)
        if i in attention:
            for name, o, inputs in (
                ("theta", b // 8 or 1, b),
                ("phi", b // 8 or 1, b),
                ("g", b // 2, b),
                ("o", b, b // 2),
            ):
                _weight(
                    state, f"blocks.{i}.1.{name}", (o, inputs, 1, 1), random, spectral=spectral, bias=False
                )
            state[f"blocks.{i}.1.gamma"] = torch.tensor(0.7)
    state["output_layer.0.gain"] = torch.rand(widths[-1], generator=random) / 4 + 0.1
    state["output_layer.0.bias"] = torch.randn(widths[-1], generator=random) / 4
    _statistics(state, "output_layer.0", widths[-1], random)
    _weight(state, "output_layer.2", (3, widths[-1], 3, 3), random, spectral=spectral, bias=True)
    return state


def own_statistics(state: State) -> State:
    """The same network with ajbrock's batch normalisation (`mybn`), whose statistics are one level down."""
    own = {}
    for name, tensor in state.items():
        head, _, kind = name.rpartition(".")
        if kind in ("stored_mean", "stored_var"):
            own[f"{head}.bn.{kind}"] = tensor
            own[f"{head}.bn.accumulation_counter"] = torch.zeros(1)
        else:
            own[name] = tensor
    return own


def _settled_vectors(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Unit u and v for which u' W v is what a step of power iteration from u gives."""
    matrix = weight.flatten(1).double()
    v = F.normalize(u.flatten().double() @ matrix, dim=0)
    return F.normalize(matrix @ v, dim=0).float(), v.float()


def hugging_face(deep: State | None = None, *, rows: int = 51, vary: bool = False, colours: int = 3) -> State:
    """A network of BigGANdeep.Generator as pytorch-pretrained-BigGAN saves it.

    Args:
        deep: from pytorch(deep=True).
        rows: of the tables of statistics.
        vary: make the rows differ; otherwise all are the network's own.
        colours: output channels of the last convolution, 3 of which are used.
    """
    deep = pytorch((24, 24, 12, 6), deep=True) if deep is None else deep
    embedding = deep["shared.weight"].shape[1]
    z = deep["linear.weight"].shape[1] - embedding
    attention = sorted(int(name.split(".")[1]) for name in deep if name.endswith(".1.gamma"))
    state: State = {"embeddings.weight": deep["shared.weight"].t().contiguous()}

    def weight(theirs: str, ours: str, *, rows_by_pixel: bool = False) -> None:
        values, u = deep[f"{ours}.weight"], deep[f"{ours}.u0"].flatten()
        if values.ndim == 2:  # the class comes behind z
            values = torch.cat([values[:, embedding:], values[:, :embedding]], dim=1)
        bias = deep.get(f"{ours}.bias")
        if rows_by_pixel:
            order = torch.arange(len(values)).view(-1, 16).t().flatten()
            values, u, bias = values[order], u[order], None if bias is None else bias[order]
        state[f"{theirs}.weight_orig"] = values
        state[f"{theirs}.weight_u"], state[f"{theirs}.weight_v"] = _settled_vectors(values, u)
        if bias is not None:
            state[f"{theirs}.bias"] = bias

    def statistics(theirs: str, ours: str) -> None:
        step = torch.linspace(0.0, 1.0, rows)[:, None] if vary else torch.zeros(rows, 1)
        state[f"{theirs}.running_means"] = deep[f"{ours}.stored_mean"] + step * 0.2
        state[f"{theirs}.running_vars"] = (
            deep[f"{ours}.stored_var"] * (1.0 + step) - 9e-5
        )  # 1e-4 is added to these, 1e-5 to those

    weight("generator.gen_z", "linear", rows_by_pixel=True)
    blocks = 1 + max(int(name.split(".")[1]) for name in deep if name.startswith("blocks."))
    layer = 0
    for i in range(blocks):
        for j in range(4):
            theirs, ours = f"generator.layers.{layer}.bn_{j}", f"blocks.{i}.0.bn{j + 1}"
            weight(f"{theirs}.scale", f"{ours}.gain")
            weight(f"{theirs}.offset", f"{ours}.bias")
            statistics(theirs, ours)
            weight(f"generator.layers.{layer}.conv_{j}", f"blocks.{i}.0.conv{j + 1}")
        layer += 1
        if i in attention:
            for part in ("theta", "phi", "g", "o"):
                weight(f"generator.layers.{layer}.snconv1x1_{Z_FIRST[part]}", f"blocks.{i}.1.{part}")
            state[f"generator.layers.{layer}.gamma"] = deep[f"blocks.{i}.1.gamma"].view(1)
            layer += 1
    statistics("generator.bn", "output_layer.0")
    state["generator.bn.weight"], state["generator.bn.bias"] = (
        deep["output_layer.0.gain"],
        deep["output_layer.0.bias"],
    )
    weight("generator.conv_to_rgb", "output_layer.2")
    if colours > 3:
        wider = torch.cat(
            [
                state["generator.conv_to_rgb.weight_orig"],
                torch.zeros(colours - 3, *deep["output_layer.2.weight"].shape[1:]),
            ]
        )
        state["generator.conv_to_rgb.weight_orig"] = wider
        for part in ("bias", "weight_u"):
            name = f"generator.conv_to_rgb.{part}"
            state[name] = torch.cat([state[name], torch.zeros(colours - 3)])
    assert z > 0
    return state


LAYOUTS: dict[str, Callable[[], State]] = {
    "BigGAN-PyTorch": pytorch,
    "BigGAN-PyTorch, no hierarchy": lambda: pytorch(hierarchical=False),
    "BigGAN-PyTorch, own statistics": lambda: own_statistics(pytorch()),
    "BigGAN-PyTorch, no spectral norm": lambda: pytorch(spectral=False),
    "BigGAN-PyTorch, an embedding per normalisation": lambda: pytorch(shared=None, hierarchical=False),
    "BigGAN-PyTorch, deep": lambda: pytorch((24, 24, 12, 6), deep=True),
    "pytorch-pretrained-BigGAN": hugging_face,
}


def small_state(layout: str = "BigGAN-PyTorch") -> State:
    """A small random network in one of LAYOUTS."""
    return LAYOUTS[layout]()


def plain(state: State, z: Tensor, weights: Tensor, *, up: Sequence[bool] | None = None) -> Tensor:
    """The bare forward of what pytorch() makes, in float64: images (N, 3, H, W) in [-1, 1].

    Args:
        state: as from pytorch().
        z: (N, Z).
        weights: of the classes (N, Y).
        up: which blocks double the size; default all in the original, every second in deep.
    """
    state = {name: tensor.double() for name, tensor in state.items()}
    z, weights = z.double(), weights.double()
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    deep = "blocks.0.0.conv3.weight" in state

    def w(name: str) -> Tensor:
        weight = state[f"{name}.weight"]
        if f"{name}.u0" not in state:
            return weight
        matrix = weight.flatten(1)
        v = F.normalize(state[f"{name}.u0"] @ matrix)
        u = F.normalize(v @ matrix.t())
        return weight / (v @ matrix.t() @ u.t())

    def conv(name: str, x: Tensor) -> Tensor:
        weight = w(name)
        return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    def norm(name: str, x: Tensor, y: Tensor) -> Tensor:
        shared = "shared.weight" in state
        gain, bias = (
            y @ (w(f"{name}.{part}").t() if shared else w(f"{name}.{part}")) for part in ("gain", "bias")
        )
        x = F.batch_norm(x, state[f"{name}.stored_mean"], state[f"{name}.stored_var"], eps=1e-5)
        return F.relu(x * (1 + gain)[:, :, None, None] + bias[:, :, None, None])

    e = weights @ state["shared.weight"] if "shared.weight" in state else weights
    read = w("linear").shape[1]
    if deep:
        first = torch.cat([e, z], dim=1)
        ys = [first] * blocks
    else:
        chunks = z.split(read, dim=1)
        first = chunks[0]
        ys = [torch.cat([e, c], dim=1) for c in chunks[1:]] or [e] * blocks
    x = F.linear(first, w("linear"), state["linear.bias"])
    bottom = math.isqrt(x.shape[1] // state["blocks.0.0.bn1.stored_mean"].shape[0])
    x = x.view(len(x), -1, bottom, bottom)
    for i, y in enumerate(ys):
        name = f"blocks.{i}.0"
        doubled = (i % 2 == 1 if deep else True) if up is None else up[i]
        scale = 2 if doubled else 1
        if deep:
            h = conv(f"{name}.conv1", norm(f"{name}.bn1", x, y))
            h = norm(f"{name}.bn2", h, y).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
            h = conv(f"{name}.conv3", norm(f"{name}.bn3", conv(f"{name}.conv2", h), y))
            h = conv(f"{name}.conv4", norm(f"{name}.bn4", h, y))
            x = h + x[:, : h.shape[1]].repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        else:
            h = norm(f"{name}.bn1", x, y).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
            h = conv(f"{name}.conv2", norm(f"{name}.bn2", conv(f"{name}.conv1", h), y))
            x = h + conv(f"{name}.conv_sc", x.repeat_interleave(scale, 2).repeat_interleave(scale, 3))
        if f"blocks.{i}.1.gamma" in state:
            name = f"blocks.{i}.1"
            query = conv(f"{name}.theta", x).flatten(2)
            key, value = (F.max_pool2d(conv(f"{name}.{part}", x), 2).flatten(2) for part in ("phi", "g"))
            seen = value @ torch.softmax(query.transpose(1, 2) @ key, dim=-1).transpose(1, 2)
            x = x + state[f"{name}.gamma"] * conv(f"{name}.o", seen.unflatten(2, x.shape[2:]))
    name = "output_layer.0"
    x = F.batch_norm(
        x,
        state[f"{name}.stored_mean"],
        state[f"{name}.stored_var"],
        state[f"{name}.gain"],
        state[f"{name}.bias"],
        eps=1e-5,
    )
    return torch.tanh(conv("output_layer.2", F.relu(x)))
