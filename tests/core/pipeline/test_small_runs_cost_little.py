"""A run of few pictures does not pay for whole batches."""

from __future__ import annotations

import ganstrata
import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline import forecast
from ganstrata.core.runs.prepare import prepare, prepare_scored
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


@pytest.mark.parametrize(
    ("checks", "patience", "passes"), [(True, 0.0, [4]), (False, 0.0, [4, 4]), (True, 60.0, [4, 32])]
)
def test_the_forecast_times_four_pictures_and_a_batch_only_if_that_is_quick(
    fakes, config, checks: bool, patience: float, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "PATIENCE", patience)
    config["synthesis"] |= {"batch_size": 32}
    prepared = prepare(validate(config | {"checks": checks}, "x"))
    made: list[int] = []
    score = ScoredGenerator.score

    def counted(self: ScoredGenerator, rendering: ganstrata.Rendering):
        made.append(len(rendering.images))
        return score(self, rendering)

    monkeypatch.setattr(ScoredGenerator, "score", counted)
    assert " ms each" in forecast.forecast(prepared, 1)
    assert made == passes
