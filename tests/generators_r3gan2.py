"""Small random R3GAN2s under the published names."""

from __future__ import annotations

import torch
from torch import Tensor

LAYOUTS = ("pickle", "bare")
ENCODERS = {"rgb": 3, "stability": 4, "flux2": 32}  # channels of the output


def small_state(
    layout: str = "pickle", outputs: int = 3, classes: int = 4, seed: int = 0
) -> dict[str, Tensor]:
    """A generator of two stages, with attention: `pickle` with the wrapper's prefix, `bare` without."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    state = {
        "Head.LinearLayer1.Weight.Weight": draw(8, 5 + (3 if classes else 0) + 1),
        "Head.LinearLayer2.Basis.Weight": draw(8, 4, 4, 4),
        "Head.LinearLayer3.Weight.Weight": draw(8, 8, 1, 1),
        "Head.Resampler.Kernel": torch.outer(row, row) / 64.0,
        "MainLayers.0.Layers.0.LinearLayer1.Weight.Weight": draw(8, 10, 1, 1),
        "MainLayers.0.Layers.0.LinearLayer2.Weight.Weight": draw(8, 4, 3, 3),
        "MainLayers.0.Layers.0.LinearLayer3.Weight.Weight": draw(8, 8, 1, 1),
        "MainLayers.0.Layers.1.QKVLayer.Weight.Weight": draw(24, 9, 1, 1),
        "MainLayers.0.Layers.1.ProjectionLayer.Weight.Weight": draw(8, 8, 1, 1),
        "MainLayers.0.Layers.1.Sinks": draw(2),
        "MainLayers.0.Layers.1.RoPE.periods": torch.ones(1),
        "MainLayers.0.ParametrizedAlphas.0.Value": draw(8),
        "MainLayers.0.ParametrizedAlphas.1.Value": draw(8),
        "TransitionLayers.0.Resampler.Kernel": torch.outer(torch.tensor([0.25, 0.5, 0.25]), row[:3] / 7.0),
        "MainLayers.1.Layers.0.LinearLayer1.Weight.Weight": draw(8, 6, 1, 1),
        "MainLayers.1.Layers.0.LinearLayer2.Weight.Weight": draw(8, 4, 3, 3),
        "MainLayers.1.Layers.0.LinearLayer3.Weight.Weight": draw(4, 8, 1, 1),
        "MainLayers.1.ParametrizedAlphas.0.Value": draw(4),
        "AggregationLayer.Weight.Weight": draw(outputs, 4, 1, 1),
        "Gain": torch.tensor(0.6),
    }
    if classes:
        state["EmbeddingLayer.Weight.Weight"] = draw(classes, 3)
    prefix = "Model." if layout == "pickle" else ""
    return {prefix + name: tensor.contiguous() for name, tensor in state.items()}
