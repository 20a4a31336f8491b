"""Edits in space s: moving styles is moving codes through the affine maps."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from built_in_plugins import GENERATORS
from closeness import assert_near
from ganstrata import Boundary, Stream, UnitEdit
from ganstrata.core.errors import MismatchError, UserError
from ganstrata.core.plugins.compatibility import check_fits
from ganstrata.core.strata.composition import Pass
from ganstrata.core.strata.displacements import displacement, edited
from ganstrata.core.strata.styles import (
    require_styles,
    split_styles,
    style_channels,
    style_strata,
    styles_at,
    styles_of,
)


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


def test_directions_in_s_have_a_number_for_every_channel(rooms) -> None:
    size = style_channels(rooms)
    normal = np.ones(size, np.float32) / np.float32(np.sqrt(size))
    boundary = Boundary("x/y", "colour", normal, np.float32(0.0), "s", rooms.fingerprint)
    check_fits(boundary, rooms)
    short = Boundary("x/y", "colour", normal[:-1], np.float32(0.0), "s", rooms.fingerprint)
    with pytest.raises(MismatchError, match=f"this generator has {size} style channels in all"):
        check_fits(short, rooms)


AFFINE = (
    "BigGAN",
    "BigGAN of one layer",
    "lucidrains' StyleGAN2",
    "MobileStyleGAN",
    "R3GAN",
    "R3GAN2",
    "StyleGAN",
    "StyleGAN2",
    "StyleGAN3",
    "StyleGAN-XL",
)
"""Families whose styles are affine in the codes, and make the whole picture."""


@pytest.mark.parametrize("family", AFFINE)
@torch.inference_mode()
def test_a_step_of_the_styles_is_the_step_of_the_codes_that_makes_them(family: str, tmp_path: Path) -> None:
    """Move w by d, and styles by the change that d makes in those of other codes: the pictures agree."""
    name, make = GENERATORS[family]
    generator = ganstrata.load_generator(name, device="cpu", **make(tmp_path))
    require_styles(generator)
    drawn = generator.sample(4, 0, 0, Stream.EDITING)
    codes = generator.broadcast(generator.map(drawn.z, drawn.condition), drawn.condition).clone()
    step = 0.3 * torch.from_numpy(np.random.default_rng(1).standard_normal(codes.shape[2]).astype(np.float32))
    layers = range(generator.card.layers)
    base = Pass(generator, codes, condition=drawn.condition, restarts=[0])
    elsewhere = codes.flip(0)
    change = styles_of(generator, elsewhere + step) - styles_of(generator, elsewhere)  # (4, S)
    assert_near(change, change[:1].expand_as(change), 1e-4)  # one direction in s, whatever the codes
    unit = displacement(generator, change[0].numpy(), layers, generator.layer_scale, styles=True)
    by_style = edited(base, codes, [unit], [1.0], layers).images
    by_code = base.edited(codes + step, layers).images
    moved = (by_code - base.rendering.images).abs().max()
    assert moved > 1e-4
    assert (by_style - by_code).abs().max() < 0.01 * moved


def test_styles_at_layers_keep_the_strata_that_read_them(rooms) -> None:
    size = style_channels(rooms)
    everywhere = styles_at(rooms, np.ones(size), range(rooms.card.layers))
    assert sum(len(piece) for piece in everywhere.values()) == size
    layer = styles_at(rooms, np.ones(size), [1])
    assert {rooms.strata[s].name for s in layer} == {"b4.torgb", "b8.conv0"}


def test_generators_without_styles_have_no_space_s(tmp_path: Path) -> None:
    name, make = GENERATORS["ProgressiveGAN"]
    plain = ganstrata.load_generator(name, device="cpu", **make(tmp_path))
    with pytest.raises(UserError, match="has no style channels: no stratum has a style_width"):
        require_styles(plain)


@pytest.mark.parametrize(("family", "has"), [("StyleGAN-T", False), ("StyleGAN-T without texts", True)])
def test_styles_that_depend_on_a_text_are_no_space(family: str, has: bool, tmp_path: Path) -> None:
    name, make = GENERATORS[family]
    generator = ganstrata.load_generator(name, device="cpu", **make(tmp_path))
    with nullcontext() if has else pytest.raises(UserError, match="has no style channels"):
        require_styles(generator)


def test_a_style_of_another_width_than_declared_is_refused(tmp_path: Path, monkeypatch) -> None:
    name, make = GENERATORS["StyleGAN2"]
    generator = ganstrata.load_generator(name, device="cpu", **make(tmp_path))
    for given, words in ((None, "no style"), (torch.zeros(1, 3), r"a style of shape \(1, 3\)")):
        monkeypatch.setattr(generator, "style", lambda s, code, given=given: given)
        with pytest.raises(UserError, match=rf"has no space s: style\(0, ...\) gives {words} for one code"):
            require_styles(generator)


def test_a_pass_with_moved_styles_keeps_them_in_later_edits(rooms) -> None:
    random = torch.Generator().manual_seed(2)
    codes = rooms.broadcast(rooms.map(torch.randn(2, rooms.card.latent_size, generator=random)))
    early, late = {0: 3.0 * torch.randn(rooms.strata[0].style_width, generator=random)}, len(rooms.strata) - 2
    assert rooms.strata[late].style_width is not None
    both = {**early, late: torch.ones(rooms.strata[late].style_width)}
    done = Pass(rooms, codes, restarts=[3, late], styles=early)
    plain = Pass(rooms, codes).rendering.images
    assert not torch.allclose(done.rendering.images, plain, atol=1e-3)
    whole = Pass(rooms, codes, styles=both).rendering.images
    layer = rooms.strata[late].reads
    assert torch.equal(done.edited(codes, [layer], both).images, whole)
    # Without others, an edit keeps those of the pass, and so do units that are set.
    moved = codes.clone()
    moved[:, layer] += 0.5
    assert torch.equal(done.edited(moved, [layer]).images, Pass(rooms, moved, styles=early).rendering.images)
    units = [UnitEdit(6, [0, 5], [0.0, 3.0])]
    both_styles = {**early, **{s: torch.ones(rooms.strata[s].style_width) for s in (7, 8)}}
    kept = Pass(rooms, codes, restarts=[7], styles=both_styles)
    expected = Pass(rooms, codes, styles=both_styles, units=units).rendering.images
    torch.testing.assert_close(kept.with_units(units).images, expected)
