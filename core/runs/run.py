"""Manage run directories: one config and everything computed from it."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

from filelock import FileLock, Timeout

from ..config.schema import RunConfig
from ..errors import GanstrataError, RunError
from ..messages import listed
from ..storage.disk import content_hash, disk_error, make_folder, write_text
from ..storage.result_folder import check_outside_arrays
from ..storage.seal import sealed_text
from .manifest import ConceptStats, Manifest, RunFacts, Stage, StageRecord, read_manifest
from .provenance.changes import changes
from .provenance.keys import STAGES as STAGES
from .provenance.keys import Keys

PACKAGES = ("ganstrata", "torch", "numpy", "scipy", "scikit-learn", "zarr", "pydantic")
LOCK = "run.lock"
WRITTEN = (
    "samples.zarr",
    "boundaries.json",
    "rescoring.zarr",
)  # files that show that a directory without run.json was a run
FREE_KEYS = ("checks", "engine")  # sections that do not change results
MAY_CHANGE = (
    "scorers",
    "concepts",
    "conditions",
    "editing",
    "report",
)  # sections that may change in a finished run; its samples stay


class Run:
    """Represent a run directory.

    Attributes:
        path: path of the directory.
        record: content of run.json: config, plugins, provenance and stages.
    """

    def __init__(self, path: Path, record: Manifest) -> None:
        self.path, self.record = path, record

    def __repr__(self) -> str:
        """Return the path and the stages that have been recorded as complete."""
        return f"{type(self).__name__}({str(self.path)!r}, stages={list(self.record.stages)})"

    @property
    def manifest(self) -> dict[str, Any]:
        """Content of run.json as plain data, a copy."""
        return self.record.as_data()

    @property
    def config(self) -> RunConfig:
        """Config of the run."""
        return self.record.config

    @property
    def batch(self) -> int:
        """Images in one pass; `auto` is resolved when the run begins."""
        size = self.config.synthesis.batch_size
        return self.record.batch_size if size == "auto" else size

    @property
    def keys(self) -> Keys:
        """Keys of what is stored, see core.runs.provenance.keys.

        Raises:
            RunError: an early version wrote the run, without keys.
        """
        if self.record.keys is None:
            raise RunError(
                f"{self.path / 'run.json'} does not record what its numbers were computed from; "
                "run `ganstrata run` on it again"
            )
        return self.record.keys

    @property
    def spread(self) -> float:
        """Spread s_w of w.

        Raises:
            RunError: the stage `synthesize` is not complete.
        """
        if self.record.spread is None:
            raise RunError(
                f"{self.path}: the stage `synthesize` is not complete; "
                f"run `ganstrata synthesize {self.path}` first"
            )
        return self.record.spread

    @property
    def step_unit(self) -> float:
        """Length in w of one unit of distance."""
        return self.config.rescoring.unit(self.spread)

    @property
    def concepts(self) -> list[ConceptStats]:
        """Statistics of each concept, in the order of the columns of the scores, (C,)."""
        return self.record.concepts

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open an existing run.

        Raises:
            RunError: there is no run, or its run.json is damaged.
        """
        path = Path(path)
        file = path / "run.json"
        if not file.is_file():
            what = "there is no such directory" if not path.is_dir() else "it has no run.json"
            raise RunError(
                f"{path} is not a run directory: {what}. `ganstrata run CONFIG --out {path}` makes one."
            )
        return cls(path, read_manifest(file))

    @classmethod
    def begin(cls, path: Path | str, config: RunConfig, facts: RunFacts) -> Begun:
        """Continue the run in a directory, or begin a new one. Nothing is written before `save`.

        Args:
            path: the directory.
            config: validated.
            facts: from `facts_of`.

        Raises:
            RunError: the directory holds a run of another config, or a damaged one.
        """
        path = Path(path)
        if (path / "run.json").is_file():
            return continue_run(cls.open(path), config, facts)
        machine = {
            "system": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        }
        return Begun(
            cls(path, Manifest(format=1, config=config, versions=versions(), machine=machine, **vars(facts))),
            (),
            (),
            is_new=True,
        )

    def save(self) -> None:
        """Write run.json in one step, so that it is never incomplete."""
        write_text(self.path / "run.json", sealed_text(self.manifest))

    def is_done(self, stage: str) -> bool:
        """Return whether a stage is complete and its files are unchanged."""
        entry = self.record.stages.get(cast("Stage", stage))
        if entry is None:
            return False
        return all(content_hash(self.path / name) == digest for name, digest in entry.files.items())

    def require(self, *stages: str) -> None:
        """Check that stages are complete.

        Raises:
            RunError: one is not.
        """
        for stage in stages:
            if not self.is_done(stage):
                raise RunError(f"{self.path}: {self._lack(stage)}")

    def _lack(self, stage: str) -> str:
        """Return why a stage is not complete, and what to do."""
        entry = self.record.stages.get(cast("Stage", stage))
        unequal = [
            name
            for name, digest in ({} if entry is None else entry.files).items()
            if content_hash(self.path / name) != digest
        ]
        if unequal and Run.open(self.path).manifest != self.manifest:
            return "it was changed by another command since it was opened; open it again"
        why = f" ({listed(unequal, 3)}: missing, or changed since it was written)" if unequal else ""
        return f"the stage `{stage}` is not complete{why}; run `ganstrata {stage} {self.path}` first"

    def finish(self, stage: str, *, seconds: float, files: tuple[str, ...] = (), **facts: Any) -> None:
        """Record a stage as complete; later stages must be run again.

        Files that the stage wrote earlier, but not this time, are removed.

        Args:
            stage: name of the stage.
            seconds: its time.
            files: files that the stage wrote, relative to the run directory.
            facts: further fields of its record.
        """
        name = cast("Stage", stage)
        self.drop(STAGES[STAGES.index(name) + 1 :])
        digests = {file: content_hash(self.path / file) or "" for file in files}
        finished = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.record.stages[name] = StageRecord(
            seconds=round(seconds, 2), finished=finished, files=digests, **facts
        )
        for file in set(self.record.leftovers.pop(name, [])) - set(files):
            with suppress(OSError):
                (self.path / file).unlink(missing_ok=True)
        self.save()

    def drop(self, stages: Sequence[str]) -> None:
        """Mark stages as not complete; their files stay until they are run again."""
        for stage in cast("Sequence[Stage]", stages):
            entry = self.record.stages.pop(stage, None)
            if entry is not None:
                self.record.leftovers[stage] = sorted({*self.record.leftovers.get(stage, []), *entry.files})


class Begun(NamedTuple):
    """Hold a run that is about to begin or to continue.

    Attributes:
        run: not yet saved.
        changes: sentences about what has changed since the run was made.
        stale: complete stages that must be run again.
        is_new: whether the run is new.
    """

    run: Run
    changes: tuple[str, ...]
    stale: tuple[str, ...]
    is_new: bool = False


def continue_run(run: Run, config: RunConfig, facts: RunFacts) -> Begun:
    """Continue a run with this config; stages whose key has changed are no longer complete.

    Raises:
        RunError: the run has another config.
    """
    record = run.record
    old_config, new_config = data_of(record.config), data_of(config)
    differences = differing(_without(old_config, MAY_CHANGE), _without(new_config, MAY_CHANGE))
    if differences:
        raise RunError(
            f"{run.path} holds a run of another config; these differ: {'; '.join(differences)}. "
            "Give another --out, or the config that this run was made from."
        )
    old, new = ({} if keys is None else keys.stages for keys in (record.keys, facts.keys))
    due = [stage for stage in STAGES if old.get(stage) != new[stage]]
    update = (
        {
            "config": config,
            "stages": dict(record.stages),
            "leftovers": dict(record.leftovers),
            "versions": versions(),
        }
        if due
        else {}
    )
    run_now = Run(run.path, record.model_copy(update={**vars(facts), **update}))
    if not due:
        return Begun(run_now, (), ())
    stale = tuple(stage for stage in due if stage in record.stages)
    run_now.drop(due)
    sections = [
        f"{section} changed"
        for section in MAY_CHANGE
        if section != "scorers" and old_config[section] != new_config[section]
    ]
    sentences = (*sections, *changes(record.provenance, facts.provenance)) or (
        "the layers that are moved changed",
    )
    return Begun(run_now, sentences, stale)


def data_of(config: RunConfig) -> dict[str, Any]:
    """Return a config as plain data, as in run.json."""
    return config.model_dump(mode="json", by_alias=True)


def _without(config: Mapping[str, Any], sections: Sequence[str]) -> dict[str, Any]:
    """Return a config without these sections."""
    return {key: value for key, value in config.items() if key not in sections}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a run directory against other processes; create it if missing.

    A directory that was created here is removed again if no run began in it.

    Raises:
        RunError: the directory holds something else, lies within an array, or another process has locked it.
    """
    check_outside_arrays(path)
    if (
        not (path / "run.json").is_file()
        and path.exists()
        and (not path.is_dir() or any(p.name != LOCK for p in path.iterdir()))
    ):
        lost = path.is_dir() and any((path / name).exists() for name in WRITTEN)
        cure = (
            "put it back; it cannot be made again, and it says what the rest was computed from"
            if lost
            else "give an empty or a new one"
        )
        raise RunError(f"{path} exists and is not a run directory: it has no run.json; {cure}")
    created = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        make_folder(path)
    except GanstrataError:
        _remove_empty(created)
        raise
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{path} is in use by another process; wait until that has finished") from None
    except OSError as error:
        _remove_empty(created)
        raise disk_error(error, path / LOCK) from error
    try:
        yield
    finally:
        # The lock is still held, so no other process can have begun a run. Windows removes no open file.
        empty = not (path / "run.json").exists()
        if empty and os.name != "nt":
            (path / LOCK).unlink(missing_ok=True)
        lock.release()
        if empty:
            with suppress(OSError):
                (path / LOCK).unlink(missing_ok=True)
            _remove_empty(created)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove these folders, innermost first, as far as they are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def differing(old: Mapping[str, Any], new: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> list[str]:
    """Return a text for each key whose values differ; sections that do not change results are left out.

    >>> differing({"a": {"b": 1, "c": 2}, "engine": 1}, {"a": {"b": 1, "c": 3}, "engine": 2})
    ['a.c: 2 there, 3 here']
    """
    differences = []
    for key in [*old, *(k for k in new if k not in old)]:
        if not prefix and key in FREE_KEYS:
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            differences += differing(a, b, (*prefix, key))
        elif a != b:
            differences.append(f"{'.'.join((*prefix, key))}: {json.dumps(a)} there, {json.dumps(b)} here")
    return differences


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide results."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = "not installed"
    return installed
