"""Files of encoders: what is stored comes back, and nothing else is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import LAYERS, SIZE, WIDTH, Classes, Layered
from ganstrata import Generator
from ganstrata.core.checkpoints import SETTINGS
from ganstrata.core.errors import CheckpointError, GanstrataError, MismatchError, ShapeError
from ganstrata.core.inversion.encoders import encoder_file
from ganstrata.core.inversion.encoders.encoder import Encoder
from ganstrata.core.inversion.encoders.encoder_file import (
    bundled_encoder,
    encoder_of,
    load_encoder,
    read_encoder,
    save_encoder,
)
from ganstrata.core.inversion.encoders.learn import Material, learn_encoder
from ganstrata.core.inversion.encoders.request import EncoderRequest
from ganstrata.core.runs.progress import Progress
from safetensors.torch import load_file, save_file
from torch import Tensor

REQUEST = EncoderRequest(pictures=16, batch=16)


def fake(kind: type[Layered] = Layered, gain: float = 0.2) -> Generator:
    generator = kind(kind.Config(gain=gain), torch.device("cpu"))
    generator.name = "fake"
    return generator


@pytest.fixture(scope="module")
def trained() -> Encoder:
    return learn_encoder(fake(), REQUEST, Material(), Progress(quiet=True)).encoder


@pytest.fixture
def path(trained: Encoder, tmp_path: Path) -> Path:
    file = tmp_path / "e.safetensors"
    save_encoder(trained, file)
    return file


def pictures() -> Tensor:
    return torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def rewritten(
    path: Path, header: dict[str, Any] | None = None, tensors: dict[str, Tensor] | None = None
) -> None:
    """Change entries of the header and tensors; None takes a tensor away."""
    stored = load_file(path)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    old = json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"][SETTINGS])
    stored = {k: v for k, v in {**stored, **(tensors or {})}.items() if v is not None}
    save_file(stored, path, metadata={SETTINGS: json.dumps({**old, **(header or {})})})


def test_what_was_stored_comes_back(trained: Encoder, path: Path) -> None:
    again = read_encoder(path)
    assert again.architecture == trained.architecture
    assert again.made_for == trained.made_for
    assert again.classes == trained.classes
    assert again.facts["quality"] == trained.facts["quality"]
    assert again.facts["request"]["pictures"] == 16
    # The trained network was rounded to what the file holds, so nothing is lost.
    x = pictures()
    torch.testing.assert_close(again.for_generator(fake())(x), trained.for_generator(fake())(x))
    assert not any(p.requires_grad for p in again.network.parameters())


def test_codes_go_to_layers_as_the_generator_takes_them(path: Path) -> None:
    x = pictures().requires_grad_(True)
    codes = load_encoder(str(path), fake())(x)
    assert codes.shape == (3, LAYERS, WIDTH)
    codes.square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    encoder = read_encoder(path)
    plain = encoder.mean + encoder.sd * encoder.network(x.detach()).variables()  # type: ignore[operator]
    torch.testing.assert_close(codes.detach(), plain)


def test_pictures_of_another_size_are_refused(path: Path) -> None:
    with pytest.raises(ShapeError, match="pictures passed to an encoder"):
        load_encoder(str(path), fake())(torch.rand(1, 3, SIZE + 1, SIZE))


def test_another_generator_is_refused_in_words(path: Path) -> None:
    with pytest.raises(
        MismatchError, match=r"e\.safetensors was trained for another generator.*encoder train"
    ):
        load_encoder(str(path), fake(gain=0.3))


def test_classes_come_back(tmp_path: Path) -> None:
    file = tmp_path / "c.safetensors"
    save_encoder(learn_encoder(fake(Classes), REQUEST, Material(), Progress(quiet=True)).encoder, file)
    encoder = read_encoder(file)
    assert encoder.classes == (0, 1, 2)
    told = load_encoder(str(file), fake(Classes)).condition(pictures())
    assert told is not None
    assert set(told.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        ({"architecture": "extractor-1"}, {}, "is not an encoder: its header names 'extractor-1'"),
        ({"rows": 3}, {}, "does not fit its header"),
        ({"rows": "8"}, {}, "its header is damaged"),
        ({"space": "w"}, {}, "has one code per picture"),
        ({"classes": [2, 1]}, {}, "do not rise"),
        ({"space": "layers"}, {}, "mean is"),
        ({}, {"mean": None}, "mean is missing"),
        ({}, {"sd": torch.ones(3)}, r"sd is \(3,\)"),
        ({}, {"mean": torch.full((WIDTH,), torch.inf)}, "mean holds values that are not finite"),
        ({}, {"sd": torch.zeros(WIDTH)}, "sd holds values that are not above 0"),
        ({}, {"network.base.weight": None}, "network.base.weight is missing"),
        ({}, {"network.base.bias": torch.full((WIDTH,), torch.nan)}, "not finite"),
        ({}, {"network.base.bias": torch.ones(WIDTH).half()}, "its content has changed since it was written"),
        ({}, {"mean": torch.ones(WIDTH)}, "its content has changed since it was written"),
        ({"facts": {}}, {}, "its content has changed since it was written"),
        ({"checksum": "0" * 64}, {}, "its content has changed since it was written"),
        ({"checksum": None}, {}, "its header is damaged: checksum"),
        ({"architecture": "encoder-1"}, {}, "is not an encoder: its header names 'encoder-1'"),
    ],
)
def test_what_is_amiss_is_named(
    path: Path, header: dict[str, Any], tensors: dict[str, Any], message: str
) -> None:
    rewritten(path, header, tensors)
    with pytest.raises(CheckpointError, match=message):
        load_encoder(str(path), fake())


def test_a_flipped_bit_is_found_wherever_it_is(path: Path) -> None:
    content = path.read_bytes()
    draw = np.random.default_rng(0)
    start = 8 + int.from_bytes(content[:8], "little")
    places = [
        *draw.integers(start, len(content), 20),
        *range(start - 8 * 40, start - 8, 16),
        len(content) - 1,
    ]
    for place in places:
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << int(draw.integers(8))
        path.write_bytes(spoilt)
        with pytest.raises(GanstrataError):
            load_encoder(str(path), fake())


def test_the_package_knows_which_encoder_is_for_a_generator(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path.parent
    path.rename(folder / "toy.encoder.safetensors")
    monkeypatch.setattr(encoder_file, "WEIGHTS", folder)
    assert bundled_encoder(fake()) == "bundled:toy"
    assert bundled_encoder(fake(gain=0.3)) is None


def test_a_checkpoint_that_is_no_encoder_is_refused(tmp_path: Path) -> None:
    from ganstrata.core.checkpoints import read_checkpoint

    file = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(2)}, file)
    with pytest.raises(CheckpointError, match="names no architecture"):
        encoder_of(read_checkpoint(file), torch.device("cpu"))
