"""Results are read one batch late where a device works by itself, and at once on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.errors import PictureError, ScoreError
from ganstrata.core.plugins import scoring
from ganstrata.core.plugins.finiteness import Doubt
from ganstrata.core.plugins.pending import Fetch, Pending, one_late, together
from ganstrata.core.plugins.records import Concept, Rendering
from ganstrata.core.plugins.scoring import begin_scores, checked_scores


class Slow(Fetch):
    """Behave as a copy from a device, which is not there at once."""

    def __init__(self, tensor: torch.Tensor) -> None:
        super().__init__(tensor)
        self.at_once = False


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every copy to the host take its time."""
    monkeypatch.setattr(scoring, "Fetch", Slow)


class Mean:
    """Score by `value`, whatever the picture."""

    origin = "mean"
    concepts = declared = (Concept("level", "attribute", least=0.1),)
    extras = ()

    def __init__(self, value: float = 0.5, *, writes: bool = False) -> None:
        self.value, self.writes = value, writes

    def score(self, rendering: Rendering) -> torch.Tensor:
        if self.writes:
            rendering.images[0, 0, 0, 0] += 1.0
        return torch.full((len(rendering.images), 1), self.value)


def rendering(**more: Any) -> Rendering:
    return Rendering(torch.rand(3, 3, 4, 4), composed=True, **more)


def test_a_result_that_is_there_is_checked_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        Pending(lambda: 1 // 0, at_once=True)
    later = Pending(lambda: 1 // 0, at_once=False)
    with pytest.raises(ZeroDivisionError):
        later.result()


def test_a_result_is_finished_once_and_lets_go_of_its_tensors() -> None:
    calls: list[int] = []
    for at_once in (True, False):
        pending = Pending(lambda: calls.append(1) or len(calls), at_once=at_once)
        assert pending.result() == pending.result() == len(calls)
        assert pending._finish is None
    assert len(calls) == 2
    both = together([Pending(lambda: 1, at_once=True), Pending(lambda: 2, at_once=False)])
    assert not both.at_once
    assert both.result() == [1, 2]


def test_an_error_comes_one_batch_late_and_after_the_results_before_it() -> None:
    def begin(i: int) -> tuple[int, Pending[float]]:
        begun.append(i)
        return i, Pending(lambda: 1 / (2 - i), at_once=False)

    begun: list[int] = []
    seen = []
    results = one_late(begin(i) for i in range(5))
    seen += [next(results)[0], next(results)[0]]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert (seen, begun) == ([0, 1], [0, 1, 2, 3])


@pytest.mark.usefixtures("slow")
def test_scores_that_arrive_late_are_the_same_and_are_checked_then() -> None:
    late = begin_scores(Mean(), rendering())
    assert not late.at_once
    np.testing.assert_array_equal(late.result(), np.full((3, 1), 0.5, np.float32))
    for scorer, message in (
        (Mean(float("nan")), "nan as the score of 'level'"),
        (Mean(writes=True), "writes"),
    ):
        wrong = begin_scores(scorer, rendering())
        with pytest.raises(Exception, match=message):
            wrong.result()


def test_on_a_processor_scores_are_checked_at_once() -> None:
    with pytest.raises(ScoreError, match="nan as the score"):
        begin_scores(Mean(float("nan")), rendering())
    assert begin_scores(Mean(), rendering()).at_once


@pytest.mark.usefixtures("slow")
def test_rows_of_pictures_that_are_not_finite_are_left_out_late_too() -> None:
    pictures = rendering(finite=torch.tensor([True, False, True]))
    assert np.isnan(begin_scores(Mean(), pictures).result()[:, 0]).tolist() == [False, True, False]


class Refusal:
    """Count how often pictures are refused."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        raise PictureError("not finite")


def test_pictures_are_refused_before_their_scores_and_by_the_scorer_that_stumbles() -> None:
    bad = torch.full((2, 3, 4, 4), float("nan"))
    for scorer in (Mean(float("nan")), Mean()):
        refusal = Refusal()
        late = Rendering(bad, composed=True, doubt=Doubt(bad, refusal))
        assert not late.settled
        begun = begin_scores(scorer, late)
        assert refusal.calls == 0
        with pytest.raises(PictureError):
            begun.result()
    stumbling = Mean()
    stumbling.score = lambda rendering: torch.tensor(1.0)  # type: ignore[method-assign]
    with pytest.raises(PictureError):
        begin_scores(stumbling, Rendering(bad, composed=True, doubt=Doubt(bad, Refusal())))


def test_sound_pictures_are_settled_once() -> None:
    refusal = Refusal()
    sound = torch.rand(2, 3, 4, 4)
    late = Rendering(sound, composed=True, doubt=Doubt(sound, refusal))
    assert checked_scores(Mean(), late).shape == (2, 1)
    assert late.settled
    assert refusal.calls == 0
