"""Define `ganstrata plugins check`: run the conformance kit on an installed plugin."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import UserError
from ..core.messages import listed, message, shown, visible
from ..core.plugins.plugin_info import CHECKED, CONFIGURED, Kind
from ..core.plugins.registry import registry
from .errors import reported
from .options import PATH
from .streams import say

if TYPE_CHECKING:
    from ..core.plugins.generator import Generator
    from ..testing import Outcome

MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "skipped"}
SECTIONS = {kind: "scorers" if kind == "scorer" else kind for kind in CONFIGURED}  # of a run's config


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(CHECKED), help="Which one, if plugins of two kinds have this name.")
@click.option(
    "--config",
    type=PATH,
    help="A config of a run that uses the plugin, or a file with the plugin's options alone.",
)
@click.option("--as", "alias", help="Which scorer of the config, if several use the plugin: its `as`.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one option of the plugin; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    name: str,
    kind: Kind | None,
    config: Path | None,
    alias: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check that plugin NAME keeps the promises of its contract.

    These are the checks of `ganstrata.testing`. The exit code is 1 if one of them fails. Checks that fail
    because of the same mistake are named below the one that says what to change. A scorer that reads feature
    maps needs the config of a run, which names their generator; an inverter is tried on that generator if
    one is given.

    \b
    Examples:
      ganstrata plugins check hue
      ganstrata plugins check stylegan2 --set checkpoint=bundled:rooms
      ganstrata plugins check hue --config run.yaml --as colour
    """
    with reported():
        from ..core.config.overrides import override
        from ..testing import check_plugin

        if alias is not None and config is None:
            raise UserError("--as names a scorer of a config: give --config FILE too")
        kind = kind or _kind_of(name)
        options, generator = ({}, None) if config is None else _read(config, kind, name, alias)
        for text in overrides:
            override(options, text)
        outcomes = check_plugin(kind, name, options, generator=generator)
        missing = _missing(kind, name, options)
    if as_json:
        say(json.dumps([_row(outcome) for outcome in outcomes], indent=2))
    else:
        _print(outcomes, missing)
    if any(outcome.verdict == "failed" for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _kind_of(name: str) -> Kind:
    """Return the kind of the plugin with this name.

    Raises:
        PluginNotFound: there is none.
        UserError: there are several, or none of a kind for which there are checks.
    """
    named = {info.kind: None for info in registry().named(name)}
    kinds = [kind for kind in named if kind in CHECKED]
    if not kinds:
        raise UserError(
            "there are checks for generators, scorers, boundary learners, engines and inverters alone, and "
            f"'{visible(name)}' is of another kind: {listed(named)}"
        )
    if len(kinds) > 1:
        options = " or ".join(f"--kind {kind}" for kind in kinds)
        raise UserError(f"a {' and a '.join(kinds)} are called '{visible(name)}': give {options}")
    return next(iter(kinds))


def _read(
    path: Path, kind: Kind, name: str, alias: str | None
) -> tuple[dict[str, Any], Callable[[], Generator] | None]:
    """Return the options of a plugin from a file, and what builds the generator that a scorer reads.

    Raises:
        UserError: the file cannot be read, does not use the plugin, or does so more than once.
    """
    from ..core.config.parsing import read_data

    data = read_data(path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected options such as `checkpoint: FILE`, or the config of a run")
    if not any(_blocks(data, section) for section in SECTIONS.values()):
        if alias is not None:
            raise UserError(f"{path} is not a config of a run, so it has no scorer for --as to name")
        return dict(data), None
    generators = _blocks(data, "generator") if kind in ("scorer", "inverter") else []
    # No section of a run names inverters, so its config gives the generator alone.
    options = {} if kind == "inverter" else _options(path, _block(path, data, kind, name, alias))
    return options, partial(_build, path, generators[0]) if generators else None


def _blocks(data: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    """Return the plugins that a section of a run's config uses."""
    value = data.get(section)
    blocks = value if isinstance(value, list) else [value]
    return [block for block in blocks if isinstance(block, dict) and "use" in block]


def _block(
    path: Path, data: Mapping[str, Any], kind: Kind, name: str, alias: str | None
) -> Mapping[str, Any]:
    """Return the one block of a run's config that uses a plugin.

    Raises:
        UserError: there is none, or there are several.
    """
    section = SECTIONS[kind]
    blocks = _blocks(data, section)
    using = [block for block in blocks if _used(kind, block) == name]
    if not using:
        others = listed(str(block["use"]) for block in blocks) or "nothing"
        raise UserError(f"{path} does not use '{visible(name)}' in `{section}`, but {others}")
    if alias is not None and kind != "scorer":
        raise UserError(f"--as names a scorer of a config, and '{visible(name)}' is a {kind}: leave it out")
    aliases = [str(block.get("as") or name) for block in using]
    if alias is not None and alias not in aliases:
        raise UserError(
            f"{path} has no scorer '{visible(alias)}' that uses '{visible(name)}': {listed(aliases)}"
        )
    if alias is None and len(using) > 1:
        raise UserError(
            f"{path} has {len(using)} scorers that use '{visible(name)}': {listed(aliases)}; "
            "choose one with --as ALIAS"
        )
    return using[0 if alias is None else aliases.index(alias)]


def _used(kind: Kind, block: Mapping[str, Any]) -> object:
    """Return the name of the plugin of a block; for `auto` that of the one which reads the checkpoint."""
    from ..core.config.schema import AUTO

    options = block.get("with")
    if kind == "generator" and block["use"] == AUTO and isinstance(options, dict) and "checkpoint" in options:
        from ..core.checkpoints.detect import plugin_for

        return plugin_for(str(options["checkpoint"]))
    return block["use"]


def _options(path: Path, block: Mapping[str, Any]) -> dict[str, Any]:
    options = block.get("with") or {}
    if not isinstance(options, dict):
        raise UserError(
            f"{path}: `with` of '{visible(str(block['use']))}' must be a mapping of options to values, "
            f"not {shown(options, 60)}"
        )
    return dict(options)


def _build(path: Path, block: Mapping[str, Any]) -> Generator:
    """Build the generator of a run's config on the CPU."""
    from ..core.runs.loading import load_generator

    return load_generator(str(block["use"]), device="cpu", **_options(path, block))


def _row(outcome: Outcome) -> dict[str, str]:
    check = outcome.check
    return {
        "name": check.name,
        "promise": check.promise,
        "verdict": outcome.verdict,
        "message": outcome.message,
        "because": outcome.because,
    }


def _missing(kind: Kind, name: str, options: Mapping[str, Any]) -> list[str]:
    """Return the names of the required options that are not given."""
    fields = registry().info(kind, name).load().Config.model_fields
    names = {field.alias or key: field for key, field in fields.items()}
    return [key for key, field in names.items() if field.is_required() and key not in options]


def _print(outcomes: list[Outcome], missing: list[str]) -> None:
    """Print a line per check, what to change below those that failed, and how many ended in which way.

    Checks that were not judged stand below the one that failed because of the same mistake.
    """
    consequences = defaultdict(list)
    for outcome in outcomes:
        consequences[outcome.because].append(outcome.check.name)
    for outcome in outcomes:
        if outcome.verdict == "not judged":
            continue
        say(f"{MARKS[outcome.verdict]:<7} {outcome.check.name}: {outcome.check.promise}")
        if outcome.verdict in ("failed", "skipped"):
            for line in message(outcome.message).splitlines():
                say(f"        {line}")
        others = consequences[outcome.check.name]
        if others:
            say(f"        Not judged because of this: {listed(others, len(others))}.")
    count = Counter(outcome.verdict for outcome in outcomes)
    say(
        f"\n{count['ok']} of {len(outcomes)} checks passed; {count['failed']} failed, "
        f"{count['skipped']} skipped, {count['not judged']} not judged."
    )
    if missing:
        given = " ".join(f"--set {visible(key)}=..." for key in missing)
        say(f"A required option is missing: give it with `{given}` or `--config FILE`.")
