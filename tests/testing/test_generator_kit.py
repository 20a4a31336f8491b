"""Each check of a generator fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from ganstrata import CheckpointError, Generator, Latents, ModelCard, PluginConfig, State, Stratum
from ganstrata.testing import DoesNotApply, check_plugin, checks_of, conformance
from ganstrata.testing.second_device import device
from pydantic import ConfigDict
from torch import nn

LAYERS, WIDTH, SIDE = 3, 6, 8


class Sound(Generator):
    """Three layers, of which each adds a pattern that its code weighs; the last one has a style."""

    card = ModelCard("sound", SIDE, LAYERS, WIDTH, WIDTH, licence="MIT", source="the tests")
    strata = (Stratum("a", 0, SIDE), Stratum("b", 1, SIDE), Stratum("c", 2, SIDE, style_width=WIDTH))

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        random = torch.Generator().manual_seed(7)
        self.patterns = torch.randn(LAYERS, WIDTH, 3, SIDE, SIDE, generator=random).to(device)

    def stratum(self, s, state, code, style=None):
        weights = self.style(s, code) if style is None and s == 2 else style if s == 2 else code
        added = torch.einsum("nk,kchw->nchw", weights, self.patterns[s])
        return State(added if state.x is None else state.x + added)

    def style(self, s, code):
        return 2.0 * code if s == 2 else None

    def style_weights(self, s):
        return 2.0 * torch.eye(WIDTH) if s == 2 else None

    def finish(self, state):
        return torch.sigmoid(state.x)


class NoCard(Sound):
    card = None


class LooseConfig(Sound):
    class Config(PluginConfig):
        model_config = ConfigDict(extra="allow", frozen=True)


class Unsourced(Sound):
    card = ModelCard("sound", SIDE, LAYERS, WIDTH, WIDTH)


class Training(Sound):
    def __init__(self, config, device):
        super().__init__(config, device)
        self.network = nn.Linear(1, 1)


class BatchSamples(Sound):
    def sample(self, n, seed, start, stream):
        random = torch.Generator().manual_seed(1000 * seed + 10 * len(stream.name) + n)
        return Latents(torch.randn(n, WIDTH, generator=random), None, torch.arange(start, start + n))


class GlobalNumbers(Sound):
    def map(self, z, condition=None):
        torch.rand(1)
        return z


class MinusOne(Sound):
    def finish(self, state):
        return 2.0 * torch.sigmoid(4.0 * state.x) - 1.0


class FreshWeights(Sound):
    numbers = itertools.count()

    def __init__(self, config, device):
        super().__init__(config, device)
        self.patterns = self.patterns + 0.1 * next(self.numbers)


class BatchStatistics(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x - state.x.mean(dim=0))


class InPlace(Sound):
    def finish(self, state):
        return state.x.sigmoid_()


class Peeping(Sound):
    """Its first stratum adds what the last one was given in the pass before."""

    last: torch.Tensor | None = None

    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code, style)
        if s == LAYERS - 1:
            self.last = code.detach()
        if s == 0 and self.last is not None:
            return State(after.x + self.last[0, 0])
        return after


class Remembering(Sound):
    """Its last stratum uses the code that the first one was given, which an edit does not make anew."""

    def stratum(self, s, state, code, style=None):
        if s == 0:
            self.first = state.kept.get("never", code)
        after = super().stratum(s, state, code, style)
        return after if s < LAYERS - 1 else State(after.x + self.first.mean(dim=1)[:, None, None, None])


class Idle(Sound):
    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, 0.0 * code if s == 1 else code, style)


class Detached(Sound):
    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code.detach() if s == 0 else code, style)


class Coarse(Sound):
    """Subtracts two large numbers, which bfloat16 cannot."""

    def finish(self, state):
        large = 1e3 * torch.eye(SIDE)
        return torch.sigmoid(
            (state.x @ large + 1e4 * torch.eye(SIDE) @ torch.ones(SIDE, SIDE)) - 1e4 - 999.0 * state.x
        )


class OtherStyle(Sound):
    def style(self, s, code):
        return None if s != 2 else 2.0 * code if code.requires_grad else 3.0 * code

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code, 2.0 * code if style is None and s == 2 else style)


class OnTheProcessor(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x + torch.zeros(1, 1, SIDE, SIDE))


class Reading(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x) if float(state.x.detach().sum()) < 1e9 else state.x


class Forgiving(Sound):
    class Config(PluginConfig):
        checkpoint: str = "none"

    card = ModelCard("sound", SIDE, LAYERS, WIDTH, WIDTH, sha256="0" * 64)


class Crashing(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none":
            raise KeyError(config.checkpoint)


class Careful(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none" and not Path(config.checkpoint).exists():
            raise CheckpointError(f"{config.checkpoint} does not exist")


BROKEN: Mapping[str, tuple[type[Generator], str]] = {
    "declarations_are_complete": (NoCard, "self.card"),
    "config_is_strict": (LooseConfig, "extra='forbid'"),
    "card_says_where_it_comes_from": (Unsourced, 'ModelCard(..., licence="...", source="...")'),
    "networks_are_in_evaluation_mode": (Training, "call .eval()"),
    "samples_follow_from_seed_and_index": (BatchSamples, "its index only"),
    "global_random_state_is_untouched": (GlobalNumbers, "torch's global random numbers"),
    "pictures_are_as_the_card_says": (MinusOne, "add 1 and divide by 2"),
    "picture_can_be_made_again": (FreshWeights, "seeded from the config"),
    "batch_does_not_change_a_picture": (BatchStatistics, "statistics of the batch"),
    "inputs_are_left_alone": (InPlace, "without in-place operations"),
    "edit_changes_nothing_before_its_layer": (Peeping, "nothing else of the codes"),
    "edit_equals_a_full_pass": (Remembering, "must be in the State"),
    "every_layer_matters": (Idle, "layer 1 has no influence"),
    "gradients_reach_the_codes": (Detached, "layer 0; avoid .detach()"),
    "autocast_is_close": (Coarse, "enabled=False"),
    "styles_are_those_of_the_strata": (OtherStyle, "must be the same style"),
    "everything_is_on_its_device": (OnTheProcessor, "device=self.device"),
    "missing_file_is_named": (Forgiving, "is accepted"),
}


def failures(plugin: type[Generator], **config: Any) -> dict[str, str]:
    """Names and messages of the checks that a plugin fails."""
    return {
        o.check.name: o.message for o in check_plugin("generator", plugin, config) if o.verdict == "failed"
    }


def skip_without_a_device(name: str) -> None:
    if name == "everything_is_on_its_device":
        try:
            device()
        except DoesNotApply as reason:
            pytest.skip(str(reason))


def test_there_is_a_broken_plugin_for_every_check() -> None:
    assert list(BROKEN) == [check.name for check in checks_of("generator")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_told_with_its_cure(name: str) -> None:
    skip_without_a_device(name)
    plugin, cure = BROKEN[name]
    assert cure in failures(plugin).get(name, "it passes")


@pytest.mark.parametrize(
    ("plugin", "name", "cure"),
    [
        (Reading, "everything_is_on_its_device", "read no values"),
        (Crashing, "missing_file_is_named", "let open() raise FileNotFoundError"),
    ],
)
def test_the_same_promise_can_be_broken_in_other_ways(plugin: type[Generator], name: str, cure: str) -> None:
    skip_without_a_device(name)
    assert cure in failures(plugin)[name]


test_a_sound_plugin = conformance("generator", Sound)
test_one_that_reads_a_file = conformance("generator", Careful)
test_the_bundled_one = conformance("generator", "stylegan2", {"checkpoint": "bundled:rooms"})
