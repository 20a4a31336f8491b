"""On an accelerator no step of a training waits, nor one of painting or restoring."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from built_in_plugins import GENERATORS
from ganstrata import Generator, Rendering, Stream
from ganstrata.core.inversion.degradation import degradation_named
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.encoders.learn import classes_of
from ganstrata.core.inversion.encoders.network import Architecture as EncoderArchitecture
from ganstrata.core.inversion.encoders.pairs import PairSource
from ganstrata.core.inversion.encoders.quality import measure
from ganstrata.core.inversion.encoders.real import of_array
from ganstrata.core.inversion.encoders.request import EncoderRequest, LossWeights
from ganstrata.core.inversion.encoders.training import Trainer as EncoderTrainer
from ganstrata.core.inversion.rendering import Renderer as InversionRenderer
from ganstrata.core.plugins.inverter import Inversion, InversionTask, Inverter
from ganstrata.core.runs.loading import build
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.learning import whitened as learning
from ganstrata.core.semantics.learning.annotated import draw_samples, redrawing
from ganstrata.core.semantics.learning.few_shot import FewShotSettings, train_few_shot
from ganstrata.core.semantics.learning.training import Trainer, TrainingSettings
from ganstrata.core.semantics.painting.editing import by_labels
from ganstrata.core.semantics.predictors import Predictor
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.strata.code_search import Renderer, Search, search_codes
from ganstrata.core.strata.code_spaces import CodeSpace, SpaceName
from ganstrata.testing import DoesNotApply, second_device
from ganstrata.testing.subject import Subject
from planted_semantics import CLASSES, planted_samples
from torch import Tensor

SIZE = (8, 8)
Call = Callable[[int], object]
QUICK = ("head", "few_shot", "painting", "encoder", "restoration")
SLOW = ("other_heads", "whitened", "encoder_with_all", "encoder_with_classes")


@pytest.fixture(autouse=True)
def _stand_in() -> None:
    try:
        second_device.device()
    except DoesNotApply as reason:
        pytest.skip(str(reason))


def _samples(**teacher: Any) -> LabelledSamples:
    samples = planted_samples(2, **teacher)
    samples.draw(0, Stream.TRAINING)  # what is cached at a first call is then cached with values
    return samples


def _trained(samples: LabelledSamples, head: Any, images: int, layerwise: float, **options: Any) -> None:
    architecture = Architecture(head, samples.maps, samples.teacher.classes, SIZE, **options)
    for _ in Trainer(samples, architecture, TrainingSettings(images, layerwise=layerwise)).steps():
        pass


def head() -> Iterator[tuple[object, Call]]:
    """A linear extractor by gradient descent."""
    samples = _samples()
    yield samples, lambda n: _trained(samples, "LSE", 4 * n, 0.0)


def other_heads() -> Iterator[tuple[object, Call]]:
    """Those that are not linear, and one with losses of strata."""
    samples = _samples()
    for name in ("NSE-1", "NSE-2"):
        yield samples, lambda n, name=name: _trained(samples, name, 4 * n, 0.0)
    chosen = _samples(chosen=(0, 2))
    yield chosen, lambda n: _trained(chosen, "LSE", 4 * n, 0.1, layer_weights="softplus")


def few_shot() -> Iterator[tuple[object, Call]]:
    """On two pictures, with the same maps in every step, and with others."""
    samples = _samples()
    drawn = draw_samples(samples, range(2), Stream.TRAINING)
    held = [samples, drawn]

    def learnt(n: int, *, fresh: bool) -> None:
        redraw = redrawing(samples, range(2)) if fresh else None
        train_few_shot(drawn.maps, drawn.labels, 3, FewShotSettings(n), redraw=redraw)

    yield held, lambda n: learnt(n, fresh=False)
    yield held, lambda n: learnt(n, fresh=True)


def whitened() -> Iterator[tuple[object, Call]]:
    """LDA of two pictures, and a pass after it with one step in a section, or two."""
    learning.FIRST, learning.STEP = 2, 1
    samples = _samples()

    def solved(n: int) -> None:
        learning.solve_whitened(samples, learning.WhitenedSettings(2 + n * learning.SECTIONS, 2))

    yield samples, solved


class _Painted:
    """Tensors of a search, which the stand-in takes along; what is indexed by the host stays there."""

    def __init__(self, samples: LabelledSamples) -> None:
        self.samples = samples
        architecture = Architecture("LSE", samples.maps, CLASSES, SIZE)
        head = architecture.build().requires_grad_(False)
        self.extractor = Extractor(architecture, [head], MadeFor.of(samples.generator))
        self.target = torch.zeros(2, *SIZE, dtype=torch.int64)
        self.latents = samples.generator.sample(2, 0, 0, Stream.EDITING)
        self.start = {name: self.space(name).start(self.latents) for name in ("z", "layers")}
        self.kept = torch.zeros(2, samples.generator.card.layers, samples.generator.card.code_size)

    def space(self, name: Any) -> CodeSpace:
        return CodeSpace(self.samples.generator, name)

    def searched(self, space: CodeSpace, predictor: Predictor, steps: int) -> None:
        renderer = Renderer(space, self.latents, self.samples.strata)
        objective = by_labels(predictor, self.target, self.target == 0, 1.0)
        search_codes(renderer, self.start[space.name], objective, Search(steps))


def painting() -> Iterator[tuple[object, Call]]:
    """Codes whose segmentation is a painted one, by the extractor and, of some layers, by the teacher."""
    held = _Painted(_samples(chosen=(0, 2)))
    extractor = Predictor.of_extractor(held.extractor)
    teacher = Predictor.of_teacher(held.samples.teacher)
    yield held, lambda n: held.searched(held.space("z"), extractor, n)
    yield held, lambda n: held.searched(held.space("layers").only([0, 2], held.kept), teacher, n)


class Squares:
    """A perceptual distance: of the squares of pixels."""

    name = "squares"

    def features(self, rendering: Rendering) -> list[Tensor]:
        return [rendering.images.square()]

    def compare(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        return (first[0] - second[0]).square().flatten(1).mean(1)


def _generator(label: str, **options: str) -> Generator:
    plugin, make = GENERATORS[label]
    config = make(Path(tempfile.mkdtemp())) | options
    return cast("Generator", Subject("generator", plugin, config).build())


def _encoded(
    generator: Generator, steps: int, weights: LossWeights, name: SpaceName = "z", *, real: bool = False
) -> None:
    card = generator.card
    classes = classes_of(generator, 0)
    space = CodeSpace.of(generator, name)
    values = card.latent_size if space.mean is None else card.code_size
    architecture = EncoderArchitecture(
        "small", space.name, card.height, card.width, space.rows, values, len(classes)
    )
    request = EncoderRequest(pictures=2 * steps, batch=2, real_from=0.0, weights=weights)
    pictures = of_array(np.zeros((4, card.height, card.width, 3), np.uint8)) if real else None
    trainer = EncoderTrainer(
        PairSource(space, 0.5, 0), architecture, request, classes=classes, perceptual=Squares(), real=pictures
    )
    for _ in trainer.steps():
        pass
    measure(trainer.network, trainer.source, trainer.active, samples=2, real=pictures, classes=classes)


def encoder() -> Iterator[tuple[object, Call]]:
    """Codes and pixels."""
    generator = _generator("StyleGAN2", noise="fresh")
    weights = LossWeights(perceptual=0.0)
    yield generator, lambda n: _encoded(generator, n, weights)


def encoder_with_all() -> Iterator[tuple[object, Call]]:
    """All parts of the loss, with real pictures."""
    generator = _generator("StyleGAN2")
    weights = LossWeights(reciprocity=1.0, joint=0.1, deltas=0.1)
    yield generator, lambda n: _encoded(generator, n, weights, "w+", real=True)


def encoder_with_classes() -> Iterator[tuple[object, Call]]:
    """A generator of classes."""
    generator = _generator("BigGAN")
    yield generator, lambda n: _encoded(generator, n, LossWeights())


def restoration() -> Iterator[tuple[object, Call]]:
    """Pictures that lost colours, resolution and some pixels, by codes z, with MS-SSIM."""
    generator = _generator("StyleGAN2", noise="fresh")
    rule = DistanceRule(perceptual=0.0, ms_ssim=0.1, degradation=degradation_named("grey+downsample:2"))
    card = generator.card
    held = {
        "generator": generator,
        "given": torch.full((2, 3, card.height // 2, card.width // 2), 0.5),
        "whole": torch.full((2, 3, card.height, card.width), 0.5),
        "known": torch.ones(2, 1, card.height // 2, card.width // 2),
    }

    def restored(n: int) -> None:
        index = torch.arange(2)
        task = InversionTask(
            generator,
            cast("Tensor", held["whole"]),
            index,
            InversionRenderer(generator, index, 3, late=True),
            rule.to(cast("Tensor", held["given"]), cast("Tensor", held["known"])),
            seed=3,
        )
        with torch.no_grad():
            z = generator.sample(2, 3, 0, Stream.EDITING).z
            codes = generator.broadcast(generator.map(z))
        search = cast("Inverter", build("inverter", "z", {"steps": n}, device="cpu"))
        search.invert(task, Inversion(codes, None, z, "z"))

    yield held, restored


def _indices(held: object) -> dict[int, str]:
    """Return tensors that the host reads, which stay there."""
    return {id(held.latents.index): "index"} if isinstance(held, _Painted) else {}


def _try_there(names: tuple[str, ...]) -> None:
    """Do everything with few steps and with more, which waits no more often."""
    torch.set_num_threads(1)
    for name in names:
        for held, call in globals()[name]():
            waits = []
            for n in (1, 2):
                with second_device.moved(held, _indices(held), made_up=True) as apart:
                    call(n)
                waits.append(sorted(apart.waits))
            assert waits[0] == waits[1], (name, *waits)


@pytest.mark.parametrize("names", [QUICK, pytest.param(SLOW, marks=pytest.mark.full)], ids=["quick", "slow"])
def test_no_step_waits(names: tuple[str, ...]) -> None:
    """In a process of its own: torch counts devices when it computes the first gradients."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    code = f"import test_no_waiting_trainings as t; t._try_there({names})"
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
