"""Find boundaries of a run by name."""

from __future__ import annotations

from ..errors import ConfigError, Fault, nearest
from ..plugins.boundary import Boundary
from ..plugins.compatibility import check_fits
from ..runs.engines.run_engine import RunEngine
from ..runs.run import Run
from .files import load_boundaries


def boundaries_named(run: Run, engine: RunEngine, names: tuple[str, ...]) -> list[Boundary]:
    """Return the boundaries of a run that have these names, in the same order.

    Raises:
        ConfigError: no boundary has some of the names; the error lists all of them.
        MismatchError: a boundary belongs to another generator or latent space.
    """
    known, _ = load_boundaries(run.path)
    unknown = [name for name in names if name not in known.names]
    if unknown:
        listed = ", ".join(known.names)
        faults = [
            Fault((f"boundary {name}",), f"no boundary has this name.{nearest(name, known.names)}")
            for name in unknown
        ]
        raise ConfigError(f"{run.path} (its boundaries: {listed})", faults)
    boundaries = [known.of(name) for name in names]
    for boundary in boundaries:
        check_fits(boundary, engine.prepared.generator)
    return boundaries
