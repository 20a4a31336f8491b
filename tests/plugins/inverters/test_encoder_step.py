"""The step `encoder` begins an inversion with what a network answers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from fakes import LAYERS, SIZE, WIDTH, Classes, Layered
from ganstrata import Generator, Rendering
from ganstrata.core.errors import CheckpointError, MismatchError, UserError
from ganstrata.core.inversion.encoders import chosen
from ganstrata.core.inversion.encoders.encoder_file import load_encoder, save_encoder
from ganstrata.core.inversion.encoders.learn import Material, learn_encoder
from ganstrata.core.inversion.encoders.request import EncoderRequest
from ganstrata.core.inversion.keys import plugin_facts
from ganstrata.core.plugins.inverter import Inversion, InversionTask
from ganstrata.core.runs.progress import Progress
from ganstrata.core.strata.composition import render
from ganstrata.plugins.inverters.encoder import Encoder
from ganstrata.testing import check_plugin
from torch import Tensor

CPU = torch.device("cpu")


def fake(kind: type[Layered] = Layered) -> Generator:
    generator = kind(kind.Config(), CPU)
    generator.name = "fake"
    return generator


def stored(path: Path, generator: Generator, space: str = "w+") -> Path:
    request = EncoderRequest(pictures=32, batch=16, space=space)  # type: ignore[arg-type]
    save_encoder(learn_encoder(generator, request, Material(), Progress(quiet=True)).encoder, path)
    return path


def task(generator: Generator, n: int = 5, condition: Tensor | None = None) -> InversionTask:
    def rendered(inversion: Inversion) -> Rendering:
        return Rendering(render(generator, inversion.codes, condition=inversion.condition))

    pictures = torch.rand(n, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return InversionTask(
        generator,
        pictures,
        torch.arange(n),
        rendered,
        lambda rendering: (rendering.images - pictures).square().flatten(1).mean(1),
        condition=condition,
    )


def step(path: Path | None) -> Encoder:
    return Encoder(Encoder.Config(checkpoint=None if path is None else str(path)), CPU)


def test_it_gives_the_codes_of_the_encoder(tmp_path: Path) -> None:
    generator = fake()
    path = stored(tmp_path / "e.safetensors", generator)
    asked = task(generator)
    found = step(path).invert(asked, None)
    torch.testing.assert_close(found.codes, load_encoder(str(path), generator)(asked.pictures))
    assert found.codes.shape == (5, LAYERS, WIDTH)
    assert (found.space, found.latent, found.condition) == ("w+", None, None)
    assert not found.codes.requires_grad


def test_a_picture_is_treated_alike_in_every_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = fake()
    path = stored(tmp_path / "e.safetensors", generator)
    whole = step(path).invert(task(generator), None).codes
    monkeypatch.setattr("ganstrata.plugins.inverters.encoder.auto_batch", lambda *_: 2)
    torch.testing.assert_close(step(path).invert(task(generator), None).codes, whole, rtol=1e-4, atol=1e-5)


def test_one_w_for_all_layers_is_kept_as_the_latent(tmp_path: Path) -> None:
    generator = fake()
    found = step(stored(tmp_path / "e.safetensors", generator, "w")).invert(task(generator), None)
    assert found.space == "w"
    assert found.latent is not None
    torch.testing.assert_close(found.codes, generator.broadcast(found.latent))


def test_classes_are_those_of_the_user_or_those_that_are_told(tmp_path: Path) -> None:
    generator = fake(Classes)
    path = stored(tmp_path / "e.safetensors", generator)
    given = torch.tensor([2, 2, 0, 1, 0])
    assert torch.equal(step(path).invert(task(generator, condition=given), None).condition, given)  # type: ignore[arg-type]
    told = step(path).invert(task(generator), None).condition
    assert told is not None
    assert torch.equal(told, load_encoder(str(path), generator).condition(task(generator).pictures))  # type: ignore[arg-type]


def test_an_encoder_of_another_generator_or_none_is_refused_before_anything(tmp_path: Path) -> None:
    path = stored(tmp_path / "e.safetensors", fake())
    with pytest.raises(MismatchError, match="trained for another generator"):
        step(path).check_generator(fake(Classes))
    with pytest.raises(UserError, match="no encoder is bundled for"):
        step(None).check_generator(fake())
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        step(tmp_path / "missing.safetensors")
    step(path).check_generator(fake())


def test_what_is_stored_depends_on_the_file(tmp_path: Path) -> None:
    generator = fake()
    built = step(stored(tmp_path / "e.safetensors", generator))
    built.check_generator(generator)
    digest = hashlib.sha256((tmp_path / "e.safetensors").read_bytes()).hexdigest()
    assert plugin_facts("inverter", built)["checkpoint"] == digest


def test_the_file_is_read_once_for_a_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, calls = fake(), []
    path = stored(tmp_path / "e.safetensors", generator)

    def counted(name: str, of: Generator) -> object:
        calls.append(name)
        return load_encoder(name, of)

    monkeypatch.setattr(chosen, "load_encoder", counted)
    built = step(path)
    built.check_generator(generator)
    built.invert(task(generator), None)
    assert calls == [str(path)]


def test_it_keeps_the_promises_of_inverters(tmp_path: Path) -> None:
    generator = fake()
    path = stored(tmp_path / "e.safetensors", generator)
    outcomes = check_plugin("inverter", Encoder, {"checkpoint": str(path)}, generator=generator)
    assert [o.check.name for o in outcomes if o.verdict == "failed"] == []
    passed = {o.check.name for o in outcomes if o.verdict == "ok"}
    assert "batch does not change a result" in passed
