"""Damaged files under other libraries' names: refused, listed as faulty, or sound; never a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata import CheckpointError, Generator
from ganstrata.core.checkpoints import Part
from ganstrata.plugins.generators.biggan.architecture import Architecture as BigGANArchitecture
from ganstrata.plugins.generators.biggan.generator import BigGAN
from ganstrata.plugins.generators.mobile_stylegan.architecture import Architecture as MobileArchitecture
from ganstrata.plugins.generators.mobile_stylegan.generator import MobileStyleGAN
from ganstrata.plugins.generators.pggan.architecture import Architecture as ProgressiveArchitecture
from ganstrata.plugins.generators.pggan.generator import ProgressiveGAN
from ganstrata.plugins.generators.r3gan2.architecture import Architecture as R3GAN2Architecture
from ganstrata.plugins.generators.r3gan2.generator import R3GAN2
from ganstrata.plugins.generators.stylegan.architecture import Architecture as StyleArchitecture
from ganstrata.plugins.generators.stylegan.generator import StyleGAN
from ganstrata.plugins.generators.stylegan2.architecture import Architecture as StyleTwoArchitecture
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from ganstrata.plugins.generators.stylegan3.architecture import Architecture as AliasFreeArchitecture
from ganstrata.plugins.generators.stylegan3.generator import StyleGAN3
from ganstrata.plugins.generators.stylegan_t.architecture import Architecture as StyleGANTArchitecture
from ganstrata.plugins.generators.stylegan_t.generator import StyleGANT
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
KINDS: dict[str, tuple[type[Generator], Any, Callable[[], State]]] = {
    "zoo": (ProgressiveGAN, ProgressiveArchitecture, zoo),
    "pro_gan": (ProgressiveGAN, ProgressiveArchitecture, pro_gan),
    "old pro_gan": (ProgressiveGAN, ProgressiveArchitecture, lambda: pro_gan(old=True)),
    "rosinality": (StyleGAN, StyleArchitecture, rosinality),
    "zoo's StyleGAN": (StyleGAN, StyleArchitecture, zoo_stylegan),
    "StudioGAN": (BigGAN, BigGANArchitecture, studio),
    "R3GAN2": (R3GAN2, R3GAN2Architecture, r3gan2),
    "StudioGAN, deep": (BigGAN, BigGANArchitecture, lambda: studio(deep=True, skip=True)),
    "StyleGAN-T": (StyleGANT, StyleGANTArchitecture, stylegan_t),
    "StyleGAN-XL": (
        StyleGAN3,
        AliasFreeArchitecture,
        lambda: load_file(DATA / "stylegan3_xl_16.safetensors"),
    ),
    "StyleGAN-XL, stages": (
        StyleGAN3,
        AliasFreeArchitecture,
        lambda: load_file(DATA / "stylegan3_xl_64.safetensors"),
    ),
    "StyleGAN-XL, no classes": (
        StyleGAN3,
        AliasFreeArchitecture,
        lambda: load_file(DATA / "stylegan3_xl_r_64.safetensors"),
    ),
    "MobileStyleGAN": (MobileStyleGAN, MobileArchitecture, lambda: mobile(training=False)),
    "MobileStyleGAN's teacher": (StyleGAN2, StyleTwoArchitecture, lambda: mobile(student=False)),
}
SHAPES = ((), (0,), (1,), (0, 4), (3, 5, 2), (1, 1, 1, 1), (0, 0, 3, 3), (16, 7), (2, 1, 4, 4))
VALUES: tuple[Any, ...] = (None, True, -1, 0.5, "x", [], {"a": 1}, float("nan"), 2**70)
KEYS = (
    "alpha",
    "equalizedlR",
    "leakyReluLeak",
    "lossCriterion",
    "categoryVectorDim",
    "attribKeysOrder",
    "use_eql",
    "class_name",
    "vae_name",
    "raw_mean",
    "raw_std",
    "final_std",
)
DAMAGED = 60


def damaged(state: State, rng: np.random.Generator) -> tuple[State, dict[str, Any]]:
    """A state dict with one to three tensors dropped, renamed, reshaped or of other values, and settings."""
    state = dict(state)
    for _ in range(int(rng.integers(1, 4))):
        name = sorted(state)[int(rng.integers(len(state)))]
        tensor = state[name]
        what = int(rng.integers(6))
        if what == 0:
            del state[name]
        elif what == 1:
            state[name] = torch.zeros(SHAPES[int(rng.integers(len(SHAPES)))])
        elif what == 2:
            digits = str(int(rng.integers(12)))
            state["".join(digits if c.isdigit() and rng.integers(2) else c for c in name)] = tensor
        elif what == 3:
            state[name] = tensor.to((torch.float16, torch.int64, torch.complex64)[int(rng.integers(3))])
        elif what == 4:
            state[name] = torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor
        elif tensor.ndim:
            state[name] = torch.cat([tensor, tensor])
    inner = {KEYS[int(rng.integers(len(KEYS)))]: VALUES[int(rng.integers(len(VALUES)))] for _ in range(2)}
    return state, {
        "config": inner,
        "conf": inner,
        "encoder_kwargs": inner,
        "network": {"encoding": inner},
    } if rng.integers(2) else {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_or_sound(kind: str) -> None:
    plugin, architecture, make = KINDS[kind]
    original = make()
    rng = np.random.default_rng([7, list(KINDS).index(kind)])
    refused = faulty = longest = 0
    for _ in range(DAMAGED):
        state, settings = damaged(original, rng)
        part = Part("", state, settings)
        match = plugin.recognise(part.shapes, part.settings)
        try:
            examined = plugin.examine(part)
        except CheckpointError as error:
            longest = max(longest, len(str(error)))
            refused += 1
            continue
        assert (examined is None) == (match is None)
        if examined is None:
            continue
        if examined.faults:
            faulty += 1
            continue
        network = architecture.from_plain(examined.architecture).build()
        network.load_state_dict(dict(examined.tensors))
    assert refused + faulty > DAMAGED // 4
    assert longest <= 2_000
