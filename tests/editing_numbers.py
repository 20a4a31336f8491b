"""Build the network and the extractor with which the authors' code edited pictures (tests/data)."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import torch
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.feature_maps import choose_strata, describe_maps
from generator_files import write
from reference_numbers import reference
from torch import Tensor

NUMBERS = reference("lineargan_editing")


def number(key: str) -> Tensor:
    return torch.from_numpy(NUMBERS[key].copy())


def authors_generator(folder: Path) -> ganstrata.Generator:
    """The random StyleGAN2 of 32 pixels, without truncation."""
    state = {name.removeprefix("state/"): number(name) for name in NUMBERS if name.startswith("state/")}
    path = write(folder / "network.safetensors", state)
    return ganstrata.load_generator("stylegan2", checkpoint=str(path), truncation_psi=1.0, device="cpu")


def authors_extractor(generator: ganstrata.Generator) -> Extractor:
    """The random LSE of 5 classes with learnt layer weights."""
    maps = describe_maps(generator, choose_strata(generator.strata, "all"))
    architecture = Architecture("LSE", maps, tuple("abcde"), (32, 32), layer_weights="softplus")
    head = architecture.build()
    ours = {f"T.{i}": number(f"extractor/extractor.{i}.weight")[:, :, 0, 0] for i in range(len(maps))}
    head.load_state_dict({**ours, "theta": number("extractor/layer_weight")})
    return Extractor(architecture, (head.requires_grad_(False),), MadeFor.of(generator))
