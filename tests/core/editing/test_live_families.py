"""A picture of every generator is dragged with the bits of a full pass, and previewed where it can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from built_in_plugins import GENERATORS
from ganstrata import Boundary
from ganstrata.core.config.reading import validate
from ganstrata.core.editing.directions import find_parts
from ganstrata.core.editing.live import LivePicture
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import find_source
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.runs.prepare import prepare

# They add up RGB from size to size, so that a smaller picture is there before the last layers.
SKIP = {"lucidrains' StyleGAN2", "StyleGAN2", "StyleGAN-T"}


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_is_dragged_truncated_and_previewed(
    config: dict[str, Any], tmp_path: Path, name: str
) -> None:
    use, make = GENERATORS[name]
    config["generator"] = {"use": use, "with": make(tmp_path)}
    config["scorers"] = [{"use": "hue", "as": "colour"}]
    config["synthesis"]["batch_size"], config["rescoring"]["groups"] = 3, None
    prepared = prepare(validate(config, "test"), check=False)
    generator, card = prepared.generator, prepared.generator.card
    random = np.random.default_rng(5)
    normals = random.standard_normal((2, card.code_size)).astype(np.float32)
    known = Boundaries(
        Boundary(key, "", n / np.linalg.norm(n), np.float32(0), generator.space, generator.fingerprint)
        for key, n in zip(("a/b", "c/d"), normals, strict=True)
    )
    along = (f"a/b@{card.layers - 1}", "c/d@0")
    parts = find_parts(prepared, known, EditRequest(along), unit_in=lambda _: 2.0)
    source = find_source(prepared, EditRequest(along, seeds="4"))
    live = LivePicture(prepared, source)
    for amounts, moving in (([0.0, 0.0], 0), ([1.0, 0.0], 0), ([1.0, -1.0], 1), ([2.0, -1.0], 0)):
        frame = live.render(parts, amounts, moving)
        fresh = LivePicture(prepared, source).render(parts, amounts)
        assert torch.equal(frame.pictures, fresh.pictures), (amounts, moving)
        np.testing.assert_array_equal(prepared.score(frame), prepared.score(fresh))
    half = max(card.height, card.width) // 2
    small = live.preview(parts, [1.0, -1.0], None, most=half)
    assert (small is not None) == (name in SKIP)
    if small is not None:
        assert small.shape == (1, card.channels, card.height // 2, card.width // 2)
    assert torch.equal(
        live.render(parts, [1.0, -1.0]).pictures,
        LivePicture(prepared, source).render(parts, [1.0, -1.0]).pictures,
    )
    # Every built-in generator truncates towards a point, or has a prior whose mean is 0.
    at_mean = live.render((), (), truncation=0.0).pictures
    assert torch.isfinite(at_mean).all()
    if source.condition is None and not source.noise:
        other = LivePicture(prepared, find_source(prepared, EditRequest(along, seeds="5")))
        torch.testing.assert_close(other.render((), (), truncation=0.0).pictures, at_mean)
