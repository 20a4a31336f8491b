"""Make the recipe of an edit."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UserError
from ..figures.pictures import Pixels
from ..plugins.boundary import STYLES, Boundaries
from ..randomness import Stream
from ..runs.prepare import Prepared
from ..runs.run import Run, versions
from .compose import STREAMS, digest_of
from .recipe import (
    CodesPicture,
    InvertedPicture,
    MadeWith,
    Recipe,
    RecipeMove,
    RecipePicture,
    StandsOn,
    Unit,
    encoded,
)
from .recipe_pixels import pixels_of
from .sources import InvertedPictures, Source

TOO_LARGE = (
    "this picture has noise maps or weights of its own, which are too large for a recipe; invert it with "
    "`ganstrata invert`, and open its folder with --codes"
)


def picture_of(source: Source, origin: str = "") -> RecipePicture:
    """Return what a recipe says of a picture that no seed gives.

    Args:
        source: one picture.
        origin: where its codes come from, for people, such as `painted`.

    Raises:
        UserError: it has noise maps or weights of its own, and is of no folder.
    """
    if source.noise or any(source.weights):
        made = source.origin
        if not isinstance(made, InvertedPictures):
            raise UserError(TOO_LARGE)
        return RecipePicture(
            inverted=InvertedPicture(folder=made.file, name=source.names[0], sha256=made.sha256)
        )
    codes = source.codes[0].detach().cpu().numpy().astype("<f4")
    condition = None if source.condition is None else source.condition[0].tolist()
    if source.stream not in STREAMS.values():
        raise UserError(f"pictures of the stream {source.stream.name.lower()} have no recipe")
    return RecipePicture(
        codes=CodesPicture(
            codes=encoded(codes.tobytes()),
            shape=(codes.shape[0], codes.shape[1]),
            condition=condition,
            index=int(source.index[0]),
            stream="probing" if source.stream == Stream.PROBING else "editing",
            noise_seed=source.noise_seed,
            origin=origin,
        )
    )


def recipe_of(
    run: Run,
    prepared: Prepared,
    known: Boundaries,
    picture: RecipePicture,
    moves: Sequence[RecipeMove] = (),
    *,
    truncation: float = 1.0,
    pixels: Pixels | None = None,
) -> Recipe:
    """Return the recipe of an edit.

    Args:
        run: the run.
        prepared: its plugins.
        known: its boundaries.
        picture: which picture is edited; `picture_of` gives it for codes.
        moves: boundaries that it is moved along.
        truncation: factor on the distance of its codes from their mean.
        pixels: the edited picture (H, W, C), C as the generator's card says; None if it is not known.
    """
    card, record = prepared.generator.card, run.record
    named = list(dict.fromkeys(name for move in moves for name in (move.along, *move.keep)))
    space = known.of(named[0]).space if named else prepared.config.learning.space
    # A run that learns in w has no standard deviation in s: its steps there are units of s.
    is_raw = space == STYLES and not prepared.in_styles
    return Recipe(
        run=StandsOn(
            name=run.path.resolve().name,
            learn=run.keys.stages["learn"],
            generator=prepared.generator.fingerprint,
            family=card.family,
            checkpoints=dict(record.checkpoints),
            seed=prepared.seed,
        ),
        boundaries={name: digest_of(known, name) for name in named},
        unit=Unit(
            name="raw" if is_raw else prepared.config.rescoring.distance_unit,
            space=space,
            length=run.step_unit_in(space),
            scaled=prepared.config.editing.scale,
        ),
        picture=picture,
        truncation=truncation,
        moves=tuple(moves),
        made_with=MadeWith(versions=versions(), device=str(prepared.device), precision=prepared.precision),
        pixels=None if pixels is None else pixels_of(pixels),
    )
