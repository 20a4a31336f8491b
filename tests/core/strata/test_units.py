"""Units of a feature map are switched off or painted in, from any state, as in a full pass."""

from __future__ import annotations

import ganstrata
import pytest
import torch
from ganstrata import Pass, UnitEdit
from ganstrata.core.strata.units import set_units
from planted_semantics import Smooth


def codes_of(generator: ganstrata.Generator, n: int = 3) -> torch.Tensor:
    latents = generator.sample(n, 0, 0, ganstrata.Stream.PROBING)
    return generator.broadcast(generator.map(latents.z))


def test_a_channel_that_is_shown_becomes_its_value_where_it_is_set():
    generator = Smooth()
    codes = codes_of(generator)
    before = ganstrata.render(generator, codes)
    where = torch.zeros(8, 8)
    where[:, :3] = 1.0
    after = ganstrata.render(generator, codes, units=[UnitEdit(2, [1], 2.0, where)])
    assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])
    assert torch.equal(after[:, 1, :, 3:], before[:, 1, :, 3:])
    torch.testing.assert_close(after[:, 1, :, :3], torch.full((3, 8, 3), 2.0).sigmoid())


@pytest.mark.parametrize("restart", [0, 1, 6, 7])
def test_every_restart_gives_the_pictures_and_features_of_a_full_pass(rooms, restart):
    codes = codes_of(rooms, 2)
    edits = [UnitEdit(6, [0, 5], [0.0, 3.0]), UnitEdit(9, [2], 1.0)]
    whole = Pass(rooms, codes, units=edits, features=[6, 9]).rendering
    found = Pass(rooms, codes, features=[6, 9], restarts=[restart]).with_units(edits)
    torch.testing.assert_close(found.images, whole.images)
    for s in (6, 9):
        torch.testing.assert_close(found.features[s], whole.features[s])
    assert not torch.allclose(whole.images, ganstrata.render(rooms, codes))
    assert (whole.features[6][:, 5] == 3.0).all()


def test_later_edits_keep_the_units_that_are_set_already(rooms):
    codes, off, other = codes_of(rooms, 2), UnitEdit(3, [1, 2, 3]), UnitEdit(6, [4], 2.0)
    both = ganstrata.render(rooms, codes, units=[off, other])
    kept = Pass(rooms, codes, units=[off], restarts=[4, 7])
    torch.testing.assert_close(kept.with_units([other]).images, both)
    moved = codes.clone()
    moved[:, 8] += 1.0
    torch.testing.assert_close(kept.edited(moved, [8]).images, ganstrata.render(rooms, moved, units=[off]))


def test_no_state_before_the_units_is_refused(rooms):
    with pytest.raises(ganstrata.LayerError, match="no state is stored at or before stratum 7"):
        Pass(rooms, codes_of(rooms, 1), restarts=[8]).with_units([UnitEdit(6, [0])])


def test_maps_of_samples_reach_each_sample_and_the_margin():
    x = torch.zeros(2, 1, 4, 4)
    where = torch.tensor([[[True, False], [False, False]], [[False, False], [False, True]]])
    found = set_units(x, UnitEdit(0, [0], 1.0, where), margin=1)
    assert found[0, 0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert found[1, 0].nonzero().tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]
    assert x.sum() == 0.0


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"stratum": 0, "units": []}, "at least one"),
        ({"stratum": 0, "units": [1, 1]}, "different whole numbers"),
        ({"stratum": 0, "units": [-1]}, "from 0 on"),
        ({"stratum": 0, "units": [0, 1, 2], "values": [1.0, 2.0]}, "3 units need one value for all"),
        ({"stratum": 0, "units": [0], "values": float("nan")}, "finite"),
        ({"stratum": 3, "units": [0]}, "stratum 3 has no feature map .*are 0, 1, 2"),
        ({"stratum": 9, "units": [0]}, "stratum 9 has no feature map"),
        ({"stratum": 1, "units": [4, 5]}, "stratum 1 has 5 units, 0 to 4; there is no unit 5"),
        ({"stratum": 1, "units": [0], "where": torch.ones(2, 8, 8)}, "or .3, h, w. with a map per sample"),
    ],
)
def test_what_cannot_be_set_is_refused_in_words(edit, words):
    generator = Smooth()
    with pytest.raises(ganstrata.GanstrataError, match=words):
        ganstrata.render(generator, codes_of(generator), units=[UnitEdit(**edit)])


def test_values_that_break_the_picture_are_said_to():
    generator = Smooth()
    generator.finish = lambda state: state.x / (state.x - 0.5).abs()  # type: ignore[method-assign]
    kept = Pass(generator, codes_of(generator), restarts=[2])
    with pytest.raises(ganstrata.PictureError, match="units of its feature maps were set"):
        kept.with_units([UnitEdit(2, [0], 0.0)])
