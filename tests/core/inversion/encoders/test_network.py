"""The network of an encoder."""

from __future__ import annotations

import pytest
import torch
from ganstrata.core.inversion.encoders.network import Architecture, Encoded

ROOMS = Architecture("small", "w+", 64, 64, 10, 128)


def filled(architecture: Architecture) -> torch.nn.Module:
    """A network whose last layers are not zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = architecture.build().eval()
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.2) if p.ndim > 1 else torch.nn.init.normal_(p, 0.5, 0.1)
    return network


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 8), (24, 96), (64, 64), (300, 200)])
@pytest.mark.parametrize("rows", [1, 2, 8])
def test_pictures_of_any_size_get_all_codes(size: tuple[int, int], rows: int) -> None:
    architecture = Architecture("small", "w+", *size, rows, 6, 3)
    encoded = filled(architecture)(torch.rand(2, 3, *size))
    assert encoded.base.shape == (2, 6)
    assert encoded.deltas.shape == (2, rows - 1, 6)
    assert encoded.classes.shape == (2, 3)
    assert (encoded.deltas.abs().amax(dim=2) > 0).all()


def test_at_the_beginning_all_layers_have_the_base() -> None:
    encoded = Architecture("small", "w+", 16, 16, 6, 5).build()(torch.rand(3, 3, 16, 16))
    assert (encoded.deltas == 0).all()


def test_a_pictures_codes_depend_on_it_alone() -> None:
    network = filled(Architecture("small", "w+", 16, 16, 6, 5, 2))
    x = torch.rand(5, 3, 16, 16)
    together, alone = network(x), network(x[3:4])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[3:4], b, rtol=1e-4, atol=1e-5)


def test_every_row_sees_the_picture() -> None:
    network = filled(Architecture("small", "w+", 32, 32, 10, 4))
    a, b = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    moved = (network(a).deltas - network(b).deltas).abs().amax(dim=2)
    assert (moved > 1e-6).all()


def test_only_the_first_rows_have_their_change() -> None:
    encoded = Encoded(torch.ones(1, 2), torch.arange(6.0).view(1, 3, 2), torch.zeros(1, 0))
    assert encoded.variables().tolist() == [[[1, 1], [1, 2], [3, 4], [5, 6]]]
    assert encoded.variables(3).tolist() == [[[1, 1], [1, 2], [3, 4], [1, 1]]]
    assert encoded.variables(1).tolist() == [[[1, 1]] * 4]


def test_the_small_network_of_the_rooms_fits_into_two_mebibytes() -> None:
    assert sum(2 * p.numel() for p in ROOMS.build().parameters()) < 2**21 - 20_000


def test_large_pictures_are_averaged_down_before_the_network() -> None:
    network = filled(Architecture("small", "z", 512, 512, 1, 4))
    small = torch.rand(1, 3, 256, 256)
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(network(large).base, network(small).base, rtol=1e-4, atol=1e-5)
