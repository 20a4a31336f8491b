"""Which generator plugin a checkpoint belongs to, and what the plugin finds in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, GanstrataError, PluginBroken
from ..plugins.failures import plugin_call
from ..plugins.records import Match
from ..plugins.registry import PluginInfo, registry
from ..text import visible
from . import Checkpoint, Part, locate, read_checkpoint, unreal
from .signatures import describe, mixture

if TYPE_CHECKING:
    from torch import Tensor

    from ..plugins.contracts import Generator


@dataclass(frozen=True)
class Examined:
    """What a generator plugin finds in one part of a checkpoint.

    Attributes:
        family: as in the model card.
        layout: whose tensor names they are, in words.
        architecture: plain values from which the plugin builds the network.
        resolution, layers, latent_size, code_size: as in the model card.
        tensors: by the names of the plugin's own network; `model convert` writes these.
        missing: names that the network needs and the file does not have.
        superfluous: stored names for which the network has no place.
        misshapen: stored names whose shape the network has no place for, in words.
        classes: how many classes the network is conditioned on.
    """

    family: str
    layout: str
    architecture: Mapping[str, Any]
    resolution: int
    layers: int
    latent_size: int
    code_size: int
    tensors: Mapping[str, Tensor] = field(repr=False)
    missing: tuple[str, ...] = ()
    superfluous: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()
    classes: int = 0

    @cached_property
    def unreal(self) -> tuple[str, ...]:
        """Names of its tensors in which not all values are finite real numbers."""
        return tuple(unreal(self.tensors))

    @property
    def faults(self) -> list[str]:
        """Why no network can be built of it, a few words for each tensor; nothing if one can."""
        return [
            *(f"missing {name}" for name in self.missing),
            *(f"superfluous {name}" for name in self.superfluous),
            *self.misshapen,
            *(f"{name} holds values that are no finite real numbers" for name in self.unreal),
        ]


@dataclass(frozen=True)
class Candidate:
    """A plugin's claim on one part of a checkpoint."""

    plugin: str
    part: Part
    match: Match


@dataclass(frozen=True)
class Claims:
    """What all installed plugins say of a checkpoint.

    Attributes:
        found: every claim, the surest first; of equal ones the part that comes first in the file's order.
        failed: what went wrong with plugins that could not be asked, a line each.
    """

    found: tuple[Candidate, ...]
    failed: tuple[str, ...]

    @property
    def rivals(self) -> list[str]:
        """The plugins whose claim on the same part is as good as the best."""
        if not self.found:
            return []
        best = self.found[0]
        return sorted(
            {
                c.plugin
                for c in self.found
                if c.match.confidence == best.match.confidence and c.part is best.part
            }
        )


def ask(checkpoint: Checkpoint) -> Claims:
    """Every claim; a plugin that is broken, or fails when asked, stops only those who ask for it."""
    found = []
    failed = []
    for info in registry().infos("generator"):
        try:
            plugin = info.load()
            for part in checkpoint.parts:
                match = _recognised(info, plugin, part)
                if match is not None:
                    found.append(Candidate(info.name, part, match))
        except GanstrataError as error:
            failed.append(str(error))
    places = {id(part): i for i, part in enumerate(checkpoint.parts)}
    return Claims(
        tuple(sorted(found, key=lambda c: (-c.match.confidence, places[id(c.part)]))), tuple(failed)
    )


def _recognised(info: PluginInfo, plugin: type[Generator], part: Part) -> Match | None:
    owner = f"generator '{info.name}' from {info.distribution}"
    # Standard output is for results: what a plugin prints goes where messages go.
    with plugin_call(owner, "recognise", home=plugin.__module__), redirect_stdout(sys.stderr):
        match: object = plugin.recognise(part.shapes, part.settings)
        if match is None:
            return None
        if not isinstance(match, Match):
            raise PluginBroken(
                f"{owner}: recognise returned {type(match).__name__}; a ganstrata.Match or None was expected"
            )
        return Match(float(match.confidence), str(match.reason))


def candidates(checkpoint: Checkpoint) -> list[Candidate]:
    """Every claim, the surest first; of equal ones the part that comes first in the file's order."""
    return list(ask(checkpoint).found)


def choose(checkpoint: Checkpoint) -> Candidate:
    """The plugin and part that a checkpoint belongs to.

    Raises:
        CheckpointError: no plugin claims it, or two do with equal right.
    """
    claims = ask(checkpoint)
    if not claims.found:
        failed = "".join(f"\n  {line}" for line in claims.failed)
        raise CheckpointError(
            f"{checkpoint.path} belongs to no generator plugin that is installed: {describe(checkpoint)}{failed}"
        )
    best = claims.found[0]
    if len(claims.rivals) > 1:
        raise CheckpointError(f"{checkpoint.path} is claimed by {disputed(claims)}")
    return best


def disputed(claims: Claims) -> str:
    """Who claims a part with equal right, and what may be done about it."""
    mixed = mixture(claims.found[0].part)
    cure = "name one with `use:`"
    if len(mixed) > 1:
        cure = f"it mixes tensors of several generators, {', '.join(mixed[:-1])} and {mixed[-1]}: save one of them alone"
    return f"the generator plugins {' and '.join(claims.rivals)} with equal right; {cure}"


def own_part(plugin: type[Generator], checkpoint: Checkpoint) -> Part:
    """The part of a checkpoint that a plugin knows as its own.

    Raises:
        CheckpointError: there is none; the message says what the file seems to be instead.
        PluginBroken: the plugin fails when it is asked.
    """
    for part in checkpoint.parts:
        with plugin_call(
            f"generator {plugin.__module__}.{plugin.__qualname__}",
            f"recognise on {visible(str(checkpoint.path))}",
            home=plugin.__module__,
        ):
            match = plugin.recognise(part.shapes, part.settings)
        if match is not None:
            return part
    others = sorted({c.plugin for c in candidates(checkpoint)})
    hint = (
        f"it belongs to the generator plugin {' or '.join(others)}: write `use: {others[0]}`, or `use: auto`"
        if others
        else describe(checkpoint)
    )
    raise CheckpointError(f"{checkpoint.path} is no {plugin.__name__} generator: {hint}")


def plugin_for(checkpoint: str) -> str:
    """The name of the generator plugin that `use: auto` stands for.

    Raises:
        CheckpointError: the file is missing, damaged, or belongs to none.
    """
    return choose(read_checkpoint(locate(checkpoint, "generator"))).plugin
