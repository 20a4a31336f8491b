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
def test_a_window_that_is_painted_out_is_gone_for_the_teacher_too(rooms: ganstrata.Generator) -> None:
    segmenter = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
    assert isinstance(segmenter, ganstrata.Segmenter)
    extractor = ganstrata.train_extractor(rooms, segmenter, method="lda", images=320)
    steering, judge = Predictor.of_extractor(extractor), Predictor.of_teacher(Teacher.of(segmenter))
    latents = rooms.sample(6, 0, 0, ganstrata.Stream.EDITING)
    renderer = Renderer(CodeSpace.of(rooms, "z"), latents, steering.strata)
    start = renderer.space.start(latents)
    window = extractor.classes.index("window")
    with torch.no_grad():
        rendering = renderer.render(renderer.space.codes(start))
        labels, seen = (predictor.labels(rendering, (64, 64)) for predictor in (steering, judge))
    painted = (labels == window) | (seen == window)
    painted = torch.nn.functional.max_pool2d(painted[:, None].float(), 3, 1, 1)[:, 0] > 0
    walls = [extractor.classes.index(f"{side}_wall") for side in ("left", "right", "frontal")]
    target = labels.clone()
    for row, mask in zip(target, painted, strict=True):
        row[mask] = max(walls, key=lambda wall: int((row == wall).sum()))
    began = time.monotonic()
    found = search_codes(
        renderer, start, by_labels(steering, target, painted, 0.3), Search(learning_rate=0.03)
    )
    assert time.monotonic() - began < 6 * 20.0  # seconds, for six pictures
    with torch.no_grad():
        left = judge.labels(found.after, (64, 64))
    before, after = ((x == window).sum() for x in (seen, left))
    assert float(after) < 0.5 * float(before)
