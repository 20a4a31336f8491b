"""Define `ganstrata dissect`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import click

from .computing import computing
from .errors import clean
from .options import PATH, Counts, Limited, config_device_option, number_from, quiet_option, set_option
from .streams import say

SIZES = "1,2,4,8,16"
MOST_UNITS = 100_000


class Threshold(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Represent `iqr`, `iou`, or a share between 0 and 1."""

    name = "threshold"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | float:
        """Convert text such as `iqr` or `0.01`."""
        if isinstance(value, float) or value in ("iqr", "iou"):
            return value
        try:
            share = float(value)
        except ValueError:
            share = math.nan
        if not 0.0 < share < 1.0:
            self.fail(f"'{value}' is not iqr, iou, or a share above 0 and below 1.", param, ctx)
        return share


@click.command("dissect")
@click.argument("source", metavar="CONFIG|RUN", type=PATH)
@click.option("--out", required=True, type=PATH, metavar="FOLDER", help="Folder to write.")
@click.option("--scorer", metavar="NAME", help="Scorer of a run that labels pixels.  [default: the only one]")
@click.option(
    "--stratum",
    "strata",
    multiple=True,
    metavar="STRATUM",
    help="Number or name of a stratum to dissect; may be repeated.  [default: as in the config, or all]",
)
@click.option(
    "--samples",
    type=number_from(2, 1_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Pictures that choose level and class of each unit, and number of those that measure; 10,000 in the "
    "paper.",
)
@click.option(
    "--threshold",
    type=Threshold(),
    default="iqr",
    show_default=True,
    metavar="iqr|iou|SHARE",
    help="Which level is chosen: the one with the highest ratio of information, with the highest IoU, or the "
    "one above which a share of the pixels lies, such as 0.01.",
)
@click.option(
    "--permutations",
    type=number_from(19, 1_000_000),
    default=9999,
    show_default=True,
    metavar="N",
    help="Permutations of the masks.",
)
@click.option(
    "--rate",
    type=Limited(float, 0.0001, 0.5),
    default=0.05,
    show_default=True,
    metavar="X",
    help="Rate of false discoveries.",
)
@click.option(
    "--counts",
    type=Counts(MOST_UNITS, SIZES, may_be_none=True),
    default=SIZES,
    show_default=True,
    metavar="N,N,...",
    help="Numbers of units that are set together; none for no curves.",
)
@click.option(
    "--curve-samples",
    type=number_from(8, 1_000_000),
    default=128,
    show_default=True,
    metavar="N",
    help="New pictures of the curves.",
)
@click.option(
    "--curve-stratum",
    metavar="STRATUM",
    help="Number or name of the stratum of the curves.  [default: the one that detects most classes]",
)
@click.option(
    "--random-sets",
    type=number_from(3, 1000),
    default=12,
    show_default=True,
    metavar="N",
    help="Random sets of units to compare with.",
)
@click.option(
    "--ablate",
    type=click.Choice(["zero", "mean"]),
    default="zero",
    show_default=True,
    help="What units are set to that are switched off.",
)
@set_option
@config_device_option
@quiet_option
def dissect(
    source: Path,
    out: Path,
    scorer: str | None,
    strata: tuple[str, ...],
    samples: int,
    threshold: Literal["iqr", "iou"] | float,
    permutations: int,
    rate: float,
    counts: tuple[int, ...],
    curve_samples: int,
    curve_stratum: str | None,
    random_sets: int,
    ablate: Literal["zero", "mean"],
    overrides: tuple[str, ...],
    device: str | None,
    quiet: bool,
) -> None:
    """Find which units of a generator detect which class, and what setting them does.

    CONFIG is one of `ganstrata segment train`, whose teacher labels pixels, or one of `ganstrata run`; RUN is
    a run directory. One of a run's scorers must label pixels. Writes units.csv, iou.csv, curves.csv, charts,
    dissection.json, and page.html with the units of each class.

    \b
    Examples:
      ganstrata dissect examples/segment.yaml --out dissection
      ganstrata dissect runs/rooms_objects --stratum b16.conv1 --samples 500 --out dissection
    """
    with computing("Nothing was written; run the same command again.", quiet=quiet) as progress:
        from ..core.dissection.folder import PAGE, dissect_into
        from ..core.dissection.request import DissectRequest

        request = DissectRequest(
            samples=samples,
            threshold=threshold,
            permutations=permutations,
            rate=rate,
            counts=counts,
            curve_samples=curve_samples,
            random_sets=random_sets,
            ablate=ablate,
        )
        found = dissect_into(
            source,
            out,
            request,
            scorer=scorer,
            strata=strata,
            curve_stratum=curve_stratum,
            overrides=overrides,
            device=device,
            progress=progress,
        )
    for sentence in found.sentences:
        say(clean(sentence))
    say(f"\nPage: {out / PAGE}")
