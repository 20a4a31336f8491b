"""The step `in_domain` keeps codes where an encoder finds them again in their picture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from fakes import SIZE, Layered
from ganstrata import Generator
from ganstrata.core.errors import CheckpointError, UserError
from ganstrata.core.inversion.encoders.encoder_file import load_encoder, save_encoder
from ganstrata.core.inversion.encoders.learn import Material, learn_encoder
from ganstrata.core.inversion.encoders.request import EncoderRequest
from ganstrata.core.inversion.keys import plugin_facts
from ganstrata.core.inversion.rendering import Renderer
from ganstrata.core.plugins.inverter import Inversion, InversionTask
from ganstrata.core.runs.progress import Progress
from ganstrata.plugins.inverters.in_domain import InDomain
from ganstrata.plugins.inverters.mean import Mean
from ganstrata.plugins.inverters.w_plus import WPlus
from ganstrata.testing import check_plugin

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def generator() -> Generator:
    generator = Layered(Layered.Config(gain=0.2), CPU)
    generator.name = "fake"
    return generator


@pytest.fixture(scope="module")
def path(generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    request = EncoderRequest(pictures=320, batch=16, learning_rate=3e-3, mixing=0.0)
    file = tmp_path_factory.mktemp("encoder") / "e.safetensors"
    save_encoder(learn_encoder(generator, request, Material(), Progress(quiet=True)).encoder, file)
    return file


def step(path: Path, **fields: float) -> InDomain:
    return InDomain(InDomain.Config(checkpoint=str(path), steps=20, **fields), CPU)


@pytest.fixture
def task(generator: Generator) -> InversionTask:
    pictures = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    index = torch.arange(2)
    return InversionTask(
        generator,
        pictures,
        index,
        Renderer(generator, index),
        lambda rendering: (rendering.images - pictures).square().flatten(1).mean(1),
    )


def strays(task: InversionTask, path: Path, found: Inversion) -> float:
    """How far codes are from what the encoder finds in their pictures."""
    again = load_encoder(str(path), task.generator)(task.render(found).images)
    return float((found.codes - again).square().mean())


def test_codes_stay_nearer_to_what_the_encoder_finds(task: InversionTask, path: Path) -> None:
    start = Mean(Mean.Config(), CPU).invert(task, None)
    free, kept = (step(path, weight=weight).invert(task, start) for weight in (0.0, 1.0))
    assert strays(task, path, kept) < 0.7 * strays(task, path, free)
    assert kept.losses is not None
    assert free.losses is not None
    assert (kept.losses[-1] >= free.losses[-1]).all()


def test_without_weight_it_is_the_step_w_plus(task: InversionTask, path: Path) -> None:
    start = Mean(Mean.Config(), CPU).invert(task, None)
    plain = WPlus(WPlus.Config(steps=20), CPU).invert(task, start)
    torch.testing.assert_close(step(path, weight=0.0).invert(task, start).codes, plain.codes)


def test_what_is_stored_depends_on_the_encoder(generator: Generator, path: Path) -> None:
    built = step(path)
    built.check_generator(generator)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert plugin_facts("inverter", built)["checkpoint"] == digest


def test_a_missing_encoder_is_said_to_be_missing(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        step(tmp_path / "missing.safetensors")
    with pytest.raises(
        UserError, match=r"no encoder is bundled for .* in_domain\.checkpoint, or refine with"
    ):
        InDomain(InDomain.Config(), CPU).check_generator(generator)


def test_it_keeps_the_promises_of_inverters(generator: Generator, path: Path) -> None:
    outcomes = check_plugin("inverter", InDomain, {"checkpoint": str(path), "steps": 3}, generator=generator)
    assert {o.check.name: o.message for o in outcomes if o.verdict == "failed"} == {}
