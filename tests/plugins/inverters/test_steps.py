"""The steps of an inversion: each against what is known of it, on generators of three layers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from ganstrata import Inputs, Inversion, InversionTask, Inverter, PluginConfig, Stream
from ganstrata.core.errors import DataError, UserError
from ganstrata.core.inversion.rendering import Renderer
from ganstrata.core.plugins.registry import registry
from ganstrata.core.randomness import noise_seed
from ganstrata.core.runs.inversion_rows import rows_of
from ganstrata.core.runs.loading import build
from ganstrata.core.strata.mixtures import sum_of
from ganstrata.plugins.inverters.codes import CodeConfig, Jitter
from ganstrata.plugins.inverters.descent import Loss, SearchConfig, Variable, descend, rate_at
from ganstrata.plugins.inverters.noise import correlation, normalised
from ganstrata.plugins.inverters.standard import standards
from ganstrata.testing import check_plugin
from ganstrata.testing.inverter_checks import SEED, SquaredError, task_of
from ganstrata.testing.tiny import LAYERS, SIZE, WIDTH, Tiny, TinyClasses, TinyFrozen, tiny

SEARCHES = ("z", "w", "w+", "noise", "pivotal")
IN_FULL = ("multi_code", "pivotal", "classes", "best", "noise", "w")


def step(name: str, **options: Any) -> Inverter:
    return build("inverter", name, options, device="cpu")  # type: ignore[return-value]


def distance(task: InversionTask, found: Inversion) -> list[float]:
    with torch.no_grad():
        return task.distance(task.render(found)).tolist()


@pytest.fixture
def task() -> InversionTask:
    return task_of(tiny())


@pytest.fixture
def start(task: InversionTask) -> Inversion:
    return step("best", samples=8).invert(task, None)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.full if name in IN_FULL else ()) for name in
     ("mean", "best", "classes", "multi_code", "z", "w", "w+", "noise", "pivotal")],
)  # fmt: skip
def test_promises(name: str) -> None:
    ended = check_plugin("inverter", name)
    assert {o.check.name: o.message for o in ended if o.verdict in ("failed", "not judged")} == {}


def test_all_steps_are_tried() -> None:
    known = {info.name for info in registry().infos("inverter") if info.distribution.startswith("ganstrata ")}
    assert known == {"mean", "best", "encoder", "classes", "multi_code", *SEARCHES, "in_domain"}


def test_mean_is_the_mean_of_w_and_not_of_z(task: InversionTask) -> None:
    found = step("mean").invert(task, None)
    w = task.generator.map(task.generator.sample(4096, 1, 0, Stream.VERIFICATION).z)
    assert found.space == "w"
    torch.testing.assert_close(found.latent, w.mean(dim=0).expand(3, -1), rtol=0.0, atol=0.05)
    torch.testing.assert_close(found.codes[:, 1], found.latent)


def test_best_finds_the_sample_among_its_candidates() -> None:
    generator = tiny()
    z = generator.sample(20, SEED, 0, Stream.LEARNING).z  # what `best` tries
    index = torch.tensor([5, 6])
    render = Renderer(generator, index, noise_seed(SEED, Stream.EDITING))
    pictures = render(Inversion(generator.broadcast(generator.map(z[[13, 2]])))).images
    task = InversionTask(generator, pictures, index, render, SquaredError(pictures), seed=SEED)
    found = step("best", samples=20, batch=6).invert(task, None)
    assert torch.equal(found.latent, z[[13, 2]])
    assert distance(task, found) == pytest.approx([0.0, 0.0], abs=1e-9)
    assert found.losses is not None
    assert found.losses.shape == (4, 2)
    assert (found.losses[1:] <= found.losses[:-1]).all()
    assert (found.losses[0] > 1e-6).tolist() == [True, False]  # the second is in the first batch
    fewer = step("best", samples=12, batch=6).invert(task, None)  # which the first is not among
    assert distance(task, fewer)[0] > 1e-6


def test_best_passes_over_samples_without_a_distance(task: InversionTask) -> None:
    def holed(rendering, rows=None):
        distances = task.distance(rendering, rows)
        return torch.cat([torch.full_like(distances[:1], torch.nan), distances[1:]])

    found = step("best", samples=8, batch=4).invert(dataclasses.replace(task, distance=holed), None)
    whole = step("best", samples=8, batch=4).invert(task, None)
    assert found.losses is not None
    assert whole.losses is not None
    assert found.losses.isfinite().all()
    assert (found.losses >= whole.losses).all()
    for i in range(len(task.index)):
        assert float(task.distance(task.render(rows_of(found, [i]), [i]), [i])) == pytest.approx(
            float(found.losses[-1, i]), rel=1e-4
        )


def test_best_chooses_the_class_too_unless_it_is_given() -> None:
    task = task_of(tiny(TinyClasses))
    found = step("best", samples=60).invert(task, None)
    assert found.condition is not None
    assert found.condition.tolist() == [0, 1, 2]  # of the samples 0, 1 and 2
    given = dataclasses.replace(task, condition=torch.tensor([2, 2, 0]))
    assert step("best", samples=4).invert(given, None).condition.tolist() == [2, 2, 0]


def test_a_picture_of_the_generator_inverts_to_itself() -> None:
    task = task_of(tiny())
    start = step("best", samples=64).invert(task, None)
    found = step("w+", steps=300).invert(task, start)
    assert max(distance(task, found)) < 10**-3.5  # 35 dB


@pytest.mark.parametrize("name", SEARCHES)
def test_losses_are_the_distances_before_each_step_and_after_the_last(
    name: str, task: InversionTask, start: Inversion
) -> None:
    told: list[torch.Tensor] = []
    task = dataclasses.replace(task, on_step=lambda losses: told.append(losses.clone()))
    options = {"prior": 100.0} if name in ("z", "w", "w+") else {}
    found = step(name, steps=6, **options).invert(task, start)
    assert found.losses is not None
    assert found.losses.shape == (7, 3)
    if name != "noise":  # whose maps are normalised before
        assert found.losses[0].tolist() == pytest.approx(distance(task, start), rel=1e-4)
    assert found.losses[-1].tolist() == pytest.approx(distance(task, found), rel=1e-4)
    assert len(told) == 6


def test_spaces_differ_in_what_moves(task: InversionTask, start: Inversion) -> None:
    generator = task.generator
    z = step("z", steps=4).invert(task, start)
    assert torch.equal(generator.broadcast(generator.map(z.latent)), z.codes)
    w = step("w", steps=4).invert(task, start)
    assert torch.equal(w.codes, generator.broadcast(w.latent))
    plus = step("w+", steps=4).invert(task, start)
    assert plus.latent is None
    assert (plus.codes[:, 0] - plus.codes[:, 1]).abs().min() > 0.0
    again = step("w", steps=1, rate=1e-9).invert(task, plus)  # it begins with the mean over layers
    units = standards(generator, None, SEED)
    expected = units.w.values(units.codes.units(plus.codes).mean(dim=1))
    torch.testing.assert_close(again.latent, expected)
    with pytest.raises(UserError, match="no z but codes in w\\+"):
        step("z").invert(task, plus)


def test_a_prior_keeps_codes_near_the_mean_and_spread_keeps_layers_together(
    task: InversionTask, start: Inversion
) -> None:
    units = standards(task.generator, None, SEED).codes

    def found(**options: float) -> torch.Tensor:
        return units.units(step("w+", steps=60, **options).invert(task, start).codes)

    free, near, together = found(), found(prior=1.0), found(spread=1.0)
    assert near.square().mean() < 0.2 * free.square().mean()
    apart = [(x - x.mean(dim=1, keepdim=True)).square().mean() for x in (free, together)]
    assert apart[1] < 0.05 * apart[0]
    assert together.square().mean() > 0.3 * free.square().mean()


def test_jitter_falls_to_nothing_and_depends_on_the_index(task: InversionTask, start: Inversion) -> None:
    first = step("w+", steps=1, jitter=0.5).invert(task, start).losses
    assert first is not None
    assert first[0].tolist() != pytest.approx(distance(task, start), rel=1e-3)
    last = step("w+", steps=8, jitter=0.5).invert(task, start)
    assert last.losses is not None
    assert last.losses[-1].tolist() == pytest.approx(distance(task, last), rel=1e-4)


def test_jitter_is_new_in_each_step_and_ends_at_three_quarters(task: InversionTask) -> None:
    jitter, units = Jitter(CodeConfig(steps=8, jitter=0.5), task), torch.zeros(len(task.index), 2000)
    first, second, third = (jitter.added(units, s) for s in (0, 1, 3))
    for drawn, sd in ((first, 0.5), (second, 0.5 * (5 / 6) ** 2), (third, 0.125)):
        assert drawn.std(dim=1).tolist() == pytest.approx([sd] * len(units), rel=0.1)
    assert abs(float(torch.corrcoef(torch.stack([first[0], second[0]]))[0, 1])) < 0.1
    assert torch.equal(jitter.added(units, 6), units)


def test_the_rate_rises_and_falls() -> None:
    config = SearchConfig(steps=100, rate=2.0, warm_up=0.2, ramp_down=0.5)
    rates = [rate_at(config, s) for s in range(100)]
    assert rates[:20] == sorted(rates[:20])
    assert rates[25:50] == [2.0] * 25
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert 0.0 < rates[99] < 0.001
    assert rates[9] == pytest.approx(2.0 * 9.5 / 20.0)
    flat = SearchConfig(steps=3, rate=2.0, warm_up=0.0, ramp_down=0.0)
    assert [rate_at(flat, s) for s in range(3)] == [2.0] * 3


def test_variables_move_by_adam_with_rates_of_their_own() -> None:
    config = SearchConfig(steps=3, rate=0.1, warm_up=0.0, ramp_down=0.0)
    one, other = Variable(torch.zeros(1, 2)), Variable(torch.zeros(1, 2), rate=0.5)
    slopes = [1.0, -2.0, 3.0, 0.0]
    descend(
        config, [one, other], lambda step: Loss(slopes[step] * (one.value + other.value).sum(1)), len, "it"
    )
    x = mean = square = 0.0
    for step, slope in enumerate(slopes[:3], start=1):
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        x -= 0.1 * (mean / (1.0 - 0.9**step)) / (math.sqrt(square / (1.0 - 0.999**step)) + 1e-8)
    torch.testing.assert_close(one.value, torch.full((1, 2), x))
    torch.testing.assert_close(other.value, torch.full((1, 2), 0.5 * x))


def test_a_search_ends_early_only_if_all_pictures_are_near_enough() -> None:
    one, config = Variable(torch.zeros(2, 1)), SearchConfig(steps=2)
    for farthest, count in ((1.0, 3), (0.5, 1)):
        distances = torch.tensor([0.0, farthest])
        losses = descend(
            config, [one], lambda step, at=distances: Loss(at + 0.0 * one.value[:, 0]), len, "it", stop=0.5
        )
        assert losses.tolist() == [distances.tolist()] * count


def test_noise_maps_move_and_stay_noise(task: InversionTask, start: Inversion) -> None:
    found = step("noise", steps=40).invert(task, start)
    assert sorted(found.noise) == [0, 1, 2]
    inputs = Inputs(3, None, task.index, noise_seed(SEED, Stream.EDITING))
    for s, x in found.noise.items():
        assert x.shape == (3, 1, SIZE, SIZE)
        own = normalised(task.generator.noise_map(s, inputs))
        assert 0.1 < (x - own).abs().mean() < 2.0
        assert x.mean(dim=(1, 2, 3)).abs().max() < 1e-5
        torch.testing.assert_close(x.square().mean(dim=(1, 2, 3)), torch.ones(3))
    assert torch.equal(found.codes, start.codes)
    kept = step("noise", steps=1, rate=1e-9).invert(task, found)  # it goes on with those that it is given
    torch.testing.assert_close(kept.noise[1], found.noise[1])
    free, held = (step("noise", steps=40, regulariser=r).invert(task, start).noise for r in (0.0, 1e4))
    free, held = (sum(float(correlation(x).sum()) for x in maps.values()) for maps in (free, held))
    assert held < 0.3 * free
    both = step("noise", steps=4, codes="w").invert(task, start)
    assert both.space == "w"
    assert not torch.equal(both.codes, start.codes)


def test_correlation_sees_neighbours_at_all_sizes() -> None:
    squares = torch.arange(16) // 2 % 2
    checks = (1 - 2 * ((squares[:, None] + squares) % 2)).view(1, 1, 16, 16)  # squares of 2 x 2 pixels
    # Of 16 pixels, neighbours are as often equal as not. Halved, times 2, they are opposite: twice (-4)^2.
    assert correlation(checks.float()).item() == pytest.approx(32.0)


def test_pivotal_tuning_changes_weights_and_not_codes(task: InversionTask, start: Inversion) -> None:
    generator = task.generator
    before = {name: x.clone() for name, x in generator.tunable.items()}
    found = step("pivotal", steps=30, rate=0.01).invert(task, start)
    assert torch.equal(found.codes, start.codes)
    assert [sorted(weights) for weights in found.weights] == 3 * [
        sorted(name for name in before if not name.startswith("mapping"))
    ]
    assert not torch.equal(found.weights[0]["output.bias"], found.weights[1]["output.bias"])
    assert max(b / a for a, b in zip(distance(task, start), distance(task, found), strict=True)) < 0.5
    assert all(torch.equal(x, before[name]) for name, x in generator.tunable.items())
    further = step("pivotal", steps=1, rate=1e-9).invert(task, found)  # it goes on with these weights
    assert distance(task, further) == pytest.approx(distance(task, found), rel=1e-4)


def test_pivotal_tuning_ends_where_it_is_near_enough(task: InversionTask, start: Inversion) -> None:
    whole = step("pivotal", steps=20, rate=0.01).invert(task, start)
    assert whole.losses is not None
    stop = float(whole.losses[10, 1])
    told: list[torch.Tensor] = []
    ended = step("pivotal", steps=20, rate=0.01, stop=stop).invert(
        dataclasses.replace(task, on_step=told.append), start
    )
    assert ended.losses is not None
    assert ended.losses.shape == (21, 3)
    assert ended.losses[10:, 1].tolist() == pytest.approx([stop] * 11, rel=1e-3)
    assert distance(task, ended)[1] == pytest.approx(stop, rel=1e-3)
    assert len(told) == 20


def test_locality_keeps_other_pictures(task: InversionTask, start: Inversion) -> None:
    generator = task.generator
    others = generator.broadcast(generator.map(generator.sample(3, 9, 0, Stream.VALIDATION).z))

    def change(locality: float) -> float:
        found = step("pivotal", steps=30, rate=0.01, locality=locality, reach=1.0).invert(task, start)
        with torch.no_grad():
            moved = task.render(dataclasses.replace(found, codes=others)).images
            return float((moved - task.render(Inversion(others)).images).square().mean())

    assert change(10.0) < 0.5 * change(0.0)


def test_several_codes_make_the_picture_together(task: InversionTask) -> None:
    found = step("multi_code", codes=3, steps=40, stratum=1).invert(task, None)
    mixture = found.mixture
    assert mixture is not None
    assert mixture.codes.shape == (3, 3, LAYERS, WIDTH)
    assert mixture.weights.shape == (3, 3, 6)
    assert mixture.stratum == 1
    torch.testing.assert_close(found.codes, mixture.codes.mean(dim=1))
    assert found.losses is not None
    assert (found.losses[-1] < 0.5 * found.losses[0]).all()
    assert found.losses[-1].tolist() == pytest.approx(distance(task, found), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [("w", {}), ("w+", {}), ("z", {}), ("noise", {"codes": "w+"}), ("pivotal", {"locality": 0.1})],
)
def test_several_codes_are_not_refined_as_one(task: InversionTask, name: str, options: dict) -> None:
    found = step("multi_code", codes=2, steps=1, stratum=1).invert(task, None)
    with pytest.raises(UserError, match="`multi_code` found several for each; begin with another step"):
        step(name, steps=1, **options).invert(task, found)
    refined = step("noise", steps=1).invert(task, found)
    assert refined.mixture is not None


def test_mixing_adds_feature_maps_by_channel() -> None:
    maps = [torch.ones(1, 2, 1, 1), torch.full((1, 2, 1, 1), 10.0)]
    weights = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # (N, K, C)
    assert sum_of(maps, weights).flatten().tolist() == [31.0, 42.0]


def test_the_class_is_found_and_its_weights_move() -> None:
    task = task_of(tiny(TinyClasses))
    found = step("classes", steps=0, tried=20).invert(task, None)
    assert found.condition is not None
    assert found.condition.tolist() == torch.eye(3).tolist()
    moved = step("classes", steps=60, tried=4).invert(task, None)
    assert moved.condition is not None
    torch.testing.assert_close(moved.condition.sum(dim=1), torch.ones(3))
    assert (moved.condition > 0.0).all()
    begun = step("classes", steps=0, tried=4).invert(task, None)
    assert sum(distance(task, moved)) < 0.5 * sum(distance(task, begun))
    still = step("classes", steps=5, tried=4, class_rate=0.0, doubt=0.3).invert(task, None)
    assert still.condition is not None
    torch.testing.assert_close(still.condition.max(dim=1).values, torch.full((3,), 0.7))
    with pytest.raises(UserError, match="the class was given"):
        step("classes").invert(dataclasses.replace(task, condition=torch.zeros(3, dtype=torch.int64)), None)
    with pytest.raises(UserError, match="no classes to choose from"):
        step("classes").check_generator(tiny())


def test_units_of_a_class_are_those_of_its_samples() -> None:
    generator = tiny(TinyClasses)
    both = standards(generator, torch.tensor([0, 2, 0]), 0).w
    assert torch.equal(both.mean[0], both.mean[2])
    difference = generator.embedding[2] - generator.embedding[0]
    torch.testing.assert_close(both.mean[1] - both.mean[0], difference, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("name", ["mean", "multi_code"])
def test_a_class_that_is_needed_is_asked_for(name: str) -> None:
    task = task_of(tiny(TinyClasses))
    with pytest.raises(UserError, match="give its class, or begin with `best` or `classes`"):
        step(name).invert(task, None)
    given = dataclasses.replace(task, condition=torch.tensor([0, 1, 2]))
    options = {} if name == "mean" else {"steps": 1, "codes": 2}
    assert step(name, **options).invert(given, None).condition.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", [*SEARCHES, "multi_code"])
def test_without_gradients_best_is_offered(name: str) -> None:
    with pytest.raises(
        UserError, match=f"'{name}'.*gives? none.*--embed best --refine none".replace("+", "\\+")
    ):
        step(name).check_generator(tiny(TinyFrozen))
    step("best").check_generator(tiny(TinyFrozen))


def test_a_generator_without_noise_or_weights_is_refused() -> None:
    class Silent(Tiny):
        def noise_map(self, s: int, inputs: Inputs) -> None:
            return None

        @property
        def tunable(self) -> dict[str, torch.Tensor]:
            return {}

    with pytest.raises(UserError, match="adds no noise that could be refined"):
        step("noise").check_generator(tiny(Silent))
    with pytest.raises(UserError, match="no weights that can be tuned"):
        step("pivotal").check_generator(tiny(Silent))

    class NoiseConfig(PluginConfig):
        noise: str

    for mode, words in (("none", "give `noise: const`"), ("fresh", "takes no noise maps in its place")):
        with pytest.raises(UserError, match=words):
            step("noise").check_generator(Silent(NoiseConfig(noise=mode), torch.device("cpu")))


def test_a_loss_that_is_not_finite_ends_the_search(task: InversionTask, start: Inversion) -> None:
    wrong = dataclasses.replace(
        task, distance=lambda rendering, rows=None: rendering.images.sum(dim=(1, 2, 3)) / 0.0
    )
    with pytest.raises(DataError, match="not finite in step 0 of 5; give a smaller rate"):
        step("w+", steps=5).invert(wrong, start)


def test_rows_of_a_start_are_inverted_as_all_are(task: InversionTask, start: Inversion) -> None:
    whole = step("w+", steps=10, jitter=0.1).invert(task, start)
    render = dataclasses.replace(task.render, index=task.index[1:2])
    alone = dataclasses.replace(
        task,
        pictures=task.pictures[1:2],
        index=task.index[1:2],
        render=render,
        distance=SquaredError(task.pictures[1:2]),
    )
    found = step("w+", steps=10, jitter=0.1).invert(alone, rows_of(start, [1]))
    torch.testing.assert_close(found.codes[0], whole.codes[1], rtol=0.0, atol=0.02)
