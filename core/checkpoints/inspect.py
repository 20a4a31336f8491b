"""Collect the facts about a checkpoint that `ganstrata model inspect` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import GanstrataError, PluginBroken
from ..messages import quantity, shown, visible
from ..plugins.failures import plugin_call
from ..plugins.generator import Generator
from ..plugins.registry import registry
from ..storage.json_values import JsonObject
from . import BUNDLED, Checkpoint, Part, is_remote, locate, read_checkpoint
from .assumptions import with_assumptions
from .detect import Candidate, Claims, Examined, collect_claims, disputed
from .signatures import DESCRIBED, describe, describe_part, mixture

METADATA = 500  # characters of a file's licence or source that are shown


@dataclass(frozen=True)
class PartFacts:
    """Describe one state dict of the file.

    Attributes:
        name: name in the file; empty for a bare state dict.
        tensors: number of tensors.
        parameters: number of elements of all tensors.
        used: whether a generator is built from this part.
        what: description by the plugin that claims it, or else judged by its tensor names and shapes.
        shapes: the shape of every tensor, by name.
    """

    name: str
    tensors: int
    parameters: int
    used: bool
    what: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Inspection:
    """Describe a checkpoint. Fields that only a plugin can fill are None if no plugin does.

    Attributes:
        file, bytes, sha256, container: path, size, hash and storage format of the file.
        parts: the state dicts in the file.
        plugin, distribution, reason: plugin that claims it, distribution of the plugin, reason of the claim.
        family, layout, architecture, resolution, height, width, channels, layers, latent_size, code_size,
            classes: see `Examined`.
        licence, source: as stated in the file.
        missing, superfluous, misshapen: all tensors that do not fit.
        unreal: tensors that are complex or have a NaN or an infinite value.
        faults: reasons why the file cannot be used, in words; empty if it can.
        assumptions: see `Examined`.
        remarks: further notes, such as plugins that failed.
        config: the `generator:` line for a config.
    """

    file: str
    bytes: int
    sha256: str
    container: str
    parts: tuple[PartFacts, ...]
    plugin: str | None = None
    distribution: str | None = None
    reason: str | None = None
    family: str | None = None
    layout: str | None = None
    architecture: Mapping[str, Any] | None = None
    resolution: int | None = None
    height: int | None = None
    width: int | None = None
    channels: int | None = None
    layers: int | None = None
    latent_size: int | None = None
    code_size: int | None = None
    classes: int | None = None
    licence: str | None = None
    source: str | None = None
    missing: tuple[str, ...] = ()
    superfluous: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()
    unreal: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    config: str | None = None

    def plain(self) -> JsonObject:
        """Return the fields as plain values for JSON."""
        return asdict(self)


def inspect(file: str) -> Inspection:
    """Read a checkpoint and have its plugin examine it. Faults of a readable file go into the result.

    Args:
        file: a path, `bundled:NAME`, or a file on the network (core.checkpoints.remote).

    Raises:
        CheckpointError: the file is missing, damaged or unsafe.
    """
    checkpoint = read_checkpoint(locate(file, "generator"))
    claims = collect_claims(checkpoint)
    best = claims.candidates[0] if len(claims.rivals) == 1 else None
    inspection = Inspection(
        file=file if file.startswith(BUNDLED) or is_remote(file) else str(checkpoint.path),
        bytes=checkpoint.path.stat().st_size,
        sha256=checkpoint.sha256,
        container=checkpoint.container,
        parts=tuple(
            _part_facts(part, claims, used=best is not None and part is best.part, described=i < DESCRIBED)
            for i, part in enumerate(claims.parts)
        ),
        remarks=claims.failures,
    )
    if claims.rivals[1:]:
        return replace(inspection, faults=(f"it is claimed by {disputed(claims)}",))
    if best is None:
        fault = f"it belongs to no generator plugin that is installed: {describe(checkpoint)}"
        return replace(inspection, faults=(fault,))
    settings = best.part.settings
    inspection = replace(
        inspection,
        plugin=best.plugin,
        distribution=_distribution(best.plugin),
        reason=best.match.reason,
        licence=_metadata_text(settings["licence"]) if "licence" in settings else None,
        source=_metadata_text(settings["source"]) if "source" in settings else None,
    )
    try:
        examined = examine(best, checkpoint)
    except GanstrataError as error:
        return replace(inspection, faults=(str(error),))
    if examined is None:
        remark = f"the plugin '{best.plugin}' gives no details: it has no examine()"
        remarks = (*claims.failures, remark)
        return replace(inspection, remarks=remarks, config=_config(file, best.plugin, 0))
    return replace(
        inspection,
        family=examined.family,
        layout=examined.layout,
        architecture=json.loads(json.dumps(dict(examined.architecture), default=str)),
        resolution=examined.resolution,
        height=examined.height or None,
        width=examined.width or None,
        channels=examined.channels,
        layers=examined.layers,
        latent_size=examined.latent_size,
        code_size=examined.code_size,
        classes=examined.classes,
        missing=examined.missing,
        superfluous=examined.superfluous,
        misshapen=examined.misshapen,
        unreal=examined.unreal,
        faults=_misfit_messages(examined, best.part),
        assumptions=examined.assumptions,
        config=_config(inspection.file, best.plugin, examined.classes),
    )


def examine(claim: Candidate, checkpoint: Checkpoint | None = None) -> Examined | None:
    """Return what the claiming plugin finds in its part of a checkpoint; None if it has no `examine`.

    Raises:
        CheckpointError: the part is not what the plugin recognised it as.
        PluginBroken: the plugin's `examine` fails.
    """
    info = registry().info("generator", claim.plugin)
    plugin: type[Generator] = info.load()
    owner = f"generator '{claim.plugin}' from {info.distribution}"
    with plugin_call(owner, "examine", home=plugin.__module__), redirect_stdout(sys.stderr):
        examined: object = plugin.examine(claim.part)
    if examined is not None and not isinstance(examined, Examined):
        raise PluginBroken(
            f"{owner}: examine returned {type(examined).__name__}; a ganstrata.Examined or None was expected"
        )
    if examined is not None and not all(
        isinstance(text, str) for text in (*examined.assumptions, *examined.assumed.values())
    ):
        raise PluginBroken(
            f"{owner}: assumptions are {shown(examined.assumptions)}; a tuple of sentences was expected"
        )
    return None if examined is None else with_assumptions(examined, claim.part, checkpoint)


def _misfit_messages(examined: Examined, part: Part) -> tuple[str, ...]:
    """Return the reasons why the part cannot be loaded, in words."""
    counts = [
        f"{quantity(len(names), 'tensor')} {what}"
        for what, names in (
            ("missing", examined.missing),
            ("superfluous", examined.superfluous),
            ("of the wrong shape", examined.misshapen),
            ("with values that are not finite real numbers", examined.unreal),
        )
        if names
    ]
    if not counts:
        return ()
    families = mixture(part)
    faults = [f"it does not fit a {examined.family}: {', '.join(counts)}"]
    if len(families) > 1:
        faults.append(
            f"it mixes tensors of several generators: {', '.join(families[:-1])} and {families[-1]}"
        )
    return tuple(faults)


def _part_facts(part: Part, claims: Claims, *, used: bool, described: bool) -> PartFacts:
    reasons = [claim.match.reason for claim in claims.candidates if claim.part is part]
    parameters = sum(tensor.numel() for tensor in part.tensors.values())
    return PartFacts(
        part.name,
        len(part.tensors),
        parameters,
        used,
        reasons[0] if reasons else describe_part(part) if described else "not looked at",
        part.shapes,
    )


def _metadata_text(value: object) -> str:
    """Return a value of the file's metadata as short, printable text."""
    return visible(value, METADATA) if isinstance(value, str) else shown(value, METADATA)


def _distribution(plugin: str) -> str:
    return " and ".join(info.distribution for info in registry().infos("generator") if info.name == plugin)


def _config(file: str, plugin: str, classes: int) -> str:
    """Return the `generator:` line for a config. The path is quoted as in JSON, which YAML reads too."""
    path = file if file.startswith(BUNDLED) else json.dumps(file, ensure_ascii=False)
    drawn = ", classes: sampled" if classes else ""
    return f"generator: {{use: {plugin}, with: {{checkpoint: {path}{drawn}}}}}"
