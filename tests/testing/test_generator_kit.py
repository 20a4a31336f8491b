"""Each check of a generator fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

from collections.abc import Mapping

import broken_generators as broken
import numpy as np
import pytest
import torch
from broken_generators import SIDE, WIDTH, Sound
from ganstrata import (
    Generator,
    ModelCard,
    PluginConfig,
    State,
    Stratum,
    Stream,
    Use,
    normals,
)
from ganstrata.testing import check_plugin, checks_of, conformance
from kit_outcomes import assert_told_once, failure, outcome
from torch import nn


class Single(Generator):
    """One layer that a stratum reads, and one stratum after it, as in a DCGAN."""

    card = ModelCard("single", SIDE, 1, WIDTH, WIDTH, licence="MIT", source="the tests")
    strata = (Stratum("paint", 0, SIDE), Stratum("bright", None, SIDE))

    def __init__(self, config, device):
        super().__init__(config, device)
        random = torch.Generator().manual_seed(7)
        self.patterns = torch.randn(WIDTH, 3, SIDE, SIDE, generator=random).to(device)

    def stratum(self, s, state, code, style=None):
        return State(torch.einsum("nk,kchw->nchw", code, self.patterns) if s == 0 else 0.5 * state.x)

    def finish(self, state):
        return torch.sigmoid(state.x)


class SingleIdle(Single):
    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, None if s else 0.0 * code, style)


class Shared(Single):
    """Its network is made once, and shared by all generators of the class."""

    network = nn.Linear(WIDTH, 3 * SIDE * SIDE).eval()

    def __init__(self, config, device):
        super().__init__(config, device)
        self.net = self.network.to(device)

    def stratum(self, s, state, code, style=None):
        return State(self.net(code).unflatten(1, (3, SIDE, SIDE))) if s == 0 else state


class Noisy(Sound):
    """Its first stratum adds noise of each sample, or what is given instead."""

    def drawn(self, inputs):
        rows = [
            normals(inputs.noise, Stream.PROBING, Use.NOISE, range(i, i + 1), SIDE * SIDE)
            for i in inputs.index
        ]
        return torch.from_numpy(np.concatenate(rows)).view(-1, 1, SIDE, SIDE).to(self.device)

    def noise_map(self, s, inputs):
        return self.drawn(inputs) if s == 0 else None

    def begin(self, inputs):
        return State(None, kept={"noise": inputs.maps.get(0, self.drawn(inputs))})

    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code, style)
        return State(after.x + (state.kept["noise"] if s == 0 else 0.0), kept=state.kept)


class Deaf(Noisy):
    def begin(self, inputs):
        return State(None, kept={"noise": self.drawn(inputs)})


class FlatNoise(Noisy):
    def noise_map(self, s, inputs):
        return self.drawn(inputs)[:, 0] if s == 0 else None


class Weighted(Sound):
    """Its codes go through a linear map whose weights may be tuned."""

    def __init__(self, config, device):
        super().__init__(config, device)
        self.net = nn.Linear(WIDTH, WIDTH).requires_grad_(False).eval().to(device)
        with torch.no_grad():
            self.net.weight.copy_(torch.eye(WIDTH))

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, self.net(code) if s == 0 else code, style)


class Precomputed(Weighted):
    """It computes with what it once made of its weights."""

    def __init__(self, config, device):
        super().__init__(config, device)
        self.made = 1.5 * self.net.weight

    def stratum(self, s, state, code, style=None):
        return Sound.stratum(self, s, state, code @ self.made.T if s == 0 else code, style)


class Elsewhere(Weighted):
    @property
    def tunable(self):
        return {"net": self.net.weight.clone()}


BROKEN: Mapping[str, tuple[type[Generator], str]] = {
    "declarations are complete": (broken.NoCard, "self.card"),
    "config is strict": (broken.LooseConfig, "extra='forbid'"),
    "card says where it comes from": (broken.Unsourced, 'ModelCard(..., licence="...", source="...")'),
    "networks are in evaluation mode": (broken.Training, "call .eval()"),
    "samples follow from seed and index": (broken.BatchSamples, "its index only"),
    "pictures can be made": (broken.Dropping, "N = 1 for 3 samples"),
    "inputs are left alone": (broken.InPlace, "without in-place operations"),
    "global random state is untouched": (broken.GlobalNumbers, "torch's global random numbers"),
    "pictures are as the card says": (broken.MinusOne, "add 1 and divide by 2"),
    "feature maps have the size of their stratum": (broken.Oversized, "write Stratum(..., size=8)"),
    "picture can be made again": (broken.FreshWeights, "seeded from the config"),
    "batch does not change a picture": (broken.BatchStatistics, "statistics of the batch"),
    "edit changes nothing before its layer": (broken.Peeping, "nothing else of the codes"),
    "edit equals a full pass": (broken.Remembering, "must be in the State"),
    "every layer matters": (broken.Idle, "layer 1 has no influence"),
    "gradients reach the codes": (broken.Detached, "layer 0; avoid .detach()"),
    "styles are those of the strata": (broken.OtherStyle, "must compute with the style that it is given"),
    "given noise takes the place of its own": (Deaf, "must add the noise of inputs.maps instead"),
    "tunable weights are those of the picture": (Precomputed, "nothing that was made of them before"),
    "autocast is close": (broken.Coarse, "enabled=False"),
    "everything is on its device": (broken.OnTheProcessor, "device=self.device"),
    "missing file is named": (broken.Forgiving, "is accepted"),
}


def test_there_is_a_broken_plugin_for_every_check() -> None:
    assert list(BROKEN) == [check.name for check in checks_of("generator")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_told_with_its_cure_and_once(name: str) -> None:
    plugin, cure = BROKEN[name]
    assert_told_once("generator", plugin, name, cure)


@pytest.mark.parametrize(
    ("plugin", "name", "cure"),
    [
        (broken.Reading, "everything is on its device", "read no values"),
        (FlatNoise, "given noise takes the place of its own", "(N or 1, 1, h, w) was expected"),
        (Elsewhere, "tunable weights are those of the picture", "give the tensors that passes use"),
        (
            broken.Margined,
            "feature maps have the size of their stratum",
            "8 x 6 pixels with a margin of 1, but its State.x has the shape (1, 3, 8, 8): "
            "write Stratum(..., size=6, height=6)",
        ),
        (broken.Crashing, "missing file is named", "let open() raise FileNotFoundError"),
        (broken.Blurting, "missing file is named", "does not name the file"),
        (broken.Recalling, "picture can be made again", "Nothing may be kept of earlier pictures"),
        (broken.AnyTime, "samples follow from seed and index", "called again with the same arguments"),
        (broken.OneSeed, "samples follow from seed and index", "the same samples with another seed"),
        (broken.Infinite, "pictures can be made", "are not finite"),
        (broken.Shrunk, "pictures are as the card says", "pictures of 4 x 4 pixels"),
        (broken.Buffered, "inputs are left alone", "return new tensors"),
        (broken.Trained, "gradients reach the codes", "layer 0; avoid .detach()"),
        (broken.Overwriting, "gradients reach the codes", "in-place operations"),
        (broken.NoStyle, "styles are those of the strata", "gives nothing"),
        (broken.WideWeights, "styles are those of the strata", "style_width and card.code_size"),
        (broken.Unread, "styles are those of the strata", "leave style_width out"),
        (broken.UnscaledWeights, "styles are those of the strata", "is not the slope of style(2, code)"),
    ],
)
def test_the_same_promise_can_be_broken_in_other_ways(plugin: type[Generator], name: str, cure: str) -> None:
    assert cure in failure("generator", plugin, name)


def test_what_is_no_feature_map_may_have_any_size() -> None:
    assert outcome("generator", broken.Untold, "feature maps have the size of their stratum").verdict == "ok"


def test_a_generator_of_one_layer_is_checked_like_others_but_for_what_needs_two() -> None:
    ended = {o.check.name: o for o in check_plugin("generator", Single)}
    assert ended["edit changes nothing before its layer"].verdict == "skipped"
    assert ended["edit changes nothing before its layer"].message == "it has one layer"
    assert ended["edit equals a full pass"].verdict == ended["every layer matters"].verdict == "ok"
    assert "failed" not in {o.verdict for o in ended.values()}


def test_one_layer_that_does_nothing_is_told() -> None:
    assert "layer 0 has no influence" in failure("generator", SingleIdle, "every layer matters")


def test_a_network_that_plugins_share_is_as_before_after_the_check_of_the_device() -> None:
    before = dict(Shared.network.named_parameters())
    weight = Shared.network.weight.detach().clone()
    verdict = outcome("generator", Shared, "everything is on its device").verdict
    assert verdict in ("ok", "skipped")  # skipped where there is no stand-in
    assert dict(Shared.network.named_parameters()) == before
    assert all(x is before[name] for name, x in Shared.network.named_parameters())
    assert torch.equal(Shared.network.weight, weight)
    assert outcome("generator", Shared, "picture can be made again").verdict == "ok"


test_a_sound_plugin = conformance("generator", Sound)
test_one_that_reads_a_file = conformance("generator", broken.Careful)
test_the_bundled_one = conformance("generator", "stylegan2", {"checkpoint": "bundled:rooms"})


def test_pictures_that_are_not_finite_are_told_once() -> None:
    ended = {o.check.name: o for o in check_plugin("generator", broken.Infinite)}
    assert [name for name, o in ended.items() if o.verdict == "failed"] == ["pictures can be made"]
    assert ended["pictures are as the card says"].because == "pictures can be made"


def test_a_stratum_that_drops_samples_is_named() -> None:
    message = failure("generator", broken.Dropping, "pictures can be made")
    assert "stratum(1) returned a State whose x is of shape (N, ...) with N = 1 for 3 samples" in message


class NoStyleArgument(Single):
    def stratum(self, s, state, code):
        return state


class NoCondition(Single):
    """Takes w alone, as the contract allows."""

    def broadcast(self, w):
        return super().broadcast(w)


def test_a_stratum_without_the_argument_style_is_shown_with_the_wanted_signature() -> None:
    message = failure("generator", NoStyleArgument, "declarations are complete")
    assert "test_generator_kit.py:" in message
    assert "Write stratum(self, s, state, code, style=None)" in message
    assert outcome("generator", NoCondition, "declarations are complete").message == ""


def test_a_generator_of_a_file_is_told_of_its_hash() -> None:
    class Filed(broken.Unsourced):
        class Config(PluginConfig):
            checkpoint: str = ""

    assert "sha256=..." in failure("generator", Filed, "card says where it comes from")
