"""Define `ganstrata segment annotate`, `learn` and `suggest`: a segmentation that people paint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from ..core.messages import quantity
from .computing import computing
from .errors import clean
from .options import PATH, config_device_option, number_from, quiet_option, set_option
from .segment_options import count_option, device_option, resize_option, with_device
from .streams import say


@click.command("annotate")
@click.argument("config", type=PATH)
@click.option("--out", required=True, type=PATH, metavar="FOLDER", help="A new folder.")
@count_option(1000, default=8, words="Pictures.")
@click.option(
    "--classes",
    metavar="NAME,NAME,...",
    help="Names of the classes.  [default: those of the config's teacher, or of --extractor]",
)
@click.option(
    "--extractor",
    type=PATH,
    metavar="FILE",
    help="An extractor, whose labels are written beside the pictures.",
)
@set_option
@config_device_option
@quiet_option
def annotate_command(
    config: Path,
    out: Path,
    count: int,
    classes: str | None,
    extractor: Path | None,
    overrides: tuple[str, ...],
    device: str | None,
    quiet: bool,
) -> None:
    """Write pictures of a generator for people to paint classes on.

    CONFIG is one of `ganstrata segment train`, in which `teacher` may be left out. Paint the classes of
    sample-K.png in the colours of classes.png, without anti-aliasing, and save them as mask-K.png beside it.
    What is left transparent or black is unknown, and is left out.

    \b
    Examples:
      ganstrata segment annotate examples/segment.yaml -n 8 --out paint
      ganstrata segment annotate examples/segment.yaml -n 4 --classes bed,window,other --out paint
    """
    with computing("Run the same command again, with a new --out.", quiet=quiet) as progress:
        from ..core.config.reading import read_annotate_config
        from ..core.semantics.annotation.annotate import annotate

        names = None if classes is None else [name.strip() for name in classes.split(",")]
        folder = annotate(
            read_annotate_config(config, with_device(overrides, device)),
            out,
            count,
            names,
            extractor=extractor,
            source=str(config),
            progress=progress,
        )
    say(
        f"{quantity(count, 'picture')} and {quantity(len(folder.legend.names), 'class', 'classes')} "
        f"in {out}. Paint in the colours of classes.png, and save sample-K as mask-K.png. Then: "
        f"ganstrata segment learn {out} --out FOLDER"
    )


@click.command("learn")
@click.argument("folder", type=PATH)
@click.option("--out", required=True, type=PATH, metavar="FOLDER", help="A new segmentation folder.")
@click.option(
    "--method",
    type=click.Choice(["lda", "ridge", "gradient"]),
    default="lda",
    show_default=True,
    help="How to learn; gradient is the paper's.",
)
@click.option(
    "--heads",
    type=number_from(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="Heads that weigh the pictures differently; more than one make an ensemble.",
)
@resize_option
@device_option
@quiet_option
def learn_command(
    folder: Path, out: Path, method: str, heads: int, resize: bool, device: str | None, quiet: bool
) -> None:
    """Learn an extractor from painted masks.

    FOLDER is one of `ganstrata segment annotate`. What is written works with `segment edit` and `segment
    sample`, and its extractor as a scorer. It has no teacher, so `segment eval` refuses it, unless the
    classes of FOLDER are those of a teacher in its config.

    \b
    Example:
      ganstrata segment learn paint --out segmentations/painted
    """
    with computing("Run the same command again, with a new --out.", quiet=quiet) as progress:
        from ..core.semantics.annotation.mask_heads import LearnRequest
        from ..core.semantics.annotation.painted_learning import learn
        from ..core.semantics.learning.folder import EXTRACTOR

        request = LearnRequest(cast("Any", method), heads)
        learnt = learn(folder, out, request, resize=resize, device=device, progress=progress)
        file = out / EXTRACTOR
    say(f"Learnt from {quantity(len(learnt), 'mask')}. Extractor: {file}")


@click.command("suggest")
@click.argument("folder", type=PATH)
@click.option(
    "--pool", type=number_from(1, 100_000), default=200, show_default=True, metavar="N", help="New pictures."
)
@count_option(1000, default=8, words="Pictures to choose out of them.")
@click.option(
    "--heads",
    type=number_from(2, 100),
    default=10,
    show_default=True,
    metavar="N",
    help="Heads of the ensemble whose disagreement counts.",
)
@resize_option
@device_option
@quiet_option
def suggest_command(
    folder: Path, pool: int, count: int, heads: int, resize: bool, device: str | None, quiet: bool
) -> None:
    """Choose the pictures to annotate next, and write them into FOLDER.

    FOLDER is one of `ganstrata segment annotate` in which at least two masks are painted. Taken are pictures
    on which extractors disagree that weigh the masks differently, each of other classes than the ones before.

    \b
    Example:
      ganstrata segment suggest paint --pool 200 -n 8
    """
    with computing("Run the same command again.", quiet=quiet) as progress:
        from ..core.semantics.annotation.painted_learning import suggest

        found = suggest(folder, count, pool, heads=heads, device=device, resize=resize, progress=progress)
    for one in found:
        say(clean(f"sample-{one.sample}.png: disagreement {one.doubt:.4f}"))
