"""Define `ganstrata manipulate`, which edits chosen pictures along boundaries of a finished run."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from ..core.errors import UserError
from .computing import computing
from .errors import clean
from .options import (
    LENGTH,
    PATH,
    device_option,
    fps_option,
    number_from,
    quiet_option,
    run_argument,
)
from .streams import say, tell


@click.command()
@run_argument
@click.option(
    "--along",
    multiple=True,
    metavar="NAME[:AMOUNT][@LAYERS]",
    help="A boundary, its distance at the last step, and its layers; may be repeated. Needed unless there is "
    "a --recipe.",
)
@click.option(
    "--recipe",
    type=PATH,
    metavar="FILE",
    help="Make the picture of a recipe again, which the app exports. The recipe says what is edited and "
    "how, so only --codes (a folder that it names), --out, --device and --quiet may be given with it.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="A boundary whose concept, or target, stays unchanged (conditional edit); may be repeated.",
)
@click.option(
    "--mode",
    default="independent",
    show_default=True,
    metavar="independent|joint|absolute|jitter",
    help="independent: along one boundary at a time; joint: along all at once; absolute: to given distances "
    "from the boundary; jitter: to the last distance, each time with other random noise.",
)
@click.option("--seeds", metavar="0-9", help="Edit fresh pictures.  [default: those that the report edits]")
@click.option("--samples", metavar="3,17,40-44", help="Edit the run's own pictures, by number.")
@click.option(
    "--codes",
    type=PATH,
    metavar="FILE|FOLDER",
    help="Edit pictures of your own: a folder that `ganstrata invert` wrote. Or saved codes: a file of z "
    "(N, Z), w (N, D) or codes (N, L, D), as NumPy, torch, pickles, safetensors and JSON hold them.",
)
@click.option(
    "--codes-as",
    metavar="code|codes|codes-last",
    help="What an array in --codes is: one code with a row per layer, or a code per entry of its first or "
    "last axis.  [default: as its shape says, else an error asks]",
)
@click.option(
    "--space",
    metavar="z|w|w+",
    help="Latent space of the codes in --codes.  [default: as file and shape say, else an error asks]",
)
@click.option(
    "--start",
    type=LENGTH,
    metavar="X",
    help="First distance, in standard deviations of w (of the styles with learning.space: s), or as "
    "rescoring.distance_unit in the config says.  [default: editing.start]",
)
@click.option("--end", type=LENGTH, metavar="X", help="Last distance.  [default: editing.end]")
@click.option(
    "--steps", type=number_from(1, 1000), metavar="N", help="Number of steps.  [default: editing.steps]"
)
@click.option(
    "--search",
    is_flag=True,
    help="Choose the distances: as far as the score keeps changing, within --start and --end or 12 to both "
    "sides. Each step then changes the score by the same amount.",
)
@click.option(
    "--noise-sd",
    type=LENGTH,
    metavar="X",
    help="With --mode jitter: standard deviation of the noise, in the same unit.  [default: 0.5]",
)
@click.option(
    "--boundaries",
    type=PATH,
    metavar="FOLDER",
    help="Use boundaries from elsewhere: boundaries.json and .safetensors.",
)
@click.option(
    "--scores/--no-scores",
    default=True,
    show_default=True,
    help="Score every picture, and report what changed.",
)
@click.option(
    "--as",
    "kinds",
    default="strip,html",
    show_default=True,
    metavar="strip,grid,gif,mp4,html",
    help="Formats to write; a grid crosses two boundaries.",
)
@fps_option
@click.option(
    "--out",
    type=PATH,
    metavar="FOLDER",
    help="Folder to write.  [default: RUN/manipulations/NAMES.MODE, and the options that differ from "
    "their defaults; RUN/manipulations/recipe-DIGEST of a recipe]",
)
@device_option
@quiet_option
def manipulate(
    run_dir: Path,
    along: tuple[str, ...],
    recipe: Path | None,
    keep: tuple[str, ...],
    mode: str,
    seeds: str | None,
    samples: str | None,
    codes: Path | None,
    codes_as: str | None,
    space: str | None,
    start: float | None,
    end: float | None,
    steps: int | None,
    search: bool,
    noise_sd: float | None,
    boundaries: Path | None,
    scores: bool,
    kinds: str,
    fps: float,
    out: Path | None,
    device: str | None,
    quiet: bool,
) -> None:
    """Move pictures along boundaries of RUN, and write them as strips, grids, films or a page.

    LAYERS are numbers such as 6-11, or a group; the default is the boundary's own layers, or all. Others are
    moved too, with a note that re-scoring says nothing of them. AMOUNT
    replaces --end for one boundary and scales its other steps. NAME may be a direction found without labels,
    such as sefa/0; --search then follows the score of its target.

    \b
    Examples:
      ganstrata manipulate runs/rooms --along category/bedroom
      ganstrata manipulate runs/rooms --along attribute/daylight --keep attribute/indoor_lighting --search
      ganstrata manipulate runs/rooms --along attribute/daylight --codes inverted/photographs
      ganstrata manipulate runs/rooms --mode joint --along layout/line:4@bottom --along colour/blue:2@6-9
      ganstrata manipulate runs/rooms --recipe evening.json --out evening
    """
    if recipe is not None:
        _replay(run_dir, recipe, codes, out, device, quiet=quiet)
        return
    if not along:
        raise click.UsageError("Missing option '--along', a boundary to move along; or give --recipe FILE")
    with computing("Earlier results are kept; run the same command again.", quiet=quiet) as progress:
        from ..core.editing.manipulate import perform
        from ..core.editing.request import EditRequest

        request = EditRequest(
            along=along,
            keep=keep,
            mode=mode,
            seeds=seeds,
            samples=samples,
            codes=codes,
            codes_as=codes_as,
            space=space,
            start=start,
            end=end,
            steps=steps,
            search=search,
            noise_sd=noise_sd,
            boundaries=boundaries,
            scores=scores,
            kinds=tuple(kind.strip() for kind in kinds.split(",")),
            fps=fps,
            out=out,
            device=device,
        )
        result = perform(run_dir, request, progress=progress)
    for remark in result.remarks:
        tell(f"Note: {clean(remark)}")
    for strip in result.strips:
        for part, row in zip(strip.parts, strip.distances, strict=True):
            distances = " ".join(f"{value:+.2f}" for value in row)
            target = f" (target {part.boundary.concept})" if part.boundary.direction else ""
            unit = f"steps in {result.unit_in_words}"
            say(clean(f"{part.boundary.name}{target}, {part.where}, {unit}: {distances}"))
    for line in result.own_places():
        say(clean(line))
    say(f"In {result.path}: {', '.join(result.files)}")


def _replay(
    run_dir: Path, recipe: Path, codes: Path | None, out: Path | None, device: str | None, *, quiet: bool
) -> None:
    """Make the picture of a recipe again, and say whether it is the same."""
    with computing("Earlier results are kept; run the same command again.", quiet=quiet) as progress:
        if others := _given_beside_recipe():
            raise UserError(
                f"--recipe {recipe} says itself which picture is edited and how; "
                f"leave out {', '.join(others)}"
            )
        from ..core.editing.replay import perform

        result = perform(run_dir, recipe, codes, out=out, device=device, progress=progress)
    for remark in result.remarks:
        tell(f"Note: {clean(remark)}")
    for part, distance in zip(result.edited.strip.parts, result.edited.strip.distances[:, 0], strict=True):
        say(clean(f"{part.boundary.name}, {part.where}: moved by {distance:+.2f} {result.unit_in_words}"))
    if result.same_pixels:
        say("The picture has the same pixels as when the recipe was made.")
    elif result.same_pixels is None:
        say("The recipe does not say which pixels it had.")
    say(f"In {result.path}: {', '.join(result.files)}")


def _given_beside_recipe() -> list[str]:
    """Return the options of this command that were given and that a recipe leaves no room for."""
    context = click.get_current_context()
    return [
        option.opts[0]
        for option in context.command.params
        if isinstance(option, click.Option)
        and option.name not in ("recipe", "codes", "out", "device", "quiet")
        and context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
    ]
