"""Compute plain forward passes: what one would write first, from the papers and the published tensors.

Nothing of ganstrata is called. What depends on the weights alone is computed once, as a careful programmer
would; otherwise each formula is as in its paper, without strata, states or folding.
Every module has `prepare(tensors, architecture, layout) -> Forward`:

    tensors: under the plugin's own names, as `model convert` stores them.
    architecture: the plain values stored beside them.
    layout: memory format of weights and feature maps.

A Forward turns codes (N, L, D) and class weights (N, Y), or None, into images (N, 3, H, W) in [0, 1].
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Forward = Callable[[Tensor, Tensor | None], Tensor]


def prepare(
    plugin: str,
    tensors: Mapping[str, Tensor],
    architecture: Mapping[str, Any],
    layout: torch.memory_format,
    **more: Any,
) -> Forward:
    """Return the forward pass of a generator plugin's network; `more` are further arguments of its module."""
    laid_out = {
        name: tensor.float().contiguous(memory_format=layout) if tensor.ndim == 4 else tensor.float()
        for name, tensor in tensors.items()
    }
    forward: Forward = importlib.import_module(f"plain.{plugin}").prepare(
        laid_out, architecture, layout, **more
    )
    return forward
