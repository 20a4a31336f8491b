"""LSE, NSE-1 and NSE-2 give what the authors' code gives, and contracting first changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata.core.semantics.heads import LSE, NSE1, NSE2, Head, build_head, enlarge
from reference_numbers import reference

NUMBERS = reference("lineargan_extractors")


def _state(variant: str) -> dict[str, torch.Tensor]:
    """The authors' parameters of a variant, by their names."""
    start = f"state/{variant}/"
    return {
        name.removeprefix(start): torch.from_numpy(values)
        for name, values in NUMBERS.items()
        if name.startswith(start)
    }


def _maps(numbers: tuple[int, ...] = (0, 1, 2, 3, 4, 5)) -> list[torch.Tensor]:
    return [torch.from_numpy(NUMBERS[f"input/feature{i}"]) for i in numbers]


def _weights(state: dict[str, torch.Tensor], softplus: bool) -> dict[str, torch.Tensor]:
    return {"theta": state["layer_weight"]} if softplus else {}


def _lse(variant: str, maps: list[torch.Tensor]) -> LSE:
    state = _state(variant)
    softplus, bias = variant in ("LSE_softplus", "LSE_subset"), variant == "LSE_bias"
    head = LSE([x.shape[1] for x in maps], 6, "softplus" if softplus else "equal", bias)
    ours = {f"T.{i}": state[f"extractor.{i}.weight"][:, :, 0, 0] for i in range(len(maps))}
    if bias:  # theirs has one per stratum, which add up
        ours["bias"] = sum(state[f"extractor.{i}.bias"] for i in range(len(maps)))
    head.load_state_dict({**ours, **_weights(state, softplus)})
    return head


def _check(head: Head, maps: list[torch.Tensor], variant: str) -> None:
    with torch.no_grad():
        found = head(maps, (32, 32)).numpy()
    np.testing.assert_allclose(found, NUMBERS[f"output/{variant}.native.final"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "numbers"),
    [
        ("LSE_softplus", (0, 1, 2, 3, 4, 5)),
        ("LSE_none", (0, 1, 2, 3, 4, 5)),
        ("LSE_bias", (0, 1, 2, 3, 4, 5)),
        ("LSE_subset", (1, 3, 5)),
    ],
)
def test_lse_is_that_of_the_authors(variant: str, numbers: tuple[int, ...]):
    maps = _maps(numbers)
    _check(_lse(variant, maps), maps, variant)


def test_other_sizes_are_those_of_the_authors():
    maps = _maps()
    with torch.no_grad():
        found = _lse("LSE_softplus", maps)(maps, (40, 40)).numpy()
    np.testing.assert_allclose(found, NUMBERS["output/LSE_softplus.size40.final"], rtol=0, atol=1e-5)


def test_readings_of_strata_are_those_of_the_authors():
    maps = _maps()
    with torch.no_grad():
        for i, reading in enumerate(_lse("LSE_softplus", maps).readings(maps)):
            np.testing.assert_allclose(
                reading.numpy(), NUMBERS[f"output/LSE_softplus.native.layer{i}"], rtol=0, atol=1e-5
            )


def test_layer_weights_are_those_of_the_authors():
    lambdas = _lse("LSE_softplus", _maps()).lambdas.detach().numpy()
    expected = NUMBERS["output/LSE_softplus.layer_weight"]
    np.testing.assert_allclose(lambdas, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("variant", "kernel"), [("NSE1_softplus", 1), ("NSE1_none_k3", 3)])
def test_nse1_is_that_of_the_authors(variant: str, kernel: int):
    maps, state = _maps(), _state(variant)
    softplus = variant == "NSE1_softplus"
    head = NSE1([x.shape[1] for x in maps], 6, "softplus" if softplus else "equal", kernel)
    ours = {
        name.replace("extractor.", "read_each."): tensor
        for name, tensor in state.items()
        if name.startswith("extractor.")
    }
    head.load_state_dict({**ours, **_weights(state, softplus)})
    _check(head, maps, variant)


def test_nse2_is_that_of_the_authors():
    maps = _maps()
    head = NSE2([x.shape[1] for x in maps], 6)
    ours = {"extractor": "extract", "reviser": "revise"}
    parameters = {}
    for name, tensor in _state("NSE2").items():
        part, *rest = name.split(".")
        parameters[f"show.{rest[0]}" if part == "visualizer" else f"{ours[part]}.{rest[0]}.{rest[2]}"] = (
            tensor
        )
    head.load_state_dict(parameters)
    _check(head, maps, "NSE2")


def test_contracting_first_gives_the_same_as_enlarging_first():
    torch.manual_seed(0)
    maps = [torch.randn(2, c, s, s) for c, s in ((7, 4), (5, 8), (5, 8), (3, 16))]
    head = LSE([7, 5, 5, 3], 4, "softplus", bias=True)
    torch.nn.init.normal_(head.bias)
    everything = torch.cat([w * enlarge(x, (16, 16)) for w, x in zip(head.lambdas, maps, strict=True)], dim=1)
    weight = torch.cat(list(head.T), dim=1)  # (M, sum of c_s)
    late = torch.einsum("mc,nchw->nmhw", weight, everything) + head.bias[:, None, None]
    torch.testing.assert_close(head(maps, (16, 16)), late, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer_weights", ["equal", "softplus"])
@pytest.mark.parametrize("size", [(16, 16), (20, 24), (80, 72)])
def test_lse_adds_up_what_its_strata_say(layer_weights, size):
    """In any layout of memory, and where some maps are enlarged by products and others are not."""
    torch.manual_seed(0)
    shapes = ((7, 4, 6), (5, 16, 16), (5, 16, 16), (4, 66, 70), (3, 16, 16))
    maps = [torch.randn(3, *shape) for shape in shapes]
    head = LSE([7, 5, 5, 4, 3], 4, layer_weights, bias=True)
    torch.nn.init.normal_(head.bias)
    if layer_weights == "softplus":
        torch.nn.init.normal_(head.theta)
    lambdas = head.lambdas.tolist()
    expected = sum(
        share * enlarge(torch.einsum("mc,nchw->nmhw", weight, x), size)
        for share, weight, x in zip(lambdas, head.T, maps, strict=True)
    ) + head.bias.view(-1, 1, 1)
    last = [x.contiguous(memory_format=torch.channels_last) for x in maps]
    for found in (head(maps, size), head(last, size), head.combined(head.readings(maps), size)):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_lse_computes_in_single_precision_whatever_the_networks_do():
    maps = [torch.randn(2, 5, 4, 4), torch.randn(2, 3, 8, 8)]
    head = LSE([5, 3], 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = head(maps, (16, 16))
    assert torch.equal(found, head(maps, (16, 16)))


def test_layer_equal_layer_weights_count_every_stratum_once():
    head = LSE([3, 2], 4)
    assert torch.equal(head.lambdas, torch.ones(2))
    assert "theta" not in dict(head.named_parameters())


def test_hidden_map_of_nse2_follows_sizes_that_are_not_doubled():
    maps = [torch.randn(1, 3, 4, 6), torch.randn(1, 3, 9, 11)]
    assert NSE2([3, 3], 5)(maps, (18, 22)).shape == (1, 5, 18, 22)


def test_kernels_of_nse1_are_those_of_the_code_unless_asked():
    for kernels in ({}, {"kernel": 1}):
        assert build_head("NSE-1", [4], 3, **kernels).read_each[0][0].kernel_size == (1, 1)
    assert build_head("NSE-1", [4], 3, kernel=3).read_each[0][0].kernel_size == (3, 3)
