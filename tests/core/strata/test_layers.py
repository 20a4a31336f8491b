"""Layers by number and by name, and the groups the paper and its generator family use."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from ganstrata.core.errors import LayerError
from ganstrata.core.strata.layers import (
    default_groups,
    layer_sets,
    parse_layers,
    resolution_groups,
    show_layers,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("6-11", (6, 7, 8, 9, 10, 11)),
        ("0,2,5-7", (0, 2, 5, 6, 7)),
        (" 0 , 2 ,5 - 7 ", (0, 2, 5, 6, 7)),
        ("5,1,3-3,1", (1, 3, 5)),
        ("13", (13,)),
        ("2-4,3-6", (2, 3, 4, 5, 6)),
    ],
)
def test_numbers_and_ranges(text, layers):
    assert parse_layers(text, 14) == layers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1-2-3", "'1-2-3' is neither a number nor a range; write for example 6-11 or 0,2,5-7"),
        ("", "an empty part is neither a number nor a range"),
        ("  ", "an empty part is neither"),
        ("1,,3", "an empty part is neither"),
        ("1,", "an empty part is neither"),
        ("-1", "'-1' is neither a number"),
        ("3-", "'3-' is neither a number"),
        ("1.5", "'1.5' is neither a number"),
        ("1 2", "'1 2' is neither a number"),
        ("two", "'two' is neither a number"),
        ("14", "there is no layer 14; this generator has layers 0 to 13"),
        ("6-14", "there is no layer 14; this generator has layers 0 to 13"),
        ("11-6", "the range 11-6 runs backwards; write 6-11"),
    ],
)
def test_what_names_no_layers_is_refused_in_words(text, message):
    with pytest.raises(LayerError, match=re.escape(message)) as caught:
        parse_layers(text, 14)
    assert f"'{text}'" in str(caught.value)


@settings(deadline=None, max_examples=100)
@given(st.sets(st.integers(0, 30), min_size=1))
def test_what_is_shown_is_read_back(chosen):
    text = show_layers(tuple(chosen))
    assert parse_layers(text, 31) == tuple(sorted(chosen))
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    # The shortest way: no two neighbours stand in different parts.
    ends = [tuple(int(n) for n in part.split("-")) for part in text.split(",")]
    assert all(b[0] > a[-1] + 1 for a, b in pairwise(ends))
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("resolution", "groups"),
    [
        (1024, {"bottom": "0-1", "lower": "2-7", "upper": "8-15", "top": "16-17"}),
        (256, {"bottom": "0-1", "lower": "2-5", "upper": "6-11", "top": "12-13"}),
        (128, {"bottom": "0-1", "lower": "2-5", "upper": "6-9", "top": "10-11"}),
        (64, {"bottom": "0-1", "lower": "2-3", "upper": "4-7", "top": "8-9"}),
        (32, {"bottom": "0-1", "lower": "2-3", "upper": "4-5", "top": "6-7"}),
        (16, {"bottom": "0-1", "upper": "2-3", "top": "4-5"}),
        (8, {"bottom": "0-1", "top": "2-3"}),
        (4, {"bottom": "0-1"}),
    ],
)
def test_groups_of_a_style_based_generator(resolution, groups):
    assert {name: show_layers(layers) for name, layers in resolution_groups(resolution).items()} == groups


@pytest.mark.parametrize(
    ("count", "groups"),
    [
        (14, {"bottom": "0-1", "lower": "2-5", "upper": "6-11", "top": "12-13"}),
        (7, {"bottom": "0", "lower": "1-2", "upper": "3-5", "top": "6"}),
        (18, {"bottom": "0-2", "lower": "3-7", "upper": "8-14", "top": "15-17"}),  # 2.57, 7.71, 15.43
        (3, {"lower": "0", "upper": "1-2"}),  # 0.43, 1.29, 2.57
        (1, {}),
    ],
)
def test_default_groups_are_cut_at_sevenths(count, groups):
    assert {name: show_layers(layers) for name, layers in default_groups(count).items()} == groups


@pytest.mark.parametrize("count", range(2, 40))
def test_groups_split_the_layers(count):
    for groups in (default_groups(count), resolution_groups(4 * 2 ** (count % 9))):
        layers = [layer for group in groups.values() for layer in group]
        assert layers == list(range(len(layers)))
        assert all(groups.values())
    assert sum(map(len, default_groups(count).values())) == count


def test_sets_are_in_the_requested_order():
    groups = {"low": (0, 1), "high": (2,)}
    sets = layer_sets(["high", "0-1", "all", "groups"], groups, 3)
    assert list(sets.items()) == [("high", (2,)), ("0-1", (0, 1)), ("all", (0, 1, 2)), ("low", (0, 1))]


def test_a_single_layer_is_not_repeated():
    assert layer_sets(["all", "each", "groups"], {}, 1) == {"all": (0,)}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["hihg"],
            "'hihg' names no layers. Did you mean 'high'? Allowed: all, each, groups, low, high, or numbers",
        ),
        (["0-5"], "there is no layer 5"),
        (["1-2-3"], "neither a number nor a range"),
        ([""], "'' names no layers"),
        ([], "no layers are named"),
    ],
)
def test_unknown_sets_are_refused(names, message):
    with pytest.raises(LayerError, match=re.escape(message)):
        layer_sets(names, {"low": (0, 1), "high": (2,)}, 3)


def test_a_set_without_any_layer_is_refused():
    with pytest.raises(LayerError, match="no layers are named"):
        layer_sets(["each"], {}, 1)
