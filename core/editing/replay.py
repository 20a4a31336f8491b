"""Provide `ganstrata.replay`: make the picture of a recipe again, and say whether it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..figures.pictures import Pixels, png, to_pixels
from ..messages import MESSAGE, listed, visible
from ..plugins.boundary import STYLES
from ..runs.inversions import check_inversion, read_inversion
from ..runs.lock import results_of
from ..runs.progress import Progress
from ..runs.run import Run, versions
from ..runs.session import Finished, check_takes_results, open_finished_run
from ..storage.json_values import JsonObject
from ..storage.paths import user_path
from ..storage.result_folder import index_text, replace_folder
from ..strata.moves import unit_in_words
from ..strata.truncation import mean_code
from .compose import Composed, check_run, compose
from .directions import BoundarySource, find_boundaries
from .live import LivePicture
from .page import build_page
from .places import places_of
from .recipe import Recipe, read_recipe, recipe_of_data
from .recipe_pixels import Difference, difference
from .record import EditRecord
from .render import Frames
from .request import EditRequest
from .sources import source_of
from .steps import Strip
from .tables import Edited, scores_text, steps_text

INDEX, FOLDER = "manipulate.json", "manipulations"  # as of other edits
BATCH = 1  # a recipe is of one picture
_SAME = {
    True: "the same as in the recipe",
    False: "not those of the recipe",
    None: "the recipe holds none to compare",
}


@dataclass(frozen=True)
class Replayed:
    """Hold the picture of a recipe, made again.

    Attributes:
        recipe: the recipe.
        picture: the edited picture (H, W, C), 8 bits, C as the generator's card says.
        before: the picture as the run has it: not moved, and without the truncation of the recipe.
        codes: codes of the edited picture (L, D); those of the unedited one where styles are moved.
        concepts: names of the scores (C,).
        scores: of the edited picture (C,).
        scores_before: of the picture before (C,).
        edited: the same as a strip of one step, with distances.
        same_pixels: whether it is the picture of the recipe, byte by byte; None if the recipe does not say.
        difference: how far it is from it; None if it is the same, or the recipe does not say.
        remarks: what a user should know.
        path: the folder that was written; None if none was.
        files: names of the files in it.
    """

    recipe: Recipe
    picture: Pixels
    before: Pixels
    codes: NDArray[np.float32]
    concepts: tuple[str, ...]
    scores: NDArray[np.float32]
    scores_before: NDArray[np.float32]
    edited: Edited
    same_pixels: bool | None
    difference: Difference | None
    remarks: tuple[str, ...]
    path: Path | None = None
    files: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return what it is of, how it was moved, and whether its pixels are the same: no array, one line."""
        recipe, (height, width) = self.recipe, self.picture.shape[:2]
        moves = [
            move.as_option + (f" keeping {listed(list(move.keep), 3)}" if move.keep else "")
            for move in recipe.moves
        ]
        told = [
            f"{recipe.picture.in_words} of {visible(recipe.run.name)}",
            f"moved by {listed(moves, 6)}" if moves else "not moved",
            *([f"truncation {recipe.truncation:g}"] if recipe.truncation != 1.0 else []),
            f"{width} x {height} pixels, {_SAME[self.same_pixels]}",
            *([f"written to {self.path}"] if self.path is not None else []),
        ]
        return visible(f"<Replayed: {'; '.join(told)}>", MESSAGE)  # a path is of use only if it is whole

    @property
    def unit_in_words(self) -> str:
        """What distances are counted in, such as `standard deviations of w`."""
        return unit_in_words(self.recipe.unit.name, styles=self.recipe.unit.space == STYLES)


def replay(
    run: Run | Path | str,
    recipe: Recipe | Mapping[str, Any] | Path | str,
    *,
    codes: Path | str | None = None,
    out: Path | str | None = None,
    device: str | None = None,
    quiet: bool = True,
) -> Replayed:
    """Make the picture of a recipe again, as the app exports it.

    On the same machine it has the same pixels. On another one they may differ by one of 255 levels
    (docs/determinism.md): then `difference` says how many do, and by how much, and nothing fails.

    Args:
        run: the run that the recipe is for, or its directory.
        recipe: the file, or what it holds.
        codes: the folder of inverted pictures, for a recipe that names one.
        out: a folder to write; default: nothing is written.
        device: default: as in the run's config.
        quiet: whether to show no progress.

    Raises:
        ConfigError: it is not a recipe, or names what the run does not have. All faults, with their places.
        MismatchError: it is for another run, other weights, or boundaries that were learnt again.
        GanstrataError: the run is not finished, or the picture cannot be made.

    Example:
        >>> from inspect import signature
        >>> list(signature(replay).parameters)[:2]
        ['run', 'recipe']
    """
    path = run.path if isinstance(run, Run) else Path(run)
    return perform(
        path,
        recipe,
        None if codes is None else Path(codes),
        out=None if out is None else Path(out),
        writes=out is not None,
        device=device,
        progress=Progress(quiet=quiet),
    )


def perform(
    path: Path,
    recipe: Recipe | Mapping[str, Any] | Path | str,
    codes: Path | None = None,
    *,
    out: Path | None = None,
    writes: bool = True,
    device: str | None = None,
    progress: Progress,
) -> Replayed:
    """Do the same as `replay`; with `writes` and without `out` into a folder in the run."""
    name = "the recipe"
    if isinstance(recipe, Path | str):
        name = str(recipe)
        recipe = read_recipe(recipe)
    elif not isinstance(recipe, Recipe):
        recipe = recipe_of_data(recipe, name)
    in_run = writes and out is None
    if in_run:
        check_takes_results(path)
    with ExitStack() as stack:
        if writes and out is not None:
            stack.enter_context(results_of(out, INDEX, "manipulate"))
        if codes is not None:  # before plugins are loaded for it
            check_inversion(user_path(codes), Run.open(path).record.generator.fingerprint)
        finished = stack.enter_context(
            open_finished_run(path, device, ("synthesize", "learn"), writes=in_run, progress=progress)
        )
        return _perform(finished, recipe, name, codes, _folder(path, recipe, out) if writes else None)


def _folder(path: Path, recipe: Recipe, out: Path | None) -> Path:
    """Return the folder to write: another recipe has another one."""
    digest = hashlib.sha256(recipe.text().encode()).hexdigest()[:12]
    return path / FOLDER / f"recipe-{digest}" if out is None else out


def _perform(finished: Finished, recipe: Recipe, name: str, codes: Path | None, out: Path | None) -> Replayed:
    """Check the recipe against the run, render both pictures, and write the folder in one step."""
    run, prepared = finished.run, finished.engine.prepared
    check_run(run, prepared, recipe, name)
    known, boundaries = find_boundaries(run, None)
    inverted = None if codes is None else source_of(read_inversion(user_path(codes), prepared.generator))
    composed = compose(prepared, known, recipe, run.step_unit_in, source=name, inverted=inverted)
    made = _rendered(finished, recipe, composed)
    if out is None:
        return made
    record = _record(finished, recipe, composed, boundaries, made)
    files = {
        "picture.png": png(made.picture),
        "before.png": png(made.before),
        "recipe.json": recipe.text().encode(),
        "scores.csv": scores_text(composed.source.names, [made.edited], run.concepts).encode(),
        "steps.csv": steps_text(composed.source.names, [made.edited]).encode(),
        "manipulate.html": build_page(run, [made.edited], record).encode(),
    }
    own: JsonObject = {
        "batch_size": BATCH,
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "same_pixels": made.same_pixels,
        "difference": None if made.difference is None else made.difference._asdict(),
    }
    files[INDEX] = index_text({**record.as_data(finished), **own}, files)
    replace_folder(out, INDEX, files)
    return replace(made, path=out, files=tuple(files))


@torch.inference_mode()
def _rendered(finished: Finished, recipe: Recipe, composed: Composed) -> Replayed:
    """Render the picture before and after, and score both."""
    prepared = finished.engine.prepared
    source, parts, amounts = composed
    live = LivePicture(prepared, source)
    plain, rendering = live.render((), ()), live.render(parts, amounts, truncation=recipe.truncation)
    scores_before, scores = prepared.score(plain), prepared.score(rendering)  # (1, C)
    before, picture = to_pixels(plain.pictures), to_pixels(rendering.pictures)  # (1, H, W, C)
    start, end = live.edited_codes((), ()), live.edited_codes(parts, amounts, recipe.truncation)
    mean = mean_code(prepared.generator, source.condition)
    units = [finished.run.step_unit_in(part.boundary.space) for part in parts]
    at = np.zeros((2, 1, 1, len(parts)), np.float32)  # before and after
    for p, (part, unit) in enumerate(zip(parts, units, strict=True)):
        for t, each in enumerate((start, end)):
            at[t, :, 0, p] = places_of(prepared.generator, part, each.codes, mean, each.styles) / unit
    strip = Strip(
        " and ".join(part.name for part in parts) or "no move",
        "joint",
        parts,
        np.asarray(amounts, dtype=np.float64)[:, None],
    )
    edited = Edited(
        strip,
        Frames(before[:, None], scores_before[:, None], at[0]),
        Frames(picture[:, None], scores[:, None], at[1]),
    )
    apart = None if recipe.pixels is None else difference(recipe.pixels, picture[0])
    return Replayed(
        recipe=recipe,
        picture=picture[0],
        before=before[0],
        codes=end.codes[0].float().cpu().numpy(),
        concepts=tuple(concept.name for concept in prepared.concepts),
        scores=scores[0],
        scores_before=scores_before[0],
        edited=edited,
        same_pixels=None if recipe.pixels is None else apart is None,
        difference=apart,
        remarks=(*source.remarks, *(p.beyond for p in parts if p.beyond), *_told(finished, recipe, apart)),
    )


def _told(finished: Finished, recipe: Recipe, apart: Difference | None) -> tuple[str, ...]:
    """Return how far the picture is from that of the recipe, and what was otherwise when that was made."""
    if apart is None:
        return ()
    prepared, made = finished.engine.prepared, recipe.made_with
    here = versions()
    others = [
        f"{what} {then}, here {now}"
        for what, then, now in (
            ("device", made.device, str(prepared.device)),
            ("precision", made.precision, prepared.precision),
            *((name, version, here.get(name, "not installed")) for name, version in made.versions.items()),
        )
        if then != now
    ]
    return (apart.in_words, *([f"It was made with {'; '.join(others)}"] if others else []))


def _record(
    finished: Finished,
    recipe: Recipe,
    composed: Composed,
    boundaries: BoundarySource,
    made: Replayed,
) -> EditRecord:
    """Return what is recorded of the edit, and shown on its page."""
    prepared, styles = finished.engine.prepared, any(part.in_styles for part in composed.parts)
    request = EditRequest(
        along=tuple(move.as_option for move in recipe.moves),
        keep=tuple(dict.fromkeys(name for move in recipe.moves for name in move.keep)),
        mode="joint",
        steps=1,
        kinds=("html",),
    )
    return EditRecord(
        request,
        composed.source,
        boundaries,
        [made.edited.strip],
        recipe.unit.name,
        recipe.unit.length,
        styles,
        prepared.generator.fingerprint,
        recipe.truncation,
    )
