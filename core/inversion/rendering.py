"""Make the pictures of inversions: of codes, noise maps, tuned weights, and several codes per picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import MismatchError
from ..messages import listed
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..plugins.inverter import Inversion
from ..plugins.records import Inputs, Rendering
from ..runs.inversion_rows import rows_of
from ..strata.composition import Pass
from ..strata.mixtures import render_mixture
from ..strata.noise_maps import size_of_noise
from ..strata.tuned import tuned


@dataclass(frozen=True)
class Renderer:
    """Make pictures of inversions, with gradients if they are switched on: a `Render` of a task.

    Attributes:
        generator: generator of the codes.
        index: of each picture of the task (N,), which decides its fresh noise.
        noise: seed of fresh noise, such as `noise_seed(seed, Stream.EDITING)`.
        features: strata whose feature maps are collected.
        precision: fp32, bf16 or fp16.
        late: whether pictures that are not finite are refused by `rendering.settle()`, as `Pass` does it, so
            that no step of a search waits for an accelerator.
    """

    generator: Generator
    index: Tensor
    noise: int = 0
    features: tuple[int, ...] = ()
    precision: str = "fp32"
    late: bool = False
    _sizes: dict[int, tuple[int, ...] | None] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, inversion: Inversion, rows: Sequence[int] | None = None) -> Rendering:
        """Return the rendering of M pictures.

        Pictures with weights of their own are made one by one.

        Args:
            inversion: of M pictures.
            rows: which pictures of the task they are; None for all, in order.

        Raises:
            MismatchError: noise maps or weights do not fit the generator.
            UserError: codes cannot be mixed after the stratum of the mixture.
            PictureError: a picture is not finite.
        """
        index = self.index if rows is None else self.index[list(rows)]
        self._check_maps(inversion.noise)
        if not any(inversion.weights):
            return self._batch(inversion, index)
        parts = []
        for i, weights in enumerate(inversion.weights):
            with tuned(self.generator, weights):
                parts.append(self._batch(rows_of(inversion, [i]), index[i : i + 1]))
        return joined(parts)

    def _batch(self, inversion: Inversion, index: Tensor) -> Rendering:
        """Return the rendering of pictures that share the weights which the generator has now."""
        n, mixture = len(inversion.codes), inversion.mixture
        if mixture is not None:
            inputs = Inputs(n, inversion.condition, index, self.noise, inversion.noise)
            return render_mixture(
                self.generator,
                mixture,
                inversion.codes,
                inputs,
                features=self.features,
                precision=self.precision,
                late=self.late,
            )
        return Pass(
            self.generator,
            inversion.codes,
            condition=inversion.condition,
            index=index,
            noise=self.noise,
            maps=inversion.noise,
            precision=self.precision,
            features=self.features,
            late=self.late,
        ).rendering

    def _check_maps(self, maps: Mapping[int, Tensor]) -> None:
        """Refuse noise maps of strata that take none, or of another size.

        Raises:
            MismatchError: the message names them.
        """
        for s in maps:
            if s not in self._sizes:
                self._sizes[s] = size_of_noise(self.generator, s)
        wrong = [s for s, x in maps.items() if self._sizes[s] != tuple(x.shape[1:])]
        if wrong:
            raise MismatchError(
                f"the noise maps of {listed(f'stratum {s}' for s in wrong)} do not fit "
                f"{owner_of(self.generator)}: "
                + listed(
                    f"stratum {s} adds none"
                    if self._sizes[s] is None
                    else f"stratum {s} takes {self._sizes[s]} and not {tuple(maps[s].shape[1:])}"
                    for s in wrong
                )
            )


def joined(parts: Sequence[Rendering]) -> Rendering:
    """Return one rendering of the pictures of several, in their order."""
    first = parts[0]

    def settle() -> None:
        for part in parts:
            part.settle()

    return Rendering(
        torch.cat([part.images for part in parts]),
        {s: torch.cat([part.features[s] for part in parts]) for s in first.features},
        composed=True,
        pictures=torch.cat([part.pictures for part in parts]),
        precision=first.precision,
        doubt=None if all(part.settled for part in parts) else settle,
    )
