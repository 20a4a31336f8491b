"""Edits of a picture of the small run, and the recipes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganstrata.core.editing.compose import compose
from ganstrata.core.editing.directions import find_boundaries
from ganstrata.core.editing.live import LivePicture
from ganstrata.core.editing.recipe import Recipe, RecipeMove, RecipePicture, recipe_of_data
from ganstrata.core.editing.recipe_making import picture_of, recipe_of
from ganstrata.core.editing.sources import Source
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.session import open_finished_run

Moves = tuple[Mapping[str, Any], ...]
MOVES: Moves = (
    {"along": "seen/red", "by": 1.5, "layers": "6-7", "keep": ["seen/left"]},
    {"along": "seen/left", "by": -1},
)


def made(
    run: Path, seed: int = 3, *, moves: Moves = MOVES, truncation: float = 1.0, **picture: Any
) -> Recipe:
    """The recipe of an edit, as the app makes it: of a picture that was rendered.

    The picture is a seed, or a `sample`, or codes of a `source` with an `origin`.
    """
    source: Source | None = picture.pop("source", None)
    with open_finished_run(run, None, ("synthesize", "learn"), writes=False, progress=Progress()) as finished:
        prepared = finished.engine.prepared
        known, _ = find_boundaries(finished.run, None)
        if source is None:
            named = RecipePicture.model_validate(picture or {"seed": seed})
        else:
            named = picture_of(source, **picture)
        asked = tuple(RecipeMove.model_validate(move) for move in moves)

        def recipe(pixels: Any = None) -> Recipe:
            return recipe_of(
                finished.run, prepared, known, named, asked, truncation=truncation, pixels=pixels
            )

        composed = compose(prepared, known, recipe(), finished.run.step_unit_in)
        live = LivePicture(prepared, source or composed.source)
        rendering = live.render(composed.parts, composed.amounts, 0 if moves else None, truncation)
        return recipe(to_pixels(rendering.pictures)[0])


def changed(recipe: Recipe, *path: str | int, to: object) -> Recipe:
    """The recipe with another value at a path."""
    data = data_of(recipe)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return recipe_of_data(data)


def data_of(recipe: Recipe) -> Any:
    """The recipe as plain data, which may be changed."""
    return json.loads(recipe.text())
