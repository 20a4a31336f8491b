"""Make networks of every family with random weights in published sizes, as files that the plugins read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import later_families as later
import numpy as np
import torch
from ganstrata.core.checkpoints import SETTINGS
from ganstrata.plugins.generators.biggan import architecture as biggan
from ganstrata.plugins.generators.pggan import architecture as pggan
from ganstrata.plugins.generators.r3gan import architecture as r3gan
from ganstrata.plugins.generators.stylegan import architecture as stylegan
from ganstrata.plugins.generators.stylegan2 import architecture as stylegan2
from ganstrata.plugins.generators.stylegan3 import architecture as stylegan3
from ganstrata.plugins.generators.stylegan3.network import LayerSizes
from ganstrata.plugins.generators.stylegan3.sampling import sampling_from_settings
from safetensors.torch import save_file
from torch import Tensor


@dataclass(frozen=True)
class Family:
    """Describe a network: its plugin, its name in words, and its architecture, or a tiny one for tests.

    `alive` replaces the initial values of a tensor, given its name, where they compute nothing useful.
    """

    plugin: str
    words: str
    architecture: Callable[[bool], Any]
    alive: Callable[[str, Tensor], Tensor] | None = None


def _widths(resolution: int, base: int, most: int) -> list[int]:
    return [min(base // (4 * 2**level), most) for level in range(resolution.bit_length() - 2)]


def _stylegan(tiny: bool) -> Any:
    widths = tuple(_widths(16, 64, 8) if tiny else _widths(256, 16384, 512))
    size = 8 if tiny else 512
    return stylegan.Architecture(
        widths, z_dim=size, w_dim=size, mapping_layers=8, mapping_width=size, mean=size
    )


def _stylegan2(tiny: bool) -> Any:
    widths = _widths(16, 64, 8) if tiny else _widths(256, 32768, 512)
    size = 8 if tiny else 512
    channels = {4 * 2**level: width for level, width in enumerate(widths)}
    return stylegan2.Architecture(
        channels, z_dim=size, w_dim=size, mapping_layers=8, mapping_width=size, classes=0
    )


def _pggan(tiny: bool) -> Any:
    return pggan.Architecture(
        tuple(_widths(16, 64, 8) if tiny else _widths(256, 16384, 512)), inputs=8 if tiny else 512
    )


def _r3gan(tiny: bool) -> Any:
    widths = (8, 8, 4) if tiny else (768, 768, 768, 768, 384, 192, 96)
    insides = tuple((2 * width, 2 * width) for width in widths)
    return r3gan.Architecture(
        8 if tiny else 64, 0, 0, widths, insides, ((4 if tiny else 96,) * 2,) * len(widths)
    )


def _biggan(tiny: bool) -> Any:
    unit, classes, embedding, chunk = (1, 5, 6, 3) if tiny else (96, 1000, 128, 20)
    widths = [unit * w for w in ((16, 8, 8) if tiny else (16, 16, 8, 4, 2, 1))]
    blocks = tuple(biggan.Block(a, b, b, True) for a, b in pairwise(widths))
    at = len(blocks) - 2  # after it are 64 pixels of 128
    attention = {at: (widths[at + 1] // 8, widths[at + 1] // 2)}
    z = chunk * (len(blocks) + 1)
    return _of_biggan(
        deep=False,
        blocks=blocks,
        attention=attention,
        classes=classes,
        embedding=embedding,
        z_dim=z,
        first=chunk,
        chunk=chunk,
    )


def _biggan_deep(tiny: bool) -> Any:
    unit, classes, size = (4, 5, 6) if tiny else (128, 1000, 128)
    widths = [unit * w for w in ((4, 4, 2) if tiny else (16, 16, 8, 8, 4, 2, 1))]
    blocks = []
    for a, b in pairwise(widths):
        blocks += [biggan.Block(a, a // 4, a, False), biggan.Block(a, a // 4, b, True)]
    at = len(blocks) - 5 if not tiny else 1  # after it are 64 pixels of 256
    attention = {at: (blocks[at].outputs // 8, blocks[at].outputs // 2)}
    return _of_biggan(
        deep=True,
        blocks=tuple(blocks),
        attention=attention,
        classes=classes,
        embedding=size,
        z_dim=size,
        first=size,
        chunk=size,
    )


def _of_biggan(**sizes: Any) -> Any:
    return biggan.Architecture(
        shared=True, bottom=4, statistics=1, colours=3, sigma="iterated", z_first=False, eps=1e-5, **sizes
    )


def _stylegan3(tiny: bool, *, rotates: bool) -> Any:
    """Compute widths by the paper's formulas: they fall with the cutoff frequency."""
    resolution, size, layers = (16, 8, 5) if tiny else (256, 512, 14)
    base, most = (128, 8) if tiny else (65536, 1024) if rotates else (32768, 512)
    sampling = sampling_from_settings({"img_resolution": resolution, "num_layers": layers})
    steps = np.minimum(np.arange(layers + 1) / (layers - 2), 1.0)
    cutoffs = 2.0 * (resolution / 4.0) ** steps
    widths = [min(round(base / 2.0 / cutoff), most) for cutoff in cutoffs]
    made = []
    for i in range(layers + 1):
        before, after = max(i - 1, 0), i
        last = i == layers
        up_taps, down_taps = sampling.filters(i)
        # Critically sampled layers keep separable filters.
        radial = rotates and down_taps > 0 and i < layers - 2
        made.append(
            LayerSizes(
                widths[before],
                3 if last else widths[after],
                sampling.sizes[before],
                sampling.sizes[after],
                1 if rotates or last else 3,
                *sampling.factors(i),
                up_taps,
                down_taps,
                radial,
            )
        )
    return stylegan3.Architecture(size, size, 2, size, 0, tuple(made), sampling.rates, sampling.bandwidth)


FAMILIES = {
    "stylegan": Family("stylegan", "StyleGAN, 256 px", _stylegan),
    "stylegan2": Family("stylegan2", "StyleGAN2 config F, 256 px", _stylegan2),
    "stylegan3-t": Family("stylegan3", "StyleGAN3-T, 256 px", lambda tiny: _stylegan3(tiny, rotates=False)),
    "stylegan3-r": Family("stylegan3", "StyleGAN3-R, 256 px", lambda tiny: _stylegan3(tiny, rotates=True)),
    "pggan": Family("pggan", "ProgressiveGAN, 256 px", _pggan),
    "biggan": Family("biggan", "BigGAN, 128 px", _biggan),
    "biggan-deep": Family("biggan", "BigGAN-deep, 256 px", _biggan_deep),
    "r3gan": Family("r3gan", "R3GAN, 256 px", _r3gan),
    "stylegan-xl": Family("stylegan3", "StyleGAN-XL, 256 px", later.stylegan_xl),
    "stylegan-t": Family("stylegan_t", "StyleGAN-T, 256 px", later.stylegan_t, later.drawn),
    "mobile-stylegan": Family(
        "mobile_stylegan", "MobileStyleGAN, 256 px", later.mobile_stylegan, later.drawn
    ),
    "r3gan2": Family("r3gan2", "R3GAN2, 256 px", later.r3gan2, later.drawn),
    "fastgan": Family("fastgan", "FastGAN, 256 px", later.fastgan, later.drawn),
    "lightweight-gan": Family(
        "lightweight_gan", "lightweight-gan, 256 px", later.lightweight_gan, later.drawn
    ),
    "lucidrains-stylegan2": Family(
        "lucidrains_stylegan2",
        "StyleGAN2 of lucidrains, 256 px",
        later.lucidrains_stylegan2,
        later.drawn_lucidrains,
    ),
}


def make(name: str, folder: Path, *, tiny: bool = False) -> Path:
    """Write one network with random weights as `model convert` would, and return the path of the file."""
    family = FAMILIES[name]
    architecture = family.architecture(tiny)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = architecture.build().state_dict()
        alive = family.alive or _alive
        tensors = {key: alive(key, tensor).contiguous() for key, tensor in state.items()}
    header = {
        "plugin": family.plugin,
        "family": name,
        "network": asdict(architecture),
        "source": "random weights",
        "source_sha256": "0" * 64,
    }
    path = folder / f"{name}.safetensors"
    save_file(tensors, path, metadata={SETTINGS: json.dumps(header)})
    return path


def _alive(name: str, tensor: Tensor) -> Tensor:
    """Replace initial values that compute nothing useful by random ones: BigGAN's weights, zero noise."""
    if (
        name.startswith("mapping.layers.") and tensor.ndim == 2
    ):  # StyleGAN's, which are stored a hundred times too large
        return tensor * 100.0
    if name.endswith("noise_strength"):
        return torch.full_like(tensor, 0.1)
    if name.endswith(".var"):
        return torch.rand(tensor.shape) + 0.5
    if name.endswith((".mean", ".u")) or name == "embedding":
        return torch.randn(tensor.shape) * 0.1
    if name.endswith(("output_norm.gain", ".gamma")):
        return torch.full_like(tensor, 0.5)
    if name.startswith(("blocks.", "attention.", "linear.", "output.", "output_norm.")):
        return torch.randn(tensor.shape) / (tensor[0].numel() if tensor.ndim > 1 else 16.0) ** 0.5
    return tensor
