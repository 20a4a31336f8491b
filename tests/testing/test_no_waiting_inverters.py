"""On an accelerator no step of an inversion waits: each search reads values once, at its end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
import torch
from built_in_plugins import GENERATORS
from ganstrata import Generator, Stream
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.encoders.encoder import Encoder
from ganstrata.core.inversion.encoders.encoder_file import save_encoder
from ganstrata.core.inversion.encoders.network import Architecture
from ganstrata.core.inversion.rendering import Renderer
from ganstrata.core.plugins.inverter import Inversion, InversionTask, Inverter
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.loading import build
from ganstrata.core.semantics.extractor import MadeFor
from ganstrata.testing import DoesNotApply, second_device
from ganstrata.testing.subject import Subject

CLASSES = ("classes",)  # needs a generator of classes
AT_THE_END = {"mean": 0, "best": 0, "encoder": 0, "multi_code": 2, "pivotal": 4}  # of two pictures; others: 1
QUICK = ["encoder", "z"]
SLOW = sorted({info.name for info in registry().infos("inverter")} - {*CLASSES, *QUICK})


@pytest.fixture(autouse=True)
def _stand_in() -> None:
    try:
        second_device.device()
    except DoesNotApply as reason:
        pytest.skip(str(reason))


class Held:
    """Tensors of a task, which the stand-in takes along."""

    def __init__(self, generator: Generator) -> None:
        latents = generator.sample(2, 3, 0, Stream.EDITING)
        self.z, self.codes = latents.z, generator.broadcast(generator.map(latents.z)).detach()
        with torch.no_grad():
            self.pictures = Renderer(generator, latents.index, 3)(Inversion(self.codes)).images.clamp(0, 1)

    def inverted_by(self, inverter: Inverter, generator: Generator) -> Inversion:
        """Invert the two pictures."""
        index = torch.arange(2)
        task = InversionTask(
            generator,
            self.pictures,
            index,
            Renderer(generator, index, 3, late=True),
            DistanceRule(perceptual=0.0).to(self.pictures),
            seed=3,
        )
        start = None if inverter.step == "embed" else Inversion(self.codes, None, self.z, "z")
        return inverter.invert(task, start)


def _encoder_of(generator: Generator, path: Path) -> str:
    """Write an encoder that was not trained: no gradient may be computed before the stand-in is there."""
    card = generator.card
    architecture = Architecture("small", "w+", card.height, card.width, card.layers, card.code_size, 0)
    unit = torch.zeros(card.code_size), torch.ones(card.code_size)
    save_encoder(Encoder(architecture, architecture.build().eval(), *unit, MadeFor.of(generator)), path)
    return str(path)


def _waits(label: str, generator: Generator, encoder: str) -> list[list[str]]:
    """Return what waits when two pictures are inverted in one step and in two."""
    fields = registry().info("inverter", label).load().Config.model_fields
    inverters = []
    for steps in (1, 2):
        options = {"steps": steps, "samples": 2 * steps, "batch": 2, "checkpoint": encoder}
        given = {name: value for name, value in options.items() if name in fields}
        inverters.append(cast("Inverter", build("inverter", label, given, device="cpu")))
        inverters[-1].check_generator(generator)
    held = Held(generator)
    with torch.no_grad():  # what is cached at a first call is then cached with values
        rendering = Renderer(generator, torch.arange(2))(Inversion(held.codes))
        DistanceRule(perceptual=0.0).to(held.pictures)(rendering)
    waits = []
    with second_device.moved([generator, inverters, held], made_up=True) as apart:
        for inverter in (inverters[0], *inverters):  # in the first call tables for the device may be made
            apart.waits.clear()
            held.inverted_by(inverter, generator)
            waits.append(list(apart.waits))
    return waits[1:]


def _invert_there(labels: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plugin, make = GENERATORS["StyleGAN2"]
        config = make(Path(folder)) | {"noise": "fresh"}
        generator = Subject("generator", plugin, config).build()
        encoder = _encoder_of(generator, Path(folder) / "e.safetensors")
        for label in labels:
            few, many = _waits(label, generator, encoder)
            assert len(few) == len(many) == AT_THE_END.get(label, 1), (label, few, many)


@pytest.mark.parametrize("labels", [QUICK, pytest.param(SLOW, marks=pytest.mark.full)], ids=["quick", "slow"])
def test_no_step_waits(labels: Sequence[str]) -> None:
    """In a process of its own: torch counts devices when it computes the first gradients."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    begin = "import torch; torch.set_num_threads(1); import test_no_waiting_inverters as t"
    code = f"{begin}; t._invert_there({labels})"
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
