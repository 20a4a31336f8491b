"""Random StyleGAN3 networks of any size under NVIDIA's names, with filters made by the paper's formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ganstrata.plugins.generators.stylegan3.sampling import kaiser, low_pass
from numpy.typing import NDArray
from scipy.special import j1
from torch import Tensor

SMALL: dict[str, Any] = {
    "z_dim": 7,
    "w_dim": 6,
    "c_dim": 0,
    "img_resolution": 16,
    "img_channels": 3,
    "mapping_kwargs": {"num_layers": 2},
    "channel_base": 128,
    "channel_max": 8,
    "num_layers": 5,
}
RADIAL: dict[str, Any] = {"conv_kernel": 1, "use_radial_filters": True}
FULL_T: dict[str, Any] = {
    **SMALL,
    "z_dim": 512,
    "w_dim": 512,
    "img_resolution": 256,
    "channel_base": 32768,
    "channel_max": 512,
    "num_layers": 14,
}
FULL_R: dict[str, Any] = {**FULL_T, **RADIAL, "channel_base": 65536, "channel_max": 1024}


def radial(taps: int, cutoff: float, half_width: float, rate: float) -> NDArray[np.float64]:
    """A jinc under two of Kaiser's windows, (T, T): its frequency response is round."""
    at = (np.arange(taps) - (taps - 1) / 2.0) / rate
    radius = np.hypot(at[:, None], at[None, :])
    window = kaiser(taps, half_width, rate)
    values = j1(2.0 * np.pi * cutoff * radius) / (np.pi * radius) * np.outer(window, window)
    return values / values.sum()


def small_state(
    settings: Mapping[str, Any] = SMALL, *, seed: int = 0, spread: float = 1.0, **changes: Any
) -> dict[str, Tensor]:
    """The state dict of a network with these constructor arguments.

    Args:
        settings: as NVIDIA's network takes them.
        seed: of the weights.
        spread: of random weights; 0 leaves them constant, which is fast for large networks.
        **changes: other arguments.
    """
    of = {**settings, **changes}
    random = torch.Generator().manual_seed(seed)

    def weights(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random) * spread if spread else torch.full(shape, 0.1)

    resolution, n, w_dim = of["img_resolution"], of["num_layers"], of["w_dim"]
    first, stop, last = of.get("first_cutoff", 2.0), of.get("first_stopband", 2.0**2.1), resolution / 2.0
    steps = np.minimum(np.arange(n + 1) / (n - of.get("num_critical", 2)), 1.0)
    cutoffs = first * (last / first) ** steps
    stopbands = stop * (last * of.get("last_stopband_rel", 2.0**0.3) / stop) ** steps
    rates = np.exp2(np.ceil(np.log2(np.minimum(2.0 * stopbands, resolution))))
    widths = np.maximum(stopbands, rates / 2.0) - cutoffs
    sizes = (rates + 2 * of.get("margin_size", 10)).astype(int)
    sizes[-2:] = resolution
    channels = np.rint(np.minimum(of["channel_base"] / 2.0 / cutoffs, of["channel_max"])).astype(int)
    channels[-1] = of["img_channels"]
    kernel, finer, taps = of.get("conv_kernel", 3), of.get("lrelu_upsampling", 2), of.get("filter_size", 6)

    state: dict[str, Tensor] = {}
    inputs = of["z_dim"]
    if of["c_dim"]:
        state["mapping.embed.weight"], state["mapping.embed.bias"] = (
            weights(w_dim, of["c_dim"]),
            weights(w_dim),
        )
        inputs += w_dim
    for i in range(of["mapping_kwargs"]["num_layers"]):
        state[f"mapping.fc{i}.weight"] = weights(w_dim, inputs if i == 0 else w_dim) * 100.0
        state[f"mapping.fc{i}.bias"] = weights(w_dim) * 10.0
    state["mapping.w_avg"] = weights(w_dim)
    width = int(channels[0])
    waves = torch.randn((width, 2), generator=random)
    radii = waves.square().sum(dim=1, keepdim=True)
    state["synthesis.input.weight"] = weights(width, width)
    state["synthesis.input.freqs"] = first * waves / radii.sqrt() * torch.exp(-0.25 * radii)
    state["synthesis.input.phases"] = torch.rand((width,), generator=random) - 0.5
    state["synthesis.input.transform"] = torch.eye(3)
    state["synthesis.input.affine.weight"] = weights(4, w_dim) * 0.1
    state["synthesis.input.affine.bias"] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    for i in range(n + 1):
        before, name = max(i - 1, 0), f"synthesis.L{i}_{sizes[i]}_{channels[i]}"
        rgb = i == n
        size = 1 if rgb else kernel
        state[f"{name}.weight"] = weights(int(channels[i]), int(channels[before]), size, size)
        state[f"{name}.bias"] = 0.1 * weights(int(channels[i]))
        state[f"{name}.magnitude_ema"] = torch.tensor(1.0 + 0.1 * i)
        state[f"{name}.affine.weight"] = weights(int(channels[before]), w_dim)
        state[f"{name}.affine.bias"] = torch.ones(int(channels[before]))
        between = max(rates[before], rates[i]) * (1 if rgb else finer)
        for end, at in (("up", before), ("down", i)):
            factor = int(between / rates[at])
            if factor > 1 and not rgb:
                round_one = (
                    end == "down"
                    and of.get("use_radial_filters", False)
                    and i < n - of.get("num_critical", 2)
                )
                made = (radial if round_one else low_pass)(taps * factor, cutoffs[at], widths[at], between)
                state[f"{name}.{end}_filter"] = torch.from_numpy(made).float()
    return state
