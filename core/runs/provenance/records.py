"""Define the records of provenance: plugins with code, configs and files, and the numeric environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

DIGEST = 32  # hexadecimal digits of a SHA-256 that are stored: 128 bits


class Record(BaseModel):
    """Represent a part of run.json: frozen, strict, without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PluginRecord(Record):
    """Represent one plugin with everything that its numbers depend on.

    Attributes:
        kind, name: under which it is registered.
        distribution: name and version of its distribution.
        code: digest of its source files.
        config: digest of its validated config.
        output: digest of what it declares: the generator's card, a scorer's concepts and features.
        weights: digests of its weights; empty if it has none.
        files: place in the config -> digest of the file or folder named there.
        packages: further package that its numbers depend on -> version.
        parts: place in the config -> plugin named there.
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
        """Record without versions: code, config, weights and files."""
        parts = {place: part.essence for place, part in self.parts.items()}
        return self.model_copy(update={"distribution": "", "packages": {}, "parts": parts})

    def all(self) -> Iterator[PluginRecord]:
        """Yield this plugin and the plugins that it uses."""
        yield self
        for part in self.parts.values():
            yield from part.all()


class Environment(Record):
    """Represent what affects the last digits of every number.

    Attributes:
        batch: images in one pass.
        device: its type, such as cpu or cuda.
        precision: fp32, bf16 or fp16.
        packages: distribution -> version.
    """

    batch: int
    device: str
    precision: str
    packages: dict[str, str]


class Provenance(Record):
    """Represent everything besides the config that the numbers of a run depend on; scorers in order."""

    environment: Environment
    generator: PluginRecord
    scorers: dict[str, PluginRecord]
    boundary: PluginRecord


def digest(value: Any) -> str:
    """Compute a digest of plain data that does not depend on the order of keys.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}), digest([1, 2]) == digest([2, 1])
    (True, False)
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST]
