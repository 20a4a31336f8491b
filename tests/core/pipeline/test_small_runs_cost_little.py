"""A run of few pictures does not pay for whole batches."""

from __future__ import annotations

from dataclasses import replace

import ganstrata
import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline import forecast
from ganstrata.core.runs.prepare import prepare, prepare_scored
from ganstrata.core.strata import first_batch
from ganstrata.core.strata.scored_generator import ScoredGenerator


@pytest.mark.parametrize(("samples", "batch"), [(24, 24), (640, 64)])
def test_a_batch_that_chooses_itself_is_no_larger_than_the_run(
    fakes, config, samples: int, batch: int
) -> None:
    config["synthesis"] |= {"batch_size": "auto", "samples": samples}
    assert prepare_scored(validate(config, "x"))[0].batch == batch


def test_a_batch_that_is_asked_for_stays(fakes, config) -> None:
    config["synthesis"] |= {"batch_size": 32, "samples": 24}
    assert prepare_scored(validate(config, "x"))[0].batch == 32


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the size of every batch that is scored is added."""
    sizes: list[int] = []
    score = ScoredGenerator.score

    def counted(self: ScoredGenerator, rendering: ganstrata.Rendering):
        sizes.append(len(rendering.images))
        return score(self, rendering)

    monkeypatch.setattr(ScoredGenerator, "score", counted)
    return sizes


@pytest.mark.parametrize(
    ("batch", "patience", "passes"),
    [(32, 0.0, [4, 4]), (32, 60.0, [4, 4, 32]), (4, 0.0, [4, 4]), (3, 60.0, [3, 3])],
)
def test_the_forecast_times_four_pictures_and_a_batch_only_if_that_is_quick(
    fakes, config, batch: int, patience: float, passes: list[int], made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "PATIENCE", patience)
    monkeypatch.setattr(forecast, "BRIEF", 60.0)
    config["synthesis"] |= {"batch_size": batch}
    prepared = prepare(validate(config, "x"))
    assert " ms each" in forecast.forecast(prepared, 1)
    assert made == passes
    assert (first_batch.KEY in prepared.memory) == (passes[-1] == batch), "the stage takes it over"


def test_a_pass_that_is_not_quick_is_not_repeated(
    fakes, config, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "BRIEF", 0.0)
    config["synthesis"] |= {"batch_size": 4}
    forecast.forecast(prepare(validate(config, "x")), 1)
    assert made == [4]


def test_the_forecast_times_the_batch_that_the_checks_made(fakes, config, made: list[int]) -> None:
    config["synthesis"] |= {"batch_size": 32}
    prepared = prepare(validate(config, "x"))
    first = first_batch.first_batch(prepared, prepared.memory, [(0, 1)])
    prepared.memory[first_batch.KEY] = replace(first, seconds=3200.0)
    text = forecast.forecast(prepared, 1)
    assert made == [32]
    assert "100000 ms each" in text
    kept = prepared.memory[first_batch.KEY]
    assert kept.rendering is first.rendering
    assert kept.passed is None, "no edit begins at its states any more"


def test_a_first_batch_is_taken_once_and_only_with_the_batch_size_that_it_has(fakes, config) -> None:
    config["synthesis"] |= {"batch_size": 8}
    prepared = prepare(validate(config, "x"))
    first = first_batch.first_batch(prepared, prepared.memory)
    assert first_batch.taken(prepared, prepared.memory).rendering is first.rendering
    assert first_batch.taken(prepared, prepared.memory) is None
    first_batch.first_batch(prepared, prepared.memory)
    assert first_batch.taken(replace(prepared, batch=4), prepared.memory) is None
    assert prepared.memory == {}
