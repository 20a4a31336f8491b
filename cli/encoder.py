"""Define `ganstrata encoder train`, which trains a network that answers pictures with codes."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import clean
from .inversion_options import generator_option
from .options import DEVICES, PATH, Commands, Limited, number_from, quiet_option
from .streams import say

LARGEST = 2**63 - 1
SHARE = Limited(float, 0.0, 1.0)
SIZES = ("small", "base")
SPACES = ("auto", "z", "w", "layers", "w+")
PARTS = ("latent", "pixel", "perceptual", "deltas", "reciprocity", "joint")


class Weight(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Represent the weight of a part of the loss, such as pixel=10."""

    name = "weight"

    def convert(
        self, value: str | tuple[str, float], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Convert text such as `pixel=10`."""
        if isinstance(value, tuple):
            return value
        part, _, number = value.partition("=")
        if part not in PARTS:
            self.fail(f"'{value}' is not PART=X, with PART one of {', '.join(PARTS)}.", param, ctx)
        return part, Limited(float, 0.0, 1e6).convert(number, param, ctx)


@click.group(cls=Commands)
def encoder() -> None:
    """Train networks that answer a picture with codes at once.

    `ganstrata invert` begins with one: `--embed encoder --set encoder.checkpoint=FILE`.

    \b
    Example:
      ganstrata encoder train --generator ffhq.pkl --out ffhq.encoder.safetensors
    """


@encoder.command("train")
@click.option("--run", type=PATH, metavar="RUN", help="Use the generator of this run.")
@generator_option
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="FILE.safetensors",
    help="File to write, with a card (.md) and the log of the training (.csv) beside it.",
)
@click.option(
    "--size",
    type=click.Choice(SIZES),
    default="small",
    show_default=True,
    help="Of the network; base has ten times the parameters of small.",
)
@click.option(
    "--space",
    type=click.Choice(SPACES),
    default="auto",
    show_default=True,
    help="Space of the codes: one z or w, or one per layer (layers, w+). auto: w+, or z without w.",
)
@click.option(
    "--pictures",
    type=number_from(1, 10**9),
    default=200_000,
    show_default=True,
    metavar="N",
    help="Pictures to learn from.",
)
@click.option(
    "--minutes",
    type=Limited(float, 0.01, 10**6),
    metavar="X",
    help="End after this time, with the schedule scaled to fit.  [default: no limit]",
)
@click.option(
    "--batch",
    type=number_from(1, 4096),
    default=32,
    show_default=True,
    metavar="N",
    help="Pictures in a step.",
)
@click.option(
    "--learning-rate",
    type=Limited(float, 1e-8, 1.0),
    default=5e-4,
    show_default=True,
    metavar="X",
    help="Of Adam, at its highest.",
)
@click.option(
    "--weight",
    "weights",
    type=Weight(),
    multiple=True,
    metavar="PART=X",
    help=f"Weight of a part of the loss ({', '.join(PARTS)}); may be repeated.  [default: latent=1, "
    "pixel=10, perceptual=0.5, deltas=0.01, others 0]",
)
@click.option(
    "--perceptual",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="What pictures are compared by besides pixels; none for pixels alone.",
)
@click.option(
    "--mixing",
    type=SHARE,
    default=0.5,
    show_default=True,
    metavar="X",
    help="Share of the samples with two styles, where each layer has a code of its own.",
)
@click.option("--progressive", is_flag=True, help="Let layers differ one after the other, as e4e does.")
@click.option(
    "--real",
    type=PATH,
    metavar="FOLDER|FILE.npy",
    help="Learn from these pictures too: a folder, or an array (N, height, width, 3) of 8 bits.",
)
@click.option(
    "--crop",
    default="centre",
    show_default=True,
    metavar="RULE",
    help="How real pictures of another shape are fitted to the generator.",
)
@click.option(
    "--real-share",
    type=Limited(float, 0.0, 0.99),
    default=0.5,
    show_default=True,
    metavar="X",
    help="Share of real pictures in a step.",
)
@click.option(
    "--real-from",
    type=SHARE,
    default=0.5,
    show_default=True,
    metavar="X",
    help="Share of the training after which real pictures take part.",
)
@click.option(
    "--seed",
    type=number_from(0, LARGEST),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of everything random.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="auto is fp32.",
)
@click.option(
    "--device", metavar=DEVICES, help="Where to compute.  [default: as in the run's config, or auto]"
)
@quiet_option
def train_command(
    run: Path | None,
    generator: str | None,
    out: Path,
    device: str | None,
    perceptual: str,
    real: Path | None,
    crop: str,
    precision: str,
    weights: tuple[tuple[str, float], ...],
    quiet: bool,
    **settings: object,
) -> None:
    """Train an encoder for a generator, from samples whose codes are known.

    Samples are drawn, learnt from and forgotten. With --real, pictures that the generator did not make join:
    their reconstructions are compared with them. An interrupted training goes on when the same command is
    run again.

    \b
    Examples:
      ganstrata encoder train --generator ffhq.pkl --out ffhq.encoder.safetensors
      ganstrata encoder train --run runs/rooms --real photographs --minutes 60 --out rooms.encoder.safetensors
    """
    with computing(f"The same command continues the training of {out}.", quiet=quiet) as progress:
        from ..core.device import resolve_precision
        from ..core.inversion.encoders.folder import check_out
        from ..core.inversion.encoders.quality import in_words
        from ..core.inversion.encoders.request import EncoderRequest, LossWeights
        from ..core.inversion.encoders.train import train_as_asked
        from ..core.inversion.perceptual_named import perceptual_named
        from ..core.inversion.source import open_source

        check_out(out)  # before anything takes time
        source = open_source(run, generator, device)
        built = source.generator
        request = EncoderRequest(
            weights=LossWeights(**dict(weights)),
            precision=resolve_precision(precision, built.device),
            **settings,  # type: ignore[arg-type]  # click has checked them
        )
        trained = train_as_asked(
            built,
            out,
            request,
            perceptual=perceptual_named(perceptual, built, source.scorers),
            real=real,
            crop=crop,
            progress=progress,
        )
    for sentence in in_words(trained.facts["quality"]):
        say(clean(f"{sentence[0].upper()}{sentence[1:]}."))
    say(f"Encoder: {out}, with its card {out.with_suffix('.md').name}")
