"""Methods without labels find what their theory says they can, and random directions get no names."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import ganstrata
import numpy as np
import planted_factors
import pytest
import torch
from ganstrata import Boundaries, DataError, Generator, State
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.randomness import Stream
from ganstrata.core.rescoring.naming import named_directions
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.storage import rows as tables
from ganstrata.plugins.boundaries import independent
from ganstrata.plugins.boundaries.drawn import activations, draw
from ganstrata.plugins.boundaries.pca import decompose
from ganstrata.plugins.boundaries.spectrum import Moments, spectrum
from lazy_tables import Lazy, peak_of
from numpy.typing import NDArray
from planted_factors import FACTORS, NAMES, WIDTH
from scipy.stats import kurtosis
from sklearn.decomposition import FastICA
from torch import Tensor

SCALES = (3.0, 2.5, 2.0, 1.5)
METHODS: dict[str, dict[str, Any]] = {
    "sefa": {},
    "pca": {"directions": 4},
    "pca of a stratum": {"directions": 3, "stratum": "s3", "samples": 600},
    "ica": {"directions": 4},
    "random": {"directions": 4},
}


class Spread(planted_factors.Factors):
    """The factors have the standard deviations SCALES, and all other axes 1; the mean of w is far from 0."""

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return w (N, WIDTH)."""
        return z * torch.tensor([*SCALES, *[1.0] * (WIDTH - FACTORS)]) + 20.0


class Chance(planted_factors.Judge):
    """Scores that vary from picture to picture, and that no direction changes on average."""

    def score(self, rendering: ganstrata.Rendering) -> Tensor:
        """Return errors alone (N, FACTORS)."""
        return self._errors(
            (rendering.images - 0.5).flatten(1) @ planted_factors.PATTERNS.flatten(1).T * 10.0
        )


class Faulty(Spread):
    """The first stratum gives NaN, and the second the same numbers for all codes."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """NaN, or 1."""
        assert state.x is not None
        return State(torch.full_like(state.x, float("nan") if s == 0 else 1.0))


def learnt(
    name: str, generator: Generator, latents: NDArray[np.float32] | None = None, seed: int = 0, **options: Any
) -> Boundaries:
    rows = np.zeros((2, WIDTH), np.float32) if latents is None else latents
    learner = ganstrata.load_learner(name, **options)
    return learner.learn(rows, np.zeros((len(rows), 0), np.float32), [], generator=generator, seed=seed)


def codes(generator: Generator, count: int) -> NDArray[np.float32]:
    return generator.map(generator.sample(count, 0, 0, Stream.PROBING).z).numpy()


@pytest.fixture
def spread(planted: ModuleType, register: Any) -> Generator:
    register("generator", "spread", Spread)
    return ganstrata.load_generator("spread", device="cpu")


@pytest.mark.parametrize("samples", [0, 4000])
def test_pca_finds_planted_variances_in_their_order(spread: Generator, samples: int) -> None:
    rows = codes(spread, 4000)
    directions = learnt("pca", spread, rows, directions=4, samples=samples, layers="0,2")
    for i, direction in enumerate(directions):
        assert direction.name == f"pca/{i}"
        assert abs(direction.normal[i]) > 0.98
        assert direction.facts["sd"] == pytest.approx(SCALES[i], rel=0.05)
        assert direction.facts["share"] == pytest.approx(
            SCALES[i] ** 2 / (np.square(SCALES).sum() + WIDTH - FACTORS), rel=0.1
        )
        assert direction.facts["drawn"] == 4000
        assert direction.layers == (0, 2)
        assert abs(float((rows @ direction.normal + direction.offset).mean())) < 0.2  # 0 at the mean
    assert ganstrata.load_learner("pca", samples=samples).from_samples == (samples == 0)


def test_the_covariance_of_blocks_is_that_of_all_rows_and_takes_no_more_memory() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((1000, 6)) @ rng.standard_normal((6, 6)) + 1e4
    moments = Moments(6)
    for block in np.array_split(rows, [1, 2, 300, 999]):
        moments.add(block)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T), rtol=1e-8)
    assert moments.count == 1000


def test_own_draws_are_neither_probing_nor_verification_samples(spread: Generator) -> None:
    drawn = torch.cat([w for _, w in draw(spread, range(3, 10), 0, 4)])
    whole = torch.cat([w for _, w in draw(spread, range(10), 0)])
    assert torch.equal(drawn, whole[3:])
    for stream in Stream:
        same = torch.equal(whole, spread.map(spread.sample(10, 0, 0, stream).z))
        assert same == (stream is Stream.LEARNING)


def test_components_of_a_stratum_are_regressed_back_to_the_codes(spread: Generator) -> None:
    """After s2 the pictures vary with factors 0 to 2 alone, in the order of their spread."""
    directions = learnt("pca", spread, directions=3, stratum="s2", samples=3000)
    for i, direction in enumerate(directions):
        assert abs(direction.normal[i]) > 0.98
        assert np.abs(direction.normal[FACTORS - 1 :]).max() < 0.1
        assert direction.facts["sd"] == pytest.approx(SCALES[i], rel=0.1)
    assert sum(direction.facts["share"] for direction in directions) == pytest.approx(1.0, abs=1e-3)


def test_incremental_components_come_close_to_those_of_all_activations_at_once(spread: Generator) -> None:
    count = 2500  # more than one block
    latents, w = next(draw(spread, range(count), 0, count))
    y = activations(spread, 3, latents, w, 0).double().numpy()
    values, vectors = spectrum(np.cov(y.T))
    found = decompose(spread, 3, 3, count, 0)
    assert found.n_samples_seen_ == count
    np.testing.assert_allclose(found.explained_variance_, values[:3], rtol=2e-4)
    assert (np.abs((found.components_ * vectors[:3]).sum(axis=1)) > 1.0 - 2e-4).all()


def test_ica_separates_sources_that_pca_mixes(spread: Generator) -> None:
    rng = np.random.default_rng(1)
    sources = np.stack([rng.laplace(size=6000), rng.uniform(-1.0, 1.0, 6000)])
    sources /= sources.std(axis=1, keepdims=True)
    planted = np.zeros((2, WIDTH))
    planted[0, :2], planted[1, :2] = (0.8, 0.6), (-0.1, 0.995)  # neither orthogonal, nor of other lengths
    planted /= np.linalg.norm(planted, axis=1, keepdims=True)
    rows = (sources.T @ (np.array([[2.0], [1.9]]) * planted)).astype(np.float32)
    rows[:, 2:] += 0.1 * rng.standard_normal((6000, WIDTH - 2)).astype(np.float32)
    cosines = {
        name: np.abs(np.stack([b.normal for b in learnt(name, spread, rows, directions=2)]) @ planted.T)
        for name in ("ica", "pca")
    }
    assert (cosines["ica"].max(axis=0) > 0.995).all()
    assert cosines["pca"].max(axis=0).min() < 0.95
    first, second = learnt("ica", spread, rows, directions=2)
    assert first.facts["converged"]
    assert first.facts["sd"] == pytest.approx(2.0, rel=0.05)
    assert sorted([first.facts["kurtosis"], second.facts["kurtosis"]]) == pytest.approx([-1.2, 3.0], abs=0.8)


def mixed(count: int) -> NDArray[np.float32]:
    """Codes of three Laplacian and three uniform sources of different lengths, with a little noise."""
    rng = np.random.default_rng(3)
    sources = np.concatenate([rng.laplace(size=(count, 3)), rng.uniform(-2.0, 2.0, (count, 3))], axis=1)
    sources = sources * np.array([4.0, 3.4, 2.9, 2.4, 2.0, 1.6])
    directions = rng.standard_normal((6, WIDTH))
    rows = sources @ (directions / np.linalg.norm(directions, axis=1, keepdims=True))
    return (rows + 0.01 * rng.standard_normal(rows.shape) + 5.0).astype(np.float32)


@pytest.mark.parametrize("held", [5000, 1000])
def test_ica_is_that_of_scikit_learn_however_many_samples_are_held(
    held: int, spread: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, count = mixed(5000), 4
    theirs = FastICA(count, whiten="unit-variance", tol=1e-6, max_iter=400, random_state=7)
    sources = theirs.fit_transform(rows.astype(np.float64))
    lengths = np.linalg.norm(theirs.mixing_, axis=0)
    order = np.argsort(-lengths)
    monkeypatch.setattr(independent, "HELD", 8 * count * held)
    found = learnt("ica", spread, rows, seed=7, directions=count, tolerance=1e-6)
    for boundary, k in zip(found, order, strict=True):
        cosine = float(boundary.normal @ (theirs.mixing_[:, k] / lengths[k]))
        assert abs(cosine) == pytest.approx(1.0, abs=1e-6)
        assert boundary.facts["sd"] == pytest.approx(lengths[k], rel=1e-4)
        assert boundary.facts["kurtosis"] == pytest.approx(float(kurtosis(sources[:, k])), abs=1e-3)
        assert boundary.facts["converged"]
        if held == 5000:
            assert cosine > 0.0
            assert boundary.facts["iterations"] == theirs.n_iter_


def test_of_normal_sources_ica_says_that_it_did_not_converge_on_all_samples(
    spread: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(independent, "HELD", 8 * 3 * 100)
    rows = np.random.default_rng(0).standard_normal((1000, WIDTH)).astype(np.float32)
    for boundary in learnt("ica", spread, rows, directions=3, max_iterations=3, tolerance=1e-9):
        assert not boundary.facts["converged"]
        assert boundary.facts["iterations"] == 4


def test_ica_holds_no_more_than_a_share_of_the_samples(
    spread: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(independent, "HELD", 8 * 2 * 256)
    monkeypatch.setattr(tables, "MOST", 128)
    learner = ganstrata.load_learner("ica", directions=2)

    def work(count: int) -> None:
        block = mixed(128)
        codes = Lazy((count, WIDTH), lambda start, stop: block[: stop - start])
        learner.learn(codes, np.zeros((count, 0), np.float32), [], generator=spread)  # type: ignore[arg-type]

    work(512)  # what is imported or made once does not count
    few, many = (peak_of(lambda n=n: work(n)) for n in (1024, 32_768))
    assert learner.in_blocks
    assert many < few + 256 * 1024  # the codes take 1.5 MiB


def test_random_directions_are_uniform_and_seeded(spread: Generator) -> None:
    first, again, other = (
        np.stack([b.normal for b in learnt("random", spread, seed=seed, directions=12)]) for seed in (4, 4, 5)
    )
    assert np.array_equal(first, again)
    assert np.array_equal(learnt("random", spread, seed=4, directions=2)[1].normal, first[1])
    assert np.abs(first @ other.T).max() < 0.95
    assert np.abs(first @ first.T - np.eye(12)).max() < 0.95


@pytest.mark.parametrize("label", [label for label in METHODS if label != "sefa"])
def test_each_method_goes_through_a_run(
    label: str, fakes: ModuleType, config: dict[str, Any], tmp_path: Any
) -> None:
    name = label.partition(" ")[0]
    config["boundary"] = {"use": name, "with": METHODS[label]}
    config |= {"checks": False, "synthesis": {"samples": 320, "seed": 3, "batch_size": 32}}
    config["rescoring"] |= {"samples": 32, "layers": ["all"], "null_directions": 5, "learning_resamples": 4}
    run = ganstrata.run(config, tmp_path / "run")
    boundaries, _ = load_boundaries(run.path)
    assert boundaries.names == tuple(f"{name}/{i}" for i in range(METHODS[label]["directions"]))
    assert all(boundary.concept for boundary in boundaries)
    assert (run.path / "report.html").is_file()
    assert read_effects(run).replicates.any() == (label in ("pca", "ica"))


def named(config: dict[str, Any], learner: dict[str, Any], folder: Any) -> list[bool]:
    """Whether each direction of a run got a name."""
    config = {**config, "boundary": learner}
    config["rescoring"] = {**config["rescoring"], "null_directions": 60, "learning_resamples": 4}
    effects = read_effects(ganstrata.run(config, folder))
    return [bool(direction.moves) for direction in named_directions(effects)]


def test_directions_of_no_meaning_stay_unnamed_and_planted_ones_do_not(
    planted: ModuleType, register: Any, tmp_path: Any
) -> None:
    register("generator", "spread", Spread)
    config = {**planted.config(), "generator": {"use": "spread"}}
    found = named(config, {"use": "pca", "with": {"directions": 4}}, tmp_path / "pca")
    assert found == [True] * len(NAMES)
    chance = named(config, {"use": "random", "with": {"directions": 40}}, tmp_path / "random")
    assert sum(chance) <= 0.05 * len(chance)
    register("scorer", "chance", Chance)
    config["scorers"] = [{"use": "chance", "as": "a"}]
    nothing = named(config, {"use": "pca", "with": {"directions": 12}}, tmp_path / "nothing")
    assert nothing == [False] * 12


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("pca", {"stratum": "s2"}, "need samples of their own: set `samples` too"),
        ("pca", {"samples": 10}, "10 samples have fewer than 10 components"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ganstrata.ConfigError, match=message):
        ganstrata.load_learner(name, **options)


def test_what_data_cannot_give_is_refused(spread: Generator) -> None:
    rows = codes(spread, 50)
    rows[:, 3:] = 1.0
    for name in ("pca", "ica"):
        with pytest.raises(DataError, match="the codes vary in only 3; ask for at most 3"):
            learnt(name, spread, rows, directions=4)
        with pytest.raises(DataError, match="the codes do not vary"):
            learnt(name, spread, np.ones((50, WIDTH), np.float32), directions=1)
        with pytest.raises(DataError, match="NaN or infinity"):
            learnt(name, spread, np.full((50, WIDTH), np.nan, np.float32), directions=1)
        with pytest.raises(DataError, match="8 samples cannot have 8 components"):
            ganstrata.load_learner(name, directions=8).check(8)
    with pytest.raises(ganstrata.UserError, match=r"no stratum 's9' .* There are s0, s1"):
        learnt("pca", spread, stratum="s9", samples=100)


def test_a_stratum_without_components_is_refused(spread: Generator, register: Any) -> None:
    register("generator", "faulty", Faulty)
    faulty = ganstrata.load_generator("faulty", device="cpu", check=False)
    with pytest.raises(DataError, match="stratum 0 holds NaN or infinity"):
        learnt("pca", faulty, stratum="s0", samples=100)
    with pytest.raises(DataError, match="stratum 1 varies in only 0"):
        learnt("pca", faulty, stratum="s1", samples=100)
    with pytest.raises(DataError, match="4 are asked for, but stratum 2 varies in only 3"):
        learnt("pca", spread, stratum="s2", samples=100, directions=4)
