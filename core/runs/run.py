"""The run directory: one config and everything computed from it."""

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
from ..storage.disk import content_hash, disk_error, make_folder, write_text
from ..storage.seal import sealed_text
from .manifest import Manifest, Stage, StageRecord, read_manifest
from .provenance.changes import changes
from .provenance.keys import STAGES as STAGES
from .provenance.keys import Keys

PACKAGES = ("ganstrata", "torch", "numpy", "scipy", "scikit-learn", "zarr", "pydantic")
LOCK = "run.lock"
WRITTEN = (
    "samples.zarr",
    "boundaries.json",
    "rescoring.zarr",
)  # by which a run is known that lost its run.json
FREE_KEYS = ("checks", "engine")  # sections that do not change results
MAY_CHANGE = (
    "scorers",
    "concepts",
    "conditions",
    "editing",
    "report",
)  # sections that a finished run may be given anew: its samples stay


class Run:
    """A run directory; `record` is what its run.json says.

    Attributes:
        path: of the directory.
        record: config, plugins and what their numbers were computed from, what each stage did and when.
    """

    def __init__(self, path: Path, record: Manifest) -> None:
        self.path, self.record = path, record

    @property
    def manifest(self) -> dict[str, Any]:
        """What run.json says, as plain data of its own."""
        return self.record.as_data()

    @property
    def config(self) -> RunConfig:
        """The config the run was made from."""
        return self.record.config

    @property
    def batch(self) -> int:
        """Images in one pass, as resolved when the run began."""
        size = self.config.synthesis.batch_size
        return self.record.batch_size if size == "auto" else size

    @property
    def keys(self) -> Keys:
        """What is stored under which key.

        Raises:
            RunError: an early version wrote the run, which did not record it.
        """
        if self.record.keys is None:
            raise RunError(
                f"{self.path / 'run.json'} does not record what its numbers were computed from; run `ganstrata run` on it again"
            )
        return self.record.keys

    @property
    def spread(self) -> float:
        """The spread of w.

        Raises:
            RunError: the samples are not there yet.
        """
        if self.record.spread is None:
            raise RunError(
                f"{self.path}: the stage `synthesize` is not complete; run `ganstrata synthesize {self.path}` first"
            )
        return self.record.spread

    @property
    def step_unit(self) -> float:
        """The length in w of one unit of distance."""
        return self.config.rescoring.unit(self.spread)

    @property
    def concepts(self) -> list[dict[str, Any]]:
        """A row per concept, as the columns of scores; see core.runs.manifest.ConceptStats."""
        return [row.model_dump() for row in self.record.concepts]

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """An existing run.

        Raises:
            RunError: there is none, or its run.json is not as it must be.
        """
        path = Path(path)
        file = path / "run.json"
        if not file.is_file():
            what = "there is no such directory" if not path.is_dir() else "it has no run.json"
            raise RunError(
                f"{path} is no run directory: {what}. `ganstrata run CONFIG --out {path}` makes one."
            )
        return cls(path, read_manifest(file))

    @classmethod
    def begin(cls, path: Path | str, config: RunConfig, facts: Mapping[str, Any]) -> Begun:
        """The run of this config in this directory: continued if it is there, else new. Nothing is written before `save`.

        Args:
            path: directory.
            config: validated.
            facts: what to record of plugins, checkpoints, device, sizes, provenance and keys.

        Raises:
            RunError: the directory holds something else, or a run of another config.
        """
        path = Path(path)
        if (path / "run.json").is_file():
            return continued(cls.open(path), config, facts)
        machine = {
            "system": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        }
        return Begun(
            cls(path, Manifest(format=1, config=config, versions=versions(), machine=machine, **facts)),
            (),
            (),
            is_new=True,
        )

    def save(self) -> None:
        """Write run.json in one step: it is never half there."""
        write_text(self.path / "run.json", sealed_text(self.manifest))

    def is_done(self, stage: str) -> bool:
        """Whether a stage is complete and its files are what it wrote."""
        entry = self.record.stages.get(cast("Stage", stage))
        if entry is None:
            return False
        return all(content_hash(self.path / name) == digest for name, digest in entry.files.items())

    def require(self, *stages: str) -> None:
        """Refuse to go on without earlier stages.

        Raises:
            RunError: one is not complete.
        """
        for stage in stages:
            if not self.is_done(stage):
                raise RunError(
                    f"{self.path}: the stage `{stage}` is not complete; run `ganstrata {stage} {self.path}` first"
                )

    def finish(self, stage: str, *, seconds: float, files: tuple[str, ...] = (), **facts: Any) -> None:
        """Record a stage as complete and remove what it had written before and no longer does; stages behind it must be run again."""
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
        """No longer take stages for complete; what they wrote stays until they have been run again."""
        for stage in cast("Sequence[Stage]", stages):
            entry = self.record.stages.pop(stage, None)
            if entry is not None:
                self.record.leftovers[stage] = sorted({*self.record.leftovers.get(stage, []), *entry.files})


class Begun(NamedTuple):
    """A run that is about to begin or to go on.

    Attributes:
        run: not yet saved.
        changes: what it stands on that is not as it was, in words.
        stale: stages that had been complete and must be run again.
        is_new: whether run.json is still to be written.
    """

    run: Run
    changes: tuple[str, ...]
    stale: tuple[str, ...]
    is_new: bool = False


def continued(run: Run, config: RunConfig, facts: Mapping[str, Any]) -> Begun:
    """A run that goes on with this config: stages whose key is another are no longer complete.

    Raises:
        RunError: it is a run of another config.
    """
    record = run.record
    there, here = data_of(record.config), data_of(config)
    keys = differing(_without(there, MAY_CHANGE), _without(here, MAY_CHANGE))
    if keys:
        raise RunError(
            f"{run.path} holds a run of another config; these differ: {'; '.join(keys)}. "
            "Give another --out, or the config that this run was made from."
        )
    old, new = ({} if found is None else found.stages for found in (record.keys, facts["keys"]))
    due = [stage for stage in STAGES if old.get(stage) != new[stage]]
    own = (
        {
            "config": config,
            "stages": dict(record.stages),
            "leftovers": dict(record.leftovers),
            "versions": versions(),
        }
        if due
        else {}
    )
    fresh = Run(run.path, record.model_copy(update={**facts, **own}))
    if not due:
        return Begun(fresh, (), ())
    stale = tuple(stage for stage in due if stage in record.stages)
    fresh.drop(due)
    sections = [
        f"{section} changed"
        for section in MAY_CHANGE
        if section != "scorers" and there[section] != here[section]
    ]
    said = (*sections, *changes(record.provenance, facts["provenance"])) or (
        "the layers that are moved changed",
    )
    return Begun(fresh, said, stale)


def data_of(config: RunConfig) -> dict[str, Any]:
    """A config as run.json has it."""
    return config.model_dump(mode="json", by_alias=True)


def _without(config: Mapping[str, Any], sections: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in sections}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make a run directory if it is missing, and keep other processes out of it; one in which no run began is removed again.

    Raises:
        RunError: it holds something else, or another process is at work in it.
    """
    if (
        not (path / "run.json").is_file()
        and path.exists()
        and (not path.is_dir() or any(p.name != LOCK for p in path.iterdir()))
    ):
        lost = path.is_dir() and any((path / name).exists() for name in WRITTEN)
        cure = (
            "put it back, it is not made anew: it says what the rest was computed from"
            if lost
            else "give an empty or a new one"
        )
        raise RunError(f"{path} exists and is no run directory: it has no run.json; {cure}")
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        make_folder(path)
    except GanstrataError:
        _remove_empty(made)
        raise
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{path} is in use by another process; wait for it, or give another --out") from None
    except OSError as error:
        _remove_empty(made)
        raise disk_error(error, path / LOCK) from error
    try:
        yield
    finally:
        # While it is held nobody else can have begun a run here. Windows removes no file that is open.
        empty = not (path / "run.json").exists()
        if empty and os.name != "nt":
            (path / LOCK).unlink(missing_ok=True)
        lock.release()
        if empty:
            with suppress(OSError):
                (path / LOCK).unlink(missing_ok=True)
            _remove_empty(made)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders that are empty, the innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def differing(old: Mapping[str, Any], new: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> list[str]:
    """Keys whose values differ, with both values; sections that do not change results are left out.

    >>> differing({"a": {"b": 1, "c": 2}, "engine": 1}, {"a": {"b": 1, "c": 3}, "engine": 2})
    ['a.c: 2 there, 3 here']
    """
    found = []
    for key in [*old, *(k for k in new if k not in old)]:
        if not prefix and key in FREE_KEYS:
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differing(a, b, (*prefix, key))
        elif a != b:
            found.append(f"{'.'.join((*prefix, key))}: {json.dumps(a)} there, {json.dumps(b)} here")
    return found


def versions() -> dict[str, str]:
    """Of the packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
