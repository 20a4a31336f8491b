"""On an accelerator a batch waits for nothing: neither for a value, nor for a copy to or from the host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from built_in_plugins import GENERATORS, LEARNERS, SCORERS
from ganstrata import Concept, Scorer, Stream, load_generator, load_scorer
from ganstrata.core.plugins.pending import Pending
from ganstrata.core.rescoring.measure import Movement, OwnStep, baseline_of, changes_along, own_changes
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.extractor_file import save_extractor
from ganstrata.core.strata.displacements import Displacement, displacement, edited
from ganstrata.core.strata.moves import jitter, move, move_to, signed_distance
from ganstrata.core.strata.scored_generator import ScoredGenerator
from ganstrata.core.strata.units import UnitEdit
from ganstrata.testing import DoesNotApply, second_device
from ganstrata.testing.host_apart import HostApart
from ganstrata.testing.learner_checks import _learn, _planted
from ganstrata.testing.leftovers import left_behind
from ganstrata.testing.planted import flat
from ganstrata.testing.scorer_checks import SIDE, pictures
from ganstrata.testing.subject import Subject
from planted_semantics import CLASSES, Linear, planted_samples
from torch._subclasses.fake_tensor import DataDependentOutputException

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _stand_in() -> None:
    try:
        second_device.device()
    except DoesNotApply as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("label", GENERATORS)
def test_drawing_rendering_and_editing(label: str, tmp_path: Path) -> None:
    plugin, make = GENERATORS[label]
    config = make(tmp_path)
    generator = Subject("generator", plugin, config).built
    changes = [{}]
    if "noise" in type(generator).Config.model_fields:
        changes.append({"noise": "fresh"})
    for change in changes:
        subject = Subject("generator", plugin, config | change)
        built = subject.build()
        assert second_device.try_generator(built, left_behind(built, subject.build_for)) == [], change


@pytest.mark.parametrize("label", SCORERS)
def test_scoring(label: str, tmp_path: Path) -> None:
    plugin, make = SCORERS[label]
    if plugin in ("image_classifier", "text"):
        pytest.importorskip("transformers", reason="transformers is not installed")
    subject = Subject("scorer", plugin, make(tmp_path))
    built = subject.build()
    waits = second_device.try_scorer(built, pictures(2, SIDE, SIDE), left_behind(built, subject.build_for))
    assert waits == []


class Slow(Scorer):
    """Waits in each way that only a real accelerator shows."""

    concepts = (Concept("lightness", "colour"),)
    way = ""

    def score(self, rendering):
        means = rendering.images.mean(dim=(1, 2, 3))[:, None]
        if self.way == "to the device":
            return means * torch.ones(1, 1).to(means.device)
        if self.way == "data":
            return means * torch.tensor([2.0], device=means.device)
        if self.way == "in place":
            return means.clone().copy_(torch.ones(2, 1))
        if self.way == "an index":
            return means[[1, 0]]
        if self.way == "to the host":
            means.to("cpu")
        if self.way == "no":
            return means * torch.ones(1, 1).to(means.device, non_blocking=True) * torch.tensor(2.0)
        return means


@pytest.mark.parametrize(
    ("way", "count"),
    [("to the device", 1), ("data", 1), ("in place", 1), ("an index", 1), ("to the host", 1), ("no", 0)],
)
def test_what_waits_is_seen(way: str, count: int) -> None:
    slow = type("Slowly", (Slow,), {"way": way})(None, CPU)
    waits = second_device.try_scorer(slow, pictures(2, 8, 8), {})
    assert len(waits) == count, waits
    assert all(f"{__file__}:" in wait for wait in waits)


def _warmed(scored: ScoredGenerator) -> ScoredGenerator:
    """All that is cached at a first call is cached, with values."""
    latents, _, codes = scored.draw(0, Stream.PROBING)
    scored.score(scored.render(codes, latents.condition, latents.index, Stream.PROBING).rendering)
    return scored


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ScoredGenerator:
    """A small generator with styles, noise of its own for each sample, and a quick scorer."""
    plugin, make = GENERATORS["StyleGAN2"]
    config = make(tmp_path_factory.mktemp("small")) | {"noise": "fresh"}
    generator = Subject("generator", plugin, config).build()
    return _warmed(
        ScoredGenerator(generator=generator, scorers={"hue": load_scorer("hue", device="cpu")}, batch=2)
    )


def _warm(apart: HostApart) -> Iterator[None]:
    """Twice: in the first batch tables for the device may be made."""
    for _ in range(2):
        apart.waits.clear()
        yield


def test_a_batch_with_scorers_that_share_a_network() -> None:
    shared = {
        name: load_scorer(name, checkpoint="bundled:rooms", device="cpu")
        for name in ("segmentation", "layout")
    }
    generator = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    rooms = _warmed(ScoredGenerator(generator=generator, scorers=shared, batch=2))
    layers = tuple(range(rooms.generator.card.layers))
    with second_device.moved(rooms) as apart, torch.inference_mode():
        for _ in _warm(apart):
            latents, _, codes = rooms.draw(0, Stream.PROBING)
            passed = rooms.render(codes, None, latents.index, Stream.PROBING, [layers], late=True)
            assert not passed.rendering.settled
            assert not rooms.begin_score(passed.rendering).at_once
        assert apart.waits == []
        with pytest.raises(DataDependentOutputException):
            rooms.render(codes, None, latents.index, Stream.PROBING)  # asks at once if pictures are finite


def test_a_batch_of_re_scoring(small: ScoredGenerator) -> None:
    card = small.generator.card
    width = sum(stratum.style_width or 0 for stratum in small.generator.strata)
    sets = [tuple(range(card.layers)), (1,), ()]
    for styles, size in ((False, card.code_size), (True, width)):
        normal = np.full(size, 0.1, np.float32)
        movements = [
            Movement(normal, 2.0, sets, [True, False, False], 0),
            Movement(normal, 2.0, sets[:1], [False], None),
        ]
        steps = [(key, OwnStep(normal, 2.0, sets[0], 1)) for key in "ab"]
        with second_device.moved(small, made_up=True) as apart, torch.inference_mode():
            for _ in _warm(apart):
                baseline = baseline_of(small, 0, Stream.VERIFICATION, sets[:2])
                assert not baseline.pending.at_once
                moved = list(changes_along(small, baseline, movements, count=2, styles=styles))
                own = list(own_changes(small, baseline, steps, styles=styles))
            assert apart.waits == []
        assert [key for key, _ in own] == ["a", "b"]
        assert [sums.shape[:2] for sums, _ in moved] == [(3, 2), (1, 2)]


class Noted(ScoredGenerator):
    """Notes when the scoring of a batch begins, and when its scores are read."""

    def begin_score(self, rendering):
        notes: list[str] = self.scorers["notes"]
        number = sum(note.startswith("begin") for note in notes)
        notes.append(f"begin {number}")

        def finish():
            notes.append(f"read {number}")
            return np.zeros((2, 1), np.float32)

        return Pending(finish, at_once=False)

    def begin_score_concept(self, rendering, column):
        return Pending(lambda: self.begin_score(rendering).result()[:, 0], at_once=False)

    concepts = (Concept("hue/red", "colour"),)
    features = ()


def test_scores_are_read_after_the_next_step_has_begun(small: ScoredGenerator) -> None:
    """Of another direction too; and those of the unedited samples not before they are needed."""
    notes: list[str] = []
    scored = Noted(generator=small.generator, scorers={"notes": notes}, batch=2)
    baseline = baseline_of(scored, 0, Stream.VERIFICATION, [(1,)])
    normal = np.zeros(scored.generator.card.code_size, np.float32)
    movements = [Movement(normal, 1.0, [(1,)], [False], column) for column in (0, None, None)]
    list(changes_along(scored, baseline, movements, count=2, styles=False))
    assert notes == ["begin 0", "begin 1", "begin 2", "read 1", "read 0", "begin 3", "read 2", "read 3"]


def test_edits(small: ScoredGenerator) -> None:
    """In codes and styles, joint, jittered and absolute ones, and of units of feature maps."""
    generator = small.generator
    layers, size, scale = [1, 2], generator.card.code_size, generator.layer_scale
    normal = np.full(size, size**-0.5, np.float32)
    first = generator.strata[2]
    styles = Displacement((first.reads,), styles={2: np.ones(first.style_width, np.float32)})
    step = displacement(generator, normal, layers, scale, styles=False)
    where = torch.tensor([[0.0, 1.0], [0.5, 0.0]])
    with second_device.moved(small) as apart, torch.inference_mode():
        for _ in _warm(apart):
            latents, w, codes = small.draw(0, Stream.EDITING)
            passed = small.render(
                codes, None, latents.index, Stream.EDITING, [layers, [first.reads]], late=True
            )
            edited(passed, codes, [step, step], [1.0, 2.0], layers)
            edited(passed, codes, [styles], [1.0], [first.reads])
            absolute = move_to(codes, normal, 0.5, 1.0, layers, scale, w.mean(0))
            signed_distance(absolute, normal, 0.5, layers, scale, w.mean(0))
            moved = move(codes, step.codes, torch.tensor([1.0, 2.0]))
            jitter(moved, step.codes, 1.0, torch.zeros(codes.shape), layers)
            passed.with_units([UnitEdit(2, [0, 3], [1.0, 2.0]), UnitEdit(2, [1], 1.0, where)])
        assert apart.waits == []


def test_a_batch_with_an_extractor_of_feature_maps(tmp_path: Path) -> None:
    samples = planted_samples()
    extractor = Extractor(
        Architecture("LSE", samples.maps, CLASSES, (8, 8)), [Linear().head], MadeFor.of(samples.generator)
    )
    save_extractor(extractor, tmp_path / "e.safetensors")
    scorer = load_scorer("extractor", checkpoint=str(tmp_path / "e.safetensors"), device="cpu")
    scored = _warmed(ScoredGenerator(generator=samples.generator, scorers={"object": scorer}, batch=2))
    with second_device.moved(scored) as apart, torch.inference_mode():
        for _ in _warm(apart):
            latents, _, codes = scored.draw(0, Stream.PROBING)
            passed = scored.render(codes, None, latents.index, Stream.PROBING, late=True)
            assert not scored.begin_score(passed.rendering).at_once
        assert apart.waits == []


def test_values_that_are_read_are_made_up_where_that_is_asked_for_and_noted() -> None:
    with second_device.moved([], made_up=True) as apart:
        there = torch.zeros(2).to(second_device.device(), non_blocking=True)
        assert apart.waits == []
        assert float(there.sum()) == 1.0
        assert bool((there > 5.0).any())
        assert there.to("cpu").std() > 0.0
        assert torch.equal(there, there + 1.0)
    assert len(apart.waits) == 4


# linear_svm goes on until values have converged; an estimator is on the host.
LEARN = sorted(LEARNERS.keys() - {"linear_svm", "linear_svm by layer", "an estimator"})
WITH_GRADIENTS = ("joint", "steer", "sae", "assessor")


def _learn_there(label: str, **options: int) -> int:
    """Learn from planted samples on the stand-in, where what is read is made up. No devices may be mixed.

    Returns how often something waits.
    """
    plugin, config = LEARNERS[label]
    subject = Subject("boundary", plugin, config | options)
    samples = _planted(subject, scored=False)
    with second_device.moved([subject.built, samples, flat()], made_up=True) as apart:
        _learn(subject, samples)
    return len(apart.waits)


def _train_there(labels: Sequence[str]) -> None:
    """Learn in one step and in three, which waits no more often."""
    for label in labels:
        few, many = (_learn_there(label, steps=steps) for steps in (1, 3))
        assert few == many, (label, few, many)


@pytest.mark.parametrize("label", sorted({*LEARN} - {*WITH_GRADIENTS}))
def test_learners_mix_no_devices(label: str) -> None:
    _learn_there(label)


@pytest.mark.parametrize("labels", [WITH_GRADIENTS[:1], pytest.param(WITH_GRADIENTS, marks=pytest.mark.full)])
def test_learners_by_gradients_mix_no_devices_and_wait_in_no_step(labels: tuple[str, ...]) -> None:
    """In a process of its own: torch counts devices when it computes the first gradients."""
    code = f"import test_no_waiting as t; t._train_there({labels})"
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
