"""Few-shot extractors are trained, kept, measured and tabulated; an interrupted call continues."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.config.reading import validate_segment
from ganstrata.core.config.schema import Use
from ganstrata.core.config.segment_schema import SegmentConfig
from ganstrata.core.errors import ConfigError, DataError, RunError, UserError
from ganstrata.core.semantics import subject as subjects
from ganstrata.core.semantics.extractor_file import load_extractor
from ganstrata.core.semantics.learning import few_shot
from ganstrata.core.semantics.learning import shots as training
from ganstrata.core.semantics.learning.stage import train
from ganstrata.core.semantics.measuring import shots_tables
from ganstrata.core.semantics.measuring.shots import EXTRACTORS, INDEX, ShotsRequest
from ganstrata.core.semantics.measuring.shots_folder import shots_into
from ganstrata.core.semantics.measuring.shots_tables import ShotsRow
from ganstrata.core.semantics.teacher import Teacher
from ganstrata.core.storage import result_folder
from ganstrata.core.storage.disk import file_hash
from ganstrata.core.storage.result_folder import faults_of
from ganstrata.core.storage.seal import read_sealed, sealed_text

SMALL = ShotsRequest((2, 1), repeats=2, images=10)


def config(**training: Any) -> SegmentConfig:
    return validate_segment(
        {
            "generator": {"use": "fake_layers"},
            "teacher": {"use": "fake_regions"},
            "training": {"batch_size": 4, **training},
            "device": "cpu",
        },
        "segment.yaml",
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch, fakes):
    """Twenty steps in place of thousands."""
    monkeypatch.setattr(few_shot, "MOST_STEPS", 20)


def rows(out: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((out / name).read_text(encoding="utf-8"))))


def test_a_folder_holds_table_curve_page_and_extractors(tmp_path):
    full = train(config(method="lda", images=50), tmp_path / "full")
    out = tmp_path / "shots"
    found = shots_into(config(), out, ShotsRequest((1, 2), 2, 10, full))
    table = rows(out, "table_2.csv")
    assert [row["shots"] for row in table] == ["1", "2", "full"]
    repeats = rows(out, "repeats.csv")
    assert [(row["shots"], row["repeat"]) for row in repeats] == [
        ("1", "1"),
        ("2", "1"),
        ("1", "2"),
        ("2", "2"),
        ("full", "1"),
    ]
    # Intervals of table 2 are over repeats, of which full training has one; those of repeats over pictures.
    assert (table[2]["low"], table[2]["high"]) == ("", "")
    assert float(repeats[4]["low"]) <= float(table[2]["miou_per_image"]) <= float(repeats[4]["high"])
    values = [float(row["miou_per_image"]) for row in repeats if row["shots"] == "2"]
    assert float(table[1]["miou_per_image"]) == pytest.approx(np.mean(values), abs=1e-5)
    assert float(table[1]["max_deviation"]) == pytest.approx(abs(values[0] - values[1]) / 2, abs=1e-5)
    ratio = float(table[1]["miou_per_image"]) / float(table[2]["miou_per_image"])
    assert float(table[1]["ratio_to_full"]) == pytest.approx(ratio, rel=1e-4)
    assert json.loads((out / INDEX).read_text(encoding="utf-8"))["images"] == 10
    assert "2 annotated pictures" in (out / "shots.html").read_text(encoding="utf-8")
    assert (out / "few_shot.svg").read_text(encoding="utf-8").startswith("<svg")
    assert len(list((out / EXTRACTORS).iterdir())) == 4
    facts = found.trained[1].extractor.facts["few_shot"]
    assert facts["samples"] == [0, 1]
    assert found.trained[3].extractor.facts["few_shot"]["samples"] == [1000, 1001]


def test_an_interrupted_call_continues_with_the_next_training(tmp_path, monkeypatch):
    whole = shots_into(config(), tmp_path / "whole", SMALL)
    calls: list[int] = []
    original = training.train_few_shot

    def counted(*args, **kwargs):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(training, "train_few_shot", counted)
    with pytest.raises(KeyboardInterrupt):
        shots_into(config(), tmp_path / "again", SMALL)
    assert len(list((tmp_path / "again" / EXTRACTORS).iterdir())) == 3
    calls[:] = [1, 1]
    again = shots_into(config(), tmp_path / "again", SMALL)
    for one, other in zip(whole.trained, again.trained, strict=True):
        torch.testing.assert_close(one.extractor.heads[0].T[0], other.extractor.heads[0].T[0])


def test_more_repeats_add_to_those_there_are(tmp_path, monkeypatch):
    shots_into(config(), tmp_path / "out", SMALL)
    calls: list[int] = []
    original = training.train_few_shot
    monkeypatch.setattr(
        training, "train_few_shot", lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs)
    )
    found = shots_into(config(), tmp_path / "out", ShotsRequest((2, 1), 3, 10))
    assert len(calls) == 2
    assert len(found.trained) == 6


def test_a_folder_of_another_config_is_refused(tmp_path):
    shots_into(config(), tmp_path / "out", SMALL)
    with pytest.raises(RunError, match="was begun with another generator, teacher, seed"):
        shots_into(config(seed=1), tmp_path / "out", SMALL)


@pytest.mark.parametrize("content", ["", "{}", '{"key": 1}', "no json"])
def test_a_damaged_index_is_refused(tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    (out / INDEX).write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"shots.json is damaged"):
        shots_into(config(), out, SMALL)


def test_other_numbers_of_pictures_change_none_that_are_taken(tmp_path):
    """Repeats take pictures of their own, whatever else is asked for in the same folder."""
    first = shots_into(config(), tmp_path / "out", ShotsRequest((1,), 2, 10))
    more = shots_into(config(), tmp_path / "out", ShotsRequest((1, 3), 2, 10))
    by_name = {one.name: one.extractor.facts["few_shot"]["samples"] for one in more.trained}
    for one in first.trained:
        assert by_name[one.name] == one.extractor.facts["few_shot"]["samples"]
    assert not set(by_name["shots-3-repeat-1"]) & set(by_name["shots-3-repeat-2"])


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("extractor", {"head": "NSE-1"}, "extractor -> head: is NSE-1, .* --set extractor.head=LSE"),
        ("extractor", {"layer_weights": "softplus"}, "extractor -> layer_weights: is softplus"),
        ("training", {"images": 60}, "training -> images: is 60"),
        ("training", {"layerwise_loss": 0.1}, "training -> layerwise_loss: is 0.1"),
        ("training", {"method": "whitened"}, "training -> method: is whitened, .* gradient or lda or ridge"),
    ],
)
def test_what_few_pictures_cannot_follow_is_refused(tmp_path, section, change, message):
    usual = config()
    changed = usual.model_copy(update={section: getattr(usual, section).model_copy(update=change)})
    with pytest.raises(ConfigError, match=message):
        shots_into(changed, tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_extractors_say_what_they_learnt_from(tmp_path):
    shots_into(config(), tmp_path / "out", SMALL)
    file = tmp_path / "out" / EXTRACTORS / "shots-2-repeat-2.safetensors"
    facts = load_extractor(file, torch.device("cpu")).facts["few_shot"]
    assert (facts["repeat"], facts["steps"], facts["fresh_noise"]) == (2, 20, False)


@pytest.mark.parametrize("method", ["ridge", "lda"])
def test_a_closed_form_learns_from_a_few_pictures_too(tmp_path, method):
    found = shots_into(config(method=method), tmp_path / "out", SMALL)
    facts = [one.extractor.facts["few_shot"] for one in found.trained]
    assert {(one["method"], one["steps"]) for one in facts} == {(method, 0)}
    assert found.trained[0].extractor.architecture.bias


def test_deviation_and_interval_are_counted_by_hand():
    row = ShotsRow(4, np.array([0.5, 0.6, 0.7]), np.array([0.5, 0.6, 0.7]), 0.8)
    assert row.mean == pytest.approx(0.6)
    assert row.deviation == pytest.approx(0.1)
    assert row.ratio == pytest.approx(0.75)
    half = 4.302653 * 0.1 / np.sqrt(3)  # Student's t of two degrees of freedom
    assert row.bounds == pytest.approx((0.6 - half, 0.6 + half))
    assert np.isnan(ShotsRow(4, np.array([0.5]), np.array([0.5]), np.nan).bounds).all()


@pytest.mark.parametrize("damage", ["cut short", "of another picture"])
def test_a_damaged_extractor_is_named_and_trained_again_once_it_is_deleted(tmp_path, damage):
    once = ShotsRequest((1,), 2, 10)
    whole = shots_into(config(), tmp_path / "out", once)
    first, second = sorted((tmp_path / "out" / EXTRACTORS).iterdir())
    second.write_bytes(first.read_bytes() if damage == "of another picture" else first.read_bytes()[:200])
    with pytest.raises(RunError, match=rf"{second.name}.* Delete this file, and the same command trains it"):
        shots_into(config(), tmp_path / "out", once)
    second.unlink()
    again = shots_into(config(), tmp_path / "out", once)
    for one, other in zip(whole.trained, again.trained, strict=True):
        torch.testing.assert_close(one.extractor.heads[0].T[0], other.extractor.heads[0].T[0])


def test_a_picture_of_one_class_is_named(tmp_path, monkeypatch):
    begin_labels = Teacher.begin_labels

    def of_one_class(*given):
        labels, check = begin_labels(*given)
        return labels * 0, check

    monkeypatch.setattr(Teacher, "begin_labels", of_one_class)
    with pytest.raises(DataError, match=r"1 shots, repeat 1, samples 0 to 0: all .* are of one class"):
        shots_into(config(), tmp_path / "out", ShotsRequest((1,), 2, 10))


def test_the_largest_seed_has_repeats(tmp_path):
    found = shots_into(config(seed=2**63 - 1), tmp_path / "out", ShotsRequest((1,), 2, 10))
    assert len(found.trained) == 2


def test_an_interval_stays_within_what_an_iou_can_be_and_nothing_is_no_ratio():
    row = ShotsRow(1, np.array([0.2, 0.6]), np.array([0.2, 0.6]), 0.0)
    assert row.bounds == (0.0, 1.0)
    assert np.isnan(row.ratio)


@pytest.mark.parametrize(("scale", "full", "lines"), [(1.0, 0.95, 1), (0.4, np.nan, 0)])
def test_all_points_of_the_curve_lie_within_its_axes(monkeypatch, scale, full, lines):
    rows = [
        ShotsRow(1, scale * np.array([0.6, 0.5, 0.7]), np.zeros(3), full),
        ShotsRow(4, scale * np.array([0.9, 0.8, 0.88]), np.zeros(3), full),
    ]
    monkeypatch.setattr(shots_tables, "rows_of", lambda found: rows)
    text = shots_tables.curve(None).file
    heights = [float(y) for y in re.findall(r'cy="([0-9.]+)"', text)]
    assert len(heights) == 2 * (3 + 1)
    assert 24 < min(heights) < 60  # the best is near the top
    assert max(heights) < 320
    assert text.count("full training: 0.950") == lines


def test_versions_of_packages_belong_to_a_folder(tmp_path, monkeypatch):
    shots_into(config(), tmp_path / "out", SMALL)
    version_of = subjects.version_of
    monkeypatch.setattr(subjects, "version_of", lambda name: "0.0" if name == "torch" else version_of(name))
    with pytest.raises(RunError, match="with other plugins, packages or versions"):
        shots_into(config(), tmp_path / "out", SMALL)


@pytest.mark.parametrize("shot", [0, 1001])
def test_numbers_of_pictures_that_repeats_would_share_are_refused(shot):
    with pytest.raises(UserError, match="give numbers from 1 to 1000, so that repeats share none"):
        ShotsRequest((1, shot))
    assert ShotsRequest((1, 1000)).shots == (1, 1000)
    with pytest.raises(UserError, match="there twice"):
        ShotsRequest((1, 4, 1))


def test_a_call_that_is_killed_while_it_writes_leaves_the_files_of_one_call(tmp_path, monkeypatch):
    out = tmp_path / "out"
    shots_into(config(), out, SMALL)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    write = result_folder.write_bytes

    def killed(path: Path, content: bytes) -> None:
        if path.name == INDEX:
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(result_folder, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            shots_into(config(), out, ShotsRequest((2, 1), 3, 10))
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert faults_of(out, INDEX) == []
    shots_into(config(), out, ShotsRequest((2, 1), 3, 10))
    assert faults_of(out, INDEX) == []
    assert len(rows(out, "repeats.csv")) == 6


def test_full_training_must_be_finished_and_by_the_same_teacher(tmp_path, monkeypatch):
    full = train(config(method="lda", images=50), tmp_path / "full")
    flat = config(method="lda", images=50).model_copy(update={"generator": Use(use="fake_flat")})
    other = train(flat, tmp_path / "other")
    with pytest.raises(RunError, match=r"and segment.yaml cannot be compared: generator"):
        shots_into(config(), tmp_path / "out", replace(SMALL, full=other), source="segment.yaml")
    plugin_record = subjects.plugin_record
    with monkeypatch.context() as patch:  # the teacher of the folder is another one than that of the config
        patch.setattr(
            subjects,
            "plugin_record",
            lambda kind, *rest: plugin_record(kind, *rest).model_copy(
                update={"config": str(len(built))} if kind == "scorer" and not built.append(1) else {}
            ),
        )
        built: list[int] = []
        with pytest.raises(RunError, match="cannot be compared: teacher: its config changed"):
            shots_into(config(), tmp_path / "out", replace(SMALL, full=full))
    index = full / "segmentation.json"
    index.write_text(sealed_text(read_sealed(index.read_bytes()) | {"finished": False}), encoding="utf-8")
    with pytest.raises(RunError, match="is not finished"):
        shots_into(config(), tmp_path / "out", replace(SMALL, full=full))
    assert not (tmp_path / "out").exists()


def test_the_index_says_what_the_numbers_stand_on(tmp_path):
    full = train(config(method="lda", images=50), tmp_path / "full")
    out = tmp_path / "out"
    shots_into(config(seed=5), out, replace(SMALL, full=full))
    index = json.loads((out / INDEX).read_text(encoding="utf-8"))
    assert index["seed"] == 5
    assert index["provenance"]["teacher"]["name"] == "fake_regions"
    files = {path.stem: path for path in (out / EXTRACTORS).iterdir()}
    files["full"] = full / "extractor.safetensors"
    assert index["extractors_sha256"] == {name: file_hash(path) for name, path in files.items()}
