"""Edits in space s: moving styles is moving codes through the affine maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata import Boundary, Stream
from ganstrata.core.errors import MismatchError
from ganstrata.core.plugins.compatibility import check_fits
from ganstrata.core.strata.composition import Pass
from ganstrata.core.strata.styles import split_styles, style_strata


@torch.inference_mode()
def test_moved_styles_equal_the_codes_that_make_them(rooms) -> None:
    codes = rooms.broadcast(rooms.map(rooms.sample(2, 0, 0, Stream.EDITING).z)).clone()
    step = torch.from_numpy(np.random.default_rng(0).standard_normal(128).astype(np.float32))
    layer = 3
    moved = codes.clone()
    moved[:, layer] += step
    styles = {
        s: rooms.style_weights(s) @ step for s, _ in style_strata(rooms) if rooms.strata[s].reads == layer
    }
    base = Pass(rooms, codes, restarts=range(len(rooms.strata)))
    by_style = base.edited(codes, [layer], styles).images
    assert (by_style - base.rendering.images).abs().max() > 0.01
    assert_near(by_style, base.edited(moved, [layer]).images, 1e-4)


def test_one_channel_touches_one_stratum(rooms) -> None:
    strata = style_strata(rooms)
    assert [s for s, _ in strata] == list(range(len(rooms.strata)))
    vector = np.zeros(sum(width for _, width in strata))
    vector[strata[0][1] + 2] = 3.0
    split = split_styles(vector, strata)
    assert list(split) == [strata[1][0]]
    assert split[strata[1][0]].tolist() == [0.0, 0.0, 3.0] + [0.0] * (strata[1][1] - 3)


def test_directions_in_s_fit_only_where_styles_move(rooms) -> None:
    size = sum(width for _, width in style_strata(rooms))
    normal = np.ones(size, np.float32) / np.float32(np.sqrt(size))
    boundary = Boundary("x/y", "colour", normal, np.float32(0.0), "s", rooms.fingerprint)
    check_fits(boundary, rooms, styles=True)
    with pytest.raises(
        MismatchError, match="moves style channels and not codes, which only `manipulate` does"
    ):
        check_fits(boundary, rooms)
    short = Boundary("x/y", "colour", normal[:-1], np.float32(0.0), "s", rooms.fingerprint)
    with pytest.raises(MismatchError, match=f"this generator has {size} style channels in all"):
        check_fits(short, rooms, styles=True)
