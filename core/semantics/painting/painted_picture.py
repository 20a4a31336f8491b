"""Hold the picture that is painted on: a sample, or an inverted picture of the user.

Shapes: L layers, D code size, R rows of variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...errors import DataError, UserError
from ...plugins.base import owner_of
from ...plugins.generator import Generator
from ...plugins.inverter import Inversion
from ...plugins.records import Latents
from ...randomness import Stream
from ...runs.inversions import StoredInversion
from ...storage.json_values import JsonObject
from ...strata.code_search import Renderer
from ...strata.code_spaces import CodeSpace, SpaceName
from ...strata.truncation import start_of_codes


@dataclass(frozen=True)
class Picture:
    """Hold one picture with everything of which the generator makes it.

    Attributes:
        name: number of a sample, or name of an inverted picture.
        generator: the generator.
        latents: z (1, Z), condition, index (1,); of an inverted picture z counts only if it was found.
        codes: (1, L, D).
        seed: seed of fresh noise.
        inversion: what was found for an inverted picture, one row; None for a sample.
        origin: where it comes from, for records.
    """

    name: int | str
    generator: Generator
    latents: Latents
    codes: Tensor
    seed: int
    inversion: Inversion | None = None
    origin: JsonObject = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The picture as a heading names it."""
        return f"Sample {self.name}" if self.inversion is None else str(self.name)

    @property
    def default_space(self) -> SpaceName:
        """The space in which it is edited where none is asked for: z, or the one in which it was found."""
        if self.inversion is None or self.inversion.space == "z":
            return "z"
        if self.inversion.space == "w":
            return "w"
        return "layers" if self.generator.space == "z" else "w+"

    def start(self, space: CodeSpace) -> Tensor:
        """Return the variables (1, R, Z) or (1, R, D) whose codes are those of the picture.

        Raises:
            UserError: it was found with one code per layer, and the space has one for all, or a z.
            DataError: truncation of this generator cannot be undone.
        """
        found = self.inversion
        if found is None:
            return space.start(self.latents)
        if space.per_layer and (space.name == "w+" or self.generator.space == "z"):
            start = start_of_codes(space, self.codes)  # (1, L, D)
            if start is None:
                raise DataError(
                    f"{owner_of(self.generator)}: its broadcast() is not a truncation towards a point, so "
                    f"that no w+ is known for '{self.name}'; give --space {found.space}"
                )
            return start
        if found.latent is None or (space.name != "w" and found.space != "z"):
            raise UserError(
                f"--space {space.name}: '{self.name}' was inverted in {found.space}, and no "
                f"{'w' if space.name == 'w' else 'z'} is known for it; give --space {self.default_space}"
            )
        if space.name == "w" and found.space == "w":
            assert space.mean is not None
            assert space.sd is not None
            return ((found.latent - space.mean) / space.sd)[:, None]
        return space.start(Latents(found.latent, self.latents.condition, self.latents.index))

    def renderer(self, space: CodeSpace, strata: tuple[int, ...], precision: str) -> Renderer:
        """Return what renders it and all edits of it."""
        found = self.inversion
        return Renderer(
            space,
            self.latents,
            strata,
            self.seed,
            precision,
            maps={} if found is None else found.noise,
            weights=found.weights[0] if found is not None and found.weights else {},
        )


@torch.no_grad()
def sample_picture(generator: Generator, number: int, seed: int) -> Picture:
    """Return one sample of Stream.EDITING."""
    latents = generator.sample(1, seed, number, Stream.EDITING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    return Picture(number, generator, latents, codes, seed, origin={"from": "sample", "index": number})


def inverted_picture(stored: StoredInversion, wanted: str, generator: Generator) -> Picture:
    """Return one inverted picture, by its name or its number from 0.

    Raises:
        UserError: there is no such picture.
        DataError: it is made of several codes.
    """
    names = stored.names
    if wanted in names or not wanted.isdecimal():
        row = stored.named(wanted)
    else:
        row = int(wanted)
        if row >= len(names):
            raise UserError(
                f"--sample {wanted}: {stored.path} holds {len(names)} pictures, numbers 0 to {len(names) - 1}"
            )
    one = stored.rows([row])
    found = one.inversion
    if found.mixture is not None:
        raise DataError(
            f"{stored.path}: '{names[row]}' is made of several codes, of which no search moves one alone; "
            "invert it without multi_code"
        )
    z = found.codes.new_zeros(1, generator.card.latent_size)
    if found.space == "z" and found.latent is not None:
        z = found.latent
    origin: JsonObject = {"from": "inversion", "sha256": stored.sha256, "picture": names[row]}
    latents = Latents(z, found.condition, one.index)
    return Picture(names[row], generator, latents, found.codes, stored.seed, found, origin)
