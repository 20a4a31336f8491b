"""Hold the pictures between which one goes, or whose layers are mixed: inverted ones, or samples.

Shapes: N pictures, T pictures of a path, L layers, D code size, Z latent size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ...device import sent
from ...editing.request import parse_numbers
from ...errors import DataError, UserError
from ...figures.pictures import Pixels, begin_pixels
from ...messages import listed, shown
from ...plugins.generator import Generator
from ...plugins.inverter import Inversion
from ...plugins.pending import Pending, after
from ...plugins.records import Inputs, Rendering
from ...randomness import Stream, noise_seed
from ...runs.inversion_rows import rows_of
from ...runs.inversions import StoredInversion, read_inversion
from ...storage.json_values import JsonObject
from ..rendering import Renderer


@dataclass(frozen=True)
class Points:
    """Hold N pictures with everything of which the generator makes them.

    Attributes:
        generator: the generator.
        names: of the pictures.
        inversion: codes, condition, latents, noise maps, weights.
        index: (N,), which with `seed` decide fresh noise.
        seed: seed of fresh noise, in Stream.EDITING.
        origin: where they come from, for records.
    """

    generator: Generator
    names: tuple[str, ...]
    inversion: Inversion
    index: Tensor
    seed: int
    origin: JsonObject

    @property
    def noise(self) -> int:
        """Seed that fresh noise is drawn with."""
        return noise_seed(self.seed, Stream.EDITING)

    def rows(self, rows: Sequence[int]) -> Points:
        """Return some of the pictures, in the order of `rows`."""
        return replace(
            self,
            names=tuple(self.names[i] for i in rows),
            inversion=rows_of(self.inversion, rows),
            index=self.index[list(rows)],
        )

    def named(self, names: str, option: str) -> list[int]:
        """Return the rows of pictures named `A,B`.

        Raises:
            UserError: there is no such picture.
        """
        rows = []
        for name in (part.strip() for part in names.split(",")):
            if name not in self.names:
                raise UserError(
                    f"{option}: there is no picture {shown(name)}; there are {listed(self.names)}"
                )
            rows.append(self.names.index(name))
        return rows

    def renderings(self, inversion: Inversion, index: Tensor, batch: int) -> Iterator[Rendering]:
        """Yield the renderings of T pictures in batches, of which `settle` refuses what is not finite."""
        for start in range(0, len(inversion.codes), batch):
            rows = range(start, min(start + batch, len(inversion.codes)))
            render = Renderer(self.generator, index[list(rows)], self.noise, late=True)
            yield render(rows_of(inversion, rows))

    def whole_noise(self) -> dict[int, Tensor]:
        """Return all noise that differs from picture to picture: stratum -> (N, 1, h, w).

        Fresh noise of a picture belongs to it as noise that was found for it does.
        """
        n, given = len(self.names), self.inversion.noise
        inputs = Inputs(n, self.inversion.condition, self.index, self.noise)
        maps = dict(given)
        for s in range(len(self.generator.strata)):
            if s not in maps:
                fresh = self.generator.noise_map(s, inputs)
                if fresh is not None and len(fresh) == n > 1:
                    codes = self.inversion.codes
                    maps[s] = sent(fresh.to(codes.dtype), codes.device)
        return maps


def begin_shown(rendering: Rendering) -> Pending[Pixels]:
    """Return the pictures (N, H, W, C) of a rendering without waiting for them; its doubts are settled."""
    settled = Pending(rendering.settle, at_once=rendering.settled)
    return after(settled, begin_pixels(rendering.pictures))


def points_of(stored: StoredInversion, generator: Generator) -> Points:
    """Return inverted pictures.

    Raises:
        DataError: a picture is made of several codes.
    """
    if stored.inversion.mixture is not None:
        raise DataError(
            f"{stored.path}: its pictures are made of several codes each, between which there is no path of "
            "codes; invert them without multi_code"
        )
    return Points(
        generator,
        stored.names,
        stored.inversion,
        stored.index,
        stored.seed,
        {"from": "inversion", "sha256": stored.sha256, "pictures": list(stored.names)},
    )


@torch.no_grad()
def samples_of(generator: Generator, numbers: Sequence[int], seed: int = 0) -> Points:
    """Return samples of Stream.EDITING, as `manipulate --seeds` draws them."""
    latents = [generator.sample(1, seed, i, Stream.EDITING) for i in numbers]
    z = torch.cat([one.z for one in latents])
    conditions = [one.condition for one in latents if one.condition is not None]
    condition = torch.cat(conditions) if conditions else None
    codes = generator.broadcast(generator.map(z, condition), condition)
    return Points(
        generator,
        tuple(f"seed {i}" for i in numbers),
        Inversion(codes, condition, z, "z"),
        torch.tensor(list(numbers)),
        seed,
        {"from": "seeds", "indices": list(numbers), "seed": seed},
    )


def check_points(codes: Path | None, seeds: str | None) -> None:
    """Refuse both a folder and samples, none of them, and samples that are no numbers.

    Raises:
        UserError: says which.
    """
    if (codes is None) == (seeds is None):
        raise UserError(
            "--codes names a folder of inverted pictures, --seeds samples of the generator, such as 0-3; "
            "give one of them"
        )
    if seeds is not None:
        parse_numbers(seeds, "--seeds")


def find_points(generator: Generator, codes: Path | None, seeds: str | None, seed: int = 0) -> Points:
    """Return the pictures of a folder of inverted ones, or samples by their numbers.

    Raises:
        UserError: both are given, or none.
    """
    check_points(codes, seeds)
    if codes is not None:
        return points_of(read_inversion(codes, generator), generator)
    assert seeds is not None
    return samples_of(generator, parse_numbers(seeds, "--seeds"), seed)
