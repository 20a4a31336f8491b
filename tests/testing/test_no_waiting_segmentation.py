"""On an accelerator segmentation waits once in a batch at most, and reads counts when the next has begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from ganstrata import Stream
from ganstrata.core.dissection.interventions import UnitSet, measure_sets
from ganstrata.core.dissection.request import DissectRequest
from ganstrata.core.dissection.units import measure_units
from ganstrata.core.inversion.morph.interpolate import interpolate
from ganstrata.core.inversion.morph.mix import mix
from ganstrata.core.inversion.morph.points import samples_of
from ganstrata.core.plugins.pending import Fetch
from ganstrata.core.runs.progress import Progress
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.learning.closed_form import ClosedFormSettings, solve_closed_form, sum_pixels
from ganstrata.core.semantics.measuring import evaluation
from ganstrata.core.semantics.painting.sampling import best_candidates
from ganstrata.core.semantics.predictors import Predictor
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.strata.composition import Pass
from ganstrata.testing import DoesNotApply, second_device
from planted_semantics import CLASSES, planted_samples

SIZE = (8, 8)
HEADS = ("LSE", "NSE-1", "NSE-2")


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


def _extractors(samples: LabelledSamples) -> dict[str, Extractor]:
    made_for = MadeFor.of(samples.generator)
    architectures = [Architecture(head, samples.maps, CLASSES, SIZE) for head in HEADS]
    return {a.head: Extractor(a, [a.build().requires_grad_(False)], made_for) for a in architectures}


def _waits(held: object, call: Callable[[], object], stay: torch.Tensor | None = None) -> list[str]:
    """What waits when something is done on the device with what is held, but for a tensor that stays."""
    left = {} if stay is None else {id(stay): "index"}
    with second_device.moved(held, left, made_up=True) as apart, torch.no_grad():
        call()
    return apart.waits


def test_a_solution_waits_once_in_a_batch_for_its_labels() -> None:
    samples = _samples()
    for images, batches in ((2, 1), (6, 3)):
        settings = ClosedFormSettings("lda", images, 0, pixels=8)
        waits = _waits(samples, lambda settings=settings: sum_pixels(samples, settings, lambda count: None))
        assert len(waits) == batches, waits
        assert all("learning/pixels.py" in wait for wait in waits)


@pytest.mark.parametrize("method", ["lda", "ridge"])
def test_a_solution_mixes_no_devices(method: Any) -> None:
    samples = _samples(chosen=(0, 2))  # a background, and the logits of a teacher
    _waits(samples, lambda: solve_closed_form(samples, ClosedFormSettings(method, 2, 2, pixels=8)))


def test_an_evaluation_waits_for_the_first_pictures_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SHOWN", 1)
    samples = _samples()
    extractors = _extractors(samples)
    few, many = (
        _waits([samples, extractors], lambda n=n: evaluation.evaluate(samples, extractors, n)) for n in (2, 4)
    )
    assert few == many


def test_a_dissection_waits_once_in_a_batch_for_its_labels() -> None:
    samples = _samples()

    def waits(count: int) -> list[str]:
        request = DissectRequest(samples=count, permutations=19, counts=(1,), curve_samples=8, random_sets=3)
        return _waits(samples, lambda: measure_units(samples, request, Progress(quiet=True)))

    few, many = waits(2), waits(4)
    twice = [wait for wait in few if "learning/pixels.py" in wait]  # for quantiles and for levels
    assert len(twice) == 2
    assert sorted(many) == sorted([*few, *twice])


def test_unit_sets_and_candidates_of_a_mask_are_not_waited_for() -> None:
    samples = _samples()
    sets = [UnitSet(1, (k,), (0.0,), (1.0,)) for k in range(2)]
    assert _waits(samples, lambda: measure_sets(samples, sets, 2, lambda count: None)) == []
    extractor = _extractors(samples)["LSE"]
    held = {"samples": samples, "extractor": extractor, "mask": torch.zeros(SIZE, dtype=torch.int64)}
    predictor, generator = Predictor.of_extractor(extractor), samples.generator
    waits = _waits(held, lambda: best_candidates(generator, predictor, held["mask"], 1, 4, batch=2))
    assert len(waits) == 1  # which of them is the best


def test_paths_and_mixed_pictures_are_not_waited_for() -> None:
    generator = _samples().generator
    points = samples_of(generator, [0, 1, 2])
    for space in ("z", "w+"):
        waits = _waits(points, lambda space=space: interpolate(points, 3, space, batch=2), points.index)
        assert len(waits) == 1, waits  # how far neighbours are from each other
    assert _waits(points, lambda: mix(points, [0, 1], [1, 2], [1, 2], batch=2), points.index) == []


@dataclass
class Lags:
    """How many passes had begun when a value was read, since it was asked for."""

    passes: int = 0
    begun: dict[int, int] = field(default_factory=dict)
    lags: list[int] = field(default_factory=list)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Lags:
    """Watch passes of a generator, and reading."""
    noted = Lags()
    render, begin, read = Pass._rendering, Fetch.__init__, Fetch.array

    def rendering(self: Pass, *args: Any, **kwargs: Any) -> Any:
        noted.passes += 1
        return render(self, *args, **kwargs)

    def begins(self: Fetch, tensor: torch.Tensor) -> None:
        noted.begun[id(self)] = noted.passes
        begin(self, tensor)

    def reads(self: Fetch) -> Any:
        noted.lags.append(noted.passes - noted.begun[id(self)])
        return read(self)

    monkeypatch.setattr(Pass, "_rendering", rendering)
    monkeypatch.setattr(Fetch, "__init__", begins)
    monkeypatch.setattr(Fetch, "array", reads)
    return noted


def test_counts_are_read_when_the_next_batch_or_unit_set_has_begun(read: Lags) -> None:
    samples = _samples()
    extractors = {"LSE": _extractors(samples)["LSE"]}
    sets = [UnitSet(1, (k,), (0.0,), (1.0,)) for k in range(2)]
    points = samples_of(samples.generator, [0, 1])
    calls: list[tuple[object, Callable[[], object]]] = [
        ([samples, extractors], lambda: evaluation.evaluate(samples, extractors, 4)),
        (samples, lambda: measure_sets(samples, sets, 2, lambda count: None)),
        (points, lambda: interpolate(points, 6, "z", batch=2)),
    ]
    for held, call in calls:
        left = {id(points.index): "index"}
        with second_device.moved(held, left, made_up=True), torch.no_grad():
            read.begun.clear()
            read.lags.clear()
            call()
        last = read.lags.index(0)  # what the last pass gave is read at the end
        assert last > 0
        assert min(read.lags[:last]) >= 1
        assert set(read.lags[last:]) == {0}
