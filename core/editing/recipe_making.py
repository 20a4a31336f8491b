"""Make the recipe of an edit."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ..errors import UserError
from ..figures.pictures import Pixels
from ..plugins.boundary import STYLES, Boundaries
from ..randomness import Stream
from ..runs.prepare import Prepared
from ..runs.run import Run, versions
from .compose import digest_of
from .recipe import MadeWith, Recipe, RecipeMove, StandsOn, Unit
from .recipe_picture import Codes, CodesPicture, InvertedPicture, RecipePicture
from .recipe_pixels import pixels_of
from .recipe_sources import STREAMS, digest_of_weights
from .recipe_values import encoded_floats
from .sources import PaintedPicture, Source

NOISE_BYTES = 2**20  # of all noise maps that a recipe holds itself
MAP_BYTES = 3 * 2**18  # of one of them
OF_NO_FOLDER = (
    "so that a recipe would have to name the folder of the picture, and it is of none; invert the photograph "
    "with `ganstrata invert`, and open that folder with --codes"
)


def picture_of(source: Source, origin: str = "", folders: Container[str] | None = None) -> RecipePicture:
    """Return what a recipe says of a picture that no seed gives.

    Small noise maps stand in the recipe itself. Weights never do: then it names the folder of the picture,
    and holds its codes if it was painted on.

    Args:
        source: one picture.
        origin: where its codes come from, for people, such as `painted`.
        folders: digests of the codes of folders that can be named; None for any that the picture is of.

    Raises:
        UserError: it has weights or large noise maps of its own, and is of no folder.
    """
    weighs = any(source.weights)
    sizes = [4 * maps.numel() for maps in source.noise.values()]
    if not weighs and sum(sizes) <= NOISE_BYTES and max(sizes, default=0) <= MAP_BYTES:
        return RecipePicture(codes=_codes_of(source, origin))
    folder = source.folder
    if folder is None or (folders is not None and folder.sha256 not in folders):
        what = (
            "weights of its own, which no recipe holds" if weighs
            else f"noise maps of {sum(sizes) >> 10} KiB, and a recipe holds {NOISE_BYTES >> 10}"
        )  # fmt: skip
        raise UserError(f"this picture has {what}, {OF_NO_FOLDER}")
    painted = isinstance(source.origin, PaintedPicture)
    return RecipePicture(
        inverted=InvertedPicture(
            folder=folder.file,
            name=source.origin.name if isinstance(source.origin, PaintedPicture) else source.names[0],
            sha256=folder.sha256,
            weights=digest_of_weights(source),
            painted=_held(source) if painted else None,
            origin=origin or None if painted else None,
        )
    )


def _held(source: Source) -> Codes:
    values = source.codes[0].detach().cpu().float().numpy()
    return Codes(codes=encoded_floats(values), shape=(values.shape[0], values.shape[1]))


def _codes_of(source: Source, origin: str) -> CodesPicture:
    """Return a picture with its codes, its class and its noise maps.

    Raises:
        UserError: its fresh noise is of a stream that no recipe knows.
    """
    if source.stream not in STREAMS.values():
        raise UserError(f"pictures of the stream {source.stream.name.lower()} have no recipe")
    noise = {s: maps[0].detach().cpu().float().numpy() for s, maps in source.noise.items()}
    return CodesPicture(
        **dict(_held(source)),
        condition=None if source.condition is None else source.condition[0].tolist(),
        index=int(source.index[0]),
        stream="probing" if source.stream == Stream.PROBING else "editing",
        noise_seed=source.noise_seed,
        noise={str(s): encoded_floats(values) for s, values in noise.items()} or None,
        origin=origin,
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
