"""Hostile safetensors: wrong shapes, lying headers, generators with layers without end."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import generators_biggan
import generators_fastgan
import generators_lightweight
import generators_lucidrains
import generators_mobile
import generators_pggan
import generators_r3gan
import generators_r3gan2
import generators_stylegan
import generators_stylegan2
import generators_stylegan3
import generators_stylegan_t
import numpy as np
from hostile_scorers import scorer
from torch import Tensor

FAMILIES: dict[str, Callable[[], dict[str, Tensor]]] = {
    "biggan": generators_biggan.small_state,
    "fastgan": lambda: generators_fastgan.small_state("conditional", 64, base=2),
    "lightweight_gan": generators_lightweight.small_state,
    "lucidrains_stylegan2": generators_lucidrains.small_state,
    "mobile_stylegan": generators_mobile.small_state,
    "pggan": generators_pggan.small_state,
    "r3gan": generators_r3gan.small_state,
    "r3gan2": generators_r3gan2.small_state,
    "stylegan": generators_stylegan.small_state,
    "stylegan2": generators_stylegan2.small_state,
    "stylegan3": generators_stylegan3.small_state,
    "stylegan_t": generators_stylegan_t.small_state,
}
SETTINGS = [
    "plugin",
    "architecture",
    "licence",
    "source",
    "family",
    "layout",
    "network",
    "img_resolution",
    "num_layers",
    "num_critical",
    "margin_size",
    "first_cutoff",
    "first_stopband",
    "last_stopband_rel",
    "lrelu_upsampling",
    "filter_size",
    "output_scale",
    "conv_clamp",
    "lr_multiplier",
    "mapping_kwargs",
    "resolution",
    "z_dim",
    "w_dim",
    "c_dim",
    "classes",
    "eps",
    "blocks",
    "attention",
    "layers",
    "rates",
    "bandwidth",
    "mapping_layers",
    "mapping_width",
    "widths",
    "inputs",
    "lod",
    "leak",
    "epsilon",
    "label_size",
    "fused_scale",
    "blur_filter",
    "resample_kernel",
    "resample_filter",
    "truncation",
    "taps",
    "means",
    "tanh",
    "mean",
    "encoding",
    "encoder_kwargs",
    "class_name",
    "kind",
    "final",
    "activation",
    "normalize_latents",
]


def hostile_json(rng: np.random.Generator, depth: int = 0) -> Any:
    """A value that JSON can hold, of any type and size."""
    leaves: list[Any] = [
        None,
        True,
        -1,
        0,
        1,
        4,
        2**16,
        2**31,
        2**63,
        10**300,
        1e308,
        -0.5,
        "",
        "x" * 3000,
        "\x1b[31m",
        [],
        {},
    ]
    if depth < 3 and rng.random() < 0.4:
        count = int(10 ** rng.uniform(0, 2 - depth / 2))
        items = [hostile_json(rng, depth + 1) for _ in range(count)]
        return (
            items if rng.random() < 0.5 else {SETTINGS[rng.integers(len(SETTINGS))]: item for item in items}
        )
    return leaves[rng.integers(len(leaves))]


def safetensors(
    rng: np.random.Generator, tensors: Mapping[str, Any] | None = None, settings: Any = None
) -> bytes:
    """A file of safetensors: (dtype, shape, bytes) by name, and our header."""
    wrong = tensors is None
    if tensors is None:
        count = int(10 ** rng.uniform(0, 4.3))
        long = "n" * int(10 ** rng.uniform(0, 5.5)) if count < 20 else ""
        shapes: list[Any] = [
            [2],
            [0],
            [0, 2**40],
            [1] * 17,
            [1] * 10_000,
            [2**63],
            [-1],
            [1.5],
            [[2]],
            "x",
            [10**400],
        ]
        shape = shapes[rng.integers(len(shapes))] if count < 100 and rng.random() < 0.8 else [0]
        tensors = {
            f"{long}{i}": (
                ["F32", "F16", "BOOL", "U64", "F8_E4M3", "X"][rng.integers(6)] if i == 0 else "F32",
                shape,
                b"",
            )
            for i in range(count)
        }
    header: dict[str, Any] = {} if settings is None else {"__metadata__": {"ganstrata": json.dumps(settings)}}
    content = bytearray()
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(content), len(content) + len(data)],
        }
        content += data
    text = json.dumps(header).encode()
    if wrong and rng.random() < 0.1:
        text = b"{" + b'"a":' * 10 + b"[" * int(10 ** rng.uniform(1, 6))
    length = len(text) if rng.random() < 0.95 else [0, 2**31, 2**32 - 1, len(text) + 5][rng.integers(4)]
    return struct.pack("<Q", length) + text + bytes(content)


def generator(rng: np.random.Generator) -> bytes:
    """A generator of a family that is known, in which names, shapes or settings are hostile."""
    state = FAMILIES[list(FAMILIES)[rng.integers(len(FAMILIES))]]()
    tensors: dict[str, Any] = {
        name: ("F32", list(tensor.shape), tensor.float().contiguous().numpy().tobytes())
        for name, tensor in state.items()
    }
    names = list(tensors)
    how = rng.integers(6)
    if how == 0:  # tensors without numbers, and of any extent
        extent = [[0, 2**20], [0, 2**30], [2**30, 0], [0], [0] * 16][rng.integers(5)]
        chosen = names if rng.random() < 0.3 else [name for name in names if rng.random() < 0.2]
        tensors |= dict.fromkeys(chosen, ("F32", extent, b""))
    elif how == 1:  # layers without end
        times = int(10 ** rng.uniform(1, 3.6))
        for name in (names[i] for i in rng.integers(len(names), size=3)):
            digits = [i for i, sign in enumerate(name) if sign.isdigit()]
            for i in range(times if digits else 0):
                tensors[f"{name[: digits[0]]}{i}{name[digits[0] + 1 :]}"] = tensors[name]
    elif how == 2:  # numbers in names
        for name in (names[i] for i in rng.integers(len(names), size=4)):
            digits = [i for i, sign in enumerate(name) if sign.isdigit()]
            value = ["9" * 250, "1024", "65536", "0", "00", "²"][rng.integers(6)]
            tensors[name if not digits else f"{name[: digits[-1]]}{value}{name[digits[-1] + 1 :]}"] = tensors[
                name
            ]
    elif how == 3:  # a long filter, which is compared with many others
        long = int(10 ** rng.uniform(1, 5))
        for name in names:
            if "filter" in name or "kernel" in name:
                tensors[name] = ("F32", [long], bytes(4 * long))
    elif how == 4:  # some of it is missing
        tensors = {name: tensors[name] for name in names if rng.random() < 0.7}
    settings: Any = None
    if rng.random() < 0.6:
        settings = {
            SETTINGS[rng.integers(len(SETTINGS))]: hostile_json(rng) for _ in range(int(rng.integers(0, 5)))
        }
        if rng.random() < 0.6:
            settings["network"] = {
                SETTINGS[rng.integers(len(SETTINGS))]: hostile_json(rng)
                for _ in range(int(rng.integers(0, 12)))
            }
    return safetensors(rng, tensors, settings)


def scorers(rng: np.random.Generator) -> bytes:
    """A checkpoint of a scorer."""
    return safetensors(rng, *scorer(rng))
