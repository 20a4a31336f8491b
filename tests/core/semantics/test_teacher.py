"""Teachers that are unsound, or whose classes cannot be told apart, are refused by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Concept, Rendering
from ganstrata.core.errors import ScoreError, UserError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.teacher import Teacher
from planted_semantics import Linear, Smooth, planted_samples

Labels = Callable[[torch.Tensor], Any]


def returning(change: Labels) -> Teacher:
    """A teacher whose labels (N, 8, 8) are changed."""

    class Changed(Linear):
        def labels(self, rendering: Rendering) -> torch.Tensor:
            changed: torch.Tensor = change(super().labels(rendering))
            return changed

    return Teacher.of(Changed())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: None, "returned labels as NoneType; a torch.Tensor was expected"),
        (lambda labels: labels.numpy(), "returned labels as ndarray"),
        (lambda labels: labels[:, :0], r"labels of shape \(8, 0, 8\).*whole numbers \(8, height, width\)"),
        (lambda labels: labels.float(), r"type torch\.float32"),
        (lambda labels: labels > 0, r"type torch\.bool"),
        (lambda labels: labels + 0j, r"type torch\.complex64"),
        (lambda labels: labels[:-1], r"labels of shape \(7, 8, 8\)"),
        (lambda labels: labels[0], r"labels of shape \(8, 8\)"),
        (lambda labels: labels + 1, "returned the label 3; it has 3 classes"),
        (lambda labels: labels - 3, "returned the label -3; it has 3 classes"),
    ],
)
def test_labels_that_are_none_are_refused(change: Labels, words: str):
    rendering = planted_samples().draw(0, Stream.TRAINING).rendering
    with pytest.raises(ScoreError, match=words):
        returning(change).labels(rendering)


def test_labels_of_another_size_than_before_are_refused():
    samples = planted_samples()
    rendering = samples.draw(0, Stream.TRAINING).rendering
    teacher = returning(lambda labels: labels[:, ::2, ::2])
    assert teacher.labels(rendering).shape[1:] == (4, 4)
    with pytest.raises(ScoreError, match=r"gave labels of 4 x 4 pixels, but of 8 x 8 before"):
        dataclasses.replace(teacher, size=(8, 8)).labels(rendering)
    with pytest.raises(ScoreError, match="4 x 4"):
        dataclasses.replace(samples, teacher=teacher).with_size((8, 8)).draw(0, Stream.TRAINING)
    assert torch.equal(samples.with_size((8, 8)).draw(0, Stream.TRAINING).labels, Linear().labels(rendering))


def test_a_teacher_whose_labels_shrink_during_a_training_is_refused():
    class Shrinking(Linear):
        calls = 0

        def labels(self, rendering: Rendering) -> torch.Tensor:
            Shrinking.calls += 1
            step = 1 if Shrinking.calls < 3 else 2
            return super().labels(rendering)[:, ::step, ::step]

    with pytest.raises(ScoreError, match=r"linear gave labels of 4 x 4 pixels, but of 8 x 8 before"):
        ganstrata.train_extractor(Smooth(), Shrinking(), method="lda", images=50, batch=8)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32])
def test_whole_numbers_of_any_width_are_labels(kind: torch.dtype):
    samples = planted_samples()
    labels = returning(lambda labels: labels.to(kind)).labels(samples.draw(0, Stream.TRAINING).rendering)
    assert labels.dtype == torch.int64
    assert torch.equal(labels, samples.draw(0, Stream.TRAINING).labels)


def test_a_class_that_no_extractor_could_have_is_refused_before_the_training():
    segmenter = Linear()
    segmenter.concepts = tuple(Concept(name, "object") for name in ("sky", "window/door", "road"))
    with pytest.raises(UserError, match=r"class 'window/door' of .* holds '/'.*extractor\.classes"):
        Teacher.of(segmenter)
    assert Teacher.of(segmenter, ["sky", "road"]).classes == ("background", "sky", "road")


def test_logits_that_are_none_are_refused():
    class Silent(Linear):
        def logits(self, rendering: Rendering) -> torch.Tensor:
            return None  # type: ignore[return-value]

    rendering = planted_samples().draw(0, Stream.TRAINING).rendering
    with pytest.raises(ScoreError, match="returned logits as NoneType"):
        Teacher.of(Silent(), ["sky"]).labels(rendering)


def test_a_pixel_is_background_where_no_chosen_class_has_a_positive_logit():
    rendering = planted_samples().draw(0, Stream.TRAINING).rendering
    logits = Linear().logits(rendering).numpy()  # sky, tree, road
    wanted = [
        [
            [
                0 if max(sky, road) <= 0 else 1 if sky >= road else 2
                for sky, road in zip(skies, roads, strict=True)
            ]
            for skies, roads in zip(one[0], one[2], strict=True)
        ]
        for one in logits
    ]
    teacher = Teacher.of(Linear(), ["road", "sky"])
    assert teacher.classes == ("background", "sky", "road")
    labels = teacher.labels(rendering)
    assert labels.tolist() == wanted
    assert set(labels.flatten().tolist()) == {0, 1, 2}


def test_one_class_cannot_be_told_apart():
    class Single(Linear):
        concepts = (Concept("sky", "object"),)

    with pytest.raises(UserError, match="has 1 class, but two are needed"):
        Teacher.of(Single())


def test_a_class_named_background_is_no_second_one():
    class Faces(Linear):
        concepts = tuple(Concept(name, "object") for name in ("background", "skin", "hair"))

    with pytest.raises(
        UserError, match=r"'background' of .* cannot be chosen where other classes are left out"
    ):
        Teacher.of(Faces(), ["background", "hair"])
    assert Teacher.of(Faces(), ["hair"]).classes == ("background", "hair")
    assert Teacher.of(Faces(), ["background", "skin", "hair"]).classes == ("background", "skin", "hair")
    assert not Teacher.of(Faces()).background
