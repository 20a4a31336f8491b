"""Test that wrong configs and overrides are refused briefly and quickly, with random data."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from ganstrata.core.config.reading import read_config, validate
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.errors import GanstrataError
from ganstrata.core.runs.prepare import prepare
from hostile_values import mutated, override, written
from whole_configs import BASES


def outcome(folder: Path, rng: random.Random, overrides: list[str]) -> RunConfig | None:
    """Return the config, or None if it was refused with a proper error."""
    base = rng.choice(BASES)
    if overrides or rng.random() < 0.7:
        name, content = written(rng, base if overrides else mutated(rng, base))
        (folder / name).write_bytes(content)
        return read_config(folder / name, overrides)
    return validate(mutated(rng, base), "here")


def check(seed: int, folder: Path, *, overriding: bool) -> str:
    """Return the outcome of one case; fail if an exception other than our own is raised."""
    rng = random.Random(seed)
    overrides = [override(rng, rng.choice(BASES)) for _ in range(rng.choice([1, 1, 2]))] if overriding else []
    began = time.process_time()
    try:
        config = outcome(folder, rng, overrides)
        assert config is not None
        assert validate(config.model_dump(mode="json", by_alias=True), "run.json") == config, (
            "a config that was accepted is read back as it was"
        )
        prepare(config, check=False)  # what plugins make is not what is asked here
        outcome_name = "right"
    except GanstrataError as error:
        message = str(error)
        assert message
        assert len(message) <= 2000
        assert all(line.replace("\t", "").isprintable() for line in message.splitlines())
        for words in ("Input should", "input should", "pydantic", "valid dictionary", "Extra inputs"):
            assert words not in message
        outcome_name = type(error).__name__
    assert time.process_time() - began < 20
    return outcome_name


@pytest.fixture
def folder(fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hold(seeds: range, folder: Path, *, overriding: bool) -> None:
    outcomes = []
    for seed in seeds:
        try:
            outcomes.append(check(seed, folder, overriding=overriding))
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {str(error)[:1000]}")
    assert {"ConfigError", "UserError"} <= set(outcomes), "it finds both"
    if not overriding:
        assert "right" in outcomes, "some changes do no harm, and what stands behind the config is reached"


def test_configs(folder: Path) -> None:
    hold(range(150), folder, overriding=False)


def test_overrides(folder: Path) -> None:
    hold(range(100), folder, overriding=True)


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("start", range(1000, 4000, 500))
def test_many_configs(start: int, folder: Path) -> None:
    hold(range(start, start + 500), folder, overriding=False)


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("start", range(1000, 2500, 500))
def test_many_overrides(start: int, folder: Path) -> None:
    hold(range(start, start + 500), folder, overriding=True)
