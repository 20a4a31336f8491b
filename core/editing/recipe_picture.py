"""Define what a recipe says of its picture: a seed, a sample, codes, or a picture of a folder.

Shapes: L layers, D code size, Y classes, h x w pixels of a noise map.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from .recipe_values import SEEDS, Digest, Encoded, Index, Name, Number, RecipePart, decoded_floats

STRATA = 200  # with noise maps, at most

Shape = tuple[Annotated[int, Field(ge=1, le=1000)], Annotated[int, Field(ge=1, le=100_000)]]
Stratum = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,4})$")]


class Codes(RecipePart):
    """Hold codes as they are."""

    codes: Encoded = Field(description="float32, little-endian, (L, D), as base64")
    shape: Shape = Field(description="L and D", strict=False)

    def values(self) -> NDArray[np.float32]:
        """Return the codes (L, D).

        Raises:
            ValueError: there are more or fewer than the shape says, or one is not finite.
        """
        return decoded_floats(self.codes, self.shape, "codes")

    @model_validator(mode="after")
    def _holds_codes(self) -> Codes:
        self.values()
        return self


class CodesPicture(Codes):
    """Hold a picture that no seed gives, such as a painted or an inverted one."""

    condition: (
        Annotated[int, Field(ge=0, lt=10**9)] | Annotated[list[Number], Field(max_length=10_000)] | None
    ) = Field(default=None, description="class, or weights of classes (Y,)")
    index: Index = Field(default=0, description="index of the picture, which decides its fresh noise")
    stream: Literal["editing", "probing"] = Field(default="editing", description="stream of fresh noise")
    noise_seed: Annotated[int, Field(ge=0, lt=SEEDS)] | None = Field(
        default=None, description="seed of fresh noise; null for that of the run"
    )
    noise: Annotated[dict[Stratum, Encoded], Field(max_length=STRATA)] | None = Field(
        default=None,
        description="stratum -> noise map (h, w), as codes are written; null for what the generator adds",
    )
    origin: Annotated[str, Field(max_length=400)] = Field(
        default="", description="where the codes come from, for people"
    )

    def maps(self) -> dict[int, NDArray[np.float32]]:
        """Return the noise maps by stratum, each as a row of h w numbers.

        Raises:
            ValueError: one is not finite.
        """
        return {
            int(s): decoded_floats(text, None, f"numbers of the noise map {s}")
            for s, text in (self.noise or {}).items()
        }

    @model_validator(mode="after")
    def _holds_maps(self) -> CodesPicture:
        self.maps()
        return self


class InvertedPicture(RecipePart):
    """Name a picture of a folder of inverted ones, whose noise maps or weights are too large for a recipe."""

    folder: Name = Field(description="name of the folder that `ganstrata invert` wrote")
    name: Name = Field(description="of the picture in it")
    sha256: Digest = Field(description="SHA-256 of its file of codes")
    weights: Digest | None = Field(
        default=None, description="SHA-256 of the weights of the picture; null if it has none"
    )
    painted: Codes | None = Field(
        default=None, description="codes in place of its own, if it was painted on; null if it was not"
    )
    origin: Annotated[str, Field(max_length=400)] | None = Field(
        default=None, description="what it is called since it was painted on, for people"
    )


class RecipePicture(RecipePart):
    """Say which picture is edited: one of the four."""

    seed: Index | None = Field(default=None, description="a fresh picture, as --seeds draws it")
    sample: Index | None = Field(default=None, description="a picture of the run, as --samples names it")
    codes: CodesPicture | None = Field(default=None, description="a picture that no seed gives")
    inverted: InvertedPicture | None = Field(default=None, description="a picture of a folder")

    @model_validator(mode="after")
    def _is_one(self) -> RecipePicture:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give one of seed, sample, codes and inverted (there are {' and '.join(given) or 'none'})"
            )
        return self

    @property
    def in_words(self) -> str:
        """The picture in a few words: a seed, a sample, given codes, or the name of an inverted one."""
        if self.inverted is not None:
            painted = ", painted on" if self.inverted.painted is not None else ""
            return f"{self.inverted.name} of {self.inverted.folder}{painted}"
        if self.codes is not None:
            return "given codes"
        return f"seed {self.seed}" if self.seed is not None else f"sample {self.sample}"
