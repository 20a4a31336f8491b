"""Define `ganstrata plugins check`: run the conformance kit on an installed plugin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import UserError
from ..core.messages import visible
from ..core.plugins.registry import KINDS, Kind, registry
from .errors import reported
from .options import PATH
from .streams import say

if TYPE_CHECKING:
    from ..core.plugins.contracts import Generator
    from ..testing import Outcome

MARKS = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Which one, if plugins of two kinds have this name.")
@click.option(
    "--config",
    type=PATH,
    help="A config of a run that uses the plugin, or a file with the plugin's options alone.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one option of the plugin."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    name: str, kind: Kind | None, config: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Check that plugin NAME keeps the promises of its contract.

    These are the checks of `ganstrata.testing`. The exit code is 1 if one of them fails. A scorer that reads
    feature maps needs the config of a run, which names their generator.

    \b
    Examples:
      ganstrata plugins check hue
      ganstrata plugins check stylegan2 --set checkpoint=bundled:rooms
    """
    with reported():
        from ..testing import check_plugin

        kind = kind or _kind_of(name)
        options, generator = _options(name, kind, config, overrides)
        build = None if generator is None else partial(_build, generator)
        outcomes = check_plugin(kind, name, options, generator=build)
    if as_json:
        say(json.dumps([_row(outcome) for outcome in outcomes], indent=2))
    else:
        _print(outcomes)
    if any(outcome.verdict == "failed" for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _kind_of(name: str) -> Kind:
    """Return the kind of the plugin with this name.

    Raises:
        PluginNotFound: there is none.
        UserError: there are several.
    """
    kinds = {info.kind: None for info in registry().named(name)}
    if len(kinds) > 1:
        raise UserError(f"a {' and a '.join(kinds)} are called '{visible(name)}': give --kind")
    return next(iter(kinds))


def _options(
    name: str, kind: Kind, path: Path | None, overrides: tuple[str, ...]
) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
    """Return the options of a plugin, and the generator of the run's config, if a scorer is checked with one.

    Raises:
        UserError: the file cannot be read, or does not use the plugin.
    """
    from ..core.config.overrides import override
    from ..core.config.parsing import read_data

    options: dict[str, Any] = {}
    generator: Mapping[str, Any] | None = None
    if path is not None:
        data = read_data(path)
        if not isinstance(data, dict):
            raise UserError(f"{path}: expected options such as `checkpoint: FILE`")
        scorers = data.get("scorers")
        sections = [
            data.get("generator"),
            *(scorers if isinstance(scorers, list) else ()),
            data.get("boundary"),
        ]
        blocks = [block for block in sections if isinstance(block, dict) and "use" in block]
        if blocks:
            used = [block for block in blocks if block["use"] == name]
            if not used:
                raise UserError(f"{path} does not use '{visible(name)}'")
            options = used[0].get("with") or {}
            section = data.get("generator")
            generator = section if kind == "scorer" and isinstance(section, dict) else None
        else:
            options = data
        if not isinstance(options, dict):
            raise UserError(f"{path}: `with` of '{visible(name)}' must be a mapping of options to values")
        options = dict(options)
    for text in overrides:
        override(options, text)
    return options, generator


def _build(section: Mapping[str, Any]) -> Generator:
    """Build the generator of a run's config on the CPU."""
    from ..core.runs.loading import load_generator

    return load_generator(str(section.get("use")), device="cpu", **(section.get("with") or {}))


def _row(outcome: Outcome) -> dict[str, str]:
    check = outcome.check
    return {
        "name": check.name,
        "promise": check.promise,
        "verdict": outcome.verdict,
        "message": outcome.message,
    }


def _print(outcomes: list[Outcome]) -> None:
    """Print a line per check, what to change below those that failed, and a sentence on all."""
    for outcome in outcomes:
        say(f"{MARKS[outcome.verdict]} {outcome.check.name}: {outcome.check.promise}")
        if outcome.message:
            say(f"        {visible(outcome.message, 1500)}")
    failed = sum(outcome.verdict == "failed" for outcome in outcomes)
    skipped = sum(outcome.verdict == "skipped" for outcome in outcomes)
    say(
        f"\n{len(outcomes) - failed - skipped} of {len(outcomes)} checks passed, {failed} failed, "
        f"{skipped} do not apply."
    )
