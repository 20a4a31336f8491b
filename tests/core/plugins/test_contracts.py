"""Test how little a plugin needs, and that results that break the contract are refused."""

from __future__ import annotations

import math

import ganstrata
import pytest
import torch
from ganstrata import Concept, ModelCard, Pass, PluginConfig, Rendering, State, Stratum, Stream, render
from ganstrata.core.errors import PluginBroken, ScoreError, ShapeError
from ganstrata.core.plugins.scoring import checked_scores
from torch import Tensor

CPU = torch.device("cpu")


class Smallest(ganstrata.Generator):
    """A minimal plugin: one network that cannot be divided."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("smallest", resolution=4, layers=1, code_size=6, latent_size=6)
        self.strata = (Stratum("all", reads=0, size=4),)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        assert code is not None
        return State(code[:, :3, None, None] * torch.ones(4, 4))

    def finish(self, state: State) -> Tensor:
        assert state.x is not None
        return state.x.sigmoid()


class Flat(ganstrata.Scorer):
    """Returns the latents that a test sets."""

    concepts = (Concept("one", "object"), Concept("two", "object", may_be_undefined=True))
    returned: Tensor = torch.zeros(2, 2)

    def score(self, rendering: Rendering) -> Tensor:
        return self.returned


class Halves(ganstrata.Segmenter):
    """Left is the first class, right the second; the third never wins."""

    concepts = tuple(Concept(name, "object") for name in ("left", "right", "never"))

    def logits(self, rendering: Rendering) -> Tensor:
        ramp = torch.linspace(-1.0, 1.0, rendering.images.shape[-1]).expand(
            len(rendering.images), rendering.images.shape[-2], -1
        )
        return torch.stack([-ramp, ramp, torch.full_like(ramp, -9.0)], dim=1)


def test_the_smallest_generator_does_everything() -> None:
    generator = Smallest(PluginConfig(), CPU)
    latents = generator.sample(3, 5, 10, Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z))
    assert latents.condition is None
    assert latents.index.tolist() == [10, 11, 12]
    assert codes.shape == (3, 1, 6)
    assert generator.space == "z"
    assert generator.layer_scale.tolist() == [1.0]
    assert generator.groups is None
    assert generator.style(0, codes[:, 0]) is None
    assert generator.style_weights(0) is None
    assert Smallest.recognise({}, {}) is None
    assert render(generator, codes).shape == (3, 3, 4, 4)
    done = Pass(generator, codes, features=[0], restarts=[0])
    edited = done.edited(codes + 1.0, [0])
    assert torch.equal(edited.images, render(generator, codes + 1.0))
    assert torch.equal(edited.features[0], done.rendering.features[0] + 1.0)


def test_samples_are_normal_and_depend_on_seed_stream_and_index_alone() -> None:
    generator = Smallest(PluginConfig(), CPU)
    z = generator.sample(500, 1, 0, Stream.PROBING).z
    assert torch.equal(generator.sample(3, 1, 200, Stream.PROBING).z, z[200:203])
    assert not torch.equal(generator.sample(3, 2, 200, Stream.PROBING).z, z[200:203])
    assert not torch.equal(generator.sample(3, 1, 200, Stream.EDITING).z, z[200:203])
    assert abs(float(z.mean())) < 0.06
    assert abs(float(z.std()) - 1.0) < 0.06


def test_fingerprints_tell_generators_apart() -> None:
    class Other(Smallest):
        pass

    class Tuned(Smallest):
        class Config(PluginConfig):
            gain: float = 1.0

    one = Smallest(PluginConfig(), CPU).fingerprint
    assert one == Smallest(PluginConfig(), CPU).fingerprint
    prints = {
        one,
        Other(PluginConfig(), CPU).fingerprint,
        *(Tuned(Tuned.Config(gain=g), CPU).fingerprint for g in (1.0, 2.0)),
    }
    assert len(prints) == 4
    with_file = Smallest(PluginConfig(), CPU)
    with_file.card = ModelCard("smallest", 4, 1, 6, 6, sha256="ab")
    assert with_file.fingerprint not in prints


def test_a_mapping_network_makes_the_space_w() -> None:
    class Mapped(Smallest):
        def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
            """Twice z."""
            return 2.0 * z

    generator = Mapped(PluginConfig(), CPU)
    assert generator.space == "w"
    assert generator.map(torch.ones(1, 6)).tolist() == [[2.0] * 6]
    assert Mapped.map.__doc__ == "Twice z."


def test_codes_may_depend_on_the_condition() -> None:
    class Plain(Smallest):
        def broadcast(self, w: Tensor) -> Tensor:
            return 2.0 * w[:, None]

    class Conditional(Smallest):
        def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
            return w[:, None] if condition is None else w[:, None] + condition[:, None, None]

    class ByKeyword(Smallest):
        def broadcast(self, w: Tensor, *, condition: Tensor | None = None) -> Tensor:
            return Conditional.broadcast(self, w, condition)  # type: ignore[arg-type]

    class Truncated(Smallest):
        def broadcast(self, w: Tensor, psi: float = 1.0) -> Tensor:
            return 1.0 - psi + w[:, None]

    w, condition = torch.zeros(2, 6), torch.tensor([1.0, 3.0])
    unconditional, conditional = [0.0, 0.0], [1.0, 3.0]
    for kind, expected in (
        (Smallest, unconditional),
        (Plain, unconditional),
        (Truncated, unconditional),
        (Conditional, conditional),
        (ByKeyword, conditional),
    ):
        codes = kind(PluginConfig(), CPU).broadcast(w, condition)
        assert codes[:, 0, 0].tolist() == expected
    assert Conditional(PluginConfig(), CPU).broadcast(w).abs().max() == 0.0


@pytest.mark.parametrize("shape", [(2, 5), (2, 7), (6,), (2, 1, 6)])
def test_latents_of_another_shape_are_named(shape: tuple[int, ...]) -> None:
    class Mapped(Smallest):
        def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
            return z @ torch.ones(6, 6)

        def broadcast(self, w: Tensor) -> Tensor:
            return super().broadcast(w)

    for generator in (Smallest(PluginConfig(), CPU), Mapped(PluginConfig(), CPU)):
        with pytest.raises(ShapeError, match=r"z passed to map: expected \(N, Z=6\), got"):
            generator.map(torch.zeros(shape))
        with pytest.raises(ShapeError, match=r"w passed to broadcast: expected \(N, D=6\), got"):
            generator.broadcast(torch.zeros(shape))


def test_a_plugin_that_returns_another_shape_is_named() -> None:
    class Wide(Smallest):
        def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
            return torch.cat([z, z], dim=1)

        def broadcast(self, w: Tensor) -> Tensor:
            return w[:, None].expand(-1, 2, -1)

    generator = Wide(PluginConfig(), CPU)
    with pytest.raises(ShapeError, match=r"Wide: w returned by map: expected \(N=2, D=6\), got \(2, 12\)"):
        generator.map(torch.zeros(2, 6))
    with pytest.raises(
        ShapeError, match=r"Wide: codes returned by broadcast: expected \(N=2, L=1, D=6\), got \(2, 2, 6\)"
    ):
        generator.broadcast(torch.zeros(2, 6))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.zeros(2, 3), r"returned scores of shape \(2, 3\); \(2, 2\) was expected"),
        (torch.zeros(3, 2), r"shape \(3, 2\)"),
        (torch.zeros(2), r"shape \(2,\)"),
        (torch.tensor([[math.nan, 0.0], [0.0, 0.0]]), "gave nan as the score of 'one' for 1 of 2 images"),
        (
            torch.tensor([[math.inf, 0.0], [-math.inf, 0.0]]),
            "gave inf as the score of 'one' for 2 of 2 images",
        ),
        (torch.tensor([[0.0, -math.inf], [0.0, 0.0]]), "gave -inf as the score of 'two'"),
    ],
)
def test_scores_that_break_the_contract_name_the_scorer(returned: Tensor, message: str) -> None:
    scorer = Flat(PluginConfig(), CPU)
    scorer.returned = returned
    with pytest.raises(ScoreError, match=message) as caught:
        checked_scores(scorer, Rendering(torch.zeros(2, 3, 4, 4)))
    assert "scorer tests.core.plugins.test_contracts.Flat" in str(caught.value)
    assert "Flat" in str(caught.value)


def test_scores_that_keep_the_contract() -> None:
    scorer = Flat(PluginConfig(), CPU)
    scorer.returned = torch.tensor([[1.0, math.nan], [2.0, 3.0]], dtype=torch.bfloat16)
    scores = checked_scores(scorer, Rendering(torch.zeros(2, 3, 4, 4)))
    assert scores.dtype == "float32"
    assert scores[1].tolist() == [2.0, 3.0]
    assert scorer.extra(Rendering(torch.zeros(2, 3, 4, 4))).shape == (2, 0)


def test_a_segmenter_scores_area_shares() -> None:
    scorer = Halves(PluginConfig(), CPU)
    assert scorer.score(Rendering(torch.zeros(2, 3, 4, 10))).tolist() == [[0.5, 0.5, 0.0]] * 2
    assert scorer.labels(Rendering(torch.zeros(1, 3, 2, 4))).tolist() == [[[0, 0, 1, 1]] * 2]


def test_what_must_be_given_must_be_given() -> None:
    for base in (ganstrata.Generator, ganstrata.Scorer, ganstrata.Segmenter, ganstrata.BoundaryLearner):
        with pytest.raises(TypeError, match="abstract"):
            base(PluginConfig(), CPU)  # type: ignore[abstract]


class NoStrata(Smallest):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.strata = ()


class UnreadLayer(Smallest):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("x", 4, layers=3, code_size=6, latent_size=6)
        self.strata = (Stratum("a", 0, 4), Stratum("b", 2, 4))


class WrongScale(Smallest):
    layer_scale = torch.ones(2).numpy()  # type: ignore[assignment]


class NoConcepts(Flat):
    concepts = ()


class TwiceTheSame(Flat):
    concepts = (Concept("a", "object"), Concept("b", "object"), Concept("a", "colour"))


@pytest.mark.parametrize(
    ("kind", "plugin", "message"),
    [
        ("generator", NoStrata, "has no strata"),
        ("generator", UnreadLayer, r"declares 3 layers, but its strata read \[0, 2\]"),
        (
            "generator",
            WrongScale,
            r"layer_scale is .*; a numpy array of 1 finite floats, of shape \(1,\), was expected",
        ),
        ("scorer", NoConcepts, "has no concepts"),
        ("scorer", TwiceTheSame, "has two concepts called 'a'"),
        ("scorer", Smallest, "is not a subclass of ganstrata.Scorer"),
    ],
)
def test_slips_are_named_when_the_plugin_is_built(kind: str, plugin: type, message: str, register) -> None:
    register(kind, "slip", plugin)
    build = {"generator": ganstrata.load_generator, "scorer": ganstrata.load_scorer}[kind]
    with pytest.raises(PluginBroken, match=message) as caught:
        build("slip", device="cpu")
    assert "test 0" in str(caught.value), "the distribution is named"
