"""Draw fresh noise for sample i at stratum s from (noise seed, i, s), independent of the batch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ....core.plugins.records import Inputs, State, Stratum
from ....core.randomness import Stream, Use, normals, uniforms

Noise = Literal["const", "fresh", "none"]  # field `noise` of configs
# What is done about noise that no file stores, by the field `noise` of config.NoiseConfig.
UNSTORED = {
    "const": "no file stores the noise: fixed noise, drawn from seed 0, is used for all samples",
    "fresh": "no file stores the noise: it is drawn for each sample",
    "none": "no file stores the noise: none is added",
}


def keys(inputs: Inputs) -> Tensor:
    """Return the noise seed and the index of every sample, (N, 2), to be stored in State.kept."""
    return torch.stack([torch.full_like(inputs.index, inputs.noise), inputs.index], dim=1)


def kept(mode: Noise, inputs: Inputs) -> dict[str, Tensor]:
    """Return what the state of a pass keeps for the noise.

    These are its keys (N, 2) if it is drawn for each sample, and the given noise (N, 1, h, w) of strata.
    """
    given = {_given(s): x for s, x in inputs.maps.items()}
    return {"noise": keys(inputs), **given} if mode == "fresh" else given


def _given(s: int) -> str:
    """Return the name in State.kept of the noise that was given for stratum s."""
    return f"noise of {s}"


def of_stratum(mode: Noise, s: int, stratum: Stratum, state: State, constant: Tensor | None) -> Tensor | None:
    """Return the noise of a stratum, (1 or N, 1, H, W); None without noise.

    Args:
        mode: field `noise` of the config.
        s: number of the stratum.
        stratum: its description, from which the size follows.
        state: the state before it, from begin() with kept().
        constant: noise of the stratum for all samples, for the mode "const".
    """
    given = state.kept.get(_given(s))
    if given is not None:
        return given
    if mode != "fresh":
        return constant if mode == "const" else None
    assert state.x is not None
    return fresh(state.kept["noise"], s, (stratum.height, stratum.size), state.x.device)


def of_inputs(
    mode: Noise, s: int, stratum: Stratum, inputs: Inputs, constant: Tensor | None
) -> Tensor | None:
    """Return the noise of a stratum as `of_stratum` does, without a pass; on the processor if it is drawn."""
    if mode != "fresh":
        return constant if mode == "const" else None
    return fresh(keys(inputs), s, (stratum.height, stratum.size), torch.device("cpu"))


def fresh(key: Tensor, s: int, size: int | tuple[int, int], device: torch.device) -> Tensor:
    """Return the standard normal noise (N, 1, H, W) of stratum s for keys (N, 2).

    Args:
        key: of each sample, as from keys().
        s: number of the stratum.
        size: H and W, or one number for both.
        device: device of the noise.
    """
    height, width = (size, size) if isinstance(size, int) else size
    rows = [
        normals(seed, Stream.PROBING, Use.NOISE, range(i, i + 1), height * width, part=s).reshape(
            1, height, width
        )
        for seed, i in key.tolist()
    ]
    return torch.from_numpy(np.stack(rows)).to(device)


def uniform(seed: int, samples: range, size: int) -> Tensor:
    """Return uniform noise (len(samples), 1, size, size) in (0, 1), one image for all strata of a sample."""
    rows = np.stack([uniforms(seed, Stream.PROBING, Use.NOISE, i, size * size) for i in samples])
    return torch.from_numpy(rows.astype(np.float32).reshape(-1, 1, size, size))


def fixed(shape: tuple[int, ...], part: int) -> Tensor:
    """Return the standard normal noise (H, W) that stands for fixed noise which a file does not store.

    Args:
        shape: H and W.
        part: number of the layer; each has noise of its own.
    """
    height, width = shape
    return torch.from_numpy(
        normals(0, Stream.PROBING, Use.NOISE, range(1), height * width, part=part)
    ).reshape(height, width)
