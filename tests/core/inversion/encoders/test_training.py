"""An encoder learns the codes of a small generator, of its samples and of pictures that it did not make."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from fakes import LAYERS, PATTERNS, SIZE, WIDTH, Classes, Flat, Grainy, Layered
from ganstrata import Generator, Inputs, ModelCard, Rendering, State, Stratum
from ganstrata.core.errors import DataError, UserError
from ganstrata.core.inversion.encoders.encoder import Encoder
from ganstrata.core.inversion.encoders.learn import (
    COLUMNS,
    Material,
    classes_of,
    learn_encoder,
    space_for,
)
from ganstrata.core.inversion.encoders.network import Architecture
from ganstrata.core.inversion.encoders.pairs import PairSource, rendered
from ganstrata.core.inversion.encoders.real import RealPictures, of_array
from ganstrata.core.inversion.encoders.request import EncoderRequest, LossWeights
from ganstrata.core.inversion.encoders.training import Trainer
from ganstrata.core.randomness import Stream
from ganstrata.core.runs.progress import Progress
from ganstrata.core.storage.training_state import TrainingState
from ganstrata.core.strata.code_spaces import CodeSpace
from ganstrata.core.strata.composition import render
from torch import Tensor

QUIET = Progress(quiet=True)
SMALL = EncoderRequest(pictures=64, batch=16, mixing=0.0)


def fake(kind: type[Layered] = Layered) -> Generator:
    generator = kind(kind.Config(gain=0.2), torch.device("cpu"))
    generator.name = "fake"
    return generator


class Bare(Generator):
    """Two layers, without w."""

    card = ModelCard("bare", SIZE, 2, WIDTH, WIDTH)
    strata = (Stratum("a", 0, SIZE), Stratum("b", 1, SIZE))

    def begin(self, inputs: Inputs) -> State:
        return State(torch.full((inputs.n, 3, SIZE, SIZE), 0.5))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        assert code is not None
        assert state.x is not None
        return State(state.x + 0.1 * code[:, s, None, None, None] * PATTERNS[s])

    def finish(self, state: State) -> Tensor:
        assert state.x is not None
        return state.x


def bare() -> Generator:
    generator = Bare(Bare.Config(), torch.device("cpu"))
    generator.name = "bare"
    return generator


class Squares:
    """A perceptual distance: of the squares of pixels."""

    name = "squares"

    def features(self, rendering: Rendering) -> list[Tensor]:
        return [rendering.images.square()]

    def compare(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        return (first[0] - second[0]).square().flatten(1).mean(1)


def trainer(request: EncoderRequest, *, kind: type[Layered] = Layered, **options: object) -> Trainer:
    generator = fake(kind)
    space = CodeSpace.of(generator, space_for(generator, request))
    classes = classes_of(generator, 0)
    architecture = Architecture("small", space.name, SIZE, SIZE, space.rows, WIDTH, len(classes))
    source = PairSource(space, request.mixing, request.seed)
    return Trainer(source, architecture, request, classes=classes, **options)  # type: ignore[arg-type]


# --- pairs -------------------------------------------------------------------------------------------


def test_a_pair_depends_on_its_index_alone() -> None:
    source = PairSource(CodeSpace.of(fake(), "w+"), 0.5, 3)
    whole, part = source.draw(0, 6), source.draw(4, 6)
    torch.testing.assert_close(whole.variables[4:], part.variables)
    torch.testing.assert_close(whole.pictures[4:], part.pictures)


def test_a_picture_is_that_of_its_codes_with_its_own_noise() -> None:
    generator = fake(Grainy)
    pairs = PairSource(CodeSpace.of(generator, "w+"), 0.0, 3).draw(5, 9)
    latents = generator.sample(4, 3, 5, Stream.TRAINING)
    codes = generator.broadcast(generator.map(latents.z))
    plain = render(generator, codes, index=latents.index, noise=pairs.noise)
    torch.testing.assert_close(pairs.pictures, plain)
    torch.testing.assert_close(
        rendered(pairs.space, pairs.variables, pairs.index, pairs.noise, "fp32"), plain
    )
    other = render(generator, codes, index=latents.index + 1, noise=pairs.noise)
    assert not torch.allclose(plain, other)


def test_a_share_of_the_pairs_has_a_second_style_from_some_row_on() -> None:
    space = CodeSpace.of(fake(), "w+")
    plain, mixed = (PairSource(space, share, 0).draw(0, 200).variables for share in (0.0, 0.5))
    same = (plain - mixed).abs().amax(dim=2) == 0.0  # (N, R)
    cuts = same.sum(dim=1)
    assert all(row[:cut].all() and not row[cut:].any() for row, cut in zip(same, cuts, strict=True))
    assert cuts.min() == 1
    assert set(cuts.tolist()) == set(range(1, LAYERS + 1))
    assert 0.35 < (cuts < LAYERS).float().mean() < 0.65
    assert all(
        len(row[cut:].unique(dim=0)) == 1 for row, cut in zip(mixed, cuts, strict=True) if cut < LAYERS
    )


# --- training ----------------------------------------------------------------------------------------


def test_it_learns_what_moves_pictures() -> None:
    request = EncoderRequest(pictures=640, batch=16, learning_rate=3e-3, mixing=0.0)
    learnt = learn_encoder(fake(), request, Material(), QUIET)
    quality = learnt.encoder.facts["quality"]
    assert quality["psnr"] > quality["mean_psnr"] + 4.0
    fitted = learnt.encoder.for_generator(fake())
    pairs = PairSource(CodeSpace.of(fake(), "w+"), 0.0, 9).draw(0, 64)
    codes = fitted(pairs.pictures)
    for axis, layer in enumerate((1, 2, 5, 7)):  # what is planted, at the layer that causes it
        true = pairs.variables[:, layer, axis]
        found = codes[:, layer, axis]
        assert np.corrcoef(true, found)[0, 1] > 0.8


def test_the_same_seed_gives_the_same_network_and_another_another() -> None:
    first, again, other = (
        list(islice(t.steps(), 2)) and t.state()
        for t in (trainer(SMALL), trainer(SMALL), trainer(replace(SMALL, seed=1)))
    )
    assert isinstance(first, dict)
    for name, value in first.items():
        torch.testing.assert_close(value, again[name])  # type: ignore[call-overload]
    name = "network.base.weight"
    assert not torch.allclose(first[name], other[name])  # type: ignore[call-overload]


@pytest.mark.parametrize("joint", [0.0, 0.1])
def test_a_continued_training_equals_an_uninterrupted_one(joint: float) -> None:
    request = replace(SMALL, mixing=0.5, weights=LossWeights(joint=joint))
    whole = trainer(request)
    stopped = trainer(request)
    list(whole.steps())
    list(islice(stopped.steps(), 2))
    continued = trainer(request)
    continued.restore(stopped.state(), stopped.position, stopped.seconds)
    assert continued.position == 32
    list(continued.steps())
    for name, value in whole.state().items():
        torch.testing.assert_close(continued.state()[name], value, rtol=1e-4, atol=1e-6)


def test_the_position_decides_which_pairs_are_drawn_last() -> None:
    taken = list(trainer(replace(SMALL, pictures=40)).steps())
    assert [t.position for t in taken] == [16, 32, 40]


def test_each_part_of_the_loss_is_there_if_it_has_a_weight() -> None:
    weights = LossWeights(perceptual=1.0, reciprocity=0.5, joint=0.1)
    found = next(trainer(replace(SMALL, weights=weights), perceptual=Squares()).steps()).losses
    assert set(found) == {
        "total", "latent", "pixel", "perceptual", "deltas", "reciprocity", "joint", "discriminator",
    }  # fmt: skip
    total = (
        found["latent"]
        + 10.0 * found["pixel"]
        + found["perceptual"]
        + 0.01 * found["deltas"]
        + 0.5 * found["reciprocity"]
        + 0.1 * found["joint"]
    )
    assert found["total"] == pytest.approx(total, rel=1e-4)
    alone = LossWeights(pixel=0.0, perceptual=0.0, deltas=0.0)
    assert set(next(trainer(replace(SMALL, weights=alone)).steps()).losses) == {"total", "latent"}


def test_changes_are_switched_on_one_by_one() -> None:
    t = trainer(replace(SMALL, pictures=160, progressive=True))
    rows = [t.active for _ in t.steps()]
    assert t.active == LAYERS
    assert rows == sorted(rows)
    assert 1 < rows[1] < LAYERS  # after 32 of 160 pictures


def bright(count: int = 40) -> RealPictures:
    """Pictures of one pattern, brighter than any sample."""
    images = (0.5 + 0.4 * PATTERNS[0]).clamp(0.0, 1.0).permute(1, 2, 0).numpy() * 255.0
    return of_array(np.repeat(images[None].astype(np.uint8), count, axis=0))


def test_real_pictures_take_part_from_their_share_of_the_training_on() -> None:
    request = replace(SMALL, real_from=0.5, real_share=0.75)
    taken = list(trainer(request, real=bright()).steps())
    assert ["real pixel" in t.losses for t in taken] == [False, False, True, True]
    assert ["pixel" in t.losses for t in taken] == [True, True, False, False]
    last = taken[-1].losses
    of_real = 10.0 * last["real pixel"] + 0.01 * last["real deltas"]
    of_samples = last["latent"] + 0.01 * last["deltas"]
    assert last["total"] == pytest.approx(0.75 * of_real + 0.25 * of_samples, rel=1e-4)


def test_real_pictures_are_learnt_without_their_codes() -> None:
    request = EncoderRequest(
        pictures=320, batch=16, learning_rate=3e-3, real_from=0.0, weights=LossWeights(latent=0.1)
    )
    with_them, without = (
        learn_encoder(fake(), request, Material(real=real, held_out=bright(8)), QUIET).encoder.facts[
            "quality"
        ]
        for real in (bright(), None)
    )
    assert with_them["real"] == 8
    assert with_them["real_psnr"] > without["real_psnr"] + 2.0


def test_reciprocity_and_the_discriminator_train_too() -> None:
    request = replace(SMALL, real_from=0.0, weights=LossWeights(reciprocity=1.0, joint=0.1))
    t = trainer(request, real=bright())
    assert t.discriminator is not None
    before = t.discriminator.verdict.weight.clone()
    losses = [taken.losses for taken in t.steps()]
    assert {"real reciprocity", "real joint", "discriminator"} <= losses[0].keys()
    assert not torch.allclose(t.discriminator.verdict.weight, before)


def test_time_ends_a_training_early() -> None:
    t = trainer(replace(SMALL, pictures=10**6, minutes=1.0))
    next(t.steps())
    assert t.progress < 0.5
    t.seconds = 30.0
    assert t.progress == pytest.approx(0.5)
    t.seconds = 61.0
    assert list(t.steps()) == []


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    t = trainer(replace(SMALL, weights=LossWeights(latent=1e39)))
    with pytest.raises(DataError, match="pictures 0 to 15; give a smaller learning rate"):
        list(t.steps())


# --- classes and spaces ------------------------------------------------------------------------------


def test_classes_are_learnt_and_told() -> None:
    request = EncoderRequest(pictures=80, batch=16, mixing=0.0)
    generator = fake(Classes)
    learnt = learn_encoder(generator, request, Material(real=bright(), held_out=bright(8)), QUIET)
    encoder = learnt.encoder
    assert encoder.classes == (0, 1, 2)
    assert encoder.facts["quality"]["classes"] is not None
    assert "classes" in COLUMNS
    pairs = PairSource(CodeSpace.of(generator, "w+"), 0.0, 0).draw(0, 6)
    fitted = encoder.for_generator(generator)
    told = fitted.condition(pairs.pictures)
    assert told is not None
    assert told.dtype == torch.int64
    assert fitted(pairs.pictures, pairs.space.condition).shape == (6, LAYERS, WIDTH)


def test_spaces_follow_the_generator() -> None:
    auto = EncoderRequest()
    assert space_for(fake(), auto) == "w+"
    assert space_for(fake(Flat), auto) == "w"
    assert space_for(bare(), auto) == "z"
    assert space_for(bare(), EncoderRequest(space="layers")) == "layers"
    with pytest.raises(UserError, match="has one layer"):
        space_for(fake(Flat), EncoderRequest(space="w+"))
    learnt = learn_encoder(bare(), SMALL, Material(), QUIET).encoder
    assert (learnt.architecture.space, learnt.mean, learnt.architecture.rows) == ("z", None, 1)
    fitted = learnt.for_generator(bare())
    x = torch.rand(2, 3, SIZE, SIZE)
    latent = fitted.latent(x)
    assert latent is not None
    torch.testing.assert_close(fitted(x), latent[0][:, None].expand(-1, 2, -1))
    assert latent[1] == "z"


def test_one_w_is_a_latent_and_one_per_layer_is_none() -> None:
    generator = fake()
    x = torch.rand(2, 3, SIZE, SIZE)
    one = learn_encoder(generator, replace(SMALL, space="w"), Material(), QUIET).encoder
    latent = one.for_generator(generator).latent(x)
    assert latent is not None
    torch.testing.assert_close(one.for_generator(generator)(x), latent[0][:, None].expand(-1, LAYERS, -1))
    several: Encoder = learn_encoder(generator, SMALL, Material(), QUIET).encoder
    assert several.for_generator(generator).latent(x) is None


def test_conditions_of_another_form_are_refused() -> None:
    class Odd(Layered):
        card = ModelCard("odd", SIZE, LAYERS, WIDTH, WIDTH)

        def sample(self, n: int, seed: int, start: int, stream: Stream):  # type: ignore[no-untyped-def]
            return replace(super().sample(n, seed, start, stream), condition=torch.zeros(n, 2, 2))

    with pytest.raises(UserError, match="draws conditions of shape"):
        classes_of(fake(Odd), 0)


# --- the log -----------------------------------------------------------------------------------------


def test_the_log_continues() -> None:
    kept: list[TrainingState] = []

    def keep(t: Trainer, rows: list[list[float]]) -> None:
        kept.append(TrainingState(t.state(), t.position, list(rows), t.seconds))

    whole = learn_encoder(fake(), SMALL, Material(), QUIET, keep=keep).rows
    assert [row[0] for row in whole] == [16, 32, 48, 64]
    assert len(whole[0]) == len(COLUMNS)
    rest = learn_encoder(fake(), SMALL, Material(), QUIET, stored=kept[1]).rows
    assert [row[0] for row in rest] == [16, 32, 48, 64]
    np.testing.assert_allclose([row[1:12] for row in rest], [row[1:12] for row in whole], rtol=1e-3)
