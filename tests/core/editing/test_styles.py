"""`manipulate` along a direction in space s, with the bundled generator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from closeness import assert_pictures_near
from ganstrata import Boundary
from ganstrata.core.config.reading import validate
from ganstrata.core.editing.directions import find_parts
from ganstrata.core.editing.render import Ruler, StripRenderer
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import find_source
from ganstrata.core.editing.steps import strips_of
from ganstrata.core.errors import LayerError, UserError
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.plugins.records import Boundaries
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.strata.composition import Pass
from ganstrata.core.strata.styles import style_strata


def test_a_strip_moves_the_channels_of_the_chosen_layers(fakes, config) -> None:
    config["generator"] = {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}}
    config["scorers"] = [{"use": "hue", "as": "colour"}]
    config["synthesis"]["batch_size"] = 4
    config["rescoring"]["groups"] = None
    prepared = prepare(validate(config, "test"))
    generator = prepared.generator
    strata = style_strata(generator)
    normal = np.zeros(sum(width for _, width in strata), np.float32)
    normal[1], normal[strata[0][1] + 1] = 0.6, 0.8  # a channel of each of the first two strata
    known = Boundaries([Boundary("a/b", "colour", normal, np.float32(0.0), "s", generator.fingerprint)])
    request = EditRequest(("a/b",), seeds="0-1", scores=False)
    (part,) = find_parts(prepared, known, request, unit=2.0)
    assert part.where == f"style channels of layers {part.set_name}, in units of s"
    assert {s: piece.max() for s, piece in part.styles.items()} == {
        0: pytest.approx(0.6),
        1: pytest.approx(0.8),
    }
    source = find_source(prepared, request)
    strips = strips_of((part,), np.array([-5.0, 5.0]), "independent")
    renderer = StripRenderer(prepared, source, Ruler(2.0), scored=False)
    before, (frames,) = renderer.draw(strips, lambda _: None)
    assert np.isnan(frames.distances).all()
    with torch.inference_mode():
        base = Pass(generator, source.codes, restarts=[0], index=source.index)
        moves = {s: torch.from_numpy(piece) * 5.0 for s, piece in part.styles.items()}
        expected = to_pixels(base.edited(source.codes, part.layers, moves).images)
    assert_pictures_near(frames.pictures[:, 1], expected)
    assert np.abs(frames.pictures[:, 1].astype(int) - before[0].pictures[:, 0]).max() > 3
    with pytest.raises(LayerError, match="moves no style of layers 9; name others with @"):
        find_parts(prepared, known, replace(request, along=("a/b@9",)), unit=2.0)
    for options in ({"mode": "absolute"}, {"mode": "jitter"}, {"search": True}, {"keep": ("a/b",)}):
        with pytest.raises(UserError, match=r"is for directions that move codes; 'a/b' moves style channels"):
            find_parts(prepared, known, replace(request, **options), unit=2.0)
