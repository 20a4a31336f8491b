"""Build the generator that a command names: that of a run, or of a checkpoint with its options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from ..config.parsing import parse_yaml
from ..config.schema import AUTO
from ..errors import MismatchError, UserError
from ..messages import visible
from ..plugins.generator import Generator
from ..plugins.registry import registry
from ..plugins.scorer import Scorer
from ..runs.loading import build, load_generator
from ..runs.run import Run

OPTION = re.compile(r":(?=[a-z_][a-z0-9_]*=)")


@dataclass(frozen=True)
class Source:
    """Hold a generator, and what its run adds.

    Attributes:
        generator: the generator.
        seed: seed of the run; 0 without one.
        scorers: scorers of the run by alias; none without one.
    """

    generator: Generator
    seed: int = 0
    scorers: Mapping[str, Scorer] = field(default_factory=dict)


def open_source(run: Path | None, generator: str | None, device: str | None = None) -> Source:
    """Build the generator of a command.

    Args:
        run: a run directory; or else
        generator: a checkpoint or the name of a plugin, with options: `FILE:key=value:key=value`.
        device: device to compute on; None for that of the run, or auto.

    Raises:
        UserError: both or neither are given, or an option is not one.
        GanstrataError: the run, the checkpoint or the plugin cannot be used.
    """
    if (run is None) == (generator is None):
        raise UserError(
            "give either --run RUN, whose generator is used, or --generator FILE"
            + (", not both" if run is not None else "")
        )
    if generator is not None:
        return Source(_named(generator, device or "auto"))
    assert run is not None
    opened = Run.open(run)
    config = opened.config
    built = cast(
        "Generator",
        build("generator", config.generator.use, config.generator.options, device=device or config.device),
    )
    if built.fingerprint != opened.record.generator.fingerprint:
        raise MismatchError(
            f"the generator of {run} is another one now: {built.fingerprint}, and that of the run "
            f"{opened.record.generator.fingerprint}. Restore its checkpoint, or give --generator FILE"
        )
    where = device or config.device
    scorers = {
        used.alias: cast("Scorer", build("scorer", used.use, used.options, device=where, alias=used.alias))
        for used in config.scorers
    }
    return Source(built, config.synthesis.seed, scorers)


def named_options(text: str, option: str) -> tuple[str, dict[str, Any]]:
    """Return the name in `NAME:key=value:key=value`, and the options; values are YAML.

    Args:
        text: what the user wrote.
        option: of the command, for messages.

    Raises:
        UserError: a value is not valid YAML.

    >>> named_options("bundled:rooms:truncation_psi=0.7:noise=fixed", "--generator")
    ('bundled:rooms', {'truncation_psi': 0.7, 'noise': 'fixed'})
    """
    name, *rest = OPTION.split(text)
    options: dict[str, Any] = {}
    for one in rest:
        key, _, value = one.partition("=")
        try:
            options[key] = parse_yaml(value)
        except (yaml.YAMLError, RecursionError):
            raise UserError(f"{option} {visible(text)}: the value of {key} is not valid YAML") from None
    return name, options


def _named(text: str, device: str) -> Generator:
    """Build a generator from `FILE:key=value`, or from the name of a plugin in place of a file."""
    name, options = named_options(text, "--generator")
    is_plugin = name in {info.name for info in registry().infos("generator")} and not Path(name).exists()
    if is_plugin:
        return load_generator(name, device=device, **options)
    return load_generator(AUTO, device=device, checkpoint=name, **options)
