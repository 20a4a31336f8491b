"""Define `ganstrata config`: check a config without running it, and describe configs for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .errors import reported
from .options import PATH, Commands
from .streams import say


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
def check(file: Path, overrides: tuple[str, ...]) -> None:
    """Check the config FILE without running it.

    All faults are listed at once, with their places. Checkpoints are not opened, except for `use: auto`. A
    file with a `teacher` is a config of `ganstrata segment`, any other one of a run.

    \b
    Example:
      ganstrata config check examples/rooms.yaml
    """
    with reported():
        from ..core.config.reading import read_any_config
        from ..core.config.segment_schema import SegmentConfig

        content = read_any_config(file, overrides)
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
