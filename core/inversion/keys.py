"""Say what an inverted picture was computed from, so that a stored one is used for exactly that."""

from __future__ import annotations

from typing import Any

from ..errors import GanstrataError, UserError
from ..plugins.base import Plugin
from ..plugins.config_contents import contents
from ..plugins.generator import Generator
from ..plugins.inverter import Inverter
from ..plugins.plugin_info import Kind
from ..plugins.registry import registry
from ..plugins.scorer import Scorer
from ..runs.provenance.describe import NUMERIC, version_of
from ..runs.provenance.files import files_named
from ..runs.provenance.records import digest
from ..runs.provenance.sources import class_code
from ..storage.json_values import JsonObject, JsonValue
from .invert import Method
from .target import Target

FORMAT = 2  # of what is stored of a picture; a higher one computes all again


def plugin_facts(kind: Kind, plugin: Plugin) -> JsonObject:
    """Return what the numbers of a plugin depend on: name, distribution, code, fields, files, weights.

    Raises:
        UserError: a file that its fields name cannot be read.
    """
    try:
        distribution = registry().info(kind, plugin.name).distribution if plugin.name else ""
    except GanstrataError:  # registered in another process, or an instance of a class
        distribution = ""
    fields: Any = contents(plugin.config)
    try:
        files = files_named(fields)
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror or error}") from None
    facts: dict[str, JsonValue] = {
        "name": plugin.name or type(plugin).__qualname__,
        "distribution": distribution,
        "code": class_code(type(plugin), distribution).digest,
        "with": digest(fields),
        "files": dict(files),
    }
    if isinstance(plugin, Generator):
        facts |= {"fingerprint": plugin.fingerprint, "truncation": plugin.card.truncation}
    if isinstance(plugin, Scorer | Inverter):
        facts |= {"checkpoint": plugin.checkpoint}
    return facts


def provenance_of(method: Method) -> JsonObject:
    """Return everything that all pictures of a command depend on, besides the picture itself."""
    network = method.rule.network
    scorer = getattr(network, "scorer", None)
    generator = method.generator
    return {
        "format": FORMAT,
        "generator": plugin_facts("generator", generator),
        "steps": [plugin_facts("inverter", step.inverter) for step in method.steps],
        "distance": method.rule.name,
        "perceptual": plugin_facts("scorer", scorer) if isinstance(scorer, Scorer) else None,
        "seed": method.seed,
        "class": method.class_index,
        "device": generator.device.type,
        "packages": {name: version_of(name) for name in NUMERIC},
    }


def key_of(provenance: JsonObject, target: Target, number: int) -> str:
    """Return the key of a picture: a digest of all that its result depends on.

    Args:
        provenance: see `provenance_of`.
        target: the picture, of which bytes, fitted pixels, mask and truth count.
        number: its number in the command, which decides fresh noise and what steps draw.
    """
    tensors = [target.picture, target.observed, target.known, target.truth]
    pixels = [
        None if x is None else digest([list(x.shape), x.float().numpy().tobytes().hex()]) for x in tensors
    ]
    return digest([provenance, target.sha256, pixels, number])
