"""The encoder that is bundled for the rooms does what its card says."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import ganstrata
import pytest
import torch
from ganstrata.core.inversion.encoders.encoder_file import bundled_encoder, read_encoder
from ganstrata.core.inversion.encoders.quality import psnr
from ganstrata.core.randomness import Stream

WEIGHTS = files("ganstrata.weights")


@pytest.fixture(scope="module")
def rooms() -> ganstrata.Generator:
    return ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")


def test_it_is_the_one_for_the_rooms(rooms: ganstrata.Generator) -> None:
    assert bundled_encoder(rooms) == "bundled:rooms"
    assert ganstrata.load_encoder("bundled:rooms", rooms).sha256 == read_encoder("bundled:rooms").sha256


def test_its_card_is_its_own_and_the_weights_stay_small() -> None:
    content = (WEIGHTS / "rooms.encoder.safetensors").read_bytes()
    card = (WEIGHTS / "rooms.encoder.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in card
    assert len(content) <= 2 * 2**20
    sizes = [len(f.read_bytes()) for f in WEIGHTS.iterdir() if f.name.endswith(".safetensors")]
    assert sum(sizes) <= 16 * 2**20


def test_samples_are_reconstructed_as_the_card_says(rooms: ganstrata.Generator) -> None:
    card = (WEIGHTS / "rooms.encoder.md").read_text(encoding="utf-8")
    stated = re.search(r"samples of the generator \(200\) are reconstructed with (\d+\.\d+) dB", card)
    assert stated is not None
    latents = rooms.sample(24, 5, 0, Stream.EDITING)
    with torch.no_grad():
        x = ganstrata.render(rooms, rooms.broadcast(rooms.map(latents.z)), index=latents.index)
        again = ganstrata.render(
            rooms, ganstrata.load_encoder("bundled:rooms", rooms)(x), index=latents.index
        )
    assert abs(float(psnr(again, x).mean()) - float(stated[1])) < 1.0
