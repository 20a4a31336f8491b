"""A stratum that loses samples is named, although a later method is the first to fail."""

from __future__ import annotations

import pytest
import torch
from ganstrata import PluginBroken, PluginConfig, State
from ganstrata.core.strata.composition import Pass, render
from sound_plugins import Sound


class Dropping(Sound):
    """Its first stratum keeps one sample, which the pictures of the second show."""

    def stratum(self, s, state, code, style=None):
        if s == 0:
            return State(super().stratum(s, state, code).x[:1])
        return super().stratum(s, state, code[:1])


class Halving(Sound):
    """Its first stratum loses half of the samples, with which the second fails."""

    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code)
        return State(after.x[::2]) if s == 0 else after


class Constant(Sound):
    """Begins with a feature map of one row, and ends with pictures of another size."""

    def begin(self, inputs):
        return State(torch.zeros(1, 1, 8, 8))

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code) if s else State(state.x)

    def finish(self, state):
        return state.x[:, :2]


CODES = torch.zeros(4, 2, 3)


@pytest.mark.parametrize(("plugin", "rows"), [(Dropping, 1), (Halving, 2)])
def test_the_stratum_that_drops_samples_is_named(plugin: type[Sound], rows: int) -> None:
    generator = plugin(PluginConfig(), torch.device("cpu"))
    with pytest.raises(PluginBroken, match=rf"stratum\(0\) returned .* with N = {rows} for 4 samples"):
        render(generator, CODES)


def test_it_is_named_where_an_edit_restarts() -> None:
    generator = Sound(PluginConfig(), torch.device("cpu"))
    whole = Pass(generator, CODES, restarts=(0,))
    generator.__class__ = Halving
    with pytest.raises(PluginBroken, match=r"stratum\(0\) returned .* with N = 2 for 4 samples"):
        whole.edited(CODES, (0,))


def test_a_constant_of_one_row_is_not_blamed() -> None:
    generator = Constant(PluginConfig(), torch.device("cpu"))
    with pytest.raises(Exception, match="images returned by finish"):
        render(generator, CODES)
