"""Check the promises of a boundary learner on samples whose direction is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.conformance import random_state
from ..core.conformance.learned import check_learned, check_repeated
from ..core.errors import DataError
from ..core.plugins.base import PluginConfig
from ..core.plugins.contracts import BoundaryLearner, Generator
from ..core.plugins.records import Boundaries, Boundary, Concept, ModelCard, State, Stratum
from ..core.plugins.scoring import digest
from .any_plugin import declared, json_config
from .kit import DoesNotApply, NotConforming, check
from .subject import CPU, Subject

SAMPLES, WIDTH, LAYERS = 6000, 16, 3
NOISE = 0.3  # standard deviation of the noise of scores, whose signal has 1
COSINE = 0.9  # least cosine with the planted direction
CHANCE = 0.1  # largest distance of the held-out accuracy from 1/2 for scores that are noise
UNDEFINED = 0.1  # share of samples without a score
FAR = 50.0  # how far these lie from the others, so that they turn a boundary that counts them

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Planted:
    """Hold samples whose scores rise along a known direction.

    Attributes:
        latents: (N, D), or (N, L, D) for learners of w+.
        scores: (N, 1), between 0 and 1.
        direction: unit vector n (D,), the same at every layer.
    """

    latents: Floats
    scores: Floats
    direction: Floats


CONCEPT = Concept("planted", "attribute")


@check("boundary")
def declarations_are_complete(subject: Subject) -> None:
    """It is built from its config."""
    declared(subject)


@check("boundary")
def config_is_strict(subject: Subject) -> None:
    """Its Config refuses unknown options, and survives being written as JSON and read again."""
    json_config(subject)


@check("boundary")
def number_of_samples_is_accepted(subject: Subject) -> None:
    """check() accepts 6,000 samples, the number that the other checks learn from."""
    _learner(subject).check(SAMPLES)


@check("boundary")
def boundaries_are_as_the_contract_says(subject: Subject) -> None:
    """learn() gives a finite unit normal with concept, level, space, generator and facts."""
    _learn(subject, _planted(subject))


@check("boundary")
def planted_direction_is_recovered(subject: Subject) -> None:
    """The normal points along the direction in which scores rise."""
    planted = _planted(subject)
    cosine = _cosine(_learn(subject, planted), planted)
    if cosine < -COSINE:
        raise NotConforming(
            f"the normal points towards low scores: its cosine with the direction in which scores rise is "
            f"{cosine:.2f}; turn it round"
        )
    if not cosine > COSINE:
        raise NotConforming(
            f"the cosine of the normal with the planted direction is {cosine:.2f}; above {COSINE} was "
            f"expected of {SAMPLES} samples whose scores follow it with little noise"
        )


@check("boundary")
def learning_again_gives_the_same(subject: Subject) -> None:
    """The same samples and the same seed give the same boundary, also by a learner built anew."""
    planted = _planted(subject)
    first, again = _learn(subject, planted), _learn(subject, planted)
    check_repeated(Boundaries([first]), Boundaries([again]), _learner(subject))
    other = _learn(subject, planted, learner=cast("BoundaryLearner", subject.build()))
    check_repeated(Boundaries([first]), Boundaries([other]), _learner(subject))


@check("boundary")
def inputs_are_left_alone(subject: Subject) -> None:
    """learn() writes into neither latents nor scores."""
    planted = _planted(subject)
    before = _digests(planted)
    _learn(subject, planted)
    if _digests(planted) != before:
        raise NotConforming("learn() writes into the latents or scores that it is given; work on copies")


@check("boundary")
def noise_is_at_chance(subject: Subject) -> None:
    """On scores that are noise it states a held-out accuracy near one half, or refuses them."""
    planted = _planted(subject)
    noise = np.random.default_rng(2).random((SAMPLES, 1)).astype(np.float32)
    try:
        facts = _learn(subject, Planted(planted.latents, noise, planted.direction)).facts
    except DataError:
        return
    accuracy = facts.get("held_out_accuracy")
    if accuracy is None:
        raise DoesNotApply("it states no held_out_accuracy among the facts of its boundaries")
    if abs(accuracy - 0.5) > CHANCE:
        raise NotConforming(
            f"on scores that are noise it states a held-out accuracy of {accuracy:.2f}; measure it on "
            "samples that were not learnt from"
        )


@check("boundary")
def one_class_is_refused(subject: Subject) -> None:
    """Scores that are all the same are refused with a DataError."""
    planted = _planted(subject)
    same = np.full_like(planted.scores, 0.5)
    try:
        _learn(subject, Planted(planted.latents, same, planted.direction))
    except DataError:
        return
    raise NotConforming(
        "it learns a boundary from scores that are all the same; raise ganstrata.DataError and say why"
    )


@check("boundary")
def samples_without_a_score_are_left_out(subject: Subject) -> None:
    """Samples whose score is NaN do not change the boundary that the others give."""
    planted = _planted(subject)
    undefined = np.random.default_rng(3).random(SAMPLES) < UNDEFINED
    aside = np.roll(planted.direction, 1)
    aside -= (aside @ planted.direction) * planted.direction  # (D,), orthogonal to the planted direction
    scores, latents = planted.scores.copy(), planted.latents.copy()
    scores[undefined] = np.nan
    latents[undefined] += FAR * aside
    try:
        boundary = _learn(subject, Planted(latents, scores, planted.direction))
    except DataError as error:
        raise NotConforming(f"it refuses samples because some have no score: {str(error)[:200]}") from None
    cosine = _cosine(boundary, planted)
    if not cosine > COSINE:
        raise NotConforming(
            f"samples without a score (NaN) change the boundary: its cosine with the planted direction falls "
            f"to {cosine:.2f}; leave them out: rows = ~numpy.isnan(scores[:, j])"
        )


class _Flat(Generator):
    """Give learners the space of a generator: codes of `WIDTH` numbers for `LAYERS` layers."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("planted", 8, LAYERS, WIDTH, WIDTH, licence="none", source="ganstrata.testing")
        self.strata = tuple(Stratum(f"layer{i}", i, 8) for i in range(LAYERS))

    def stratum(
        self, s: int, state: State, code: torch.Tensor | None, style: torch.Tensor | None = None
    ) -> State:
        """Add the code to what is there."""
        assert code is not None
        return State(code if state.x is None else state.x + code)

    def finish(self, state: State) -> torch.Tensor:
        """Paint pictures (N, 3, 8, 8) in the first three numbers."""
        assert state.x is not None
        return torch.sigmoid(state.x[:, :3, None, None]).expand(-1, -1, 8, 8)


@cache
def flat() -> Generator:
    """Return the generator in whose space the kit's learners learn."""
    return _Flat(PluginConfig(), CPU)


def _learner(subject: Subject) -> BoundaryLearner:
    """Return the learner.

    Raises:
        DoesNotApply: it is unsupervised, and chooses its directions from a generator.
    """
    return cast("BoundaryLearner", subject.built)


def _planted(subject: Subject) -> Planted:
    """Draw samples for the learner.

    Raises:
        DoesNotApply: it does not learn from scores.
    """
    learner = _learner(subject)
    if not learner.supervised:
        raise DoesNotApply("it does not learn from scores (supervised = False)")
    random = np.random.default_rng(1)
    direction = random.standard_normal(WIDTH)
    direction /= np.linalg.norm(direction)
    shape = (SAMPLES, LAYERS, WIDTH) if learner.layerwise else (SAMPLES, WIDTH)
    latents = random.standard_normal(shape)
    along = latents @ direction  # (N,) or (N, L)
    signal = along.sum(axis=1) / np.sqrt(LAYERS) if learner.layerwise else along
    scores = 1.0 / (1.0 + np.exp(-(signal + NOISE * random.standard_normal(SAMPLES))))
    return Planted(
        latents.astype(np.float32), scores.astype(np.float32)[:, None], direction.astype(np.float32)
    )


def _learn(subject: Subject, planted: Planted, learner: BoundaryLearner | None = None) -> Boundary:
    """Learn one boundary as the stage `learn` does."""
    learner = learner or _learner(subject)
    classes = {"classes": np.zeros(SAMPLES, dtype=np.int64)} if learner.within_classes else {}
    with random_state.seeded(0):
        returned = learner.learn(
            planted.latents, planted.scores, (CONCEPT,), generator=flat(), seed=0, **classes
        )
    return check_learned(returned, learner, (CONCEPT,), flat())[0]


def _cosine(boundary: Boundary, planted: Planted) -> float:
    """Return the cosine of the normal with the planted direction; the smallest one over layers."""
    return float(np.min(boundary.normal @ planted.direction))


def _digests(planted: Planted) -> list[tuple[int, ...]]:
    return [digest(torch.from_numpy(x)) for x in (planted.latents, planted.scores)]
