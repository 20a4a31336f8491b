"""Finds the boundaries of a run by their names."""

from __future__ import annotations

from ..errors import ConfigError, Fault, nearest
from ..plugins.compatibility import check_fits
from ..plugins.records import Boundary
from ..runs.engine import Engine
from ..runs.run import Run
from .files import load_boundaries


def boundaries_named(run: Run, engine: Engine, names: tuple[str, ...]) -> list[Boundary]:
    """Return boundaries of a run by name, which fit its generator.

    Raises:
        ConfigError: names of no boundary, all of them at once.
        MismatchError: a boundary of another generator or latent space.
    """
    known, _ = load_boundaries(run.path)
    unknown = [name for name in names if name not in known.names]
    if unknown:
        listed = ", ".join(known.names)
        faults = [
            Fault((f"boundary {name}",), f"there is none of this name.{nearest(name, known.names)}")
            for name in unknown
        ]
        raise ConfigError(f"{run.path} (its boundaries: {listed})", faults)
    found = [known.of(name) for name in names]
    for boundary in found:
        check_fits(boundary, engine.prepared.generator)
    return found
