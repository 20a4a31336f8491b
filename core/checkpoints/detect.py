"""Find the generator plugin that a checkpoint belongs to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CheckpointError, GanstrataError, PluginBroken
from ..messages import visible
from ..plugins.failures import plugin_call
from ..plugins.plugin_info import PluginInfo
from ..plugins.records import Match
from ..plugins.registry import registry
from . import Checkpoint, Part, locate, read_checkpoint, unreal
from .prefixes import under_prefixes
from .ranks import UNKNOWN, rank
from .signatures import describe, mixture, out_of_reach

if TYPE_CHECKING:
    from torch import Tensor

    from ..plugins.generator import Generator

T = TypeVar("T")


@dataclass(frozen=True)
class Examined:
    """Hold what a generator plugin finds in one part of a checkpoint.

    Attributes:
        family: family of the network, as in the model card.
        layout: naming scheme of the stored tensors, in words.
        architecture: plain values from which the plugin builds the network.
        resolution, layers, latent_size, code_size: as in the model card.
        tensors: tensors by the names of the plugin's own network; `model convert` writes these.
        missing: names that the network needs and the file does not have.
        superfluous: stored names that the network does not have.
        misshapen: stored names whose shape does not fit the network, with an explanation.
        classes: number of classes that the network is conditioned on; 0 if it is unconditional.
        height, width: of the pictures, in pixels; 0 if the plugin names only the longer side, `resolution`.
        channels: of the pictures: 1 (grey), 3 (RGB) or 4 (RGB with alpha).
        assumptions: sentences on what was stripped, ignored, converted, made up or assumed to read it.
        assumed: fields of the plugin's config that neither file nor config states, with the sentence on
            each, or an empty one if the published code leaves no doubt. They stay open in a converted file.
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
    height: int = 0
    width: int = 0
    channels: int = 3
    assumptions: tuple[str, ...] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def unreal(self) -> tuple[str, ...]:
        """Names of the tensors that are complex or have a NaN or an infinite value."""
        return tuple(unreal(self.tensors))

    @property
    def faults(self) -> list[str]:
        """Reasons why no network can be built, one per tensor; empty if one can."""
        return [
            *(f"missing {name}" for name in self.missing),
            *(f"superfluous {name}" for name in self.superfluous),
            *self.misshapen,
            *(f"{name} holds values that are not finite real numbers" for name in self.unreal),
        ]


@dataclass(frozen=True)
class Candidate:
    """Represent a plugin's claim to one part of a checkpoint."""

    plugin: str
    part: Part
    match: Match


@dataclass(frozen=True)
class Claims:
    """Hold the claims of all installed generator plugins to a checkpoint.

    Attributes:
        candidates: all claims, by decreasing confidence; ties in the order of the file's parts.
        failures: error messages of the plugins that failed, one line each.
        parts: those of the checkpoint, each followed by the networks found under prefixes of its names.
    """

    candidates: tuple[Candidate, ...]
    failures: tuple[str, ...]
    parts: tuple[Part, ...] = ()

    @property
    def rivals(self) -> list[str]:
        """Sorted names of the plugins that claim the best part with the highest confidence."""
        if not self.candidates:
            return []
        best = self.candidates[0]
        return sorted(
            {
                c.plugin
                for c in self.candidates
                if c.match.confidence == best.match.confidence and c.part is best.part
            }
        )


def collect_claims(checkpoint: Checkpoint) -> Claims:
    """Return the claims of all installed generator plugins; a plugin that fails does not stop the others.

    If no plugin knows a part, the networks under prefixes of its names are offered too.
    """
    failures: list[str] = []
    plugins: dict[str, tuple[PluginInfo, type[Generator]]] = {}
    for info in registry().infos("generator"):
        try:
            plugins[info.name] = info, info.load()
        except GanstrataError as error:
            failures.append(str(error))

    def recognise(part: Part) -> list[tuple[str, Match]]:
        claims = []
        for name, (info, plugin) in list(plugins.items()):
            try:
                match = _match_of(info, plugin, part)
            except GanstrataError as error:
                failures.append(str(error))
                del plugins[name]
                continue
            if match is not None:
                claims.append((name, match))
        return claims

    offers = _offer(checkpoint, recognise)
    candidates = [
        Candidate(plugin, part, match)
        for plugin in [info.name for info in registry().infos("generator")]
        for part, claims in offers
        for name, match in claims
        if name == plugin
    ]
    places = {id(part): i for i, (part, _) in enumerate(offers)}
    return Claims(
        tuple(sorted(candidates, key=lambda c: (-c.match.confidence, places[id(c.part)]))),
        tuple(failures),
        tuple(part for part, _ in offers),
    )


def _offer(
    checkpoint: Checkpoint, recognise: Callable[[Part], Sequence[T]]
) -> list[tuple[Part, Sequence[T]]]:
    """Return the parts of a checkpoint, and those under prefixes, with what `recognise` says of each.

    Networks under prefixes are looked for in parts that are not known, are no discriminators or the like,
    hold no part that is known, and are not of a family out of reach, of which a piece may look familiar.
    """
    known = [(part, recognise(part)) for part in checkpoint.parts]
    inner = [{id(tensor) for tensor in part.tensors.values()} for part, claims in known if claims]
    offers: list[tuple[Part, Sequence[T]]] = []
    for part, claims in known:
        offers.append((part, claims))
        if claims or rank(part.name)[0] > UNKNOWN or out_of_reach(part) is not None:
            continue
        tensors = {id(tensor) for tensor in part.tensors.values()}
        if any(claimed <= tensors for claimed in inner):
            continue
        networks = under_prefixes(part, recognise)
        offers += sorted(networks, key=lambda offer: rank(offer[0].name.removeprefix(part.name)))
    return offers


def _match_of(info: PluginInfo, plugin: type[Generator], part: Part) -> Match | None:
    owner = f"generator '{info.name}' from {info.distribution}"
    # Standard output is for results, so what a plugin prints goes to standard error.
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
    """Return all claims, by decreasing confidence; ties in the order of the file's parts."""
    return list(collect_claims(checkpoint).candidates)


def choose(checkpoint: Checkpoint) -> Candidate:
    """Return the best claim to a checkpoint: its plugin and part.

    Raises:
        CheckpointError: no plugin claims the checkpoint, or several do with equal confidence.
    """
    claims = collect_claims(checkpoint)
    if not claims.candidates:
        failures = "".join(f"\n  {line}" for line in claims.failures)
        raise CheckpointError(
            f"{checkpoint.path} belongs to no generator plugin that is installed: "
            f"{describe(checkpoint)}{failures}"
        )
    best = claims.candidates[0]
    if len(claims.rivals) > 1:
        raise CheckpointError(f"{checkpoint.path} is claimed by {disputed(claims)}")
    return best


def disputed(claims: Claims) -> str:
    """Return a message that names the rival plugins and says what the user can do."""
    families = mixture(claims.candidates[0].part)
    cure = "name one with `use:`"
    if len(families) > 1:
        cure = (
            f"it mixes tensors of several generators, {', '.join(families[:-1])} and {families[-1]}: "
            "save one of them alone"
        )
    return f"the generator plugins {' and '.join(claims.rivals)} with equal right; {cure}"


def own_part(plugin: type[Generator], checkpoint: Checkpoint) -> Part:
    """Return the first part of a checkpoint that a plugin recognises, or network under a prefix in one.

    Raises:
        CheckpointError: the plugin recognises none; the message says what the file seems to be instead.
        PluginBroken: the plugin's `recognise` fails.
    """

    def recognise(part: Part) -> list[Match]:
        with plugin_call(
            f"generator {plugin.__module__}.{plugin.__qualname__}",
            f"recognise on {visible(str(checkpoint.path))}",
            home=plugin.__module__,
        ):
            match = plugin.recognise(part.shapes, part.settings)
        return [] if match is None else [match]

    part = next((part for part, claims in _offer(checkpoint, recognise) if claims), None)
    if part is not None:
        return part
    plugins = sorted({c.plugin for c in candidates(checkpoint)})
    hint = (
        f"it belongs to the generator plugin {' or '.join(plugins)}: "
        f"write `use: {plugins[0]}`, or `use: auto`"
        if plugins
        else describe(checkpoint)
    )
    raise CheckpointError(f"{checkpoint.path} is not a {plugin.__name__} generator: {hint}")


def plugin_for(checkpoint: str) -> str:
    """Return the name of the generator plugin that `use: auto` stands for.

    Raises:
        CheckpointError: the file is missing or damaged, or belongs to no plugin.
    """
    return choose(read_checkpoint(locate(checkpoint, "generator"))).plugin
