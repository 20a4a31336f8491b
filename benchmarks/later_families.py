"""Describe the networks of families that came after StyleGAN3, in published sizes, or tiny ones for tests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from ganstrata.plugins.generators.fastgan import architecture as fastgan_
from ganstrata.plugins.generators.lightweight_gan import architecture as lightweight
from ganstrata.plugins.generators.lucidrains_stylegan2 import architecture as lucidrains
from ganstrata.plugins.generators.mobile_stylegan import architecture as mobile
from ganstrata.plugins.generators.r3gan2 import architecture as r3gan2_
from ganstrata.plugins.generators.r3gan2.network import BlockSizes
from ganstrata.plugins.generators.stylegan3 import architecture as stylegan3
from ganstrata.plugins.generators.stylegan3.network import LayerSizes
from ganstrata.plugins.generators.stylegan3.sampling import Sampling, sampling_from_settings
from ganstrata.plugins.generators.stylegan_t import architecture as t
from torch import Tensor

# Tensors that are no weights, or where small random numbers would change what the network computes.
KEPT = ("kernel", "resample_filter", "blur", "periods", "transform", "fixed_style", "freqs", "phases")


def stylegan_xl(tiny: bool) -> Any:
    """A stem of 16 pixels with heads of 7 layers up to 256, which drop two of the layers below."""
    stem, heads, count, head = (8, (16,), 5, 4) if tiny else (16, (32, 64, 128, 256), 10, 7)
    base, most, size = (128, 8, 8) if tiny else (32768, 512, 512)
    start = sampling_from_settings({"img_resolution": stem, "num_layers": count})
    sizes, rates = list(start.sizes[: count - 2]), list(start.rates[: count - 2])
    cutoffs = [2.0 * (stem / 4.0) ** (i / (count - 2)) for i in range(count - 2)]
    for resolution in heads:
        steps = [min((i + 1) / (head - 2), 1.0) for i in range(head + 1)]
        cutoffs = cutoffs[: len(sizes)] + [resolution / 4.0 * 2.0**step for step in steps]
        is_last = resolution == heads[-1]
        added = head - 2 if not is_last else head + 1
        rates += [resolution] * added
        sizes += [resolution + 20] * (head - 2) + [resolution] * (added - head + 2)
    sampling = Sampling(tuple(sizes), tuple(rates), start.bandwidth, start.lrelu_upsampling, start.taps)
    widths = [min(round(base / 2.0 / cutoff), most) for cutoff in cutoffs]
    made = []
    for i, after in enumerate(sizes):
        last, before = i == len(sizes) - 1, max(i - 1, 0)
        made.append(
            LayerSizes(
                widths[before],
                3 if last else widths[i],
                sizes[before],
                after,
                1 if last else 3,
                *sampling.factors(i),
                *sampling.filters(i),
                False,
            )
        )
    classes, table = (5, (7, 6)) if tiny else (1000, (1000, 320))
    return stylegan3.Architecture(
        z_dim=8 if tiny else 64,
        w_dim=size,
        mapping_layers=2,
        mapping_width=size,
        classes=classes,
        layers=tuple(made),
        rates=sampling.rates,
        bandwidth=sampling.bandwidth,
        table=table,
    )


def stylegan_t(tiny: bool) -> Any:
    sizes = (8, 16) if tiny else (8, 16, 32, 64, 128, 256)
    channels = {size: 32 if tiny else min(32768 // size, 512) for size in sizes}
    # 64 numbers of z; the published networks are given 768 of a text beside it.
    return t.Architecture(8 if tiny else 832, 0, 2, channels, pairs=1 if tiny else 3)


def mobile_stylegan(tiny: bool) -> Any:
    widths, size = ((8, 8), 8) if tiny else ((512, 512, 512, 512, 512, 256), 512)
    return mobile.Architecture(widths, size, size, 8)


def r3gan2(tiny: bool) -> Any:
    widths = (8, 4) if tiny else (768, 768, 768, 384, 192, 96)
    blocks = tuple(
        tuple(
            BlockSizes(width, 1 if tiny else width // 64, 0)
            if number and level == (0 if tiny else 1)
            else BlockSizes(2 * width, 2 if tiny else 2 * width // 32, 3)
            for number in range(2)
        )
        for level, width in enumerate(widths)
    )
    kernels = tuple(4 if below == width else 3 for below, width in pairwise(widths))
    inside, group = (16, 4) if tiny else (1536, 32)
    return r3gan2_.Architecture(
        8 if tiny else 64, 0, 0, inside, group, 4, 4, widths, blocks, kernels, outputs=3
    )


def fastgan(tiny: bool) -> Any:
    base, top = (2, 64) if tiny else (64, 256)
    times = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5}
    sizes = [size for size in times if size <= top]
    return fastgan_.Architecture(
        z_dim=8 if tiny else 256,
        widths=tuple(int(times[size] * base) for size in sizes),
        doubled=tuple(size in (8, 32, 128) for size in sizes[1:]),
        excited=tuple(size for size in sizes if size >= 64),
        colours=3,
        classes=0,
        spectral=False,  # their norms are divided out once, before anything is computed
        biased=False,
        normalised=False,
        tanh=False,
    )


def lightweight_gan(tiny: bool) -> Any:
    widths = (8, 8, 8, 8, 8, 4) if tiny else (256, 512, 256, 128, 64, 32, 16)
    inside = tuple(
        max(widths[i + 4] // 2, 3) if 1 <= i < len(widths) - 4 else 0 for i in range(len(widths) - 1)
    )
    at = 1 if tiny else 3  # before the doubling of 8 pixels, or of 32
    channels = (16, 8) if tiny else (512, 512)
    attention = tuple(channels if i == at else (0, 0) for i in range(len(widths) - 1))
    return lightweight.Architecture(8 if tiny else 256, widths, 4, inside, attention, noisy=True)


def lucidrains_stylegan2(tiny: bool) -> Any:
    widths = (8, 8, 4) if tiny else (512, 512, 512, 256, 128, 64, 32)
    return lucidrains.Architecture(
        8 if tiny else 512, 8, widths[0], widths, (0,) * len(widths), constant=False
    )


def drawn(name: str, tensor: Tensor) -> Tensor:
    """Replace initial values that compute nothing useful: zeros, and equal numbers for all channels."""
    if name.endswith((*KEPT, "noise_const")):
        return tensor
    if name.endswith((".gamma", ".alpha")):
        return torch.full_like(tensor, 0.5)
    if name.endswith("noise_strength"):
        return torch.full_like(tensor, 0.1)
    if name.endswith(".variance"):
        return torch.rand(tensor.shape) + 0.5
    return tensor + 0.1 * torch.randn(tensor.shape) if tensor.ndim == 1 else tensor


def drawn_lucidrains(name: str, tensor: Tensor) -> Tensor:
    """Do the same, with larger weights of the mapping network, which divides them by 10."""
    return 20.0 * tensor if name.startswith("mapping.fc") and tensor.ndim == 2 else drawn(name, tensor)
