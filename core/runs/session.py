"""Open a finished run with its plugins, for analyses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from ..config.reading import validate
from ..errors import RunError
from ..storage.json_values import JsonObject
from .engines.run_engine import RunEngine
from .facts import facts_of
from .lock import LOCK, locked
from .manifest import RunFacts
from .prepare import Prepared, prepare
from .progress import Progress
from .provenance.changes import circumstance_changes, code_changes
from .run import Run, versions
from .stages import STAGES, Stage


class Finished(NamedTuple):
    """Hold a finished run that was opened to compute something on it.

    Attributes:
        run: the run.
        engine: its plugins, as the run built them.
        plugins: distribution and version of its generator and scorers, and of their parts, as they are now.
        differences: sentences on what the run was computed with, and what is here now: versions of packages
            and plugins, device, precision.
    """

    run: Run
    engine: RunEngine
    plugins: dict[str, str]
    differences: tuple[str, ...]

    def as_data(self) -> JsonObject:
        """Return what a result was computed with, for the file that describes it."""
        prepared = self.engine.prepared
        return {
            "plugins": self.plugins,
            "versions": versions(),
            "device": str(prepared.device),
            "precision": prepared.precision,
            "differs_from_run": list(self.differences),
        }


def check_takes_results(path: Path) -> None:
    """Refuse a run into which a command is to write its result, if nothing can be written there.

    Raises:
        RunError: it lies on a read-only disk, or belongs to somebody else.
    """
    if path.is_dir() and not os.access(path, os.W_OK):
        raise RunError(
            f"{path} cannot be written, and the result would go into it: it lies on a read-only disk or "
            "belongs to somebody else. Name another folder with --out"
        )


@contextmanager
def open_finished_run(
    path: Path,
    device: str | None = None,
    stages: tuple[Stage, ...] = STAGES,
    *,
    writes: bool = True,
    progress: Progress,
) -> Iterator[Finished]:
    """Open a finished run, locked, with its plugins built as the run built them.

    Args:
        path: the run directory.
        device: device to compute on; None for the one of the run's config.
        stages: stages that must be complete.
        writes: whether the caller writes into the run. A run that is only read need not be writable.
        progress: where the differences to the run are told.

    Raises:
        RunError: there is no run, it is not finished, or the code, files or weights of its plugins have
            changed. Versions of packages and plugins and the device may differ, because an analysis computes
            all its numbers here; they are told.
    """
    Run.open(path)  # checks that it is a run: `locked` would create the directory
    # Without the right to write, no lock can be made, and none is needed to read.
    is_writable = os.access(path, os.W_OK) and (os.access(path / LOCK, os.W_OK) or not (path / LOCK).exists())
    with locked(path) if writes or is_writable else nullcontext():
        run = Run.open(path)  # only now does it stay as it is
        run.require(*stages)
        prepared, facts = _prepared(run, path, device)
        differences = tuple(circumstance_changes(run.record.provenance, facts.provenance))
        if differences:
            progress.say(
                f"{path}: {'; '.join(differences)}. "
                "This command computes with what is here now, and notes it; the numbers of the run stay"
            )
        used = {
            name: owner for name, owner in facts.plugins.items() if not name.startswith("boundary ")
        }  # no boundary is learnt here
        with RunEngine(prepared) as engine:
            yield Finished(run, engine, used, differences)


def _prepared(run: Run, path: Path, device: str | None) -> tuple[Prepared, RunFacts]:
    """Build the plugins of a run as the run built them, and collect what is recorded of them.

    Raises:
        RunError: their code, files or weights have changed.
    """
    source = str(path / "run.json") if device is None else f"{path / 'run.json'} with --device {device}"
    data = run.config.as_data() | ({} if device is None else {"device": device})
    # What is computed here needs no cluster, and not the plugin that the run was spread with.
    data["engine"] = {"threads": run.config.engine.threads}
    config = validate(data, source)
    prepared = prepare(config, source=source, batch=run.batch, check=False)
    facts = facts_of(prepared)
    changed = code_changes(run.record.provenance, facts.provenance)
    if changed:
        raise RunError(
            f"{path}: {'; '.join(changed)}. `ganstrata run` on it computes again what is affected; "
            "or make a new run"
        )
    old, new = run.record.checkpoints, facts.checkpoints
    others = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if others:
        raise RunError(
            f"{path}: the checkpoint of {' and of '.join(others)} is not the one that this run was made "
            "with; make a new run"
        )
    return prepared, facts
