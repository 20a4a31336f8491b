"""Runs of the bundled generator, read back from the event file with TensorBoard's own reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from ganstrata_tensorboard import folder_of, ganstrata_stage_started
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CONFIG = {
    "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
    "scorers": [{"use": "hue", "as": "colour"}],
    "concepts": {"include": ["colour/saturation", "colour/red"]},
    "conditions": [{"edit": "colour/saturation", "keep": ["colour/red"]}],
    "boundary": {"use": "ridge", "with": {"positives": 0.3, "negatives": 0.3}},
    "synthesis": {"samples": 96},
    "rescoring": {
        "samples": 8,
        "layers": ["all", "each", "top"],
        "null_directions": 3,
        "bootstrap": 100,
        "learning_resamples": 0,
        "backward": "none",
    },
    "editing": {"samples": 2, "steps": 3},
    "report": {"samples": 2},
    "checks": False,
    "device": "cpu",
    "engine": {"workers": 1},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ganstrata.Results]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("GANSTRATA_TENSORBOARD", raising=False)
        yield ganstrata.run(CONFIG, tmp_path_factory.mktemp("runs") / "rooms")


@pytest.fixture
def copied(finished: ganstrata.Results, tmp_path: Path) -> Path:
    """Return a copy of the run with its log beside it."""
    shutil.copytree(finished.path.parent, tmp_path / "runs")
    return tmp_path / "runs" / "rooms"


def reader_of(path: Path) -> EventAccumulator:
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    return EventAccumulator(str(folder_of(path)), size_guidance=everything).Reload()


def entries(reader: EventAccumulator) -> dict[str, list[int]]:
    """Return the steps of everything in a log, by tag."""
    reader.Reload()
    tags = reader.Tags()
    return {
        **{tag: [event.step for event in reader.Scalars(tag)] for tag in tags["scalars"]},
        **{tag: [event.step for event in reader.Images(tag)] for tag in tags["images"]},
        **{tag: [event.step for event in reader.Tensors(tag)] for tag in tags["tensors"]},
    }


def text(reader: EventAccumulator, tag: str) -> str:
    return reader.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode()


def number(reader: EventAccumulator, tag: str) -> float:
    (event,) = reader.Scalars(tag)
    return event.value


def test_the_log_lies_beside_the_run(finished: ganstrata.Results, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_of(finished.path) == finished.path.parent / "tensorboard/rooms"
    assert len(list(folder_of(finished.path).iterdir())) == 1
    monkeypatch.setenv("GANSTRATA_TENSORBOARD", "/logs")
    assert folder_of(finished.path).parent == Path("/logs")
    assert folder_of(finished.path) != folder_of(Path("other") / "rooms")


def test_results_of_every_stage_are_logged(finished: ganstrata.Results) -> None:
    reader, effects = reader_of(finished.path), finished.effects
    for stage, record in finished.manifest["stages"].items():
        assert number(reader, f"seconds/{stage}") == pytest.approx(record["seconds"])
    assert number(reader, "concepts/with_boundary") == len(finished.boundaries) == 3
    assert number(reader, "concepts/with_effect") == len(effects.factor_names)
    for boundary in finished.boundaries:
        if not boundary.given:
            accuracy = boundary.facts["held_out_accuracy"]
            assert number(reader, f"held_out_accuracy/{boundary.name}") == pytest.approx(accuracy)
    for i, name in enumerate(["red", "saturation", "saturation_given_colour/red"]):
        column = effects.own[i]
        for part in ("mean", "low", "high"):
            in_sd = getattr(effects, part)[i, :, 0, column] / effects.units[column]
            assert number(reader, f"effect/colour/{name}/{part}") == pytest.approx(
                in_sd[list(effects.sets).index("all")], rel=1e-5
            )
            curve = reader.Scalars(f"effect_at_layer/colour/{name}/{part}")
            assert [event.step for event in curve] == list(range(10))
            np.testing.assert_allclose(
                [event.value for event in curve], in_sd[effects.single_layers()], rtol=1e-5, atol=1e-9
            )
    assert ("hierarchy/colour/mean" in reader.Tags()["scalars"]) == (not effects.missing_hierarchy())
    assert "colour/saturation\\|colour/red | colour |" in text(reader, "effects")
    assert '"checkpoint": "bundled:rooms"' in text(reader, "config")


def test_strips_of_edits_are_pictures(finished: ganstrata.Results) -> None:
    reader = reader_of(finished.path)
    strips = {f"edits/{file.stem}" for file in (finished.path / "edits").glob("*.png")}
    assert set(reader.Tags()["images"]) == strips
    (strip,) = reader.Images("edits/colour.saturation.all")
    assert strip.width > strip.height > 2 * 64
    assert strip.encoded_image_string.startswith(b"\x89PNG")


def test_a_stage_that_is_done_again_is_in_the_log_once(copied: Path) -> None:
    watching = reader_of(copied)  # as an open TensorBoard does
    before = entries(watching)
    (copied / "report.html").unlink()
    ganstrata.run(CONFIG, copied)
    assert entries(watching) == entries(reader_of(copied)) == before
    assert len(list(folder_of(copied).iterdir())) == 1


def test_a_killed_stage_is_shown_as_running_until_the_run_continues(copied: Path) -> None:
    before = entries(reader_of(copied))
    (copied / "edits/edits.csv").unlink()
    ganstrata_stage_started("edit", ganstrata.open_run(copied))
    reader = reader_of(copied)
    assert "| edit | running since " in text(reader, "stages")
    assert "| report |" not in text(reader, "stages")
    assert reader.Tags()["images"] == []
    ganstrata.run(CONFIG, copied)
    assert entries(reader_of(copied)) == before
    assert "running" not in text(reader_of(copied), "stages")


def test_a_failure_is_logged_and_forgotten_when_the_run_is_mended(copied: Path) -> None:
    before = entries(reader_of(copied))
    shutil.rmtree(copied / "edits")
    (copied / "edits").write_text("a file where a folder should be")
    with pytest.raises(Exception, match="edits"):
        ganstrata.run(CONFIG, copied)
    reader = reader_of(copied)
    assert "| edit | failed |" in text(reader, "stages")
    assert "edits" in text(reader, "failure")
    assert number(reader, "concepts/with_boundary") == 3
    (copied / "edits").unlink()
    ganstrata.run(CONFIG, copied)
    assert entries(reader_of(copied)) == before


def test_a_log_that_cannot_be_written_leaves_the_earlier_one(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    before = entries(reader_of(copied))
    monkeypatch.setattr("ganstrata_tensorboard._log_effects", fail)
    with pytest.raises(OSError, match="no space"):
        ganstrata_stage_started("edit", ganstrata.open_run(copied))
    assert entries(reader_of(copied)) == before
