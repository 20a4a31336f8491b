"""Test that faults that show only in batches or edits are refused before the run begins."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from fakes import Layered, Readings
from ganstrata import GanstrataError, Latents, Rendering, State, Stream
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform, resume
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards
from torch import Tensor


class Averaged(Layered):
    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        w = super().map(z)
        return w - w.mean(dim=0) if len(w) > 2 else w


class Amplifying(Layered):
    """Amplifies rounding, which differs in large batches."""

    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        images = images * (1.0 + 2.0**-22) if len(images) > 2 else images
        return 0.5 + 0.5 * torch.sin(1e5 * images)


class Ranged(Layered):
    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        return 255.0 * images if len(images) > 2 else images


class Buffered(Layered):
    """Reuses the memory of states of large batches."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        x = super().stratum(s, state, code).x
        assert x is not None
        if len(x) <= 2:
            return State(x)
        return State(self.__dict__.setdefault(f"kept{s}", torch.empty_like(x)).copy_(x))


class Shrinking(Layered):
    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        return images[:, :, :4, :4] if len(images) > 2 else images


class Misnumbered(Layered):
    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, None, latents.index + (n > 2))


class Conditioned(Layered):
    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, latents.index % 3 if n > 2 else None, latents.index)


class Centred(Readings):
    def score(self, rendering: Rendering) -> Tensor:
        scores = super().score(rendering)
        return scores - scores[:, :1].max() if len(scores) > 2 else scores


class Drawing(Readings):
    def score(self, rendering: Rendering) -> Tensor:
        if len(rendering.images) > 2:
            torch.rand(1)
        return super().score(rendering)


class Hiding(Readings):
    """Declares finite pictures to be non-finite for other scorers."""

    def score(self, rendering: Rendering) -> Tensor:
        rendering.finite = torch.zeros(len(rendering.images), dtype=torch.bool)
        return super().score(rendering)


class Adding(Readings):
    def score(self, rendering: Rendering) -> Tensor:
        rendering.features[99] = 1  # type: ignore[assignment]
        return super().score(rendering)


class Fewer(Readings):
    concepts: Any = Readings.concepts

    def score(self, rendering: Rendering) -> Tensor:
        self.concepts = Readings.concepts[:2]
        return super().score(rendering)[:, :2]


class Sparse(Readings):
    def score(self, rendering: Rendering) -> Tensor:
        return super().score(rendering).nan_to_num().to_sparse()


class Infinite(Readings):
    def score(self, rendering: Rendering) -> Tensor:
        scores = super().score(rendering)
        scores[2:, 0] = math.inf
        return scores


@pytest.mark.parametrize(
    ("kind", "plugin", "words"),
    [
        ("generator", Averaged, "the picture of a sample changes by .* with the other samples of its batch"),
        (
            "generator",
            Amplifying,
            "of their batch, .* is allowed. The network amplifies rounding",
        ),
        ("generator", Ranged, r"look like \[0, 255\]"),
        ("generator", Buffered, "an edit that changes nothing, after another edit, changes the picture by"),
        ("generator", Shrinking, "makes pictures of 4 x 4 pixels, but made pictures of 8 x 8 before"),
        ("generator", Misnumbered, "returned an index other than 0 to 31"),
        ("generator", Conditioned, "returned a condition of another kind than before"),
        ("scorer", Centred, "scores a picture differently in a batch than alone"),
        ("scorer", Drawing, "draws from or seeds torch's global random numbers in scoring"),
        ("scorer", Hiding, "writes into the record of which pictures are finite"),
        ("scorer", Adding, "writes into the features of stratum 99"),
        ("scorer", Fewer, "has other concepts after a call of score than before"),
        ("scorer", Sparse, "returned scores that cannot be read as an array"),
        ("scorer", Infinite, "gave inf as the score of 'left' for 30 of 32 images"),
    ],
)
def test_a_first_batch_is_held_against_few_samples_and_against_itself(
    kind: str, plugin: type, words: str, fakes, register, compact: dict[str, Any], tmp_path: Path
) -> None:
    register(kind, "broken", plugin)
    compact |= (
        {"generator": {"use": "broken"}}
        if kind == "generator"
        else {"scorers": [{"use": "broken", "as": "seen"}]}
    )
    with pytest.raises(GanstrataError, match=words) as caught:
        ganstrata.run(compact, tmp_path / "run")
    assert "'broken' from test 0" in str(caught.value) or "('broken' from test 0)" in str(caught.value)
    assert not (tmp_path / "run").exists(), "nothing is written"


def test_a_batch_that_single_samples_are_not_held_against_is_held_against_two(
    fakes, register, compact: dict[str, Any], tmp_path: Path
) -> None:
    register("generator", "broken", Averaged)
    compact |= {"generator": {"use": "broken"}, "precision": "bf16"}
    with pytest.raises(GanstrataError, match="are made in a batch of 32 and not of 2"):
        ganstrata.run(compact, tmp_path / "run")


def test_where_styles_are_mixed_the_batch_that_is_checked_has_one_each(
    fakes, register, compact: dict[str, Any], tmp_path: Path
) -> None:
    register("generator", "broken", Averaged)
    compact["generator"], compact["synthesis"]["mixing"] = {"use": "broken"}, 0.5
    with pytest.raises(GanstrataError, match=r"changes by .* with the other samples of its batch"):
        ganstrata.run(compact, tmp_path / "run")


def logged(monkeypatch: pytest.MonkeyPatch, file: Path) -> Any:
    """Return a function that gives the sizes of the batches made since its last call."""
    monkeypatch.setenv("FAKES_LOG", str(file))

    def sizes() -> list[int]:
        made = [int(line.split()[1]) for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("", encoding="utf-8")
        return made

    return sizes


@pytest.mark.parametrize("batch", [2, 16])
def test_the_first_batch_is_made_once_for_checks_forecast_and_stage(
    batch: int, fakes, compact: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three single samples; the first batch, moved, and moved back; then the other batches."""
    monkeypatch.setattr("ganstrata.core.pipeline.forecast.BRIEF", 0.0)  # else a quick pass is repeated
    sizes = logged(monkeypatch, tmp_path / "log")
    compact["synthesis"] |= {"samples": 3 * batch, "batch_size": batch}
    compact["boundary"]["with"] = {"positives": 2, "negatives": 2}
    compact["rescoring"]["layers"] = ["all"]
    whole = perform(
        validate(compact, "x"), tmp_path / "run", ("synthesize",), source="x", progress=Progress(quiet=True)
    )
    assert sizes() == [1, 1, 1, *[batch] * 5]
    plain = perform(
        validate(compact | {"checks": False}, "x"),
        tmp_path / "plain",
        ("synthesize",),
        source="x",
        progress=Progress(quiet=True),
    )
    assert sizes() == [*[4] * (2 * (batch > 4)), *[batch] * 3]
    for name in ("w", "scores/seen"):
        np.testing.assert_array_equal(
            Shards(whole.path / "samples.zarr").read(name), Shards(plain.path / "samples.zarr").read(name)
        )


def test_what_was_checked_is_not_checked_again_in_the_run(
    fakes, compact: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = logged(monkeypatch, tmp_path / "log")
    compact["synthesis"] |= {"samples": 64, "batch_size": 32}
    quiet = Progress(quiet=True)
    run = perform(validate(compact, "x"), tmp_path / "run", ("synthesize",), source="x", progress=quiet)
    assert 1 in sizes(), "single samples are made by checks alone"
    assert Run.open(run.path).record.checked
    resume(run.path, "learn", progress=quiet)
    assert 1 not in sizes()
    other = compact | {"scorers": [{"use": "fake_trusting", "as": "seen"}, *compact["scorers"][1:]]}
    perform(validate(other, "x"), run.path, ("synthesize",), source="x", progress=quiet)
    assert 1 in sizes(), "another scorer is another run of the checks"


def test_a_run_without_checks_is_checked_when_they_are_asked_for(
    fakes, compact: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = logged(monkeypatch, tmp_path / "log")
    quiet = Progress(quiet=True)
    unchecked = validate(compact | {"checks": False}, "x")
    run = perform(unchecked, tmp_path / "run", ("synthesize",), source="x", progress=quiet)
    assert 1 not in sizes()
    assert Run.open(run.path).record.checked == ""
    perform(validate(compact, "x"), run.path, ("learn",), source="x", progress=quiet)
    assert 1 in sizes()
