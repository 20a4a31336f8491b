"""Begin with the mean of all samples."""

from __future__ import annotations

import torch

from ...core.plugins.inverter import Inversion, InversionTask, Inverter
from .conditions import required
from .standard import standards


class Mean(Inverter):
    """Take the mean w of 2048 samples for every picture; of a generator without w, z = 0.

    It looks at no picture, so it is the start that knows least. If a class is given, the mean is of its
    samples.
    """

    step = "embed"
    needs_gradients = False

    @torch.no_grad()
    def invert(self, task: InversionTask, start: Inversion | None) -> Inversion:
        """Return the mean, for all pictures.

        Raises:
            UserError: the generator needs a class, and none was given.
        """
        generator, n = task.generator, len(task.pictures)
        condition = required(task, "mean")
        if generator.space == "z":
            z = torch.zeros(n, generator.card.latent_size, device=generator.device)
            return Inversion(generator.broadcast(generator.map(z, condition), condition), condition, z, "z")
        w = standards(generator, condition, task.seed).w.mean.expand(n, -1)
        return Inversion(generator.broadcast(w, condition), condition, w, "w")
