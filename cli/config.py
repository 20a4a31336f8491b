"""Define `ganstrata config`: check a config without running it, and describe configs for editors."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import reported
from .options import PATH, Commands
from .streams import say, tell

if TYPE_CHECKING:
    from ..core.config.schema import RunConfig
    from ..core.config.segment_schema import SegmentConfig


@click.group(cls=Commands)
def config() -> None:
    """Check a config, or write the JSON Schema that editors complete configs with.

    \b
    Examples:
      ganstrata config check run.yaml
      ganstrata config schema --out ganstrata.schema.json
    """


@config.command("check")
@click.argument("file", type=PATH)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, as in a run; may be repeated.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Look at the file alone: open no checkpoint (except for `use: auto`) and build nothing.",
)
def check(file: Path, overrides: tuple[str, ...], quick: bool) -> None:
    """Check the config FILE without running it.

    Generator, scorers and learner are built as in a run, on its device, so that layers, concepts and numbers
    of samples are checked too; no picture is made. All faults are listed at once, with their places. A file
    with a `teacher` is a config of `ganstrata segment`, any other one of a run.

    \b
    Example:
      ganstrata config check examples/rooms.yaml
    """
    with reported():
        from ..core.config.reading import read_any_config
        from ..core.config.segment_schema import SegmentConfig

        content = read_any_config(file, overrides)
        slow = "" if quick else _build(content, str(file))
    if slow:
        tell(f"{slow}.")
    if isinstance(content, SegmentConfig):
        say(
            f"{file} is valid, for `ganstrata segment`: generator {content.generator.use}, "
            f"teacher {content.teacher.use}, head {content.extractor.head}."
        )
        return
    scorers = ", ".join(
        scorer.use if scorer.alias == scorer.use else f"{scorer.use} as {scorer.alias}"
        for scorer in content.scorers
    )
    say(
        f"{file} is valid: generator {content.generator.use}, scorers {scorers}, "
        f"boundary learner {content.boundary.use}."
    )


def _build(content: RunConfig | SegmentConfig, source: str) -> str:
    """Build what a config names, and check what the file alone cannot show; return why it is slow, if it is.

    Raises:
        GanstrataError: a plugin, checkpoint, layer, concept or number of samples does not fit.
    """
    from ..core.config.segment_schema import SegmentConfig
    from ..core.device import resolve_device, slow_precision
    from ..core.runs.prepare import prepare
    from ..core.semantics.subject import build_subject

    with redirect_stdout(sys.stderr):  # what a plugin prints is not a result of the command
        if isinstance(content, SegmentConfig):
            build_subject(content.model_copy(update={"checks": False}), source)
        else:
            prepare(content, source=source, check=False)
    return slow_precision(resolve_device(content.device), content.precision)


@config.command("schema")
@click.option("--out", type=PATH, metavar="FILE", help="The file to write.  [default: print it]")
@click.option("--segment", is_flag=True, help="Configs of `ganstrata segment`, not of runs.")
def schema(out: Path | None, segment: bool) -> None:
    """Write the JSON Schema of configs, with the options of all installed plugins.

    Editors with a YAML language server read it if a config begins with
    `# yaml-language-server: $schema=ganstrata.schema.json`. Write it again when plugins are installed.

    \b
    Example:
      ganstrata config schema --out ganstrata.schema.json
    """
    with reported():
        from ..core.config.json_schema import config_schema, segment_schema
        from ..core.storage.disk import write_text

        text = json.dumps(segment_schema() if segment else config_schema(), indent=2, ensure_ascii=False)
        if out is not None:
            write_text(out, text + "\n")
    say(text if out is None else f"Wrote {out}.")
