"""Each check of a learner fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from ganstrata import Boundaries, Boundary, BoundaryLearner, DataError, PluginConfig, boundary_of
from ganstrata.testing import check_plugin, checks_of, conformance
from kit_outcomes import assert_told_once, failure, outcome
from pydantic import ConfigDict


class Sound(BoundaryLearner):
    """The difference of the means of high and low scores."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        return Boundaries(
            self.one(latents, column, concept, generator)
            for concept, column in zip(concepts, scores.T, strict=True)
        )

    def one(self, latents, column, concept, generator):
        known = ~np.isnan(column)
        middle = np.median(column[known])
        high, low = (column > middle) & known, (column < middle) & known
        if not high.any() or not low.any():
            raise DataError(f"{concept.name}: all scores are the same")
        normal = self.normal(latents, high, low)
        right = (latents @ normal > 0.0)[high | low] == high[high | low]
        return boundary_of(concept, normal, 0.0, generator, self.facts(float(right.mean())))

    def normal(self, latents, high, low):
        difference = latents[high].mean(axis=0) - latents[low].mean(axis=0)
        return difference / np.linalg.norm(difference)

    def facts(self, accuracy):
        return {"held_out_accuracy": accuracy}


class Hungry(Sound):
    def check(self, samples):
        raise DataError("needs more")


class NoConstructor(Sound):
    def __init__(self, config, device):
        pass


class LooseConfig(Sound):
    class Config(PluginConfig):
        model_config = ConfigDict(extra="ignore", frozen=True)


class Long(Sound):
    def normal(self, latents, high, low):
        return 2.0 * super().normal(latents, high, low)


class Elsewhere(Sound):
    def normal(self, latents, high, low):
        return np.eye(latents.shape[1])[0]


class Backwards(Sound):
    def normal(self, latents, high, low):
        return -super().normal(latents, high, low)


class FirstColumn(Sound):
    """Learns every concept from the scores of the first."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        same = np.repeat(scores[:, :1], scores.shape[1], axis=1)
        return super().learn(latents, same, concepts, generator=generator)


class Drifting(Sound):
    numbers = itertools.count()

    def normal(self, latents, high, low):
        normal = super().normal(latents, high, low) + 0.01 * next(self.numbers)
        return normal / np.linalg.norm(normal)


class Writing(Sound):
    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        latents -= latents.mean(axis=0)
        return super().learn(latents, scores, concepts, generator=generator)


class Boasting(Sound):
    def facts(self, accuracy):
        return {"held_out_accuracy": 0.97}


class Undecided(Sound):
    def facts(self, accuracy):
        return {"held_out_accuracy": float("nan")}


class Few(Sound):
    """States an accuracy that 16 samples often give by chance."""

    def facts(self, accuracy):
        return {"held_out_accuracy": 0.75, "held_out": 16}


class Modest(Sound):
    def facts(self, accuracy):
        return {}


class Trusting(Sound):
    def one(self, latents, column, concept, generator):
        try:
            return super().one(latents, column, concept, generator)
        except DataError:
            return boundary_of(concept, np.eye(latents.shape[1])[0], 0.0, generator, {})


class CountsNaN(Sound):
    def one(self, latents, column, concept, generator):
        return super().one(latents, np.nan_to_num(column, nan=2.0), concept, generator)


class RefusesNaN(Sound):
    def one(self, latents, column, concept, generator):
        if np.isnan(column).any():
            raise DataError("some samples have no score")
        return super().one(latents, column, concept, generator)


class Listing(Sound):
    def learn(self, *given, **more):
        return list(super().learn(*given, **more))


class Unsupervised(BoundaryLearner):
    supervised = False

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        normal = np.eye(latents.shape[1], dtype=np.float32)[0]
        return Boundaries([Boundary.unlabelled("own/0", normal, generator)])


BROKEN: Mapping[str, tuple[type[BoundaryLearner], str]] = {
    "declarations are complete": (NoConstructor, "super().__init__"),
    "config is strict": (LooseConfig, "extra='forbid'"),
    "number of samples is accepted": (Hungry, "needs more"),
    "boundaries are as the contract says": (Long, "np.linalg.norm"),
    "inputs are left alone": (Writing, "work on copies"),
    "planted directions are recovered": (Elsewhere, "above 0.9 was expected"),
    "learning again gives the same": (Drifting, "from the same samples"),
    "noise is at chance": (Boasting, "0.97"),
    "one class is refused": (Trusting, "raise ganstrata.DataError"),
    "samples without a score are left out": (CountsNaN, "numpy.isnan"),
}


def test_there_is_a_broken_plugin_for_every_check() -> None:
    assert list(BROKEN) == [check.name for check in checks_of("boundary")]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_told_with_its_cure_and_once(name: str) -> None:
    plugin, cure = BROKEN[name]
    assert_told_once("boundary", plugin, name, cure)


@pytest.mark.parametrize(
    ("plugin", "name", "cure"),
    [
        (Backwards, "planted directions are recovered", "turn it round"),
        (FirstColumn, "planted directions are recovered", "learn concepts[j] from scores[:, j], here j = 1"),
        (RefusesNaN, "samples without a score are left out", "it refuses samples"),
        (Listing, "boundaries are as the contract says", "return ganstrata.Boundaries([...])"),
        (Undecided, "boundaries are as the contract says", "has nan for held_out_accuracy"),
    ],
)
def test_the_same_promise_can_be_broken_in_other_ways(
    plugin: type[BoundaryLearner], name: str, cure: str
) -> None:
    assert cure in failure("boundary", plugin, name)


def test_an_accuracy_that_is_not_stated_is_not_judged() -> None:
    assert outcome("boundary", Modest, "noise is at chance").verdict == "skipped"


def test_an_accuracy_of_few_samples_may_be_further_from_chance() -> None:
    assert outcome("boundary", Few, "noise is at chance").verdict == "ok"


def test_a_learner_without_scores_is_not_asked_for_the_planted_directions() -> None:
    verdicts = {o.check.name: o.verdict for o in check_plugin("boundary", Unsupervised)}
    assert verdicts["planted directions are recovered"] == "skipped"
    assert verdicts["learning again gives the same"] == "ok"
    assert "failed" not in verdicts.values()


def test_what_cannot_be_built_is_told_once() -> None:
    first, *others = check_plugin("boundary", NoConstructor)
    assert (first.verdict, "super().__init__" in first.message) == ("failed", True)
    assert {other.verdict for other in others} == {"not judged"}
    assert {other.because for other in others} == {"declarations are complete"}
    assert {other.message for other in others} == {
        "the check 'declarations are complete' fails, on which this one rests"
    }


test_a_sound_plugin = conformance("boundary", Sound)
test_linear_svm = conformance("boundary", "linear_svm")
test_logistic = conformance("boundary", "logistic")
test_ridge = conformance("boundary", "ridge")
test_lda = conformance("boundary", "lda")
test_mean_difference = conformance("boundary", "mean_difference")


class WithoutKeywords(BoundaryLearner):
    def learn(self, latents, scores, concepts):
        return Boundaries([])


def test_a_method_with_other_arguments_is_shown_with_its_line_and_the_wanted_signature() -> None:
    message = failure("boundary", WithoutKeywords, "declarations are complete")
    line = WithoutKeywords.learn.__wrapped__.__code__.co_firstlineno
    assert f"learn(self, latents, scores, concepts) ({__file__}:{line})" in message
    assert "Write learn(self, latents, scores, concepts, *, generator=None, seed=0)" in message
