"""Generators compute in the precision that is asked for, in which feature maps are half as large."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.device import autocast
from generator_files import write
from hostile_states import STATES, settings_of


@pytest.mark.parametrize("name", STATES)
@torch.inference_mode()
def test_feature_maps_are_of_the_precision_that_is_asked_for(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", STATES[name](), **settings_of(name))
    generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu", check=False)
    latents = generator.sample(2, 0, 0, ganstrata.Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    types = set()
    with autocast(generator.device, "bf16"):
        state = generator.begin(ganstrata.Inputs(2, latents.condition, latents.index, 1))
        for s, stratum in enumerate(generator.strata):
            state = generator.stratum(s, state, None if stratum.reads is None else codes[:, stratum.reads])
            if state.x is not None and stratum.is_feature:
                types.add(state.x.dtype)
    assert torch.bfloat16 in types
    assert codes.dtype == torch.float32
