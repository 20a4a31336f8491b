"""Draw fresh noise for sample i at stratum s from (noise seed, i, s), independent of the batch.

It is drawn on the processor, so that it has the same bits on every machine: once for a pass and the edits
that restart in it, and sent to the device in one piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ....core.device import sent
from ....core.plugins.records import Inputs, Stratum
from ....core.randomness import Stream, Use, normals, uniforms

Size = tuple[int, int]  # height and width
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


def kept(mode: Noise, inputs: Inputs, sizes: Mapping[int, Size], device: torch.device) -> dict[str, Tensor]:
    """Return what the state of a pass keeps: the noise of parts by name, (N, 1, H, W) each.

    It is the noise that is given for them, else that of each sample, if it is fresh.

    Args:
        mode: field `noise` of the config.
        inputs: of the pass.
        sizes: H and W of the noise by part, usually the number of a stratum.
        device: device of the pass.
    """
    given = {_name(part): x for part, x in inputs.maps.items()}
    wanted = {part: size for part, size in sizes.items() if _name(part) not in given}
    return {**given, **(_drawn(inputs, wanted, device) if mode == "fresh" and wanted else {})}


def _drawn(inputs: Inputs, sizes: Mapping[int, Size], device: torch.device) -> dict[str, Tensor]:
    """Return the noise of each sample for some parts by name, (N, 1, H, W), all in one memory."""
    index = inputs.index.tolist()
    drawn = [
        normals(inputs.noise, Stream.PROBING, Use.NOISE, range(i, i + 1), height * width, part=part)
        for part, (height, width) in sizes.items()
        for i in index
    ]
    lengths = [len(index) * height * width for height, width in sizes.values()]
    pieces = torch.split(sent(np.concatenate(drawn, axis=None), device), lengths)
    return {
        _name(part): piece.view(len(index), 1, *size)
        for (part, size), piece in zip(sizes.items(), pieces, strict=True)
    }


def _name(part: int) -> str:
    """Return the name in State.kept of the noise of a part."""
    return f"noise of {part}"


def of_part(mode: Noise, part: int, kept: Mapping[str, Tensor], constant: Tensor | None) -> Tensor | None:
    """Return the noise of a part, (1 or N, 1, H, W); None without noise.

    Args:
        mode: field `noise` of the config.
        part: as in `kept`.
        kept: what the state keeps, from begin() with `kept`.
        constant: noise of the part for all samples, for the mode "const".
    """
    name = _name(part)
    if mode == "fresh" or name in kept:
        return kept[name]
    return constant if mode == "const" else None


def of_inputs(
    mode: Noise, s: int, stratum: Stratum, inputs: Inputs, constant: Tensor | None
) -> Tensor | None:
    """Return the noise of a stratum without a pass and without what is given; on the host if it is drawn."""
    if mode != "fresh":
        return constant if mode == "const" else None
    return _drawn(inputs, {s: (stratum.height, stratum.size)}, torch.device("cpu"))[_name(s)]


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
