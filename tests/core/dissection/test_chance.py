"""The chance level permutes masks among pictures, and its p values hold."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.dissection.chance import (
    blocks,
    permutations,
    permuted_intersections,
    permuted_sums,
    rank_p_values,
)
from ganstrata.core.dissection.counting import batches, enlarged
from ganstrata.core.dissection.request import DissectRequest
from ganstrata.core.dissection.units import MEASURING, measure_units
from ganstrata.core.runs.progress import Progress
from planted_units import MASK, PLACE, SeesAnother, planted_units


@pytest.mark.parametrize(
    ("count", "batch", "block"), [(1000, 16, 256), (257, 16, 256), (40, 64, 32), (3, 2, 2)]
)
def test_blocks_cover_all_pictures_begin_at_batches_and_leave_no_picture_alone(count, batch, block):
    found = blocks(count, batch, block)
    assert [i for part in found for i in part] == list(range(count))
    assert all(part.start % batch == 0 for part in found)
    assert max(map(len, found)) <= max(block, batch)


def test_sums_are_those_of_masks_that_really_go_to_other_pictures():
    random = torch.Generator().manual_seed(1)
    on = (torch.rand(6, 2, 30, generator=random) > 0.5).float()
    masks = (torch.rand(6, 30, generator=random) > 0.5).float()
    orders = torch.from_numpy(permutations(range(6), 9, 0))
    found = permuted_sums(on @ masks.T, orders)
    for r, order in enumerate(orders):
        assert found[r].tolist() == (on * masks[order][:, None]).sum(dim=(0, 2)).tolist()


def test_a_stream_of_batches_and_blocks_gives_the_sums_of_all_at_once(monkeypatch):
    samples = planted_units(batch=4)
    drawn = list(batches(samples, 22, MEASURING))
    labels = [plane for part in drawn for plane in part.labels]
    level, label = torch.full((23,), 0.5), np.arange(23) % 4 - 1
    monkeypatch.setattr("ganstrata.core.dissection.chance.BLOCK", 8)
    monkeypatch.setattr(blocks, "__defaults__", (8,))
    found = permuted_intersections(samples, MEASURING, labels, level, label, 7, lambda n: None)
    on = torch.cat([enlarged(part.maps[0], part.size) for part in drawn]) > 0.5
    masks = torch.stack(labels).flatten(1)
    wanted = np.zeros((23, 7), dtype=np.int64)
    for block in blocks(22, 4):
        for r, order in enumerate(permutations(block, 7, samples.seed)):
            for u in range(23):
                wanted[u, r] += int((on[block, u] & (masks[block][order] == label[u])).sum())
    wanted[label < 0] = 0
    np.testing.assert_array_equal(found, wanted)


def test_p_values_of_what_is_exchangeable_are_never_too_small():
    draws = np.random.default_rng(2).integers(0, 6, (4000, 20))  # with many ties
    p = np.array([rank_p_values(row[:1], row[None, 1:])[0] for row in draws])
    for level in (0.05, 0.1, 0.5):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 4000)


@pytest.mark.parametrize("seeds", [30, pytest.param(400, marks=pytest.mark.full)])
def test_with_masks_of_other_pictures_units_above_chance_stay_under_the_nominal_rate(seeds):
    """No unit detects anything, so the rate of false discoveries is that of runs with any."""
    request = DissectRequest(samples=48, permutations=999, counts=())
    found = [
        measure_units(planted_units(seed, 16, SeesAnother), request, Progress(quiet=True))
        for seed in range(seeds)
    ]
    p = np.concatenate([units.p[~np.isnan(units.p)] for units in found])
    assert len(p) > 15 * seeds
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() < level + 3 * np.sqrt(level * (1 - level) / len(p))
    named = np.mean([units.above_chance(0.05).any() for units in found])
    assert named <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / seeds)
    assert (p <= 0.2).mean() > 0.1  # and p says something: it is not always 1
    assert np.mean([units.p[MASK] for units in found]) > 0.2


def test_a_unit_that_shares_its_place_with_a_class_is_at_chance():
    units = measure_units(
        planted_units(), DissectRequest(samples=64, permutations=99, counts=()), Progress(quiet=True)
    )
    assert units.classes[units.label[PLACE]] == "lower"
    assert units.own.value[PLACE] > 0.4
    assert units.chance[PLACE] == pytest.approx(units.own.value[PLACE])
    assert not units.above_chance(0.05)[PLACE]
    assert ganstrata.Stream.PROBING != MEASURING
