"""Measure how an embedding of pictures changes with each style channel, once for all sentences (StyleCLIP).

For channel c and picture k, E+ and E- are the embeddings with the channel set to mu_c + 5 sigma_c and to
mu_c - 5 sigma_c, all others as they are. Over n pictures

    d_c = mean_k (E+ - E-) / |E+ - E-|

so |d_c| is 1 if the channel moves all pictures alike, and about 1 / sqrt(n) if it moves them at random.

Source: Patashnik, Wu, Shechtman, Cohen-Or and Lischinski, "StyleCLIP: text-driven manipulation of StyleGAN
imagery", ICCV 2021, section 6.

Shapes: n pictures, K channels, E numbers of an embedding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.messages import this_version
from ...core.plugins.config_contents import canonical_text
from ...core.runs.provenance.describe import version_of
from ...core.runs.provenance.sources import class_code
from ...core.storage.cache import read_cached, write_cached
from ...core.strata.composition import first_reader
from ...core.strata.styles import style_strata, styles_of
from .channels import Channel
from .drawn import Drawing, draw

KIND, VERSION = "text", 1  # folder in the cache; the version counts changes of what is computed here
SIGMAS = 5.0  # standard deviations from the mean to which a channel is set
STATISTICS = 4096  # samples that give mean and standard deviation of channels
STILL = 1e-4  # change of an embedding of length 1 below which it is rounding
Embed = Callable[[Tensor], Tensor]
"""From images (n, 3, H, W) to embeddings (n, E) of length 1."""


@dataclass(frozen=True)
class Changes:
    """Hold how the embedding changes with each channel.

    Attributes:
        directions: d (K, E).
        sigma: standard deviation of each channel, (K,).
    """

    directions: NDArray[np.float32]
    sigma: NDArray[np.float32]


def key_of(drawing: Drawing, channels: Sequence[Channel], model: str) -> str:
    """Return the hash of everything that the changes depend on.

    Args:
        drawing: generator, pictures, seed and precision.
        channels: K channels.
        model: hash of the embedding model and of its preparation of images.
    """
    generator = drawing.generator
    contents = [
        VERSION,
        [this_version(), *(version_of(name) for name in ("torch", "transformers"))],
        [generator.fingerprint, type(generator).__module__, type(generator).__qualname__],
        class_code(type(generator)).digest,
        canonical_text(generator.config),
        {name: value for name, value in asdict(generator.card).items() if name != "assumptions"},
        [asdict(stratum) for stratum in generator.strata],
        generator.layer_scale.tolist(),
        [generator.device.type, drawing.precision],
        [drawing.pictures, drawing.seed, SIGMAS, STATISTICS],
        [channel.position for channel in channels],
        model,
    ]
    return hashlib.sha256(json.dumps(contents, sort_keys=True, default=str).encode()).hexdigest()


def changes_of(drawing: Drawing, channels: Sequence[Channel], embed: Embed, model: str, size: int) -> Changes:
    """Return the changes of the embedding, from the cache or computed and stored there.

    Args:
        drawing: the pictures.
        channels: K channels.
        embed: embeds images.
        model: hash of the embedding model.
        size: E.

    Raises:
        GanstrataError: a picture is not finite.
    """
    key, count = key_of(drawing, channels, model), len(channels)
    shapes = {"directions": (count, size), "sigma": (count,)}
    stored = read_cached(KIND, key, shapes)
    if stored is not None:
        return Changes(stored["directions"], stored["sigma"])
    mean, sigma = _statistics(drawing, channels)
    directions = _measure(drawing, channels, embed, mean, sigma)
    write_cached(KIND, key, {"directions": directions, "sigma": sigma})
    return Changes(directions, sigma)


@torch.inference_mode()
def _statistics(
    drawing: Drawing, channels: Sequence[Channel]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of the channels (K,)."""
    generator, columns = drawing.generator, [channel.position for channel in channels]
    styles = [
        styles_of(generator, generator.broadcast(w, latents.condition))[:, columns].cpu().numpy()
        for latents, w in draw(generator, range(STATISTICS), drawing.seed)
    ]
    values = np.concatenate(styles).astype(np.float64)  # (STATISTICS, K)
    return values.mean(axis=0).astype(np.float32), values.std(axis=0, ddof=1).astype(np.float32)


@torch.no_grad()
def _measure(
    drawing: Drawing,
    channels: Sequence[Channel],
    embed: Embed,
    mean: NDArray[np.float32],
    sigma: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return d (K, E). Strata before that of a channel are not computed again for it."""
    generator = drawing.generator
    widths, done = dict(style_strata(generator)), 0
    total: Tensor | None = None
    starts = sorted({first_reader(generator, [channel.layer]) for channel in channels})
    for rendered, codes in drawing.batches(drawing.pictures, restarts=starts):
        for k, channel in enumerate(channels):
            style = generator.style(channel.stratum, codes[:, channel.layer].float())
            assert style is not None
            ends = []
            for sign in (1.0, -1.0):
                move = style.new_zeros(len(codes), widths[channel.stratum])
                target = float(mean[k] + sign * SIGMAS * sigma[k])
                move[:, channel.number] = target - style[:, channel.number]
                images = rendered.edited(codes, [channel.layer], {channel.stratum: move}).images
                ends.append(embed(images))
            change = ends[0] - ends[1]  # (n, E)
            length = change.norm(dim=1, keepdim=True)
            unit = torch.where(length > STILL, change / length.clamp(min=STILL), 0.0)
            if total is None:
                total = unit.new_zeros(len(channels), unit.shape[1])
            total[k] += unit.sum(dim=0)
            drawing.on_share((done + len(codes) * (k + 1) / len(channels)) / drawing.pictures)
        done += len(codes)
    assert total is not None
    return np.asarray((total / drawing.pictures).cpu().numpy(), dtype=np.float32)
