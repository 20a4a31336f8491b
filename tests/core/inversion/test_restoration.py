"""Pictures that lost something are taken as such, and restored."""

from dataclasses import replace

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import DataError, UserError
from ganstrata.core.inversion.commands import method_of
from ganstrata.core.inversion.degradation import Downsample, Grey, Mask, Noise
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.invert import invert_batch
from ganstrata.core.inversion.measures import measured
from ganstrata.core.inversion.restoration import Restoration, degraded_targets
from ganstrata.core.inversion.similarity import ms_ssim
from ganstrata.core.plugins.records import Rendering
from inverted_fakes import RULE, given, layered, task

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
WHOLE = torch.from_numpy(PIXELS).permute(2, 0, 1) / 255.0


def degraded(loss: Restoration, pictures=PIXELS, **more):
    return degraded_targets(pictures, layered(), loss, crop="centre", **more).targets


def test_colours_are_not_looked_at():
    (one,) = degraded(Restoration(Grey(), truths=(PIXELS,)))
    grey = (WHOLE * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0).expand(3, -1, -1)
    assert torch.allclose(one.observed, grey, atol=1e-6)
    assert torch.allclose(one.picture, grey, atol=1e-6)
    assert torch.allclose(one.truth, WHOLE, atol=1e-6)
    (alone,) = degraded(Restoration(Grey()))
    assert alone.truth is None


def test_small_pictures_are_fitted_to_the_small_size():
    small = PIXELS[:4, :4]
    (one,) = degraded(Restoration(Downsample(2)), small)
    assert torch.allclose(one.observed, WHOLE[:, :4, :4], atol=1e-6)
    assert one.picture.shape == (3, 8, 8)
    assert "resized" not in one.facts.get("fit", {}).get("words", "")
    with pytest.raises(DataError, match="3 does not divide the generator's 8 x 8 px"):
        degraded(Restoration(Downsample(3)), small)


def test_whole_pictures_are_spoilt_to_try_it():
    (small,) = degraded(Restoration(Downsample(2, "area"), spoil=True))
    assert torch.allclose(small.observed, torch.nn.functional.avg_pool2d(WHOLE, 2), atol=1e-6)
    assert torch.allclose(small.truth, WHOLE, atol=1e-6)
    (noisy,) = degraded(Restoration(Noise(0.2), spoil=True), seed=3)
    assert 0.1 < float((noisy.observed - WHOLE).std()) < 0.3
    (other,) = degraded(Restoration(Noise(0.2), spoil=True), seed=4)
    assert not torch.allclose(other.observed, noisy.observed)
    with pytest.raises(UserError, match="with --spoil they are that themselves"):
        Restoration(Noise(0.2), (PIXELS,), spoil=True)


def test_what_is_behind_the_mask_is_the_truth_alone():
    mask = np.full((8, 8), 255, dtype=np.uint8)
    mask[2:5, 2:5] = 0
    (one,) = degraded(Restoration(Mask(), spoil=True), masks=mask)
    assert one.known[0, 2:5, 2:5].max() == 0.0
    assert one.known.sum() == 64 - 9
    hole = PIXELS.copy()
    hole[2:5, 2:5] = 7
    (same,) = degraded(Restoration(Mask()), hole, masks=mask)
    assert torch.allclose(one.picture, same.picture)  # nothing of what is hidden
    assert torch.allclose(one.truth, WHOLE, atol=1e-6)
    with pytest.raises(UserError, match="Give a --mask: white is known"):
        degraded(Restoration(Mask()))


def test_a_mask_of_a_picture_that_is_averaged_down_goes_along():
    mask = np.full((8, 8), 255, dtype=np.uint8)
    mask[0, 5] = 0
    (one,) = degraded(Restoration(Downsample(2, "area"), spoil=True), masks=mask)
    assert one.known[0, 0].tolist() == [1.0, 1.0, 0.0, 1.0]  # of four pixels that are averaged one is unknown
    assert one.known.sum() == 15.0
    wide = np.repeat(PIXELS, 2, axis=1)
    loss = Restoration(Downsample(2, "area"), spoil=True)
    (padded,) = degraded_targets(wide, layered(), loss, crop="pad").targets
    assert padded.known[0, :, 0].tolist() == [0.0, 1.0, 1.0, 0.0]  # the margin


def test_measures_of_a_masked_picture_are_those_of_its_known_part():
    class Gap:
        """Mean absolute difference."""

        name = "gap"

        def features(self, rendering):
            return [rendering.images]

        def compare(self, a, b):
            return (a[0] - b[0]).abs().mean(dim=(1, 2, 3))

    rule = DistanceRule(network=Gap())
    (one,) = given(1)
    known = torch.zeros(1, 8, 8)
    known[:, :, :2] = 1.0
    images = (one.observed[None] + 0.1).clamp(0.0, 1.0)
    gap = (images[0] - one.observed)[:, :, :2].abs().mean()
    (row,) = measured(rule, Rendering(images), [replace(one, known=known)])
    assert row["perceptual"] == pytest.approx(float(gap), abs=1e-6)
    partly = one.observed[None] + known * (images - one.observed)
    structure = 1.0 - 4.0 * (1.0 - float(ms_ssim(partly, one.observed[None])))
    assert row["ms_ssim"] == pytest.approx(max(structure, 0.0), abs=1e-5)
    assert 0.0 < row["ms_ssim"] < 1.0
    terms = rule.to(one.observed[None], known[None]).terms(Rendering(images))
    assert row["perceptual"] == pytest.approx(float(terms["perceptual"]), abs=1e-6)


def test_truths_are_one_for_each():
    with pytest.raises(UserError, match="1 truth for 2 pictures: give one for each"):
        degraded(Restoration(Grey(), truths=(PIXELS,)), [PIXELS, PIXELS])


def test_measures_are_of_what_was_given_and_of_the_truth():
    made = task(2, steps=4)
    rule = replace(RULE, degradation=Downsample(2, "area"))
    method = replace(made.method, rule=rule)
    wholes = [one.picture for one in given(2)]
    small = [
        replace(one, observed=torch.nn.functional.avg_pool2d(one.picture, 2), truth=one.picture)
        for one in given(2)
    ]
    found = invert_batch(method, small, [0, 1])
    for one, whole in zip(found, wholes, strict=True):
        picture = one.picture.clamp(0, 1)
        to_truth = -10 * (picture - whole).square().mean().log10()
        shrunk = torch.nn.functional.avg_pool2d(picture - whole, 2)
        assert one.measures["psnr_to_truth"] == pytest.approx(float(to_truth), abs=1e-3)
        assert one.measures["psnr"] == pytest.approx(float(-10 * shrunk.square().mean().log10()), abs=1e-3)
        assert one.curves[0].losses[-1] < one.curves[0].losses[0]


def test_noise_is_not_fitted_and_features_of_it_are_not_compared():
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")

    def chosen(degradation):
        return method_of(
            generator,
            "mean",
            ("none",),
            {},
            perceptual="auto",
            seed=0,
            class_index=None,
            degradation=degradation,
        )

    method = chosen(Noise(0.1))
    assert method.rule.name == "1 MSE above 0.01 after noise (0.1)"
    assert method.rule.network is None
    assert chosen(Grey()).rule.network is not None


def test_from_python():
    generator = layered()
    found = ganstrata.invert(
        PIXELS[:4, :4], generator, embed="mean", refine="none", perceptual="none", degradation="downsample:2"
    )
    assert found.pictures.shape == (1, 3, 8, 8)
    assert found.distance == "1 MSE after downsampling 2 times (bicubic)"
