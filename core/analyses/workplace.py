"""What all analyses share: a finished run with its plugins, and the report made anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ..boundaryfile import check_fits, load_boundaries
from ..configfile import validate
from ..engine import Engine
from ..errors import ConfigError, Fault, RunError, UserError, nearest
from ..pipeline import facts_of
from ..prepare import prepare
from ..progress import Progress
from ..provenance.changes import code_changes
from ..records import Boundary
from ..run import LOCK, STAGES, Run, data_of, locked
from ..stages.report import report


@contextmanager
def opened(path: Path, device: str | None = None, stages: tuple[str, ...] = STAGES, *, writes: bool = True) -> Iterator[tuple[Run, Engine]]:
    """A finished run, locked, with its plugins built as the run built them.

    Args:
        path: the run directory.
        device: to compute on; None for that of the run's config.
        stages: that must be finished.
        writes: whether something will be written into the run. One that is only read need not be writable.

    Raises:
        RunError: no run, not finished, or the code, files or weights of its plugins have changed since. Versions
            of packages may have, and the device: what an analysis computes, it computes here as a whole.
    """
    run = Run.open(path)
    run.require(*stages)
    source = str(path / "run.json")
    config = validate(data_of(run.config) | ({} if device is None else {"device": device}), source)
    prepared = prepare(config, source=source, batch=run.batch, check=False)
    facts = facts_of(prepared)
    changed = code_changes(run.record.provenance, facts["provenance"])
    if changed:
        raise RunError(f"{path}: {'; '.join(changed)}. `ganstrata run` on it computes again what that concerns; or make a new run")
    known, found = run.record.checkpoints, facts["checkpoints"]
    others = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
    if others:
        raise RunError(f"{path}: the checkpoint of {' and of '.join(others)} is not the one that this run was made with; make a new run")
    # Where nobody here may write there is nothing to be kept from, and no lock could be made.
    is_writable = os.access(path, os.W_OK) and (os.access(path / LOCK, os.W_OK) or not (path / LOCK).exists())
    with locked(path) if writes or is_writable else nullcontext(), Engine(prepared) as engine:
        yield run, engine


def boundaries_named(run: Run, engine: Engine, names: tuple[str, ...]) -> list[Boundary]:
    """Boundaries of a run by name, which fit its generator.

    Raises:
        ConfigError: names of no boundary, all of them at once.
        MismatchError: a boundary of another generator or latent space.
    """
    known, _ = load_boundaries(run.path)
    unknown = [name for name in names if name not in known.names]
    if unknown:
        listed = ", ".join(known.names)
        faults = [Fault((f"boundary {name}",), f"there is none of this name.{nearest(name, known.names)}") for name in unknown]
        raise ConfigError(f"{run.path} (its boundaries: {listed})", faults)
    found = [known.of(name) for name in names]
    for boundary in found:
        check_fits(boundary, engine.prepared.generator)
    return found


def remake_report(run: Run, engine: Engine, progress: Progress) -> None:
    """Put report.html together again, with what the analyses have found."""
    report(run, engine, progress)


def one_of(asked: str | None, known: tuple[str, ...], *, what: str, option: str) -> str:
    """The only one there is, or the one that was asked for.

    Raises:
        UserError: there are several, or none of the name.
    """
    if asked is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known)
    if asked is None:
        raise UserError(f"this run has {len(known)} {what}s: {listed}; say which with {option}")
    if asked not in known:
        raise UserError(f"{option} {asked}: no {what} of this run has this name.{nearest(asked, known)} There {_are(known)} {listed}")
    return asked


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
