"""Small and awkward runs that take less than a second, and plain loops to hold what they store against.

Batches of 10 do not fill up, pieces have one batch, layers are scaled, each sample has noise of its own, a
scorer stands before the one that is asked for, scores are undefined, one boundary moves little, and layer
sets stand in no order.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from conftest import CONFIG, _on_path
from ganstrata import Inputs, Rendering, Stream
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.randomness import noise_seed
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress, Step
from ganstrata.core.runs.run import Run

STAGES = ("synthesize", "learn", "rescore", "edit")
BATCH, SAMPLES, MOVED, SHOWN, NULL = 10, 75, 47, 12, 6
GROUPS = {"lower": range(4), "upper": range(4, 8)}
SETS = {"upper": GROUPS["upper"], "all": range(8), "1": range(1, 2), "lower": GROUPS["lower"]}


def awkward(*, adaptive: bool) -> dict[str, Any]:
    config = deepcopy(CONFIG)
    config |= {
        "generator": {"use": "fake_grainy"},
        "concepts": {"include": ["seen/left", "seen/red", "seen/half"]},
    }
    config["scorers"] = [{"use": "fake_constant", "as": "still"}, {"use": "fake_trusting", "as": "seen"}]
    config["boundary"] = {"use": "ridge", "with": {"positives": 15, "negatives": 15}}
    config["synthesis"] = {"samples": SAMPLES, "seed": 3, "batch_size": BATCH}
    config["rescoring"] = {
        "samples": MOVED,
        "distance": 1.5,
        "layers": list(SETS),
        "groups": {"lower": "0-3", "upper": "4-7"},
    }
    config["rescoring"] |= {
        "null_directions": NULL,
        "bootstrap": 100,
        "learning_resamples": 4,
        "adaptive": adaptive,
        "looks": [0.4, 0.7, 1.0],
        "precision": 0.1,
        "backward": "all" if adaptive else "everywhere",
    }
    config["conditions"] = [{"edit": "seen/half", "keep": ["seen/left"]}]  # of which little is left
    config["editing"] = {"samples": SHOWN, "steps": 3, "start": -1.0, "end": 2.0, "scale": not adaptive}
    return config | {"checks": False}


class Counting(Progress):
    """Notes what each stage says is done."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []
        self.steps: dict[str, Step] = {}
        self.counts: dict[str, list[int]] = {}

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, step: Step, count: int) -> None:
        self.steps[step.label] = step
        self.counts.setdefault(step.label, []).append(count)


class Made(NamedTuple):
    """A run of the stages before the report, the pictures that each of them made, and the printed lines."""

    run: Run
    pictures: dict[str, int]
    progress: Counting


def stage_by_stage(config: dict[str, Any], folder: Path) -> Made:
    """Begin or continue the run in a folder, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganstrata.core.probing.stage.SHARD", BATCH)
        patch.setattr(
            "ganstrata.core.pipeline.perform.forecast", lambda prepared, workers: ""
        )  # which makes pictures to be timed
        log = folder.with_suffix(".log")
        patch.setenv("FAKES_LOG", str(log))
        pictures, progress = {}, Counting()
        for stage in STAGES:
            log.write_text("", encoding="utf-8")
            run = perform(validate(config, "test"), folder, (stage,), source="test", progress=progress)
            pictures[stage] = sum(
                int(line.split()[1]) for line in log.read_text(encoding="utf-8").splitlines()
            )
    return Made(run, pictures, progress)


def small_run(site: Path, folder: Path, *, adaptive: bool) -> Made:
    """The run, made in a process that has not loaded its plugins."""
    with _on_path(site):
        return stage_by_stage(awkward(adaptive=adaptive), folder)


class Loop:
    """Full passes over samples of one stream, all at once."""

    def __init__(self, run: Run, stream: Stream, count: int) -> None:
        self.prepared = prepare(run.config, batch=BATCH, check=False)
        self.seed, self.stream, self.generator = run.config.synthesis.seed, stream, self.prepared.generator
        self.latents = self.generator.sample(count, self.seed, 0, stream)
        self.w = self.generator.map(self.latents.z)
        self.codes = self.generator.broadcast(self.w)

    def images(self, codes: torch.Tensor) -> torch.Tensor:
        state = self.generator.begin(
            Inputs(len(codes), None, self.latents.index, noise_seed(self.seed, self.stream))
        )
        for layer in range(self.generator.card.layers):
            state = self.generator.stratum(layer, state, codes[:, layer])
        return self.generator.finish(state)

    def scores(self, codes: torch.Tensor) -> np.ndarray:
        rendering = Rendering(self.images(codes))
        return np.concatenate(
            [scorer.score(rendering).numpy() for scorer in self.prepared.scorers.values()], axis=1
        )

    def moved(self, normal: np.ndarray, layers: range, amount: float, *, scaled: bool = True) -> torch.Tensor:
        """Codes moved at some layers: by as much as truncation has shrunk each, or as far at every layer."""
        codes = self.codes.clone()
        for layer in layers:
            codes[:, layer] += (
                amount
                * (float(self.generator.layer_scale[layer]) if scaled else 1.0)
                * torch.from_numpy(normal)
            )
        return codes
