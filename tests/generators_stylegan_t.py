"""Small random networks of StyleGAN-T under the authors' names, and the inputs of their pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

Z, T, N = 5, 6, 2
FORMS: dict[str, dict[str, Any]] = {
    "text": {"sizes": (8, 16), "pairs": 1, "skip": True, "text": T},
    "unconditional": {"sizes": (8, 16, 32), "pairs": 2, "skip": False, "text": 0},
}
WIDTH = 32


def layers_of(form: str) -> int:
    """The number of layers."""
    of = FORMS[form]
    return 1 + len(of["sizes"]) * (1 + 2 * of["pairs"])


def small_state(form: str = "text", *, encoder: bool = True, **changes: Any) -> dict[str, Tensor]:
    """The state dict of a network with 32 channels, the fewest that 32 groups allow.

    Args:
        form: a key of FORMS.
        encoder: whether a conditional network has tensors of its text encoder.
        **changes: other sizes than those of the form: sizes, pairs, skip, text, width, colours.
    """
    of = {"width": WIDTH, "colours": 3} | FORMS[form] | changes
    random, state = np.random.default_rng(list(FORMS).index(form)), dict[str, Tensor]()
    w_dim, width = Z + of["text"], of["width"]

    def add(name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        values = mean + scale * random.standard_normal(shape)
        state[name] = torch.tensor(values, dtype=torch.float32)

    def kernel(name: str) -> None:
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        state[f"{name}.resample_filter"] = torch.outer(taps, taps) / 64.0

    def modulated(name: str, outputs: int, size: int, scale: float = 1.0) -> None:
        add(f"{name}.affine.proj.weight", 3 * width, w_dim)
        add(f"{name}.affine.proj.bias", 3 * width, scale=0.3, mean=1.0)
        add(f"{name}.weight", outputs, width, size, size, scale=scale)
        add(f"{name}.bias", outputs, scale=0.3)

    def layer(name: str, size: int, *, residual: bool = False) -> None:
        modulated(name, width, 3)
        kernel(name)
        add(f"{name}.noise_const", size, size)
        add(f"{name}.noise_strength", scale=0.4)
        if residual:
            add(f"{name}.gamma", 1, width, 1, 1, scale=0.7)
            add(f"{name}.norm.weight", width, scale=0.3, mean=1.0)
            add(f"{name}.norm.bias", width, scale=0.3)

    add("mapping.x_avg", Z)
    for i in range(2):
        add(f"mapping.mlp.fc{i}.weight", Z, Z, scale=100.0)
        add(f"mapping.mlp.fc{i}.bias", Z, scale=30.0)
    if of["text"] and encoder:
        state["mapping.clip.model.logit_scale"] = torch.ones([])
        state["mapping.clip.model.text_projection"] = torch.ones(T, T)
    for size in of["sizes"]:
        block = f"synthesis.b{size}"
        kernel(block)
        if size == of["sizes"][0]:
            add(f"{block}.input.weight", width, width)
            state[f"{block}.input.transform"] = torch.eye(3)
            add(f"{block}.input.freqs", width, 2)
            add(f"{block}.input.phases", width, scale=0.3)
            add(f"{block}.input.affine.weight", 4, w_dim, scale=0.5)
            add(f"{block}.input.affine.bias", 4, scale=0.2, mean=0.5)
        else:
            layer(f"{block}.conv0", size)
        for i in range(2 * of["pairs"]):
            layer(f"{block}.convs1.{i}", size, residual=i % 2 == 1)
        if of["skip"] or size == of["sizes"][-1]:
            modulated(f"{block}.torgb", of["colours"], 1, scale=0.1)
    return state


def inputs(form: str) -> tuple[Tensor, Tensor, Tensor]:
    """Latents z (N, Z), text embeddings of length 1 (N, T or 0), and an x for each layer (N, L, Z)."""
    random = np.random.default_rng(7)
    draw = [random.standard_normal(shape) for shape in ((N, Z), (N, T), (N, layers_of(form), Z))]
    z, text, codes = (torch.tensor(values, dtype=torch.float32) for values in draw)
    text = text / text.norm(dim=1, keepdim=True)
    return z, text if FORMS[form]["text"] else text[:, :0], codes
