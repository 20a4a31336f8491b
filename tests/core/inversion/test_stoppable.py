"""An inversion that somebody watches: the same result, looks in between, and what a stop keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from ganstrata import UserError
from ganstrata.core.inversion.invert import Method, invert_batch
from ganstrata.core.inversion.steps import Step
from ganstrata.core.inversion.stoppable import Snapshot, invert_until_stopped
from ganstrata.core.runs.loading import build
from inverted_fakes import RULE, given, layered, walk


def method(*steps: Step) -> Method:
    return Method(layered(), steps or walk(steps=6), RULE, 3)


def best(samples: int = 40, batch: int = 8) -> Step:
    return Step("best", build("inverter", "best", {"samples": samples, "batch": batch}, device="cpu"))


def test_a_watched_inversion_is_the_same_as_any_other() -> None:
    looks: list[Snapshot] = []
    watched = invert_until_stopped(method(), given(2)[1], 1, lambda look: looks.append(look) or True)
    (plain,) = invert_batch(method(), [given(2)[1]], [1])
    assert not watched.stopped
    assert torch.equal(watched.found.inversion.codes, plain.inversion.codes)
    assert torch.equal(watched.found.picture, plain.picture)
    assert watched.found.measures == plain.measures
    assert torch.equal(watched.found.curves[0].losses, plain.curves[0].losses)
    assert [(look.step, look.total) for look in looks] == [(i, 6) for i in range(1, 7)]
    assert [look.loss for look in looks] == pytest.approx(plain.curves[0].losses[:-1].tolist())


def test_a_look_shows_the_nearest_picture_so_far() -> None:
    wanted, pictures = given(1)[0], []
    invert_until_stopped(method(), wanted, 0, lambda look: pictures.append(look.picture) or True)
    errors = [float((picture - wanted.picture).square().mean()) for picture in pictures]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0]
    assert not pictures[0].requires_grad


@pytest.mark.parametrize("after", [1, 4])
def test_what_was_found_until_it_was_stopped_is_kept(after: int) -> None:
    one, last = given(1)[0], []
    watched = invert_until_stopped(method(), one, 0, lambda look: last.append(look) or look.step < after)
    assert watched.stopped
    assert len(last) == after
    # The codes are those of the last picture that was shown, and the measures are of them.
    assert torch.equal(watched.found.picture, last[-1].picture)
    mse = float((watched.found.picture.clamp(0.0, 1.0) - one.picture).square().mean())
    assert watched.found.measures["psnr"] == pytest.approx(-10.0 * torch.tensor(mse).log10().item(), abs=1e-3)
    assert watched.found.curves[0].losses.tolist() == pytest.approx([look.loss for look in last])
    assert not watched.found.inversion.codes.requires_grad


def test_of_samples_that_are_tried_the_best_is_kept() -> None:
    one, looks = given(1)[0], []
    chosen = method(best())
    watched = invert_until_stopped(chosen, one, 0, lambda look: looks.append(look) or look.step < 3)
    shorter = method(best(samples=24))
    (expected,) = invert_batch(shorter, [one], [0])
    assert watched.stopped
    assert torch.allclose(watched.found.inversion.codes, expected.inversion.codes, atol=1e-6)
    torch.testing.assert_close(looks[-1].picture, watched.found.picture)  # of many that were rendered at once
    whole = invert_until_stopped(chosen, one, 0, lambda look: True)
    assert torch.equal(whole.found.inversion.codes, invert_batch(chosen, [one], [0])[0].inversion.codes)


def test_a_stop_in_the_second_step_keeps_the_curve_of_the_first() -> None:
    chosen = method(best(), Step("walk", walk(steps=6)[1].inverter))
    watched = invert_until_stopped(chosen, given(1)[0], 0, lambda look: look.step < 7)
    assert [(curve.step, len(curve.losses)) for curve in watched.found.curves] == [("best", 5), ("walk", 2)]


def test_a_loss_that_is_not_finite_is_no_nearest_picture() -> None:
    one = given(1)[0]
    spoilt = replace(one, observed=torch.full_like(one.observed, float("nan")))
    with pytest.raises(UserError, match="before there was a picture"):
        invert_until_stopped(method(best()), spoilt, 0, lambda look: False)
