"""Keep what was found for each picture, so that an interrupted command goes on and damage is noticed.

A picture has a file of codes and facts in `parts`, its two PNG in `pictures`, and in `weights` what is added
to the generator, if anything is. The facts are written last and hold the SHA-256 of all others, so a picture
is there as a whole, or counts as not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints import Values
from ..checkpoints.values import OWN
from ..errors import GanstrataError
from ..figures.pictures import png, to_pixels
from ..plugins.generator import Generator
from ..plugins.inverter import Inversion
from ..runs.inversion_file import CodesHeader, inversion_of, tensors_of, weights_bytes
from ..runs.inversions import WEIGHTS
from ..storage.disk import content_hash, make_folder, remove, write_bytes
from ..storage.kept_results import Store
from .invert import Inverted
from .target import Target

PARTS, PICTURES = "parts", "pictures"
CURVE = "curve."


@dataclass(frozen=True)
class PictureResult:
    """Hold what is kept of one picture.

    Attributes:
        inversion: one row; of weights of its own, which lie in a file, an empty entry.
        curves: step and its losses (T,), of each step that searched.
        measures: by name.
        seconds: time per picture of its batch.
        files: SHA-256 of each file of the picture, by its name in the folder.
    """

    inversion: Inversion
    curves: tuple[tuple[str, NDArray[np.float32]], ...]
    measures: Mapping[str, float]
    seconds: float
    files: Mapping[str, str]


def picture_names(name: str) -> tuple[str, str]:
    """Return the names of the two PNG of a picture: what was wanted, and what the generator makes."""
    return f"{PICTURES}/{name}.target.png", f"{PICTURES}/{name}.png"


def filled_in(target: Target, made: Tensor) -> Tensor | None:
    """Return a picture whose known pixels are the given ones, and the others made, (3, H, W).

    None if all pixels are known, or the given picture has another size than the made one.

    Args:
        target: the picture with its mask.
        made: what the generator makes (3, H, W).
    """
    if target.known is None or target.known.shape[1:] != made.shape[1:]:
        return None
    return target.known * target.picture + (1.0 - target.known) * made


def write_result(
    folder: Path, key: str, target: Target, number: int, found: Inverted, generator: Generator
) -> None:
    """Write all files of one picture.

    Args:
        folder: folder of the command.
        key: all that the result depends on; see `keys`.
        target: the picture.
        number: its number in the command.
        found: what was found.
        generator: generator of the codes.

    Raises:
        GanstrataError: the disk is full or the folder cannot be written.
    """
    target_file, made_file = picture_names(target.name)
    files = {
        target_file: png(to_pixels(target.picture[None])[0]),
        made_file: png(to_pixels(found.picture[None])[0]),
    }
    if (filled := filled_in(target, found.picture)) is not None:
        files[f"{PICTURES}/{target.name}.filled.png"] = png(to_pixels(filled[None])[0])
    if any(found.inversion.weights):
        files[f"{WEIGHTS}/{target.name}.safetensors"] = weights_bytes(
            found.inversion.weights[0], generator=generator.fingerprint, picture=target.name
        )
    hashes = {}
    for file, content in files.items():
        make_folder((folder / file).parent)
        write_bytes(folder / file, content)
        hashes[file] = content_hash(folder / file)
    arrays = {
        name: tensor.detach().cpu().numpy()
        for name, tensor in tensors_of(found.inversion, torch.tensor([number])).items()
    }
    arrays |= {f"{CURVE}{k}": curve.losses.numpy().astype(np.float32) for k, curve in enumerate(found.curves)}
    mixture = found.inversion.mixture
    facts = {
        "space": found.inversion.space,
        "stratum": None if mixture is None else mixture.stratum,
        "curves": [curve.step for curve in found.curves],
        "measures": dict(found.measures),
        "seconds": found.seconds,
        "files": hashes,
    }
    Store(folder / PARTS).put(target.name, key, arrays, facts)


def read_result(folder: Path, key: str, name: str, generator: Generator) -> PictureResult | None:
    """Return what is kept of a picture; None if it is not there, damaged, or of something else."""
    stored = Store(folder / PARTS).get(name, key)
    if stored is None:
        return None
    try:
        return _part(dict(stored.arrays), stored.facts, folder, name, generator)
    except (GanstrataError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _part(
    arrays: dict[str, NDArray[Any]], facts: Mapping[str, Any], folder: Path, name: str, generator: Generator
) -> PictureResult | None:
    files = dict(facts["files"])
    if any(content_hash(folder / file) != digest for file, digest in files.items()):
        return None
    curves = tuple((step, arrays.pop(f"{CURVE}{k}")) for k, step in enumerate(facts["curves"]))
    has_weights = f"{WEIGHTS}/{name}.safetensors" in files
    header = CodesHeader(
        holds="codes",
        format=1,
        inversion=1,
        generator=generator.fingerprint,
        space=facts["space"],
        seed=0,
        names=[name],
        stratum=facts["stratum"],
        weights=has_weights,
    )
    inversion, _ = inversion_of(Values(folder, {**arrays, OWN: {}}, "", ""), header, generator)
    measures = {str(key): float(value) for key, value in facts["measures"].items()}
    return PictureResult(
        replace(inversion, weights=({},) if has_weights else ()),
        curves,
        measures,
        float(facts["seconds"]),
        files,
    )


def discard_result(folder: Path, name: str) -> None:
    """Remove what is kept of a picture, so that nothing of it is taken for finished."""
    for suffix in ("json", "safetensors"):
        remove(folder / PARTS / f"{name}.{suffix}")
