"""Hold a generator with a batch of codes, and the ways of rendering to compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import ganstrata
import plain
import torch
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.checkpoints.inspect import examine
from ganstrata.core.device import auto_batch, autocast
from measure import clock_of
from torch import Tensor

PLAIN, LAST, GROUPED, RENDER = (
    "plain",
    "plain, channels last",
    "plain, weights per sample",
    "ganstrata.render",
)
# Their files store no noise, which plain passes therefore cannot know: both compute without it.
SILENT = ("fastgan", "lightweight_gan", "lucidrains_stylegan2", "mobile_stylegan", "r3gan2")
LAYOUTS = {PLAIN: torch.contiguous_format, LAST: torch.channels_last}

Call = Callable[[], Tensor]


class Subject:
    """Open a checkpoint by its plugin, and once more for the plain forward passes.

    Args:
        checkpoint: a path, or `bundled:NAME`.
        batch: number of images; 0 for the pipeline's choice.
        device: where to compute.
    """

    def __init__(self, checkpoint: str, batch: int, device: str = "cpu") -> None:
        claim = choose(read_checkpoint(locate(checkpoint, "generator")))
        examined = examine(claim)
        assert examined is not None
        self.plugin, self.architecture = claim.plugin, examined.architecture
        quiet = {"noise": "none"} if claim.plugin in SILENT else {}
        self.generator: Any = ganstrata.load_generator(
            claim.plugin, checkpoint=checkpoint, device=device, **quiet
        )
        self.device = self.generator.device
        self.tensors = {name: tensor.to(self.device) for name, tensor in examined.tensors.items()}
        self.batch = batch or auto_batch(self.generator.card.resolution, self.device)
        latents = self.generator.sample(self.batch, 0, 0, ganstrata.Stream.PROBING)
        self.codes: Tensor = self.generator.broadcast(
            self.generator.map(latents.z, latents.condition), latents.condition
        )
        self.classes: Tensor | None = None
        if (
            latents.condition is not None
        ):  # as weights: they need no check of their values, for which a GPU would have to be waited for
            self.classes = (
                torch.nn.functional.one_hot(latents.condition.long(), examined.classes)
                .float()
                .to(self.device)
            )

    def case(self, name: str, precision: str = "fp32", *, n: int | None = None) -> Call:
        """Return one way of rendering the first n images, by default all."""
        codes, classes = self.codes[:n], None if self.classes is None else self.classes[:n]
        if name == RENDER:
            return lambda: ganstrata.render(self.generator, codes, condition=classes, precision=precision)
        forward = self._forwards[name]

        def call() -> Tensor:
            with autocast(self.device, precision):
                return forward(codes, classes)

        return call

    @property
    def names(self) -> list[str]:
        """Return the names of all ways."""
        return [PLAIN, *([GROUPED] if self.plugin == "stylegan2" else []), LAST, RENDER]

    def compare(self) -> tuple[float, dict[str, float]]:
        """Return the largest difference of plain and plugin images, and the seconds of one pass each.

        The difference is in standard deviations of the plugin's pixels.
        """
        image = self.case(RENDER)()
        clock = clock_of(wall=self.device.type == "cuda")
        worst, seconds = 0.0, {}
        for name in self.names:
            began = clock()
            again = self.case(name)()
            seconds[name] = clock() - began
            worst = max(worst, float((again - image).abs().max() / image.std()))
        return worst, seconds

    @cached_property
    def _forwards(self) -> dict[str, plain.Forward]:
        cases = {
            name: plain.prepare(self.plugin, self.tensors, self.architecture, layout)
            for name, layout in LAYOUTS.items()
        }
        if GROUPED in self.names:
            cases[GROUPED] = plain.prepare(
                self.plugin, self.tensors, self.architecture, torch.contiguous_format, grouped=True
            )
        return cases
