"""Networks of other libraries' layouts whose tensors are wrong in a few places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import generators_fastgan
import generators_lightweight
import generators_lucidrains
import numpy as np
import torch
from generators_biggan_studio import studio
from generators_grown import pro_gan, zoo
from generators_mobile import small_state as mobile
from generators_r3gan2 import small_state as r3gan2
from generators_stylegan_pytorch import rosinality
from generators_stylegan_pytorch import zoo as zoo_stylegan
from generators_stylegan_t import small_state as stylegan_t
from reference_numbers import DATA
from safetensors.torch import load_file
from torch import Tensor

State = dict[str, Tensor]
STATES: dict[str, Callable[[], State]] = {
    "lucidrains' StyleGAN2": lambda: generators_lucidrains.small_state(attention=(1,)),
    "lucidrains' StyleGAN2, no constant": lambda: generators_lucidrains.small_state(constant=False),
    "FastGAN": lambda: generators_fastgan.small_state("FastGAN", 256, base=4),
    "FastGAN, projected": lambda: generators_fastgan.small_state("projected", 64, base=2),
    "FastGAN, lite": lambda: generators_fastgan.small_state("lite", 64, base=2),
    "FastGAN, conditional": lambda: generators_fastgan.small_state("conditional", 64, base=2),
    "lightweight-gan": lambda: generators_lightweight.small_state(64, attention=(1,)),
    "lightweight-gan, frequencies": lambda: generators_lightweight.small_state(pooling="frequencies"),
    "StyleGAN-T": stylegan_t,
    "StyleGAN-T, unconditional": lambda: stylegan_t("unconditional"),
    "MobileStyleGAN": lambda: mobile(training=False),
    "MobileStyleGAN, training": mobile,
    "MobileStyleGAN's teacher": lambda: mobile(student=False),
    "R3GAN2": r3gan2,
    "R3GAN2, bare": lambda: r3gan2("bare", classes=0),
    "StyleGAN-XL": lambda: load_file(DATA / "stylegan3_xl_16.safetensors"),
    "StyleGAN-XL, stages": lambda: load_file(DATA / "stylegan3_xl_64.safetensors"),
    "StyleGAN-XL, no classes": lambda: load_file(DATA / "stylegan3_xl_r_64.safetensors"),
    "zoo": zoo,
    "zoo's StyleGAN": zoo_stylegan,
    "pro_gan": pro_gan,
    "old pro_gan": lambda: pro_gan(old=True),
    "rosinality": rosinality,
    "StudioGAN": studio,
    "StudioGAN, deep": lambda: studio(deep=True, skip=True),
}
EXTENTS: tuple[tuple[int, ...], ...] = (
    (), (0,), (1,), (0, 4), (3, 5, 2), (1, 1, 1, 1), (0, 0, 3, 3), (16, 7), (2, 1, 4, 4), (1,) * 9,
    (0, 2**30), (2**31 - 1, 0, 3, 3),
)  # fmt: skip
TYPES = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64)
NUMBERS = (float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e38, 1e-38, 1e6)


def damaged(rng: np.random.Generator, state: State, most: int = 3) -> State:
    """A state dict with one to `most` tensors dropped, renamed, exchanged, reshaped, or of other values."""
    state = dict(state)
    for _ in range(int(rng.integers(1, most + 1))):
        if state:
            name, other = (sorted(state)[int(i)] for i in rng.integers(len(state), size=2))
            CHANGES[int(rng.integers(len(CHANGES)))](rng, state, name, other)
    return state


def _drop(rng: np.random.Generator, state: State, name: str, _: str) -> None:
    if rng.random() < 0.7:
        del state[name]
        return
    beginning = name.rpartition(".")[0]  # a whole layer
    for inner in [inner for inner in state if inner.startswith(beginning)]:
        del state[inner]


def _rename(rng: np.random.Generator, state: State, name: str, _: str) -> None:
    tensor = state[name] if rng.random() < 0.5 else state.pop(name)
    state[other_name(rng, name)] = tensor


def other_name(rng: np.random.Generator, name: str) -> str:
    """A name that is nearly this one: another number or prefix, a part less or more, or no name at all."""
    number = ("0", "1", "7", "11", "64", "1024", "00", "²", "-1", "9" * 30)[int(rng.integers(10))]
    parts = name.split(".")
    at = int(rng.integers(len(parts)))
    return (
        "".join(number if c.isdigit() and rng.integers(2) else c for c in name),
        ".".join([*parts[:at], *parts[at + 1 :]]),
        ".".join([*parts[:at], parts[at], *parts[at:]]),
        ".".join([*parts[:at], parts[at].swapcase(), *parts[at + 1 :]]),
        f"module.{name}",
        f"{name}.",
        "",
        "x" * 400,
    )[int(rng.integers(8))]


def _exchange(_: np.random.Generator, state: State, name: str, other: str) -> None:
    state[name], state[other] = state[other], state[name]


def _reshape(rng: np.random.Generator, state: State, name: str, _: str) -> None:
    tensor = state[name]
    how = int(rng.integers(7))
    if how == 0:
        state[name] = torch.zeros(EXTENTS[int(rng.integers(len(EXTENTS)))])
    elif how == 1:
        state[name] = tensor.flatten()
    elif how == 2:
        state[name] = tensor[None]
    elif how == 3 and tensor.ndim:
        state[name] = tensor.transpose(0, -1).contiguous()
    elif how == 4 and tensor.ndim:
        axis = int(rng.integers(tensor.ndim))
        state[name] = torch.cat([tensor] * int(rng.integers(2, 4)), dim=axis)
    elif how == 5 and tensor.ndim:
        axis = int(rng.integers(tensor.ndim))
        state[name] = tensor.narrow(axis, 0, int(rng.integers(tensor.shape[axis] + 1))).contiguous()
    elif tensor.ndim:  # of any extent, with one number in memory
        shape = list(tensor.shape)
        shape[int(rng.integers(tensor.ndim))] = (2**10, 2**20, 2**30)[int(rng.integers(3))]
        state[name] = torch.zeros(1).expand(shape)


def _retype(rng: np.random.Generator, state: State, name: str, _: str) -> None:
    kind = TYPES[int(rng.integers(len(TYPES)))]
    names = list(state) if rng.random() < 0.2 else [name]
    for inner in names:
        if is_small(tensor := state[inner]):
            # Of a tensor that was made complex before, the imaginary part is zero.
            state[inner] = (tensor if kind.is_complex or not tensor.is_complex() else tensor.real).to(kind)


def _revalue(rng: np.random.Generator, state: State, name: str, _: str) -> None:
    tensor = state[name]
    if not is_small(tensor) or not tensor.numel() or not tensor.is_floating_point():
        return
    value = NUMBERS[int(rng.integers(len(NUMBERS)))]
    if rng.random() < 0.5:
        state[name] = torch.full_like(tensor, value)
    else:
        state[name] = tensor.clone(memory_format=torch.contiguous_format)
        state[name].view(-1)[int(rng.integers(tensor.numel()))] = value


def _repeat(rng: np.random.Generator, state: State, name: str, _: str) -> None:
    """Copy a layer under other numbers, as if the network had more of them."""
    digits = [i for i, sign in enumerate(name) if sign.isdigit()]
    if digits:
        at = digits[int(rng.integers(len(digits)))]
        inner = [inner for inner in state if inner.startswith(name[:at])]
        number = int(rng.integers(2, 40))
        state |= {f"{name[:at]}{number}{one[at + 1 :]}": state[one] for one in inner if len(one) > at}


def is_small(tensor: Tensor) -> bool:
    """Whether the tensor has its numbers in memory."""
    return tensor.numel() < 2**20


Change = Callable[[np.random.Generator, State, str, str], None]
CHANGES: tuple[Change, ...] = (
    _drop, _rename, _exchange, _reshape, _reshape, _retype, _revalue, _revalue, _repeat,
)  # fmt: skip


def settings_of(name: str) -> dict[str, Any]:
    """Settings that files of this network have beside their tensors."""
    return {
        key: value
        for start, values in SETTINGS.items()
        if name.startswith(start)
        for key, value in values.items()
    }


SETTINGS: dict[str, dict[str, Any]] = {
    "lucidrains": {"version": "1.8.9"},
    "lightweight": {"version": "1.1.1"},
    "R3GAN2": {
        "encoder_kwargs": {
            "class_name": "training.encoders.StandardRGBEncoder",
            "vae_name": "stabilityai/sd-vae-ft-mse",
            "raw_mean": [0.5, 1.0, 1.5, 2.0],
            "final_std": 0.5,
        }
    },
    "StyleGAN-XL": {
        "z_dim": 6,
        "w_dim": 10,
        "c_dim": 3,
        "img_resolution": 16,
        "img_channels": 3,
        "channel_base": 128,
        "channel_max": 12,
        "num_layers": 7,
        "conv_kernel": 3,
        "use_radial_filters": False,
        "magnitude_ema_beta": 0.99,
        "mapping_kwargs": {"rand_embedding": False, "num_layers": 2, "lr_multiplier": 0.01},
        "path_stem": "a.pkl",
        "head_layers": 4,
        "up_factor": 2,
        "output_scale": 0.25,
        "conv_clamp": 256,
        "square": True,
    },
    "zoo": {
        "config": {
            "alpha": 0.0,
            "scale": 2,
            "equalizedlR": True,
            "initBiasToZero": True,
            "leakyReluLeak": 0.2,
            "perChannelNormalization": True,
            "lossMode": "WGANGP",
            "lossCriterion": "WGANGP",
            "categoryVectorDim": 0,
            "attribKeysOrder": None,
            "generationActivation": None,
            "depthScales": [6, 5, 4],
        }
    },
    "pro_gan": {"conf": {"use_eql": True, "depth": 3, "num_channels": 3, "latent_size": 7}},
    "old pro_gan": {"conf": {"use_eql": True}},
    "StudioGAN": {"eps": 1e-4},
}
