"""Refine the noise maps too, without letting a picture hide in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ...core.device import sent
from ...core.errors import UserError
from ...core.plugins.base import owner_of
from ...core.plugins.generator import Generator
from ...core.plugins.inverter import Inversion, InversionTask
from ...core.plugins.records import Inputs
from ...core.randomness import Stream, noise_seed
from .codes import Jitter, added, prior_penalty, required_start, spread_penalty, start_of_one_code
from .descent import Loss, Searching, Variable, descend
from .spaces import SPACES, Moved
from .w_plus import WPlusConfig

SMALLEST = 8  # pixels of the smaller side at which halving ends


class Noise(Searching):
    """Move the noise maps that the strata add, alone or with the codes.

    Maps are kept like noise: after each step each of them gets mean 0 and standard deviation 1, and

        regulariser sum over maps n_ij of (mean n(y, x) n(y, x - 1))^2 + (mean n(y, x) n(y - 1, x))^2

    is added to the loss, where n_ij is map i averaged over 2 x 2 pixels j times, times 2^j. Without it they
    take up the picture itself, which then stays where it is when codes are edited.

    With `codes: w` it is the projection of Karras et al., "Analyzing and Improving the Image Quality of
    StyleGAN", CVPR 2020, appendix D, whose regulariser this is.
    """

    class Config(WPlusConfig):
        """Set steps, rate, penalties, and what moves with the noise."""

        codes: Literal["still", "w", "w+"] = Field(
            default="still", description="what moves with the noise: no codes, one w, or one code per layer"
        )
        regulariser: float = Field(
            default=10.0,
            ge=0.0,
            le=1e9,
            description="weight of the squared correlation of neighbouring pixels of a map; 1e5 in NVIDIA's "
            "projector, whose distance is some hundred times larger",
        )

    config: Config
    step = "refine"

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without gradients or without noise.

        Raises:
            UserError: it is one.
        """
        super().check_generator(generator)
        if not own_noise(generator, Inputs(1, None, torch.zeros(1, dtype=torch.int64))):
            raise UserError(f"{owner_of(generator)} {_why_no_maps(generator)}")

    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return noise maps, and perhaps codes, whose pictures are nearer.

        Raises:
            UserError: there is no start, or the generator adds no noise, or its pictures give no gradients.
            DataError: a loss is not finite.
        """
        config = self.config
        start = required_start(start, self) if config.codes == "still" else start_of_one_code(start, self)
        inputs = Inputs(len(start.codes), start.condition, task.index, noise_seed(task.seed, Stream.EDITING))
        first = own_noise(task.generator, inputs) | dict(start.noise)
        maps = {s: Variable(normalised(x.float()).clone()) for s, x in first.items()}
        moved = None if config.codes == "still" else SPACES[config.codes](task, start)
        units = [] if moved is None else [Variable(moved.units)]
        jitter = Jitter(config, task)

        def found(step: int) -> Inversion:
            base = start if moved is None else moved.found(jitter.added(units[0].value, step))
            return replace(base, noise={s: one.value for s, one in maps.items()})

        def loss(step: int) -> Loss:
            correlated = [correlation(one.value) for one in maps.values()]
            noise = config.regulariser * torch.stack(correlated).sum(dim=0) if config.regulariser else None
            return Loss(task.distance(task.render(found(step))), added(noise, self._penalty(moved, units)))

        def after(step: int) -> None:
            for one in maps.values():
                one.value.copy_(normalised(one.value))

        variables = [*maps.values(), *units]
        losses = descend(config, variables, loss, task.on_step, owner_of(self), after)
        with torch.no_grad():
            return replace(found(config.steps), losses=losses)

    def _penalty(self, moved: Moved | None, units: list[Variable]) -> Tensor | None:
        """Return the penalty on codes (N,); None if they stay."""
        if moved is None:
            return None
        value = units[0].value
        spread = spread_penalty(value, self.config.spread) if self.config.codes == "w+" else None
        return added(prior_penalty(value, self.config.prior), spread)


def _why_no_maps(generator: Generator) -> str:
    """Return in words why a generator has no noise maps, and what to do instead."""
    mode = getattr(generator.config, "noise", None)
    if mode is None:
        return "adds no noise that could be refined; refine `w+` or `pivotal`"
    if mode == "none":
        return (
            "adds no noise that could be refined: its config says `noise: none`. If its network has noise, "
            "give `noise: const`, after a checkpoint :noise=const"
        )
    return (
        "adds noise, but takes no noise maps in its place, so `noise` cannot refine it; refine `w+` or "
        "`pivotal`. Those with a map for each convolution can: StyleGAN, StyleGAN2 and their relatives of "
        "NVIDIA's kind"
    )


def own_noise(generator: Generator, inputs: Inputs) -> dict[int, Tensor]:
    """Return the noise (N, 1, h, w) of each stratum that adds any, on the generator's device."""
    maps = {s: generator.noise_map(s, inputs) for s in range(len(generator.strata))}
    return {
        s: sent(x.detach(), generator.device).expand(inputs.n, -1, -1, -1)
        for s, x in maps.items()
        if x is not None
    }


def normalised(noise: Tensor) -> Tensor:
    """Return maps (N, 1, h, w) with mean 0 and standard deviation 1 each.

    >>> normalised(torch.tensor([[[[1.0, 3.0], [1.0, 3.0]]]])).flatten().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    centred = noise - noise.mean(dim=(2, 3), keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(dim=(2, 3), keepdim=True).clamp(min=1e-12))


def correlation(noise: Tensor) -> Tensor:
    """Return the squared correlations of neighbours of maps (N, 1, h, w), added over sizes, (N,).

    The maps wrap around. They are halved until the smaller side is 8 pixels, or as it is if it is smaller.

    >>> stripes = torch.tensor([-1.0, 1.0]).repeat(1, 1, 8, 4)
    >>> correlation(stripes).tolist()  # neighbours in a row are opposite, those in a column equal
    [2.0]
    """
    total = noise.new_zeros(len(noise))
    while True:
        for dim in (2, 3):
            total = total + (noise * noise.roll(1, dims=dim)).mean(dim=(1, 2, 3)).square()
        if min(noise.shape[2:]) <= SMALLEST:
            return total
        noise = 2.0 * F.avg_pool2d(noise, 2)
