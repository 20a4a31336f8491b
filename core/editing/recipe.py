"""Define the recipe of an edit: a small JSON file of which a run makes the same picture again.

It names the picture, the moves and what they stand on, and holds no network and no boundary. Reading one runs
nothing, and takes little time and memory whatever the file holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ..config.faults import describe
from ..config.limits import plain
from ..config.parsing import parse_json
from ..errors import ConfigError, Fault, UserError
from ..messages import UPGRADE, shown
from ..storage.disk import read_bytes
from ..storage.paths import user_path, why_no_file
from .recipe_picture import RecipePicture
from .recipe_values import SEEDS, Digest, Encoded, Index, Name, Number, RecipePart

FORMAT: Literal[1] = 1
BYTES = 3 * 2**20  # of a file: codes of 64 layers, noise maps and a picture take 2.6 MiB at most
MOVES = 64


class StandsOn(RecipePart):
    """Say which run a recipe is for."""

    name: Annotated[str, Field(max_length=400)] = Field(description="name of the run's folder, for people")
    learn: Digest = Field(description="key of the run's boundaries")
    generator: Digest = Field(description="fingerprint of the generator")
    family: Annotated[str, Field(max_length=400)] = Field(description="of the generator, for people")
    checkpoints: Annotated[dict[Name, Digest], Field(max_length=100)] = Field(
        description="SHA-256 of the generator's file and of each scorer's"
    )
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] = Field(description="seed of the run")


class Unit(RecipePart):
    """Say how long a step is."""

    name: Literal["sd", "raw"] = Field(description="rescoring.distance_unit of the run")
    space: Annotated[str, Field(max_length=10)] = Field(description="space in which it is measured")
    length: Annotated[float, Field(gt=0.0)] = Field(description="length of a step in this space")
    scaled: bool = Field(description="whether steps shrink with truncation, editing.scale of the run")


class RecipeMove(RecipePart):
    """Say how far the picture is moved along a boundary."""

    along: Name = Field(description="name of the boundary")
    by: Number = Field(description="distance, in steps of `unit`")
    layers: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="such as 6-11, or a group; null for the boundary's own, or all"
    )
    keep: Annotated[tuple[Name, ...], Field(max_length=MOVES)] = Field(
        default=(), description="boundaries whose concepts stay", strict=False
    )

    @property
    def as_option(self) -> str:
        """The move as `--along` takes it; what is kept is another option."""
        return f"{self.along}:{self.by:g}{'' if self.layers is None else f'@{self.layers}'}"


class ExpectedPixels(RecipePart):
    """Hold the picture that comes out, to hold a replay against it."""

    sha256: Digest = Field(description="SHA-256 of its 8-bit values (H, W, C)")
    shape: tuple[Index, Index, Index] = Field(description="H, W and C", strict=False)
    png: Encoded | None = Field(
        default=None, description="the picture itself, as a PNG in base64; null if it is large"
    )


class MadeWith(RecipePart):
    """Say where the picture was made."""

    versions: Annotated[dict[Name, Annotated[str, Field(max_length=400)]], Field(max_length=100)] = Field(
        description="versions of packages"
    )
    device: Annotated[str, Field(max_length=100)] = Field(description="device that computed")
    precision: Annotated[str, Field(max_length=100)] = Field(description="fp32, bf16 or fp16")


class Recipe(RecipePart):
    """Hold all of which a run makes an edited picture again."""

    format: Literal[1] = Field(default=FORMAT, description="version of this description")
    run: StandsOn = Field(description="what the recipe stands on")
    boundaries: Annotated[dict[Name, Digest], Field(max_length=MOVES * (MOVES + 1))] = Field(
        description="SHA-256 of the normal of every boundary that is named, as it was learnt"
    )
    unit: Unit = Field(description="unit of distances")
    picture: RecipePicture = Field(description="which picture is edited")
    truncation: Annotated[float, Field(ge=-100.0, le=100.0)] = Field(
        default=1.0, description="factor on the distance of its codes from their mean; 1 leaves them"
    )
    moves: Annotated[tuple[RecipeMove, ...], Field(max_length=MOVES)] = Field(
        default=(), strict=False, description="boundaries that it is moved along, all together"
    )
    made_with: MadeWith = Field(description="where the picture was made")
    pixels: ExpectedPixels | None = Field(default=None, description="what came out; null if it is not known")

    def text(self) -> str:
        """Return the content of the file."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), indent=2) + "\n"


def read_recipe(path: Path | str) -> Recipe:
    """Read the recipe in a file.

    Raises:
        UserError: the file is missing, too large, or not well-formed.
        ConfigError: it holds no recipe; the error lists all faults with their places.
    """
    file = user_path(path)
    try:
        content = read_bytes(file, BYTES)
    except UserError:
        raise UserError(
            f"{file} has more than {BYTES >> 20} MiB, so it is not a recipe; give a file that the app wrote"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{file}: {why_no_file(file)}") from None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not a recipe: it is not UTF-8 from byte {error.start} on") from None
    return parse_recipe(text, str(file))


def parse_recipe(text: str, source: str = "the recipe") -> Recipe:
    """Return the recipe in a text.

    Args:
        text: JSON.
        source: where it comes from, for messages.

    Raises:
        UserError: it is too large, or not well-formed.
        ConfigError: it holds no recipe; the error lists all faults with their places.
    """
    if len(text) > BYTES:
        raise UserError(f"{source} has more than {BYTES >> 20} MiB, so it is not a recipe")
    try:
        return recipe_of_data(parse_json(text), source)
    except ValueError as error:
        raise UserError(f"{source} is not a recipe: {error}") from None
    except RecursionError:
        raise UserError(f"{source} is not a recipe: it is nested far too deep") from None


def recipe_of_data(data: object, source: str = "the recipe") -> Recipe:
    """Return the recipe that plain data hold.

    Args:
        data: what JSON may hold.
        source: where they come from, for messages.

    Raises:
        ConfigError: they are not a recipe; the error lists all faults with their places.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(source, [Fault((), f"expected the keys of a recipe, got {shown(data, 60)}")])
    copied, faults = plain(data, source)
    _check_format(copied.get("format"), source)
    recipe: Recipe | None = None
    try:
        recipe = Recipe.model_validate(copied)
    except ValidationError as error:
        faults += describe(error, Recipe, copied)
    if faults or recipe is None:
        raise ConfigError(source, list({fault.path: fault for fault in reversed(faults)}.values())[::-1])
    return recipe


def _check_format(value: Any, source: str) -> None:
    """Refuse a recipe of a later version by that alone: its other faults are none in a newer ganstrata.

    Raises:
        ConfigError: it is of a later version, or does not say of which.
    """
    if value is None:
        raise ConfigError(
            source,
            [
                Fault(
                    ("format",),
                    f"is missing, so this is not a recipe of ganstrata; a recipe has {FORMAT} there",
                )
            ],
        )
    if isinstance(value, int) and value > FORMAT:
        raise ConfigError(
            source, [Fault(("format",), f"is {shown(value)}, which a newer ganstrata wrote. {UPGRADE}")]
        )
