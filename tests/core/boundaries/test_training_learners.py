"""A learner that trains is told the run's precision, and the run shows how far it is."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import numpy as np
import pytest
from ganstrata import Boundaries, Boundary, PluginBroken


class Trains(ganstrata.BoundaryLearner):
    """Tells its share, and notes the precision."""

    supervised = False
    trains = True
    given: list[str] = []  # noqa: RUF012 - one for all instances, in any process

    def learn(
        self, latents, scores, concepts, *, generator=None, seed=0, precision="none", on_share=lambda _: None
    ):
        self.given.append(precision)
        for share in (0.25, 0.5, 0.125, 1.0, 2.0):
            on_share(share)
        return Boundaries([Boundary.unlabelled("mine/0", np.eye(16)[0], generator)])


class Deaf(Trains):
    """Takes neither."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise NotImplementedError


def test_a_run_gives_its_precision_and_shows_progress(
    fakes, register, config, tmp_path: Path, monkeypatch, capsys
) -> None:
    register("boundary", "trains", Trains)
    monkeypatch.setattr("ganstrata.core.runs.progress.EVERY", 0.0)
    Trains.given.clear()
    config["boundary"], config["precision"] = {"use": "trains"}, "bf16"
    config["rescoring"] |= {"layers": ["all"], "samples": 16, "null_directions": 4, "learning_resamples": 4}
    ganstrata.run(config, tmp_path / "run", quiet=False)
    assert Trains.given == ["bf16"] * 5  # and again for each resample
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("learn: ")]
    done = [int(line.split()[1]) for line in lines if " of " in line]
    assert done[:4] == [25, 50, 50, 100]
    assert done == sorted(done)
    assert done[-1] == 500


def test_in_memory_precision_is_given_too(fakes) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    samples = ganstrata.probe(generator, ganstrata.load_scorer("fake_readings", device="cpu"), samples=64)
    Trains.given.clear()
    learner = Trains(Trains.Config(), generator.device)
    ganstrata.learn(generator, samples, learner, resamples=0, precision="bf16")
    ganstrata.learn(generator, samples, learner, resamples=0)
    assert Trains.given == ["bf16", "fp32"]


def test_a_learner_that_does_not_take_what_it_asks_for_is_refused(fakes, register) -> None:
    register("boundary", "deaf", Deaf)
    with pytest.raises(PluginBroken, match=r"defines learn\(.*cannot be called.*precision"):
        ganstrata.load_learner("deaf", device="cpu")
