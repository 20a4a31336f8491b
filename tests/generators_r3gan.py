"""Small random R3GANs under the published names, and the forward pass written plainly from the paper."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LAYOUTS = ("pickle", "bare")


def small_state(
    layout: str = "pickle",
    widths: tuple[int, ...] = (6, 6, 4),
    blocks: tuple[int, ...] = (2, 1, 2),
    groups: tuple[int, ...] = (4, 3, 2),
    z: int = 5,
    classes: int = 0,
    embedding: int = 3,
    expansion: int = 2,
    taps: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0),
    seed: int = 0,
) -> dict[str, Tensor]:
    """A generator as it is published: `pickle` with the wrapper's prefix, `bare` without."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        fan_in = torch.tensor(shape[1:]).prod() if len(shape) > 1 else torch.tensor(4.0)
        return torch.randn(shape, generator=random) / fan_in**0.5

    inputs = z + (embedding if classes else 0)
    state = {"MainLayers.0.Layers.0.Basis": torch.randn(widths[0], 4, 4, generator=random)}
    state["MainLayers.0.Layers.0.LinearLayer.weight"] = draw(widths[0], inputs)
    if classes:
        state["EmbeddingLayer.weight"] = draw(embedding, classes) * classes**0.5
    for stage, width in enumerate(widths):
        at = f"MainLayers.{stage}.Layers."
        if stage:
            row = torch.tensor(taps)
            state[at + "0.Resampler.Kernel"] = torch.outer(row, row) / row.sum() ** 2
            if widths[stage - 1] != width:
                state[at + "0.LinearLayer.Layer.weight"] = draw(width, widths[stage - 1], 1, 1)
        for block in range(1, blocks[stage] + 1):
            inside = width * expansion
            state[f"{at}{block}.LinearLayer1.Layer.weight"] = draw(inside, width, 1, 1)
            state[f"{at}{block}.LinearLayer2.Layer.weight"] = draw(inside, inside // groups[stage], 3, 3)
            state[f"{at}{block}.LinearLayer3.Layer.weight"] = draw(width, inside, 1, 1)
            state[f"{at}{block}.NonLinearity1.Bias"] = draw(inside)
            state[f"{at}{block}.NonLinearity2.Bias"] = draw(inside)
    state["AggregationLayer.Layer.weight"] = draw(3, widths[-1], 1, 1)
    prefix = "Model." if layout == "pickle" else ""
    return {prefix + name: tensor.contiguous() for name, tensor in state.items()}


def plain(state: dict[str, Tensor], z: Tensor, classes: Tensor | None = None) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1], in double precision; every group and tap of a filter by itself."""
    own = {name.removeprefix("Model."): tensor.double() for name, tensor in state.items()}
    x = z.double()
    if classes is not None:
        x = torch.cat([x, own["EmbeddingLayer.weight"].t()[classes]], dim=1)
    share = x @ own["MainLayers.0.Layers.0.LinearLayer.weight"].t()
    x = torch.einsum("nc,cyx->ncyx", share, own["MainLayers.0.Layers.0.Basis"])
    stage = 0
    while any(name.startswith(f"MainLayers.{stage}.") for name in own):
        at = f"MainLayers.{stage}.Layers."
        if stage:
            mixed = own.get(at + "0.LinearLayer.Layer.weight")
            x = x if mixed is None else torch.einsum("oi,niyx->noyx", mixed[:, :, 0, 0], x)
            x = _interpolated(x, own[at + "0.Resampler.Kernel"])
        block = 1
        while f"{at}{block}.NonLinearity1.Bias" in own:
            x = x + _inside(x, own, f"{at}{block}.")
            block += 1
        stage += 1
    return torch.einsum("oi,niyx->noyx", own["AggregationLayer.Layer.weight"][:, :, 0, 0], x)


def _interpolated(x: Tensor, kernel: Tensor) -> Tensor:
    """Zeros between the pixels, then the filter, four times as strong since three in four pixels are zero."""
    size = kernel.shape[0]
    spread = x.new_zeros(x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3])
    spread[:, :, ::2, ::2] = x
    before, after = size // 2, size // 2 - 1
    spread = F.pad(spread, (before, after, before, after))
    height, width = 2 * x.shape[2], 2 * x.shape[3]
    kernel = kernel.flip(0, 1)
    return sum(
        4.0 * kernel[a, b] * spread[:, :, a : a + height, b : b + width]
        for a in range(size)
        for b in range(size)
    )  # type: ignore[return-value]


def _inside(x: Tensor, own: dict[str, Tensor], at: str) -> Tensor:
    """What a residual block adds."""
    x = (
        torch.einsum("oi,niyx->noyx", own[at + "LinearLayer1.Layer.weight"][:, :, 0, 0], x)
        + own[at + "NonLinearity1.Bias"][:, None, None]
    )
    x = torch.where(x > 0.0, x, 0.2 * x)
    weight = own[at + "LinearLayer2.Layer.weight"]
    each = weight.shape[1]
    parts = [
        F.conv2d(x[:, g : g + each], weight[g : g + each], padding=1) for g in range(0, weight.shape[0], each)
    ]
    x = torch.cat(parts, dim=1) + own[at + "NonLinearity2.Bias"][:, None, None]
    x = torch.where(x > 0.0, x, 0.2 * x)
    return torch.einsum("oi,niyx->noyx", own[at + "LinearLayer3.Layer.weight"][:, :, 0, 0], x)
