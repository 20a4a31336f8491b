"""People annotate pictures: folders are written, masks are learnt, the next pictures are chosen."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.config.reading import validate_annotate
from ganstrata.core.config.segment_schema import AnnotateConfig
from ganstrata.core.errors import ConfigError, GanstrataError, RunError, UserError
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.plugins.pending import DONE, Pending
from ganstrata.core.randomness import Stream, noise_seed
from ganstrata.core.semantics.annotation.annotate import annotate
from ganstrata.core.semantics.annotation.annotations import INDEX, Annotations
from ganstrata.core.semantics.annotation.atelier import Atelier
from ganstrata.core.semantics.annotation.legend import Legend
from ganstrata.core.semantics.annotation.mask_heads import POOL_START, LearnRequest, learnt_heads
from ganstrata.core.semantics.annotation.masks import label_png
from ganstrata.core.semantics.annotation.painted_learning import learn, suggest
from ganstrata.core.semantics.learning import few_shot
from ganstrata.core.semantics.learning.annotated import draw_samples
from ganstrata.core.semantics.learning.folder import EXTRACTOR, open_segmentation
from ganstrata.core.semantics.learning.folder import INDEX as SEGMENTATION
from ganstrata.core.semantics.measuring.comparison import compare
from ganstrata.core.semantics.measuring.evaluation_folder import evaluate_folders
from ganstrata.core.semantics.painting.studio import Studio
from PIL import Image
from torch import Tensor

CLASSES = ("left", "right")
pytestmark = pytest.mark.usefixtures("fakes")


def config(**changes: Any) -> AnnotateConfig:
    data = {"generator": {"use": "fake_layers"}, "device": "cpu", "training": {"batch_size": 4}}
    return validate_annotate(data | changes, "segment.yaml")


def paint(folder: Annotations, sample: int, labels: np.ndarray | None = None) -> None:
    """Save a mask as a person does: left and right half, the top row unknown."""
    if labels is None:
        labels = np.repeat(np.arange(8)[None] // 4, 8, axis=0)
        labels[0] = -1
    folder.file("mask", sample).write_bytes(label_png(labels, folder.legend))


@pytest.fixture
def folder(tmp_path: Path) -> Annotations:
    return annotate(config(), tmp_path / "paint", 3, CLASSES)


def test_a_folder_holds_pictures_and_the_legend(folder):
    names = {path.name for path in folder.path.iterdir()}
    assert names == {
        "annotations.json",
        "classes.json",
        "classes.png",
        "sample-0.png",
        "sample-1.png",
        "sample-2.png",
    }
    assert read_picture(folder.file("sample", 1).read_bytes()).shape == (8, 8, 3)
    again = Annotations.open(folder.path)
    assert again.samples == (0, 1, 2)
    assert again.legend.names == CLASSES
    assert again.made_for == folder.made_for


def test_pictures_are_the_samples_that_are_learnt_from(folder):
    atelier = Atelier.open(folder.path)
    _, pictures = atelier.drawn([1])
    np.testing.assert_array_equal(read_picture(folder.file("sample", 1).read_bytes()), pictures[0])


def test_classes_are_those_of_the_teacher_unless_given(tmp_path):
    with_teacher = config(teacher={"use": "fake_regions"})
    assert annotate(with_teacher, tmp_path / "a", 1).legend.names == ("wall", "sofa", "bed", "lamp")
    with pytest.raises(UserError, match=r"names no teacher.*--classes wall,sofa"):
        annotate(config(), tmp_path / "b", 1)
    assert not (tmp_path / "b").exists()


def test_classes_of_the_config_are_those_of_its_training(tmp_path):
    chosen = config(teacher={"use": "fake_regions"}, extractor={"classes": ["bed", "sofa"]})
    assert annotate(chosen, tmp_path / "a", 1).legend.names == ("background", "sofa", "bed")


def test_a_teacher_that_labels_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"teacher -> use.*labels no pixels"):
        annotate(config(teacher={"use": "fake_readings"}), tmp_path / "a", 1)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_folder_is_not_there(tmp_path, monkeypatch, there):
    out = tmp_path / "paint"
    if there:
        out.mkdir()

    def interrupted(self, index, heads):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Atelier, "write_pictures", interrupted)
        with pytest.raises(KeyboardInterrupt):
            annotate(config(), out, 2, CLASSES)
    assert [p.name for p in tmp_path.rglob("*")] == (["paint"] if there else [])
    assert annotate(config(), out, 2, CLASSES).samples == (0, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extractor": {"head": "NSE-1"}}, r"-> head: is NSE-1, which .* does not follow; .*head=LSE"),
        ({"extractor": {"layer_weights": "softplus"}}, "extractor -> layer_weights: is softplus"),
        ({"extractor": {"kernel": 3}}, "extractor -> kernel: is 3"),
        ({"training": {"images": 60}}, "training -> images: is 60, .*; leave it out"),
        ({"training": {"layerwise_loss": 0.1}}, "training -> layerwise_loss: is 0.1"),
        ({"training": {"method": "lda"}}, "training -> method: is lda.* give `learn` its --method"),
    ],
)
def test_what_learning_from_masks_does_not_follow_is_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        annotate(config(**changes), tmp_path / "paint", 2, CLASSES, source="segment.yaml")
    assert not (tmp_path / "paint").exists()


def test_what_fails_while_it_learns_leaves_nothing(folder, tmp_path, monkeypatch):
    paint(folder, 0)

    def full(*arguments, **keywords):
        raise GanstrataError("the disk is full")

    monkeypatch.setattr(
        "ganstrata.core.semantics.learning.folder.write_record", full
    )  # after all other files
    with pytest.raises(GanstrataError, match="the disk is full"):
        learn(folder.path, tmp_path / "seg", LearnRequest())
    assert not (tmp_path / "seg").exists()


@pytest.mark.parametrize("classes", [("one",), ("a", "a"), ("a/b", "c"), ("", "c")])
def test_classes_that_are_none_are_refused(tmp_path, classes):
    with pytest.raises(UserError):
        annotate(config(), tmp_path / "paint", 1, classes)
    assert not (tmp_path / "paint").exists()


def test_a_folder_that_holds_something_is_refused(folder):
    with pytest.raises(RunError, match="is not empty"):
        annotate(config(), folder.path, 1, CLASSES)


@pytest.mark.parametrize(("method", "heads"), [("lda", 1), ("ridge", 3), ("gradient", 1)])
def test_an_extractor_is_learnt_from_painted_masks(folder, tmp_path, monkeypatch, method, heads):
    monkeypatch.setattr(few_shot, "MOST_STEPS", 20)
    paint(folder, 0)
    paint(folder, 2)
    out = tmp_path / "seg"
    assert learn(folder.path, out, LearnRequest(method, heads)) == (0, 2)
    subject, extractor = open_segmentation(out, needs_teacher=False)
    assert (extractor.classes, len(extractor.heads)) == (CLASSES, heads)
    assert extractor.facts["few_shot"]["samples"] == [0, 2]
    assert extractor.architecture.size == (8, 8)
    assert subject.config.teacher is None
    assert subject.provenance.teacher is None


def test_gradient_descent_draws_fresh_noise_and_has_the_rate_of_the_config(tmp_path, monkeypatch):
    monkeypatch.setattr(few_shot, "MOST_STEPS", 5)
    training = {"batch_size": 4, "learning_rate": 0.02}
    folder = annotate(
        config(generator={"use": "fake_grainy"}, training=training), tmp_path / "paint", 2, CLASSES
    )
    paint(folder, 0)
    paint(folder, 1)
    atelier = Atelier.open(folder.path)
    index, maps, labels = atelier.annotated()
    rate = atelier.config.training.learning_rate
    (head,) = learnt_heads(atelier.samples, index, maps, labels, LearnRequest("gradient"), learning_rate=rate)

    def redraw(step: int) -> tuple[list[Tensor], Pending[None]]:
        seed = noise_seed(0, Stream.TRAINING) + 1 + step
        return draw_samples(atelier.samples, index, Stream.TRAINING, seed).maps, DONE

    def trained(rate: float, *, fresh: bool) -> Tensor:
        settings = few_shot.FewShotSettings(learning_rate=rate)
        one = few_shot.train_few_shot(maps, labels, 2, settings, redraw=redraw if fresh else None)
        return torch.cat([weight.flatten() for weight in one.T])

    found = torch.cat([weight.flatten() for weight in head.T])
    torch.testing.assert_close(found, trained(0.02, fresh=True), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(found, trained(0.02, fresh=False), rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found, trained(0.001, fresh=True), rtol=1e-3, atol=1e-5)


def test_a_folder_without_a_teacher_may_be_moved_but_has_nothing_to_compare_with(folder, tmp_path):
    paint(folder, 0)
    learn(folder.path, tmp_path / "seg", LearnRequest())
    moved = (tmp_path / "seg").rename(tmp_path / "elsewhere")
    assert str(tmp_path) not in (moved / SEGMENTATION).read_text(encoding="utf-8")
    studio = Studio.open(moved)
    assert studio.predictors == ("extractor",)
    with pytest.raises(UserError, match="has no teacher; leave out --by teacher"):
        studio.predictor("teacher")
    subject, _ = open_segmentation(moved, needs_teacher=False)
    assert subject.differences == ()
    with pytest.raises(RunError, match="names no teacher, so there is nothing to compare it with"):
        open_segmentation(moved)
    with pytest.raises(RunError, match="names no teacher, so there is nothing to compare it with"):
        evaluate_folders([moved], tmp_path / "out", images=4)
    assert not (tmp_path / "out").exists()


def test_masks_of_a_teachers_classes_are_compared_with_it(tmp_path):
    """As the message says: a config with a teacher, and no --classes."""
    taught = config(teacher={"use": "fake_regions"}, extractor={"classes": ["bed"]})
    folder = annotate(taught, tmp_path / "paint", 3)
    assert folder.legend.names == ("background", "bed")
    for sample in range(3):
        paint(folder, sample)
    learn(folder.path, tmp_path / "seg", LearnRequest())
    subject, extractor = open_segmentation(tmp_path / "seg")
    assert extractor.architecture.background
    assert subject.teacher.classes == extractor.classes
    found = compare([tmp_path / "seg"], 8)
    assert found.teacher == "fake_regions"
    assert float(found.quality.scores["seg"].accuracy.value) < 1.0


def test_labels_of_an_extractor_stand_beside_the_pictures(folder, tmp_path):
    paint(folder, 0)
    learn(folder.path, tmp_path / "seg", LearnRequest())
    again = annotate(config(), tmp_path / "more", 2, extractor=tmp_path / "seg" / EXTRACTOR)
    assert again.legend.names == CLASSES
    assert again.file("labels", 1).exists()


def test_suggested_pictures_are_added_to_the_folder(folder):
    paint(folder, 0)
    paint(folder, 1, np.repeat(np.arange(8)[:, None] // 4, 8, axis=1))
    found = suggest(folder.path, 2, 9, heads=4)
    again = Annotations.open(folder.path)
    assert again.samples == (0, 1, 2, *(one.sample for one in found))
    assert all(POOL_START <= one.sample < POOL_START + 9 for one in found)
    assert all(again.file(kind, one.sample).exists() for one in found for kind in ("sample", "labels"))
    assert found[0].doubt > 0
    more = suggest(folder.path, 1, 5, heads=4)
    assert more[0].sample > max(again.samples)  # a pool of new pictures


def test_nothing_is_suggested_from_one_mask(folder, tmp_path):
    paint(folder, 0)
    before = {path.name for path in folder.path.iterdir()}
    with pytest.raises(UserError, match="paint a mask on a second picture"):
        suggest(folder.path, 2, 5)
    assert {path.name for path in folder.path.iterdir()} == before
    with pytest.raises(UserError, match="paint a mask on a second picture"):
        learn(folder.path, tmp_path / "seg", LearnRequest("ridge", 3))
    assert not (tmp_path / "seg").exists()


def test_nothing_is_learnt_from_nothing(folder, tmp_path):
    with pytest.raises(UserError, match=r"no picture is annotated yet.*mask-0.png"):
        learn(folder.path, tmp_path / "seg", LearnRequest())
    paint(folder, 0, np.zeros((8, 8), np.int64))
    with pytest.raises(UserError, match="all that is painted is of one class"):
        suggest(folder.path, 1, 5)
    assert not (tmp_path / "seg").exists()


def test_masks_that_do_not_fit_are_refused(folder, tmp_path):
    paint(folder, 0)
    paint(folder, 1, np.zeros((4, 8), np.int64))
    with pytest.raises(UserError, match=r"mask-1.png is 8 x 4"):
        learn(folder.path, tmp_path / "seg", LearnRequest())
    folder.file("mask", 1).rename(folder.path / "mask-7.png")
    with pytest.raises(UserError, match=r"mask-7.png is the mask of no sample"):
        learn(folder.path, tmp_path / "seg", LearnRequest())
    (folder.path / "mask-7.png").unlink()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(buffer, "PNG")
    folder.file("mask", 1).write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="of no class"):
        learn(folder.path, tmp_path / "seg", LearnRequest())


def test_a_folder_without_its_legend_is_told_how_to_go_on(folder):
    (folder.path / "classes.json").unlink()
    with pytest.raises(UserError, match=r"classes\.json is missing.* put it back, or begin again"):
        Annotations.open(folder.path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": 1}'])
def test_a_damaged_index_is_refused(folder, content):
    (folder.path / INDEX).write_bytes(content)
    with pytest.raises(RunError, match=r"annotations\.json is damaged"):
        Annotations.open(folder.path)


def test_pictures_of_another_generator_are_refused(folder, tmp_path):
    other = annotate(
        config(generator={"use": "fake_layers", "with": {"gain": 0.04}}), tmp_path / "other", 1, CLASSES
    )
    Annotations(
        folder.path, other.config, folder.made_for, 0, folder.size, folder.samples, folder.legend
    ).save()
    with pytest.raises(RunError, match="made by another generator"):
        Atelier.open(folder.path)


def test_a_pool_that_is_too_small_is_refused(folder):
    with pytest.raises(UserError, match="larger pool"):
        suggest(folder.path, 6, 5)
    with pytest.raises(RunError, match=r"it has no annotations\.json"):
        suggest(folder.path.parent, 1, 5)


def test_the_index_is_plain_json(folder):
    content = json.loads((folder.path / INDEX).read_text(encoding="utf-8"))
    assert content["samples"] == [0, 1, 2]
    assert Legend.of(CLASSES).names == CLASSES
