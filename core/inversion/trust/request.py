"""State what is asked of the trust in inverted pictures, and how they were inverted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import DataError, UserError
from ...messages import visible
from ...plugins.generator import Generator
from ...plugins.scorer import Scorer
from ...randomness import LARGEST_SEED
from ...runs.inversions import INDEX, StoredInversion
from ...storage.result_folder import read_index
from ..commands import FOLDERS, INVERSION, RESTORATION, method_of
from ..invert import Method
from ..steps import DISTANCE, options_of

RESTORED = (*(kind for kind in FOLDERS if kind != INVERSION), RESTORATION)


@dataclass(frozen=True)
class TrustRequest:
    """State what is measured.

    Attributes:
        folder: inverted pictures.
        along: NAME[@LAYERS] of boundaries; none for those that the run verified.
        step: distance that pictures are moved, in the unit of the run; None for that of its re-scoring.
        samples: samples that edits of pictures are compared with.
        calibrate: samples that are inverted to set the thresholds of warnings; 0 for no warnings.
        consistency: pictures whose edits are inverted again; 0 for none.
        perceptual: what pictures were compared by besides pixels, as `invert --perceptual` had it.
        settings: weights of the distance, `distance.FIELD=VALUE`, as `invert --set` had them.
        batch: pictures that are inverted at once.
        out: folder to write; None for `trust` in the folder of the pictures.
    """

    folder: Path
    along: tuple[str, ...] = ()
    step: float | None = None
    samples: int = 128
    calibrate: int = 39
    consistency: int = 8
    perceptual: str = "auto"
    settings: tuple[str, ...] = ()
    batch: int = 4
    out: Path | None = None

    @property
    def place(self) -> Path:
        """The folder to write."""
        if self.out is not None:
            return self.out
        return (self.folder if self.folder.is_dir() else self.folder.parent) / "trust"


class _Used(BaseModel):
    """Represent what `invert.json` says of how its pictures were inverted, as far as it is needed."""

    model_config = ConfigDict(strict=True)
    steps: Annotated[list[str], Field(min_length=1)]
    options: Annotated[dict[str, dict[str, Any]], Field(alias="fields")]
    distance: str
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]
    number: Annotated[Annotated[int, Field(ge=0)] | None, Field(alias="class")]


def method_used(
    stored: StoredInversion,
    generator: Generator,
    request: TrustRequest,
    scorers: Mapping[str, Scorer] | None = None,
) -> Method:
    """Return how the pictures of a folder were inverted.

    Args:
        stored: the pictures.
        generator: their generator.
        request: what they were compared by.
        scorers: those of the run, which `perceptual` may name.

    Raises:
        UserError: the codes stand alone, or the distance was another one.
        DataError: the index is damaged.
        GanstrataError: a step cannot be built.
    """
    index = stored.path.parent / INDEX
    if not stored.records:
        raise UserError(
            f"{stored.path} does not say how its pictures were inverted; give the folder that `ganstrata "
            "invert` wrote, or --calibrate 0 and --consistency 0"
        )
    try:
        content = read_index(index)
    except (OSError, ValueError) as error:
        raise DataError(f"{index} is damaged: {error}") from None
    if content.get("kind") in RESTORED:
        raise UserError(
            f"{index}: these pictures were restored, and what is missing in them was made up; trust is "
            "measured of pictures that `ganstrata invert` inverted"
        )
    try:
        used = _Used.model_validate(content.get("command"))
    except ValidationError:
        raise DataError(f"{index} does not say how its pictures were inverted; invert them again") from None
    method = method_of(
        generator,
        used.steps[0],
        used.steps[1:] or ["none"],
        {**used.options, DISTANCE: options_of((), request.settings)[DISTANCE]},
        perceptual=request.perceptual,
        seed=used.seed,
        class_index=used.number,
        scorers=scorers,
        origin=str(index),
    )
    if method.rule.name != used.distance:
        raise UserError(
            f"these pictures were compared by {visible(used.distance)}, and here it would be "
            f"{method.rule.name}; give the --perceptual and --set distance.FIELD=VALUE of their inversion"
        )
    return method
