"""The names a Python program uses: loading, rendering, scoring, learning, running and opening."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata import Stream
from ganstrata.core.errors import ConfigError, PluginNotFound, RunError
from ganstrata.core.runs.run import Run


def test_every_public_name_is_there() -> None:
    for name in ganstrata.__all__:
        assert getattr(ganstrata, name) is not None
    assert dir(ganstrata) == ganstrata.__all__
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = ganstrata.nonsense


def test_from_latents_to_boundaries_by_hand(fakes) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu", gain=0.04)
    scorer, learner = (
        ganstrata.load_scorer("fake_readings", device="cpu"),
        ganstrata.load_learner("linear_svm", positives=60, negatives=60),
    )
    latents = generator.sample(300, seed=1, start=0, stream=Stream.PROBING)
    w = generator.map(latents.z, condition=None)
    codes = generator.broadcast(w)
    images = ganstrata.render(generator, codes, condition=None)
    scores = scorer.score(ganstrata.Rendering(images))
    assert (tuple(w.shape), tuple(codes.shape), tuple(images.shape), tuple(scores.shape)) == (
        (300, 16),
        (300, 8, 16),
        (300, 3, 8, 8),
        (300, 7),
    )
    boundaries = learner.learn(w.numpy(), scores.numpy()[:, :4], scorer.concepts[:4], generator=generator)
    for axis, boundary in enumerate(boundaries):
        assert boundary.normal[axis] > 0.9
        assert boundary.generator == generator.fingerprint


def test_gradients_reach_the_codes(fakes) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    codes = torch.zeros(2, 8, 16, requires_grad=True)
    left = ganstrata.render(generator, codes)[:, :, :, :4].mean()
    (gradient,) = torch.autograd.grad(left, codes)
    assert gradient[:, 1, 0].min() > 0.01
    assert gradient[:, 0, 0].abs().max() < gradient[:, 1, 0].min()


def test_wrong_names_and_options_are_user_errors(fakes) -> None:
    with pytest.raises(PluginNotFound, match="Did you mean 'fake_layers'"):
        ganstrata.load_generator("fake_layer")
    with pytest.raises(ConfigError, match="gian: is not an option of generator 'fake_layers'") as caught:
        ganstrata.load_generator("fake_layers", gian=0.1)
    assert caught.value.exit_code == 2
    with pytest.raises(PluginNotFound, match="No boundary learner named 'hue'"):
        ganstrata.load_learner("hue")


def test_a_run_takes_data_a_validated_config_or_a_file(fakes, compact, written, tmp_path: Path) -> None:
    runs = [ganstrata.run(compact, str(tmp_path / "a"))]
    runs.append(ganstrata.run(runs[0].config, tmp_path / "b"))
    runs.append(ganstrata.run(str(written(compact)), tmp_path / "c"))
    assert len({(run.path / "rescoring.csv").read_bytes() for run in runs}) == 1
    assert {run.path.name for run in runs} == {"a", "b", "c"}


def test_a_run_prints_nothing_by_default(fakes, compact, tmp_path: Path, capfd) -> None:
    ganstrata.run(compact, tmp_path / "a")
    assert capfd.readouterr() == ("", "")
    ganstrata.run(compact, tmp_path / "b", quiet=False)
    assert "images to synthesise and score" in capfd.readouterr().err


def test_an_open_run_is_read_not_written(finished: Run) -> None:
    before = {file: file.stat().st_mtime_ns for file in finished.path.rglob("*")}
    run = ganstrata.open_run(str(finished.path))
    assert run.manifest == finished.manifest
    assert run.config == finished.config
    assert all(run.is_done(stage) for stage in ("synthesize", "learn", "rescore", "edit", "report"))
    assert {file: file.stat().st_mtime_ns for file in finished.path.rglob("*")} == before
    with pytest.raises(RunError, match="is not a run directory"):
        ganstrata.open_run(finished.path / "edits")


def test_nothing_in_a_config_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="generator: is missing") as caught:
        ganstrata.run({}, "nowhere")
    assert len(caught.value.faults) == 2
    assert not Path("nowhere").exists()
