"""Make hostile checkpoints of known scorers: wrong names, shapes, types, values or headers."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import published_segmenters
from ganstrata.core.checkpoints import WEIGHTS
from ganstrata.plugins.scorers.networks.resnet import ResNet, ResNetShape
from torch import Tensor

Stored = dict[str, tuple[str, list[int], bytes]]
"""Name to type, shape and numbers, as safetensors has them."""

SHAPE = ResNetShape(stem=4, widths=(4, 4, 8, 8), blocks=(1, 1, 1, 1), bottleneck=False, classes=365)
NETWORKS: dict[str, Callable[[], Mapping[str, Tensor]]] = {
    "places": lambda: ResNet(SHAPE, max_pool=True).state_dict(),
    "planar": lambda: published_segmenters.planar((1, 1, 1, 1), 4, 6),
    "faces": lambda: published_segmenters.face_parser(15, 16),
}
BUNDLED = ("rooms.scenes", "rooms.surfaces")
SIZES = {
    "F64": 8,
    "F16": 2,
    "BF16": 2,
    "I8": 1,
    "U16": 2,
    "U64": 8,
    "F8_E4M3": 1,
    "C64": 8,
}  # bytes of a number, by type
EXTENTS: list[list[int]] = [
    [2**30, 0],
    [2**20, 0, 3, 3],
    [0, 2**20],
    [0],
    [0] * 5,
    [2**31 - 1, 0],
    [],
    [100_000, 0, 3, 3],
]
WRONG: list[Any] = ["", "\x1b[2J", "a/b", "\ud800", "x" * 5000, 1, None, ["a"]]
LAYER = "layer{stage}.{i}.conv1.weight"


def bundled(name: str) -> tuple[Stored, dict[str, Any]]:
    """The tensors of a network that ships with the package, and its header."""
    content = (WEIGHTS / f"{name}.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    settings: dict[str, Any] = json.loads(header.pop("__metadata__")["ganstrata"])
    numbers = content[8 + length :]
    return {
        key: (value["dtype"], value["shape"], numbers[slice(*value["data_offsets"])])
        for key, value in header.items()
    }, settings


def published(name: str) -> Stored:
    """The tensors of a small network of a published kind."""
    return {
        key: ("F32", list(tensor.shape), tensor.float().contiguous().numpy().tobytes())
        for key, tensor in NETWORKS[name]().items()
    }


def scorer(rng: np.random.Generator) -> tuple[Stored, Any]:
    """Tensors and header of a scorer's network with a few things wrong."""
    if rng.random() < 0.4:
        tensors, settings = bundled(BUNDLED[rng.integers(len(BUNDLED))])
        for key in (list(settings)[i] for i in rng.integers(len(settings), size=2)):
            value, wrong = settings[key], WRONG[rng.integers(len(WRONG))]
            settings[key] = [*value, wrong] if isinstance(value, list) and rng.random() < 0.5 else wrong
        if rng.random() < 0.2:
            settings[["classes", "categories"][rng.integers(2)]] = [""] * int(10 ** rng.uniform(2, 5.3))
    else:
        tensors, settings = published(list(NETWORKS)[rng.integers(len(NETWORKS))]), None
        if rng.random() < 0.2:
            names = (
                LAYER.format(stage=stage, i=i)
                for stage in (1, 2, 3, 4)
                for i in range(int(10 ** rng.uniform(1, 4)))
            )
            tensors |= dict.fromkeys(
                (f"{prefix}{name}" for prefix in ("", "model.resnet.") for name in names),
                ("F32", [4, 0], b""),
            )
    for name in (list(tensors)[i] for i in rng.integers(len(tensors), size=int(rng.integers(0, 6)))):
        tensors[name] = wrongly(rng, *tensors[name])
    return tensors, settings


def wrongly(
    rng: np.random.Generator, kind: str, shape: list[int], data: bytes
) -> tuple[str, list[int], bytes]:
    """One tensor without numbers and of any extent, or of another type, or with numbers that are none."""
    how = rng.integers(3)
    if how == 0:
        extent = EXTENTS[rng.integers(len(EXTENTS))]
        return "F32", extent, b"" if extent else bytes(4)
    if how == 1:
        other = list(SIZES)[rng.integers(len(SIZES))]
        return other, shape, rng.bytes(int(np.prod(shape)) * SIZES[other])
    return kind, shape, b"\xff" * len(data)
