"""Check the promises of a boundary learner on samples whose directions are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

from ..core.conformance import random_state
from ..core.conformance.learned import check_learned, check_repeated
from ..core.errors import DataError
from ..core.messages import visible
from ..core.plugins.boundary import Boundaries
from ..core.plugins.learner import BoundaryLearner
from .kit import DoesNotApply, NotConforming
from .planted import NOISE, SAMPLES, Floats, Planted, flat, planted
from .subject import Subject

COSINE = 0.9  # least cosine with the planted direction
CHANCE = 0.1  # largest distance of the held-out accuracy from 1/2 for scores that are noise
ERRORS = 4.0  # the same in standard errors, if few samples were held out
UNDEFINED = 0.1  # share of samples without a score
FAR = 50.0  # how far these lie from the others, so that they turn a boundary that counts them


def number_of_samples_is_accepted(subject: Subject) -> None:
    """check() accepts 6,000 samples, the number that the other checks learn from."""
    try:
        _learner(subject).check(SAMPLES)
    except DataError as error:
        raise NotConforming(
            f"check() refuses {SAMPLES} samples, of which the other checks let it learn: "
            f"{visible(str(error), 300)}; accept them, or give this check options that need fewer "
            "(config=... in a test, --set on the command line)"
        ) from None


def boundaries_are_as_the_contract_says(subject: Subject) -> None:
    """learn() gives a finite unit normal with concept, level, space, generator and facts."""
    _learn(subject, _planted(subject, scored=False))


def planted_directions_are_recovered(subject: Subject) -> None:
    """Each normal points along the direction in which the scores of its concept rise."""
    samples = _planted(subject, concepts=2)
    cosines = _cosines(_learn(subject, samples), samples)  # (C, C)
    for j, concept in enumerate(samples.concepts):
        cosine, other = cosines[j, j], np.abs(np.delete(cosines[j], j)).max()
        if cosine > COSINE:
            continue
        if cosine < -COSINE:
            cure = "it points towards low scores: turn it round"
        elif other > COSINE:
            cure = (
                f"it is the direction of another concept: learn concepts[j] from scores[:, j], here j = {j}"
            )
        else:
            cure = "look whether rows of latents and scores belong together, and whether it underfits"
        raise NotConforming(
            f"the normal of '{concept.name}' has the cosine {cosine:.2f} with the direction in which its "
            f"scores rise; above {COSINE} was expected of {SAMPLES} samples with a noise of {NOISE} of the "
            f"signal; {cure}"
        )


def learning_again_gives_the_same(subject: Subject) -> None:
    """The same samples and the same seed give the same boundary, also by a learner built anew."""
    samples = _planted(subject, scored=False)
    first = _learn(subject, samples)
    check_repeated(first, _learn(subject, samples), _learner(subject))
    anew = cast("BoundaryLearner", subject.build())
    check_repeated(first, _learn(subject, samples, learner=anew), _learner(subject))


def inputs_are_left_alone(subject: Subject) -> None:
    """learn() writes into neither latents nor scores."""
    samples = _planted(subject, scored=False)
    before = samples.digests
    _learn(subject, samples)
    if samples.digests != before:
        raise NotConforming("learn() writes into the latents or scores that it is given; work on copies")


def noise_is_at_chance(subject: Subject) -> None:
    """On scores that are noise it states a held-out accuracy near one half, or refuses them."""
    samples = _planted(subject)
    noise = np.random.default_rng(2).random(samples.scores.shape)
    try:
        facts = _learn(subject, samples.with_scores(noise))[0].facts
    except DataError:
        return
    stated = list(_accuracies(facts))
    if not stated:
        raise DoesNotApply("it states no held_out_accuracy among the facts of its boundaries")
    for accuracy, held_out in stated:
        allowed = max(CHANCE, ERRORS * 0.5 / np.sqrt(held_out)) if held_out else CHANCE
        if not abs(accuracy - 0.5) <= allowed:
            raise NotConforming(
                f"on scores that are noise it states a held-out accuracy of {accuracy:.2f}, and 0.5 is "
                f"chance ({allowed:.2g} away is allowed); measure it on samples that were not learnt from"
            )


def one_class_is_refused(subject: Subject) -> None:
    """Scores that are all the same are refused with a DataError."""
    samples = _planted(subject)
    try:
        _learn(subject, samples.with_scores(np.full_like(samples.scores, 0.5)))
    except DataError:
        return
    raise NotConforming(
        "it learns a boundary from scores that are all the same; raise ganstrata.DataError and say why"
    )


def samples_without_a_score_are_left_out(subject: Subject) -> None:
    """Samples whose score is NaN do not change the boundary that the others give."""
    samples = _planted(subject)
    undefined = np.random.default_rng(3).random(SAMPLES) < UNDEFINED
    direction = samples.directions[0]
    aside = np.roll(direction, 1)
    aside -= (aside @ direction) * direction  # (D,), orthogonal to the planted direction
    scores, latents = samples.scores.copy(), samples.latents.copy()
    scores[undefined] = np.nan
    latents[undefined] += FAR * aside
    cure = "leave them out: rows = ~numpy.isnan(scores[:, j])"
    try:
        learnt = _learn(subject, Planted(latents, scores, samples.directions))
    except DataError as error:
        raise NotConforming(
            f"it refuses samples because some have no score (NaN): {visible(str(error), 200)}; {cure}"
        ) from None
    cosine = _cosines(learnt, samples)[0, 0]
    if not cosine > COSINE:
        raise NotConforming(
            f"samples without a score (NaN) change the boundary: its cosine with the planted direction falls "
            f"to {cosine:.2f}, above {COSINE} was expected; {cure}"
        )


def _learner(subject: Subject) -> BoundaryLearner:
    return cast("BoundaryLearner", subject.built)


def _planted(subject: Subject, concepts: int = 1, *, scored: bool = True) -> Planted:
    """Draw samples for the learner.

    Args:
        subject: the learner that is checked.
        concepts: number of planted directions.
        scored: whether the check needs a learner that uses scores.

    Raises:
        DoesNotApply: it does not use them.
    """
    learner = _learner(subject)
    if scored and not learner.supervised:
        raise DoesNotApply("it does not learn from scores (supervised = False)")
    return planted(learner, concepts)


def _learn(subject: Subject, samples: Planted, learner: BoundaryLearner | None = None) -> Boundaries:
    """Learn as the stage `learn` does."""
    learner = learner or _learner(subject)
    classes = {"classes": np.zeros(SAMPLES, dtype=np.int64)} if learner.within_classes else {}
    with random_state.seeded(0):
        returned = learner.learn(
            samples.latents, samples.scores, samples.concepts, generator=flat(), seed=0, **classes
        )
    return check_learned(returned, learner, samples.concepts, flat(), styles=learner.in_styles)


def _cosines(learnt: Boundaries, samples: Planted) -> Floats:
    """Return the cosines (C, C) of each concept's normal with each direction; over layers the smallest."""
    normals = {boundary.name: np.atleast_2d(boundary.normal) for boundary in learnt}  # (1, D) or (L, D)
    rows = [normals[concept.name] @ samples.directions.T for concept in samples.concepts]
    return np.stack([row.min(axis=0) for row in rows])


def _accuracies(facts: Mapping[str, Any]) -> Iterator[tuple[float, int | None]]:
    """Yield each held-out accuracy among facts, also of single layers, with the number held out."""
    for record in (facts, *facts.get("layers", ())):
        accuracy = record.get("held_out_accuracy")
        if accuracy is not None:
            yield accuracy, record.get("held_out")
