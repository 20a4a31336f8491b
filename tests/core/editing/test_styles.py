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
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.strata.composition import Pass
from ganstrata.core.strata.styles import style_strata

UNITS = {"w": 3.0, "s": 2.0}


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
    (part,) = find_parts(prepared, known, request, unit_in=UNITS.__getitem__)
    assert part.where == f"style channels of layers {part.set_name}"
    assert {s: piece.max() for s, piece in part.styles.items()} == {
        0: pytest.approx(1.2),
        1: pytest.approx(1.6),
    }
    source = find_source(prepared, request)
    strips = strips_of((part,), np.array([-5.0, 5.0]), "independent")
    renderer = StripRenderer(prepared, source, Ruler(2.0), scored=False)
    before, (frames,) = renderer.draw(strips, lambda _: None)
    at = before[0].distances[:, 0, 0]  # n.s + b of the unedited pictures, in steps of 2
    np.testing.assert_allclose(frames.distances[:, :, 0] - at[:, None], [[-5.0, 5.0]] * 2, atol=1e-4)
    with torch.inference_mode():
        base = Pass(generator, source.codes, restarts=[0], index=source.index)
        moves = {s: torch.from_numpy(piece) * 5.0 for s, piece in part.styles.items()}
        expected = to_pixels(base.edited(source.codes, part.layers, moves).images)
    assert_pictures_near(frames.pictures[:, 1], expected)
    assert np.abs(frames.pictures[:, 1].astype(int) - before[0].pictures[:, 0]).max() > 3
    with pytest.raises(LayerError, match="moves no style of layers 9; name others with @"):
        find_parts(prepared, known, replace(request, along=("a/b@9",)), unit_in=UNITS.__getitem__)
    for mode in ("absolute", "jitter"):
        with pytest.raises(UserError, match=r"is for directions that move codes; 'a/b' moves style channels"):
            find_parts(prepared, known, replace(request, mode=mode), unit_in=UNITS.__getitem__)
