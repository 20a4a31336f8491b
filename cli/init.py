"""Define `ganstrata init`, which writes a commented config for a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.messages import visible
from ..core.storage.paths import user_path
from .errors import reported
from .options import PATH
from .streams import say

if TYPE_CHECKING:
    from ..core.checkpoints.zoo import Published

CONFIGS = (".yaml", ".yml", ".toml", ".json")
BUNDLED, REMOTE = "bundled:", ("hf:", "https:", "http:")  # as in core.checkpoints, which imports torch


@click.command()
@click.argument("file", default="bundled:rooms")
@click.option("--out", type=PATH, metavar="FILE", help="The config to write.  [default: <name of FILE>.yaml]")
def init(file: str, out: Path | None) -> None:
    """Write a commented config that runs for the checkpoint FILE.

    FILE is a generator's checkpoint in any container, or bundled:NAME; the default is bundled:rooms. A name
    such as hf:OWNER/NAME/FILE@REVISION or https://HOST/FILE#sha256=HASH is fetched into a cache first.
    Nothing in the file is executed. The config scores hues, which needs no weights; its comments say how to
    add scorers.

    FILE may also be a name from `ganstrata model list`. Nothing is fetched then: the config says where the
    file is published, and runs once it is there.

    \b
    Examples:
      ganstrata init stylegan2-ffhq.pkl
      ganstrata init stylegan2_church
      ganstrata init --out rooms.yaml
    """
    with reported():
        from ..core.config.published import published_config
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
        published = None if is_checkpoint(file) else _published(file)
        text = starter_config(file) if published is None else published_config(published)
        write_text(target, text)
    if published is None:
        say(f"Wrote {target}. It runs as it is: ganstrata run {target}")
    elif published.checkpoint is not None:
        say(f"Wrote {target}. It fetches the file, and runs: ganstrata run {target}")
    else:
        say(f"Wrote {target}. Write the path of the file into it, then: ganstrata run {target}")


def _published(file: str) -> Published | None:
    """Return the model of this name in the list of published models; None if FILE is a path.

    Raises:
        UserError: there is neither a file nor a model of this name, but a model of a similar one.
    """
    from ..core.checkpoints.zoo import named, published
    from ..core.errors import UserError, nearest

    model = named(file)
    if model is None and not user_path(file).exists():
        hint = nearest(file, [one.name for one in published()])
        if hint:
            raise UserError(f"no checkpoint file {visible(file)}, and no published model of this name.{hint}")
    return model


def is_checkpoint(file: str) -> bool:
    """Return whether FILE is a checkpoint: a name of one, or a file without the suffix of a config."""
    if file.startswith((BUNDLED, *REMOTE)):
        return True
    path = user_path(file)
    return path.suffix.lower() not in CONFIGS and path.is_file()


def name_of(file: str) -> str:
    """Return the name for files that belong to a checkpoint.

    >>> name_of("bundled:rooms"), name_of("models/stylegan2-ffhq.pkl"), name_of("hf:owner/name/g.pkl@main")
    ('rooms', 'stylegan2-ffhq', 'g')
    """
    if file.startswith(BUNDLED):
        return file.removeprefix(BUNDLED)
    return Path(re.split("[@#?]", file)[0] if file.startswith(REMOTE) else file).stem
