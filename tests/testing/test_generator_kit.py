"""Each check of a generator fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from ganstrata import (
    CheckpointError,
    Generator,
    Latents,
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


class Dropping(Sound):
    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code, style)
        return State(after.x[:1]) if s >= 1 else after


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


class AnyTime(Sound):
    numbers = itertools.count()

    def sample(self, n, seed, start, stream):
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z + next(self.numbers), None, latents.index)


class OneSeed(Sound):
    def sample(self, n, seed, start, stream):
        return super().sample(n, 0, start, stream)


class GlobalNumbers(Sound):
    def map(self, z, condition=None):
        torch.rand(1)
        return z


class MinusOne(Sound):
    def finish(self, state):
        return 2.0 * torch.sigmoid(4.0 * state.x) - 1.0


class Infinite(Sound):
    def finish(self, state):
        return super().finish(state) / state.x.new_zeros(())


class Shrunk(Sound):
    def finish(self, state):
        return super().finish(state)[:, :, ::2, ::2]


class Buffered(Sound):
    buffer = None

    def finish(self, state):
        pictures = super().finish(state)
        if self.buffer is None or self.buffer.shape != pictures.shape:
            self.buffer = torch.empty_like(pictures)
        return self.buffer.copy_(pictures)


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


class Recalling(Sound):
    """Its first stratum adds what the last one was given in the pass before."""

    last: torch.Tensor | None = None

    def stratum(self, s, state, code, style=None):
        after = super().stratum(s, state, code, style)
        if s == LAYERS - 1:
            self.last = code.detach()
        if s == 0 and self.last is not None:
            return State(self.with_last(after.x), kept=self.kept())
        return State(after.x, kept=state.kept)

    def with_last(self, x):
        return x + self.last[0, 0]

    def kept(self):
        return {}


class Peeping(Recalling):
    """Keeps it in the state, where no picture shows it."""

    def with_last(self, x):
        return x

    def kept(self):
        return {"last": self.last}


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


class Trained(Sound):
    """Has a parameter that can be trained, and codes that reach nothing."""

    def __init__(self, config, device):
        super().__init__(config, device)
        self.gain = nn.Parameter(torch.ones((), device=device))

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code.detach(), style)

    def finish(self, state):
        return torch.sigmoid(self.gain * state.x)


class Overwriting(Sound):
    """Writes into what the derivative of the sigmoid needs."""

    def finish(self, state):
        return torch.sigmoid(state.x).mul_(0.9)


class Detached(Sound):
    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code.detach() if s == 0 else code, style)


class Coarse(Sound):
    """Subtracts two large numbers, which bfloat16 cannot."""

    def finish(self, state):
        unit = torch.eye(SIDE, device=state.x.device)
        return torch.sigmoid((state.x @ (1e3 * unit) + 1e4 * torch.ones_like(unit)) - 1e4 - 999.0 * state.x)


class OtherStyle(Sound):
    def style(self, s, code):
        return None if s != 2 else 2.0 * code if code.requires_grad else 3.0 * code

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code, 2.0 * code if style is None and s == 2 else style)


class NoStyle(Sound):
    def style(self, s, code):
        return None

    def stratum(self, s, state, code, style=None):
        return super().stratum(s, state, code, 2.0 * code)


class WideWeights(Sound):
    def style_weights(self, s):
        return torch.ones(WIDTH, 2 * WIDTH)


class UnscaledWeights(Sound):
    def style_weights(self, s):
        return torch.eye(WIDTH) if s == 2 else None


class Unread(Sound):
    strata = (*Sound.strata, Stratum("colour", None, SIDE, style_width=WIDTH))

    def stratum(self, s, state, code, style=None):
        return state if s == LAYERS else super().stratum(s, state, code, style)


class OnTheProcessor(Sound):
    def finish(self, state):
        return torch.sigmoid(state.x + torch.zeros(1, 1, SIDE, SIDE))


class Oversized(Sound):
    strata = (Stratum("a", 0, SIDE), Stratum("b", 1, 2 * SIDE), Stratum("c", 2, SIDE, style_width=WIDTH))


class Margined(Sound):
    """Declares a margin that its feature map lacks, and a height."""

    strata = (
        Stratum("a", 0, SIDE),
        Stratum("b", 1, SIDE, margin=1, height=SIDE - 2),
        Stratum("c", 2, SIDE, style_width=WIDTH),
    )


class Untold(Sound):
    """Declares nothing of the map that is no feature map."""

    strata = (
        Stratum("a", 0, SIDE),
        Stratum("b", 1, 1, is_feature=False),
        Stratum("c", 2, SIDE, style_width=WIDTH),
    )


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


class Blurting(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none":
            raise CheckpointError("the weights are missing")


class Careful(Forgiving):
    def __init__(self, config, device):
        super().__init__(config, device)
        if config.checkpoint != "none" and not Path(config.checkpoint).exists():
            raise CheckpointError(f"{config.checkpoint} does not exist")


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
    "declarations are complete": (NoCard, "self.card"),
    "config is strict": (LooseConfig, "extra='forbid'"),
    "card says where it comes from": (Unsourced, 'ModelCard(..., licence="...", source="...")'),
    "networks are in evaluation mode": (Training, "call .eval()"),
    "samples follow from seed and index": (BatchSamples, "its index only"),
    "pictures can be made": (Dropping, "N = 1 for 3 samples"),
    "inputs are left alone": (InPlace, "without in-place operations"),
    "global random state is untouched": (GlobalNumbers, "torch's global random numbers"),
    "pictures are as the card says": (MinusOne, "add 1 and divide by 2"),
    "feature maps have the size of their stratum": (Oversized, "write Stratum(..., size=8)"),
    "picture can be made again": (FreshWeights, "seeded from the config"),
    "batch does not change a picture": (BatchStatistics, "statistics of the batch"),
    "edit changes nothing before its layer": (Peeping, "nothing else of the codes"),
    "edit equals a full pass": (Remembering, "must be in the State"),
    "every layer matters": (Idle, "layer 1 has no influence"),
    "gradients reach the codes": (Detached, "layer 0; avoid .detach()"),
    "styles are those of the strata": (OtherStyle, "must compute with the style that it is given"),
    "given noise takes the place of its own": (Deaf, "must add the noise of inputs.maps instead"),
    "tunable weights are those of the picture": (Precomputed, "nothing that was made of them before"),
    "autocast is close": (Coarse, "enabled=False"),
    "everything is on its device": (OnTheProcessor, "device=self.device"),
    "missing file is named": (Forgiving, "is accepted"),
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
        (Reading, "everything is on its device", "read no values"),
        (FlatNoise, "given noise takes the place of its own", "(N or 1, 1, h, w) was expected"),
        (Elsewhere, "tunable weights are those of the picture", "give the tensors that passes use"),
        (
            Margined,
            "feature maps have the size of their stratum",
            "8 x 6 pixels with a margin of 1, but its State.x has the shape (1, 3, 8, 8): "
            "write Stratum(..., size=6, height=6)",
        ),
        (Crashing, "missing file is named", "let open() raise FileNotFoundError"),
        (Blurting, "missing file is named", "does not name the file"),
        (Recalling, "picture can be made again", "Nothing may be kept of earlier pictures"),
        (AnyTime, "samples follow from seed and index", "called again with the same arguments"),
        (OneSeed, "samples follow from seed and index", "the same samples with another seed"),
        (Infinite, "pictures can be made", "are not finite"),
        (Shrunk, "pictures are as the card says", "pictures of 4 x 4 pixels"),
        (Buffered, "inputs are left alone", "return new tensors"),
        (Trained, "gradients reach the codes", "layer 0; avoid .detach()"),
        (Overwriting, "gradients reach the codes", "in-place operations"),
        (NoStyle, "styles are those of the strata", "gives nothing"),
        (WideWeights, "styles are those of the strata", "style_width and card.code_size"),
        (Unread, "styles are those of the strata", "leave style_width out"),
        (UnscaledWeights, "styles are those of the strata", "is not the slope of style(2, code)"),
    ],
)
def test_the_same_promise_can_be_broken_in_other_ways(plugin: type[Generator], name: str, cure: str) -> None:
    assert cure in failure("generator", plugin, name)


def test_what_is_no_feature_map_may_have_any_size() -> None:
    assert outcome("generator", Untold, "feature maps have the size of their stratum").verdict == "ok"


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
test_one_that_reads_a_file = conformance("generator", Careful)
test_the_bundled_one = conformance("generator", "stylegan2", {"checkpoint": "bundled:rooms"})


def test_pictures_that_are_not_finite_are_told_once() -> None:
    ended = {o.check.name: o for o in check_plugin("generator", Infinite)}
    assert [name for name, o in ended.items() if o.verdict == "failed"] == ["pictures can be made"]
    assert ended["pictures are as the card says"].because == "pictures can be made"


def test_a_stratum_that_drops_samples_is_named() -> None:
    message = failure("generator", Dropping, "pictures can be made")
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
    class Filed(Unsourced):
        class Config(PluginConfig):
            checkpoint: str = ""

    assert "sha256=..." in failure("generator", Filed, "card says where it comes from")
