"""Numbers of trust against known truth: distances of codes, false alarms, faithfulness, consistency."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import ModelCard, PluginConfig, State, Stratum
from ganstrata.core.errors import UserError
from ganstrata.core.inversion.trust import code_distance
from ganstrata.core.inversion.trust.alarm import alarm_of, fewest
from ganstrata.core.inversion.trust.code_distance import CodeCloud, cloud_of, shrinkage_of, whole
from ganstrata.core.inversion.trust.consistency import apart, consistency
from ganstrata.core.inversion.trust.faithfulness import faithfulness, mean_ratio
from torch import Tensor

WIDTH = 4


class Bent(ganstrata.Generator):
    """w = A z + m; layer 1 is truncated to a half, layer 2 to a point."""

    class Config(PluginConfig):
        """Nothing."""

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("bent", resolution=2, layers=3, code_size=WIDTH, latent_size=WIDTH)
        self.strata = tuple(Stratum(f"s{i}", i, 2) for i in range(3))
        self.matrix = torch.tensor(
            [[3.0, 0.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.0], [0.0, 0.0, 0.4, 1.0]]
        )
        self.middle = torch.tensor([5.0, -2.0, 0.0, 1.0])

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Bent."""
        return z @ self.matrix.T + self.middle

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Truncation."""
        scale = torch.tensor([1.0, 0.5, 0.0])[:, None]
        return self.middle + scale * (w[:, None] - self.middle)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Nothing."""
        return state

    def finish(self, state: State) -> Tensor:
        """Nothing."""
        return torch.zeros(1, 3, 2, 2)


@pytest.fixture(scope="module")
def bent() -> Bent:
    return Bent(Bent.Config(), torch.device("cpu"))


@pytest.fixture(scope="module")
def cloud(bent: Bent) -> CodeCloud:
    return cloud_of(bent)


def test_the_distance_is_that_of_z_at_every_layer_that_varies(bent: Bent, cloud: CodeCloud) -> None:
    z = torch.tensor([[0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [1.0, -1.0, 2.0, 3.0]])
    found = cloud.distances(bent.broadcast(bent.map(z)))
    wanted = z.norm(dim=1).numpy() / np.sqrt(WIDTH)
    np.testing.assert_allclose(found[:, 0], wanted, rtol=0.05, atol=0.05)
    np.testing.assert_allclose(found[:, 1], found[:, 0], rtol=1e-5)  # truncation changes nothing
    assert np.isnan(found[:, 2]).all()  # and where it takes all to a point, there is no distance
    np.testing.assert_allclose(whole(found), found[:, 0], rtol=1e-5)
    assert cloud.rank.tolist() == [4, 4, 0]
    assert cloud.shrinkage.max() < 0.01  # so many samples hardly need any


def test_usual_distances_are_those_of_samples(cloud: CodeCloud) -> None:
    assert (cloud.usual[:, 0] ** 2).mean() == pytest.approx(1.0, abs=0.06)
    far = cloud.beyond(np.array([[0.0, 9.0, np.nan], [np.median(cloud.usual[:, 0]), 0.0, np.nan]]))
    assert far[0, 0] == 1.0
    assert far[0, 1] == pytest.approx(1.0 / (1 + code_distance.OTHERS))
    assert far[1, 0] == pytest.approx(0.5, abs=0.01)
    assert np.isnan(far[:, 2]).all()


def test_shrinkage_brings_the_covariance_of_few_samples_nearer_to_the_true_one() -> None:
    truth, rng = np.diag([1.0, 1.2, 0.8, 1.1, 0.9, 1.0]), np.random.default_rng(0)
    better = []
    for _ in range(30):
        x = rng.standard_normal((12, 6)) * np.sqrt(np.diag(truth))
        x -= x.mean(axis=0)
        s = x.T @ x / len(x)
        share = shrinkage_of(np.linalg.eigvalsh(s), float((x**2).sum(axis=1).__pow__(2).mean()), len(x))
        assert 0.0 <= share <= 1.0
        shrunk = (1 - share) * s + share * np.trace(s) / 6 * np.eye(6)
        better.append(((s - truth) ** 2).sum() / ((shrunk - truth) ** 2).sum())
    assert np.median(better) > 3.0


@pytest.mark.parametrize(("samples", "rate"), [(19, 0.05), (100, 0.05), (64, 0.1)])
def test_false_alarms_are_as_often_as_stated(samples: int, rate: float) -> None:
    rng = np.random.default_rng(5)
    alarms = [alarm_of(rng.gamma(2.0, size=samples), rate) for _ in range(300)]
    fresh = rng.gamma(2.0, size=5_000)
    shares = np.array([alarm.raised(fresh).mean() for alarm in alarms])
    assert alarms[0].rate <= rate
    assert shares.mean() == pytest.approx(alarms[0].rate, abs=0.008)
    inside = np.mean([a.low <= share <= a.high for a, share in zip(alarms, shares, strict=True)])
    assert 0.92 < inside < 0.98


def test_too_few_samples_are_refused_and_an_undefined_number_is_no_alarm() -> None:
    assert fewest(0.05) == 19
    with pytest.raises(UserError, match=r"18 inverted samples cannot .* 5% .* at least 19"):
        alarm_of(np.arange(18.0))
    alarm = alarm_of(np.arange(19.0))
    assert alarm.threshold == 18.0
    assert alarm.raised(np.array([18.0, 18.1, np.nan])).tolist() == [False, True, False]


def test_faithfulness_is_the_ratio_of_mean_changes() -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(1.0, 0.5, 400)
    found = faithfulness(np.append(rng.normal(0.6, 0.5, 200), np.nan), samples)
    assert found.ratio.low < 0.6 < found.ratio.high
    assert found.ratio.value == pytest.approx(found.inverted.value / found.samples.value)
    assert found.difference.low < -0.4 < found.difference.high < 0.0
    assert (found.pictures, found.drawn) == (200, 400)


def test_there_is_no_ratio_to_a_change_that_may_be_none() -> None:
    rng = np.random.default_rng(2)
    found = faithfulness(rng.normal(0.6, 0.5, 50), rng.normal(0.0, 1.0, 60))
    assert np.isnan(found.ratio.value)
    assert found.difference.value > 0.0


def test_the_interval_of_the_ratio_covers_the_truth_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ganstrata.core.inversion.trust.faithfulness.RESAMPLINGS", 300)
    rng = np.random.default_rng(11)
    hits = 0
    for k in range(60):
        found = faithfulness(rng.normal(0.8, 1.0, 40), rng.normal(1.0, 0.7, 60), seed=k)
        hits += found.ratio.low <= 0.8 <= found.ratio.high
    assert 51 <= hits < 60  # 95 % of 60 is 57


def test_the_mean_ratio_resamples_pictures_for_all_boundaries_together() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(1.0, 0.5, 50)
    alike = np.stack([common] * 8)  # eight boundaries that say the same are no more than one
    samples = np.ones((8, 50)) + rng.normal(0.0, 1e-3, (8, 50))
    found, one = mean_ratio(alike, samples), mean_ratio(alike[:1], samples[:1])
    assert found.high - found.low == pytest.approx(one.high - one.low, rel=0.02)
    assert np.isnan(mean_ratio(alike[:0], samples[:0]).value)


def test_consistency_subtracts_the_edit_and_states_what_finding_a_code_costs() -> None:
    codes = torch.randn(10, 2, 3, generator=torch.Generator().manual_seed(0))
    sd = torch.tensor([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0]])
    drift = torch.tensor([0.1, 0.2, 5.0])  # the last entry does not vary, and does not count

    def reinvert(moved: Tensor) -> Tensor:
        return moved + drift

    repeat = apart(reinvert(codes), codes, sd)
    np.testing.assert_allclose(repeat, 0.1, rtol=1e-4)
    found = consistency(codes, codes + 3.0, reinvert, sd, repeat)
    assert found.gap.value == pytest.approx(0.1, rel=1e-4)
    assert found.repeat.value == pytest.approx(0.1, rel=1e-4)
    assert found.pictures == 10
    half = consistency(codes, codes + 3.0, lambda moved: codes + 1.5, sd, repeat)
    assert half.gap.value == pytest.approx(np.sqrt((1.5**2 + 0.75**2) / 2), rel=1e-4)


def test_consistency_leaves_out_the_outermost_hundredth() -> None:
    codes = torch.zeros(100, 1, 1)
    wild = torch.zeros(100, 1, 1)
    wild[7] = 1e6
    found = consistency(codes, codes, lambda moved: moved + wild, torch.ones(1, 1), np.zeros(100))
    assert found.gap.value == 0.0


def test_distances_are_by_the_shrunk_covariance() -> None:
    fourth = (
        10.0 + code_distance.SAMPLES
    )  # b^2 = 1, and d^2 = 2: half of the covariance is replaced by its mean of 2
    rows, rank, share = code_distance._whitening(np.diag([1.0, 3.0]), np.ones(2), fourth)
    assert (rank, share) == (2, pytest.approx(0.5))
    np.testing.assert_allclose((rows**2).sum(axis=1), [1.0 / 1.5, 1.0 / 2.5])


def test_edits_that_lower_a_score_have_a_ratio_too() -> None:
    inverted, samples = np.array([0.5, 0.6, 0.4, 0.5]), np.array([1.0, 1.1, 0.9, 1.0])
    up, down = faithfulness(inverted, samples), faithfulness(-inverted, -samples)
    assert down.ratio.value == pytest.approx(up.ratio.value)
    assert (down.ratio.low, down.ratio.high) == pytest.approx((up.ratio.low, up.ratio.high))
