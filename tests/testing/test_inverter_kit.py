"""Each check of an inverter fails for a plugin that breaks its promise; a sound plugin passes all."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganstrata import Inverter, PluginConfig, Stream, UserError
from ganstrata.core.randomness import Use, normals
from ganstrata.core.runs.inversion_rows import rows_of
from ganstrata.testing import DoesNotApply, checks_of, conformance
from ganstrata.testing.subject import Subject
from ganstrata.testing.tiny import tiny
from kit_outcomes import assert_told_once, failure
from pydantic import ConfigDict


class Sound(Inverter):
    """Move z a little against the gradient, four times."""

    step = "refine"

    def invert(self, task, start):
        if start is None:
            raise UserError("begin with a start")
        found = start
        for _ in range(4):
            found = self.moved(task, found)
            task.on_step(task.distance(task.render(found)).detach())
        return found

    def moved(self, task, found):
        generator = task.generator
        with torch.enable_grad():
            z = found.latent.detach().clone().requires_grad_(True)
            codes = generator.broadcast(generator.map(z, found.condition), found.condition)
            loss = task.distance(task.render(replace(found, codes=codes)))
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        with torch.no_grad():
            z = z.detach() - self.rate(task) * gradient
            codes = generator.broadcast(generator.map(z, found.condition), found.condition)
        return replace(found, codes=codes, latent=z)

    def rate(self, task):
        return 0.5

    def total_steps(self):
        return 4


class NoStep(Sound):
    step = "guess"


class LooseConfig(Sound):
    class Config(PluginConfig):
        model_config = ConfigDict(extra="allow", frozen=True)


class Training(Sound):
    def __init__(self, config, device):
        super().__init__(config, device)
        self.network = torch.nn.Linear(1, 1)


class OneRow(Sound):
    def invert(self, task, start):
        found = super().invert(task, start)
        return replace(found, codes=found.codes[:, :1])


class OtherLatent(Sound):
    def invert(self, task, start):
        found = super().invert(task, start)
        return replace(found, latent=found.latent + 1.0)


class Writing(Sound):
    def invert(self, task, start):
        found = super().invert(task, start)
        start.codes.add_(1.0)
        return found


class Drifting(Sound):
    numbers = itertools.count()

    def moved(self, task, found):
        found = super().moved(task, found)
        source = torch.Generator().manual_seed(self.number(task))
        z = found.latent + self.size * torch.randn(found.latent.shape[1:], generator=source)
        codes = task.generator.broadcast(task.generator.map(z, found.condition))
        return replace(found, codes=codes, latent=z)

    size = 0.02

    def number(self, task):
        return next(self.numbers)

    def rate(self, task):
        return 25.0


class Batched(Drifting):
    size = 1.0

    def number(self, task):
        return len(task.index)


class Turned(Sound):
    """Gives each picture what was found for the next one."""

    order = (1, 2, 0)

    def invert(self, task, start):
        found = super().invert(task, start)
        if found is None or len(task.index) < len(self.order):
            return found
        return rows_of(found, list(self.order))


class Swapped(Turned):
    order = (1, 0, 2)


class Placed(Drifting):
    """Draws by the place in the batch, and not by the index."""

    def moved(self, task, found):
        found = Sound.moved(self, task, found)
        source = torch.Generator().manual_seed(task.seed)
        z = found.latent + 0.02 * torch.randn(found.latent.shape, generator=source)
        codes = task.generator.broadcast(task.generator.map(z, found.condition))
        return replace(found, codes=codes, latent=z)


class Seeded(Drifting):
    """Draws by seed and index."""

    def moved(self, task, found):
        found = Sound.moved(self, task, found)
        z = found.latent + 0.001 * torch.cat([self.drawn(task.seed, int(i)) for i in task.index])
        codes = task.generator.broadcast(task.generator.map(z, found.condition))
        return replace(found, codes=codes, latent=z)

    def drawn(self, seed, index):
        return torch.randn(1, 8, generator=torch.Generator().manual_seed(97 * seed + index))


class Seedless(Seeded):
    def drawn(self, seed, index):
        return super().drawn(0, index)


class SeedlessInNumpy(Seeded):
    def drawn(self, seed, index):
        return torch.from_numpy(np.random.default_rng(index).standard_normal((1, 8), dtype=np.float32))


class SeedlessSample(Seeded):
    generator = tiny()

    def drawn(self, seed, index):
        return self.generator.sample(1, 0, index, Stream.LEARNING).z


class SeedlessNormals(Seeded):
    def drawn(self, seed, index):
        return torch.from_numpy(normals(0, Stream.LEARNING, Use.NOISE, range(index, index + 1), 8))


class Uphill(Sound):
    def rate(self, task):
        return -0.5


class Silent(Sound):
    def total_steps(self):
        return 5


class Trusting(Sound):
    def invert(self, task, start):
        return start if start is None else super().invert(task, start)


class AnyGenerator(Sound):
    def check_generator(self, generator):
        pass


BROKEN: Mapping[str, tuple[type[Inverter], str]] = {
    "config is strict": (LooseConfig, "extra='forbid'"),
    "networks are in evaluation mode": (Training, "call .eval()"),
    "step is declared": (NoStep, 'step = "embed"'),
    "inversion fits the generator": (OneRow, "(3, 3, 8) was expected"),
    "latent is that of the codes": (OtherLatent, "give latent=None and space='w+'"),
    "start and generator are left alone": (Writing, "the start's codes is not as it was before"),
    "refining brings pictures nearer": (Uphill, "follow the gradient"),
    "steps are told": (Silent, "called 4 times for a batch, and total_steps() says 5"),
    "missing start is named": (Trusting, "raise ganstrata.UserError if `start` is None"),
    "generator without gradients is refused": (AnyGenerator, "needs_gradients = False"),
}


def test_there_is_a_broken_plugin_for_every_check() -> None:
    shared = {"declarations are complete", "missing file is named"}
    apart = {
        "inverting again gives the same",
        "batch does not change a result",
        "seed decides what is drawn",
    }
    assert list(BROKEN) == [c.name for c in checks_of("inverter") if c.name not in shared | apart]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_told_with_its_cure_and_once(name: str) -> None:
    plugin, cure = BROKEN[name]
    assert_told_once("inverter", plugin, name, cure)


def test_what_depends_on_the_call_or_the_batch_is_told() -> None:
    assert "draw random numbers" in failure("inverter", Drifting, "inverting again gives the same")
    assert "task.seed and task.index" in failure("inverter", Batched, "batch does not change a result")
    for mixed in (Turned, Swapped, Placed):
        assert "or their order" in failure("inverter", mixed, "batch does not change a result"), mixed


@pytest.mark.parametrize("plugin", [Seedless, SeedlessInNumpy, SeedlessSample, SeedlessNormals])
def test_what_is_drawn_without_the_seed_is_told(plugin: type[Inverter]) -> None:
    assert "the same to the last bit" in failure("inverter", plugin, "seed decides what is drawn")


def test_who_draws_by_the_seed_or_draws_nothing_is_not_blamed() -> None:
    check = next(c for c in checks_of("inverter") if c.name == "seed decides what is drawn")
    check.run(Subject("inverter", Seeded, {}))
    with pytest.raises(DoesNotApply, match="draws no random numbers"):
        check.run(Subject("inverter", Sound, {}))


test_a_sound_plugin = conformance("inverter", Sound)
