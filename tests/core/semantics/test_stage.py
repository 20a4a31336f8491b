"""Segmentation folders: made, continued, refused, opened again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ganstrata.core.config.reading import validate_segment
from ganstrata.core.config.segment_schema import SegmentConfig
from ganstrata.core.errors import ConfigError, DataError, RunError, UserError
from ganstrata.core.runs.progress import Progress
from ganstrata.core.semantics.extractor_file import load_extractor, save_extractor
from ganstrata.core.semantics.learning import learn as learning
from ganstrata.core.semantics.learning import stage, whitened
from ganstrata.core.semantics.learning.folder import (
    EXTRACTOR,
    INDEX,
    LOG,
    STATE,
    open_segmentation,
)
from ganstrata.core.semantics.learning.stage import train
from ganstrata.core.semantics.learning.training import Trainer
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.storage.training_state import read_state, save_state

FAKE: dict[str, Any] = {
    "generator": {"use": "fake_layers"},
    "teacher": {"use": "fake_regions"},
    "training": {"images": 60, "batch_size": 8},
    "device": "cpu",
}


def config(**changes: Any) -> SegmentConfig:
    data = json.loads(json.dumps(FAKE))
    for place, value in changes.items():
        section, _, key = place.partition("__")
        if key:
            data.setdefault(section, {})[key] = value
        else:
            data[section] = value
    return validate_segment(data, "segment.yaml")


def parameters(folder: Path) -> torch.Tensor:
    head = load_extractor(folder / EXTRACTOR, torch.device("cpu")).heads[0]
    return torch.cat([p.flatten() for p in head.parameters()])


@pytest.mark.usefixtures("fakes")
def test_a_folder_holds_the_extractor_its_config_and_its_log(tmp_path):
    folder = train(config(), tmp_path / "seg")
    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".lock") == sorted([EXTRACTOR, INDEX, LOG])
    subject, extractor = open_segmentation(folder)
    assert extractor.classes == ("wall", "sofa", "bed", "lamp")
    assert extractor.architecture.size == (8, 8)
    assert extractor.strata == tuple(range(8))
    assert extractor.facts["teacher"]["plugin"] == "fake_regions"
    assert extractor.facts["training"]["images"] == 60
    assert subject.config.training.images == 60
    rows = (folder / LOG).read_text(encoding="utf-8").splitlines()
    assert rows[0] == "images,loss,training accuracy,training mIoU,mIoU of held-out pixels,seconds"
    assert rows[-1].startswith("60,")


@pytest.mark.usefixtures("fakes")
def test_a_training_that_was_killed_continues_to_the_same_extractor(tmp_path, monkeypatch):
    whole = train(config(), tmp_path / "whole")
    monkeypatch.setattr(stage, "KEEP", -1.0)  # a state after every step
    steps = Trainer.steps

    def killed(self):
        for taken in steps(self):
            yield taken
            if self.position >= 10:
                raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "steps", killed)
    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path / "again")
    assert (tmp_path / "again" / STATE).exists()
    with pytest.raises(RunError, match="is not finished; the same `ganstrata segment train` continues it"):
        open_segmentation(tmp_path / "again")
    monkeypatch.setattr(Trainer, "steps", steps)
    state = read_state(tmp_path / "again" / STATE)
    assert state is not None
    before = replace(state, seconds=state.seconds + 1000.0)  # as if it had taken long
    save_state(tmp_path / "again" / STATE, before)
    again = train(config(), tmp_path / "again")
    torch.testing.assert_close(parameters(again), parameters(whole), rtol=1e-4, atol=1e-6)
    assert not (again / STATE).exists()
    seconds = [
        float(row.split(",")[-1]) for row in (again / LOG).read_text(encoding="utf-8").splitlines()[1:]
    ]
    assert seconds == sorted(seconds)
    assert seconds[-1] >= 1000.0
    assert [row.split(",")[0] for row in (again / LOG).read_text(encoding="utf-8").splitlines()] == [
        row.split(",")[0] for row in (whole / LOG).read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.usefixtures("fakes")
def test_a_finished_training_is_not_repeated(tmp_path):
    folder = train(config(), tmp_path / "seg")
    before = (folder / EXTRACTOR).stat().st_mtime_ns
    (folder / STATE).touch()  # as if the process had been killed just after it had finished
    train(config(device="cpu"), folder)
    assert (folder / EXTRACTOR).stat().st_mtime_ns == before
    assert not (folder / STATE).exists()


@pytest.mark.usefixtures("fakes")
def test_another_config_in_the_same_folder_is_refused_with_what_differs(tmp_path):
    folder = train(config(), tmp_path / "seg")
    with pytest.raises(RunError, match=r"training.images: 60 there, 70 here.*Give another folder"):
        train(config(training__images=70), folder)
    assert open_segmentation(folder)[0].config.training.images == 60


def test_a_folder_with_other_files_is_refused(tmp_path, fakes):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match=r"is not a segmentation folder: it has no segmentation\.json"):
        train(config(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": {"use": "fake_readings"}}, r"teacher -> use.*labels no pixels"),
        ({"extractor__classes": ["wall", "sofas"]}, r"extractor -> classes.*Did you mean 'sofa'"),
        ({"extractor__strata": [0, 12]}, r"extractor -> strata.*strata 12 have no feature map"),
        ({"training__layerwise_loss": 0.1, "extractor__head": "NSE-2"}, "layerwise_loss needs LSE or NSE-1"),
        ({"training__method": "ridge", "extractor__head": "NSE-1"}, "ridge is for LSE"),
        (
            {"training__method": "lda", "extractor__layer_weights": "softplus"},
            "softplus is learnt by gradient",
        ),
        (
            {"training__method": "lda", "training__layerwise_loss": 0.1},
            "layerwise_loss is for training.method gradient",
        ),
        (
            {"training__method": "whitened", "training__learning_rate": 0.1},
            "learning_rate is for training.method gradient",
        ),
        ({"extractor__kernel": 3}, "extractor.kernel is for NSE-1, not LSE"),
        (
            {"extractor__head": "NSE-2", "extractor__layer_weights": "softplus"},
            "softplus is for LSE and NSE-1",
        ),
        ({"extractor__strata": []}, "extractor -> strata: the list of strata is empty"),
        ({"training__images": 3}, "training -> images"),
        ({"extractor__head": "SVM"}, "extractor -> head"),
        ({"teacher": {"use": "segmentaton"}}, "Did you mean 'segmentation'"),
    ],
)
def test_faults_of_a_config_name_their_place(changes, message, tmp_path):
    with pytest.raises(ConfigError) as caught:
        train(config(**changes), tmp_path / "seg", source="segment.yaml")
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)
    assert not (tmp_path / "seg").exists()


@pytest.mark.usefixtures("fakes")
def test_classes_that_are_left_out_become_background(tmp_path):
    folder = train(config(extractor__classes=["bed", "wall"]), tmp_path / "seg")
    _, extractor = open_segmentation(folder)
    assert extractor.classes == ("background", "wall", "bed")
    assert extractor.architecture.background


@pytest.mark.usefixtures("fakes")
def test_one_stratum_is_enough(tmp_path):
    folder = train(config(generator={"use": "fake_flat"}), tmp_path / "seg")
    assert open_segmentation(folder)[1].strata == (0,)


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("name", [INDEX, EXTRACTOR])
def test_a_damaged_folder_is_refused_by_the_name_of_the_file(name, tmp_path):
    folder = train(config(), tmp_path / "seg")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 3] ^= 0x55
    (folder / name).write_bytes(content)
    if name == EXTRACTOR:
        content[:] = content[: len(content) // 2]
        (folder / name).write_bytes(content)
    mend = "or train again" if name == EXTRACTOR else "train again into another folder"
    with pytest.raises(UserError, match=f"{name}.*{mend}"):
        open_segmentation(folder)


@pytest.mark.usefixtures("fakes")
def test_no_folder_is_told(tmp_path):
    with pytest.raises(RunError, match=r"`ganstrata segment train` makes one"):
        open_segmentation(tmp_path / "none")


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("method", ["ridge", "lda", "whitened"])
def test_a_solution_is_an_lse_with_a_bias(tmp_path, method):
    folder = train(config(training__method=method), tmp_path / "seg")
    _, extractor = open_segmentation(folder)
    assert (extractor.architecture.head, extractor.architecture.bias) == ("LSE", True)
    assert extractor.facts["training"]["method"] == method
    assert extractor.facts["solution"]["strength"] > 0
    rows = [line.split(",") for line in (folder / LOG).read_text(encoding="utf-8").splitlines()[1:]]
    assert rows[0][1:4] == ["", "", ""]
    assert rows[-1][0] == "60"
    assert all(0.0 < float(row[4]) <= 1.0 for row in rows)
    assert float(rows[-1][5]) > 0.0


@pytest.mark.usefixtures("fakes")
def test_a_pass_that_does_not_help_is_told_and_undone(tmp_path, monkeypatch):
    monkeypatch.setattr(
        learning, "WhitenedSettings", lambda images: whitened.WhitenedSettings(images, rate=1e6)
    )
    warned: list[str] = []
    progress = Progress(quiet=True)
    monkeypatch.setattr(progress, "warn", warned.append)
    folder = train(config(training__method="whitened"), tmp_path / "seg", progress=progress)
    assert "no better, so the extractor is that of LDA" in warned[0]
    solution = open_segmentation(folder)[1].facts["solution"]
    assert (solution["result"], solution["sections kept"]) == ("lda", 0)


@pytest.mark.usefixtures("fakes")
def test_a_closed_form_takes_fewer_pictures():
    assert config().training.pictures == 60
    assert config(training={}).training.pictures == 51_200
    assert config(training={"method": "lda"}).training.pictures == 768
    assert config(training={"method": "whitened"}).training.pictures == 2048


@pytest.mark.usefixtures("fakes")
def test_a_teacher_that_changed_since_the_training_is_told(tmp_path, monkeypatch, change_teacher):
    folder = train(config(), tmp_path / "seg")
    change_teacher()
    said: list[str] = []
    progress = Progress(quiet=True)
    monkeypatch.setattr(progress, "say", said.append)
    subject, _ = open_segmentation(folder, progress=progress)
    assert subject.differences == ("teacher 'fake_regions': its source changed",)
    assert "since its training, teacher 'fake_regions': its source changed" in said[0]
    with pytest.raises(RunError, match=r"its source changed\. Give another folder"):
        train(config(), folder)


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("method", ["gradient", "lda"])
def test_a_training_that_cannot_be_leaves_no_folder(tmp_path, method, monkeypatch):
    draw = LabelledSamples.draw

    def damaged(self, start, *more, **named):
        drawn = draw(self, start, *more, **named)
        if start == 16:
            drawn.maps[3][2] = torch.nan
        return drawn

    with monkeypatch.context() as patch:
        patch.setattr(LabelledSamples, "draw", damaged)
        with pytest.raises(DataError, match=r"stratum 3 \('s3'\) is not finite"):
            train(config(training__method=method), tmp_path / "seg")
    assert not (tmp_path / "seg").exists()
    without = train(config(training__method=method, extractor__strata=[0, 7]), tmp_path / "seg")
    assert open_segmentation(without)[1].strata == (0, 7)


def with_header(folder: Path, **changes: Any) -> None:
    """Write the extractor of a folder anew, with another architecture in its header."""
    extractor = load_extractor(folder / EXTRACTOR)
    architecture = replace(extractor.architecture, **changes)
    save_extractor(replace(extractor, architecture=architecture), folder / EXTRACTOR)


@pytest.mark.usefixtures("fakes")
def test_a_header_that_does_not_fit_is_refused(tmp_path):
    """Before a feature map of another shape is met, or labels fill the memory."""
    folder = train(config(), tmp_path / "seg")
    right = load_extractor(folder / EXTRACTOR).architecture
    first, *others = right.maps
    for changes, message in (
        ({"maps": (replace(first, height=3), *others)}, r"a map of stratum 0 with \d+ channels of 3 x"),
        ({"maps": (replace(first, margin=1), *others)}, "and a margin of 1, and the generator makes one"),
        ({"size": (80, 80)}, "labels have 80 x 80 pixels, and those that it learnt from"),
    ):
        with_header(folder, **changes)
        with pytest.raises(RunError, match=rf"extractor\.safetensors: its header .*{message}.*train again"):
            open_segmentation(folder)
        with_header(folder, maps=right.maps, size=right.size)
    assert open_segmentation(folder)[1].architecture == right


@pytest.mark.usefixtures("fakes")
def test_labels_of_another_size_are_no_fault_where_the_teacher_has_changed(tmp_path, change_teacher):
    folder = train(config(), tmp_path / "seg")
    with_header(folder, size=(4, 4))
    change_teacher()
    assert open_segmentation(folder)[1].architecture.size == (4, 4)
