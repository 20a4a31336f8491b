"""Records of what numbers were computed from: plugins with their code, configs and files, and the numeric environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

DIGEST = 32  # hexadecimal digits that are kept of a SHA-256: 128 bits


class Record(BaseModel):
    """Base of what run.json keeps: frozen, strict, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PluginRecord(Record):
    """One plugin as it was used.

    Attributes:
        kind, name: as registered.
        distribution: name and version of the distribution that brings it.
        code: digest of its source files.
        config: digest of its validated config.
        output: digest of what it says of itself: the generator's card, a scorer's concepts and features.
        weights: digests of the weights, as the plugin gives them; empty where it has none.
        files: digest of every file and folder that its config names, by place in the config.
        packages: versions of further packages that its numbers depend on.
        parts: plugins that its config names in turn, by place in the config.
    """

    kind: str
    name: str
    distribution: str
    code: str
    config: str
    output: str
    weights: str
    files: dict[str, str]
    packages: dict[str, str]
    parts: dict[str, PluginRecord]

    @property
    def essence(self) -> PluginRecord:
        """The same without versions: code, config, weights and files."""
        parts = {place: part.essence for place, part in self.parts.items()}
        return self.model_copy(update={"distribution": "", "packages": {}, "parts": parts})

    def all(self) -> Iterator[PluginRecord]:
        """This plugin and those that it stands on."""
        yield self
        for part in self.parts.values():
            yield from part.all()


class Environment(Record):
    """What decides the last digits of every number.

    Attributes:
        batch: images in one pass.
        device: its type, such as cpu or cuda.
        precision: fp32, bf16 or fp16.
        packages: versions, by distribution.
    """

    batch: int
    device: str
    precision: str
    packages: dict[str, str]


class Provenance(Record):
    """Everything outside of the config's own text that the numbers of a run depend on; scorers by alias, in order."""

    environment: Environment
    generator: PluginRecord
    scorers: dict[str, PluginRecord]
    boundary: PluginRecord


def digest(value: Any) -> str:
    """Digest of plain data, whatever the order of keys.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}), digest([1, 2]) == digest([2, 1])
    (True, False)
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST]
