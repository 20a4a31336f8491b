"""What a run makes of networks on a CPU: smaller batches for large inputs, and a word on slow precision."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ganstrata
import pytest
from fakes import Readings
from ganstrata.core import device
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.probing.samples import scored_generator
from ganstrata.core.runs.facts import facts_of
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run


class Enlarging(Readings):
    input_size = (256, 128)  # 8 of them are 2^18 pixels


@pytest.fixture
def enlarging(fakes, register, compact: dict[str, Any]) -> dict[str, Any]:
    register("scorer", "enlarging", Enlarging)
    compact["scorers"][0] = {"use": "enlarging", "as": "seen"}
    compact["synthesis"]["batch_size"] = "auto"
    return compact


def test_the_largest_input_decides(enlarging) -> None:
    assert prepare(validate(enlarging, "x"), check=False).batch == 8
    enlarging["scorers"][0]["use"] = "fake_readings"
    assert prepare(validate(enlarging, "x"), check=False).batch == 64


def test_a_batch_that_is_asked_for_stays(enlarging) -> None:
    enlarging["synthesis"]["batch_size"] = 48
    assert prepare(validate(enlarging, "x"), check=False).batch == 48


def test_the_library_chooses_as_a_run_does(enlarging) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    scorer = ganstrata.load_scorer("enlarging", device="cpu")
    assert scored_generator(generator, {"seen": scorer}, seed=0, batch=None).batch == 8
    assert scored_generator(generator, {"seen": scorer}, seed=0, batch=32).batch == 32


def test_a_run_keeps_its_batch_and_another_batch_is_another_key(
    enlarging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, quiet = validate(enlarging, "x"), Progress(quiet=True)
    run = perform(config, tmp_path / "run", ("synthesize",), source="x", progress=quiet)
    monkeypatch.setattr(device, "INPUT_PIXELS", 2**16)
    other = prepare(config, check=False)
    assert other.batch == 2
    assert facts_of(other).keys.latents != run.keys.latents
    assert facts_of(prepare(config, batch=8, check=False)).keys == run.keys
    again = perform(config, run.path, ("synthesize", "learn"), source="x", progress=quiet)
    assert Run.open(again.path).batch == 8


def test_a_run_says_that_bf16_is_slow_here(
    fakes, compact: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_bf16", lambda: False)
    said = []
    for precision in ("bf16", "fp32"):
        stream = io.StringIO()
        config = validate(compact | {"precision": precision, "checks": False}, "x")
        perform(config, tmp_path / precision, ("synthesize",), source="x", progress=Progress(stream=stream))
        said.append("no bf16 arithmetic" in stream.getvalue())
    assert said == [True, False]
