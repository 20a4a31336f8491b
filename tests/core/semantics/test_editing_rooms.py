"""Painting on the bundled rooms does what was painted, also in the eyes of the network that did not steer."""

from __future__ import annotations

import time

import ganstrata
import pytest
import torch
from ganstrata.core.semantics.code_spaces import CodeSpace
from ganstrata.core.semantics.editing import Renderer, Search, by_labels, search_codes
from ganstrata.core.semantics.predictors import Predictor
from ganstrata.core.semantics.teacher import Teacher


@pytest.mark.full
def test_a_window_that_is_painted_onto_a_wall_is_one_for_the_teacher_too(rooms: ganstrata.Generator) -> None:
    segmenter = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
    assert isinstance(segmenter, ganstrata.Segmenter)
    extractor = ganstrata.train_extractor(rooms, segmenter, method="lda", images=320)
    steering, judge = Predictor.of_extractor(extractor), Predictor.of_teacher(Teacher.of(segmenter))
    latents = rooms.sample(6, 0, 0, ganstrata.Stream.EDITING)
    renderer = Renderer(CodeSpace.of(rooms, "z"), latents, steering.strata)
    start = renderer.space.start(latents)
    with torch.no_grad():
        labels = steering.labels(renderer.render(renderer.space.codes(start)), (64, 64))
    walls = torch.tensor([extractor.classes.index(f"{side}_wall") for side in ("left", "right", "frontal")])
    painted = torch.zeros_like(labels, dtype=torch.bool)
    for mask, row in zip(painted, torch.isin(labels, walls), strict=True):
        # The box of 14 x 12 pixels at the height of windows that has the most wall in it.
        left = max(range(2, 50), key=lambda x: int(row[12:26, x : x + 12].sum()))
        mask[12:26, left : left + 12] = True
    target = torch.where(painted, extractor.classes.index("window"), labels)
    began = time.monotonic()
    found = search_codes(
        renderer, start, by_labels(steering, target, painted, 0.3), Search(learning_rate=0.03)
    )
    assert time.monotonic() - began < 6 * 20.0  # seconds, for six pictures
    with torch.no_grad():
        before, after = (judge.labels(x, (64, 64)) for x in (found.before, found.after))
    assert float((before == target)[painted].float().mean()) < 0.1
    assert float((after == target)[painted].float().mean()) > 0.3
