"""Define `ganstrata init`, which writes a commented config for a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

import click

from .errors import reported
from .options import PATH
from .streams import say

CONFIGS = (".yaml", ".yml", ".toml", ".json")


@click.command()
@click.argument("file", default="bundled:rooms")
@click.option("--out", type=PATH, help="The config to write.  [default: <name of FILE>.yaml]")
def init(file: str, out: Path | None) -> None:
    """Write a commented config that runs for the checkpoint FILE.

    FILE is a generator's checkpoint in any container, or bundled:NAME; the default is bundled:rooms. Nothing
    in it is executed. The config scores hues, which needs no weights; its comments say how to add scorers.

    \b
    Examples:
      ganstrata init stylegan2-ffhq.pkl
      ganstrata init --out rooms.yaml
    """
    with reported():
        from ..core.config.starter import starter_config
        from ..core.errors import UserError
        from ..core.storage.disk import write_text
        from ..core.storage.result_folder import check_outside_arrays

        target = Path(f"{name_of(file)}.yaml") if out is None else out
        if target.exists() or target.is_symlink():
            raise UserError(f"{target} exists; give another --out, or remove it first")
        if target.suffix not in (".yaml", ".yml"):
            raise UserError(f"--out {target}: the config is YAML; give a name that ends in .yaml")
        check_outside_arrays(target)
        write_text(target, starter_config(file))
    say(f"Wrote {target}. It runs as it is: ganstrata run {target}")


def is_checkpoint(file: Path) -> bool:
    """Return whether FILE is a checkpoint: `bundled:NAME`, or a file without the suffix of a config."""
    return str(file).startswith("bundled:") or (file.suffix.lower() not in CONFIGS and file.is_file())


def name_of(file: str) -> str:
    """Return the name for files that belong to a checkpoint.

    >>> name_of("bundled:rooms"), name_of("models/stylegan2-ffhq.pkl")
    ('rooms', 'stylegan2-ffhq')
    """
    return re.sub(r"^bundled:", "", file) if file.startswith("bundled:") else Path(file).stem
