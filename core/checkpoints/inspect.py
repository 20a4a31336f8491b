"""What is in a checkpoint: the facts that `ganstrata model inspect` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import GanstrataError, PluginBroken
from ..plugins.contracts import Generator
from ..plugins.failures import plugin_call
from ..plugins.registry import registry
from ..text import shown, visible
from . import BUNDLED, Part, locate, read_checkpoint
from .detect import Candidate, Claims, Examined, ask, disputed
from .signatures import DESCRIBED, describe, mixture, seems

SAID = 500  # characters of a licence, or of what a file says of its source


@dataclass(frozen=True)
class PartFacts:
    """One state dict of the file.

    Attributes:
        name: in the file; empty for a bare state dict.
        tensors, parameters: how many, and how many numbers they hold.
        used: whether it is the one that a generator is built from.
        what: what it is: as the plugin that claims it says, or else as its tensor names look.
    """

    name: str
    tensors: int
    parameters: int
    used: bool
    what: str


@dataclass(frozen=True)
class Inspection:
    """A checkpoint in words and numbers; fields that a plugin must tell are None where none does.

    Attributes:
        file, bytes, sha256, container: of the file.
        parts: what it holds.
        plugin, distribution, reason: whose it is, where that comes from, and why.
        family, layout, architecture, resolution, layers, latent_size, code_size, classes: what the plugin found.
        licence, source: as the file says.
        missing, superfluous, misshapen: tensors that do not fit, all of them.
        unreal: tensors in which not all values are finite real numbers.
        faults: why the file cannot be used, in words; none if it can.
        remarks: what else is worth knowing: broken plugins, other parts.
        config: how to write it in a config.
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
    remarks: tuple[str, ...] = ()
    config: str | None = None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def inspect(file: str) -> Inspection:
    """Read a checkpoint and have its plugin examine it.

    Args:
        file: a path, or `bundled:NAME`.

    Raises:
        CheckpointError: the file is missing, damaged or unsafe; whatever is readable is told instead.
    """
    checkpoint = read_checkpoint(locate(file, "generator"))
    claims = ask(checkpoint)
    best = claims.found[0] if len(claims.rivals) == 1 else None
    facts: dict[str, Any] = {
        "file": file if file.startswith(BUNDLED) else str(checkpoint.path),
        "bytes": checkpoint.path.stat().st_size,
        "sha256": checkpoint.sha256,
        "container": checkpoint.container,
        "parts": tuple(
            _count(part, claims, used=best is not None and part is best.part, described=i < DESCRIBED)
            for i, part in enumerate(checkpoint.parts)
        ),
        "remarks": claims.failed,
    }
    if claims.rivals[1:]:
        return Inspection(**facts, faults=(f"it is claimed by {disputed(claims)}",))
    if best is None:
        return Inspection(
            **facts, faults=(f"it belongs to no generator plugin that is installed: {describe(checkpoint)}",)
        )
    facts |= {"plugin": best.plugin, "distribution": _distribution(best.plugin), "reason": best.match.reason}
    facts |= {
        key: _told(best.part.settings[key]) for key in ("licence", "source") if key in best.part.settings
    }
    try:
        found = examine(best)
    except GanstrataError as error:
        return Inspection(**facts, faults=(str(error),))
    if found is None:
        remark = f"the plugin '{best.plugin}' tells no more: it has no examine()"
        return Inspection(
            **{**facts, "remarks": (*claims.failed, remark)}, config=_config(file, best.plugin, 0)
        )
    return Inspection(
        **facts,
        family=found.family,
        layout=found.layout,
        architecture=json.loads(json.dumps(dict(found.architecture), default=str)),
        resolution=found.resolution,
        layers=found.layers,
        latent_size=found.latent_size,
        code_size=found.code_size,
        classes=found.classes,
        missing=found.missing,
        superfluous=found.superfluous,
        misshapen=found.misshapen,
        unreal=found.unreal,
        faults=_misfits(found, best.part),
        config=_config(facts["file"], best.plugin, found.classes),
    )


def examine(claim: Candidate) -> Examined | None:
    """What the plugin that made a claim finds in the part.

    Raises:
        CheckpointError: the part cannot be what the plugin took it for.
        PluginBroken: the plugin itself fails.
    """
    info = registry().info("generator", claim.plugin)
    plugin: type[Generator] = info.load()
    owner = f"generator '{claim.plugin}' from {info.distribution}"
    with plugin_call(owner, "examine", home=plugin.__module__), redirect_stdout(sys.stderr):
        found: object = plugin.examine(claim.part)
    if found is not None and not isinstance(found, Examined):
        raise PluginBroken(
            f"{owner}: examine returned {type(found).__name__}; a ganstrata.Examined or None was expected"
        )
    return found


def _misfits(found: Examined, part: Part) -> tuple[str, ...]:
    """What stands against loading it, in words."""
    counts = [
        f"{len(names)} tensor{'s' * (len(names) > 1)} {what}"
        for what, names in (
            ("missing", found.missing),
            ("superfluous", found.superfluous),
            ("of the wrong shape", found.misshapen),
            ("with values that are no finite real numbers", found.unreal),
        )
        if names
    ]
    if not counts:
        return ()
    mixed = mixture(part)
    faults = [f"it does not fit a {found.family}: {', '.join(counts)}"]
    if len(mixed) > 1:
        faults.append(f"it mixes tensors of several generators: {', '.join(mixed[:-1])} and {mixed[-1]}")
    return tuple(faults)


def _count(part: Part, claims: Claims, *, used: bool, described: bool) -> PartFacts:
    reasons = [claim.match.reason for claim in claims.found if claim.part is part]
    parameters = sum(tensor.numel() for tensor in part.tensors.values())
    return PartFacts(
        part.name,
        len(part.tensors),
        parameters,
        used,
        reasons[0] if reasons else seems(part) if described else "not looked at",
    )


def _told(value: object) -> str:
    """What a file says of itself, in bearable length."""
    return visible(value, SAID) if isinstance(value, str) else shown(value, SAID)


def _distribution(plugin: str) -> str:
    return " and ".join(info.distribution for info in registry().infos("generator") if info.name == plugin)


def _config(file: str, plugin: str, classes: int) -> str:
    """A line for a config; JSON's quotes are YAML's too."""
    path = file if file.startswith(BUNDLED) else json.dumps(str(Path(file)), ensure_ascii=False)
    drawn = ", classes: sampled" if classes else ""
    return f"generator: {{use: {plugin}, with: {{checkpoint: {path}{drawn}}}}}"
