"""Define `ganstrata run`, which runs the whole method, from a config to a report."""

from __future__ import annotations

from pathlib import Path

import click

from .computing import computing
from .errors import reported
from .init import is_checkpoint, name_of
from .meanings import say_meanings
from .options import PATH, config_device_option, quiet_option, set_option
from .streams import say


@click.command()
@click.argument("config", metavar="CONFIG|FILE")
@click.option(
    "--out", type=PATH, metavar="FOLDER", help="The run directory.  [default: runs/<name of the config>]"
)
@set_option
@config_device_option
@click.option(
    "--store",
    metavar="URL",
    help="Object store for the arrays, such as s3://bucket/prefix.  [default: as in the config]",
)
@quiet_option
def run(
    config: str,
    out: Path | None,
    overrides: tuple[str, ...],
    device: str | None,
    store: str | None,
    quiet: bool,
) -> None:
    """Run all stages of CONFIG (YAML, TOML or JSON): synthesize, learn, rescore, edit and report.

    FILE is a generator's checkpoint, or a name of one as `ganstrata init` takes it. It runs with the config
    that `ganstrata init` would write, which is stored in the run directory as config.yaml.

    The same command continues an interrupted run where it stopped.

    \b
    Examples:
      ganstrata run examples/rooms.yaml --out runs/rooms
      ganstrata run examples/rooms.yaml --set synthesis.samples=2000 --set engine.workers=1
      ganstrata run stylegan2-ffhq.pkl
    """
    with reported():
        is_file_alone = is_checkpoint(config)
    out = Path("runs") / (name_of(config) if is_file_alone else Path(config).stem) if out is None else out
    with computing(f"The same command continues the run in {out}.", quiet=quiet) as progress:
        from ..core.config.parsing import parse_yaml
        from ..core.config.reading import config_of, read_config
        from ..core.storage.paths import user_path

        options = {"device": device, "store": store}
        changed = (*overrides, *(f"{key}={value}" for key, value in options.items() if value is not None))
        validated = None if is_file_alone else read_config(user_path(config), changed)

        # These import torch, for which a fault in the config should not wait.
        from ..core.config.starter import starter_config
        from ..core.pipeline.perform import perform
        from ..core.runs.stages import STAGES
        from ..core.storage.disk import write_text

        if validated is not None:
            perform(validated, out, STAGES, source=config, progress=progress)
        else:
            text = starter_config(config)
            config_file = out / "config.yaml"
            progress.say(
                f"{config}: a run with default settings, kept in {config_file}; "
                "change them there and give that file"
            )
            validated = config_of(parse_yaml(text), config, changed)
            try:
                perform(validated, out, STAGES, source=config, progress=progress)
            finally:
                if (out / "run.json").is_file():
                    write_text(config_file, text)
    say_meanings(out)
    say(f"Report: {out / 'report.html'}")
