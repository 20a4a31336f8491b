"""Manage run directories: one config and everything computed from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast, get_args

from ..config.schema import RunConfig
from ..errors import RunError
from ..messages import listed
from ..plugins.boundary import STYLES
from ..storage.disk import content_hash, write_text
from ..storage.paths import type_in_words
from ..storage.places import Folder, Place
from ..storage.seal import sealed_text
from ..storage.urls import SCHEMES
from ..strata.moves import step_unit
from .manifest import ConceptStats, Manifest, StageFacts, StageRecord, read_manifest
from .provenance.keys import Keys
from .stages import STAGES, Stage

if TYPE_CHECKING:
    from ..storage.shards import Shards

ArraysName = Literal["samples.zarr", "rescoring.zarr"]
ARRAYS = get_args(ArraysName)
PACKAGES = ("ganstrata", "torch", "numpy", "scipy", "scikit-learn", "zarr", "pydantic")


class Run:
    """Represent a run directory.

    Attributes:
        path: path of the directory.
        record: content of run.json: config, plugins, provenance and stages.
        check_held: raises an error if another process has taken over the arrays at a URL meanwhile.
    """

    def __init__(self, path: Path, record: Manifest) -> None:
        self.path, self.record = path, record
        self.check_held: Callable[[], None] = lambda: None

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
    def grid(self) -> int:
        """How its arrays are cut into shards, see Manifest."""
        return self.record.grid

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
        """Spread of the latents in which boundaries are learnt: s_w of w, or s_s of the styles.

        Raises:
            RunError: the stage `synthesize` is not complete, or for styles the stage `learn`.
        """
        return self.spread_in(self.config.learning.space)

    def spread_in(self, space: str) -> float:
        """Return the unit of a step in a space for `distance_unit: sd`.

        Args:
            space: a space of boundaries. In s of a run that learns in w it is 1: nothing there has a spread.

        Raises:
            RunError: the stage `synthesize` is not complete, or for styles the stage `learn`.
        """
        if space == STYLES:
            return self._style_spread()
        if self.record.spread is None:
            raise RunError(
                f"{self.path}: the stage `synthesize` is not complete; "
                f"run `ganstrata synthesize {self.path}` first"
            )
        return self.record.spread

    def _style_spread(self) -> float:
        """Return s_s in a run that learns in s, else 1."""
        if self.config.learning.space != STYLES:
            return 1.0
        learnt = self.record.stages.get("learn")
        if learnt is None or learnt.style_spread is None:
            raise RunError(
                f"{self.path}: the stage `learn` is not complete; run `ganstrata learn {self.path}` first"
            )
        return learnt.style_spread

    @property
    def step_unit(self) -> float:
        """Length of one unit of distance, in the space in which boundaries are learnt."""
        return self.step_unit_in(self.config.learning.space)

    def step_unit_in(self, space: str) -> float:
        """Return the length of one unit of distance in a space; see `spread_in`."""
        return step_unit(self.config.rescoring.distance_unit, self.spread_in(space))

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
            raise RunError(f"{path} is not a run directory: {_why_no_run(path)}")
        return cls(path, read_manifest(file))

    def arrays(self, name: ArraysName) -> Shards:
        """Return the arrays of a stage, wherever they lie."""
        from ..storage.shards import Shards  # with Zarr, which takes a while to import

        return Shards(self._place(name))

    def _place(self, name: ArraysName) -> Place:
        store = self.record.store
        if store is None:
            return Folder(self.path / name)
        from ..storage.objects import Objects

        return Objects(f"{store.url}/{name}")

    def _digest(self, name: str) -> str | None:
        """Return the digest of what a stage wrote; None if it is missing."""
        if name in ARRAYS and self.record.store is not None:
            return self._place(cast("ArraysName", name)).digest()
        return content_hash(self.path / name)

    def save(self) -> None:
        """Write run.json in one step, so that it is never incomplete."""
        write_text(self.path / "run.json", sealed_text(self.manifest))

    def is_done(self, stage: Stage) -> bool:
        """Return whether a stage is complete and its files are unchanged."""
        entry = self.record.stages.get(stage)
        if entry is None:
            return False
        return all(self._digest(name) == digest for name, digest in entry.files.items())

    def require(self, *stages: Stage) -> None:
        """Check that stages are complete.

        Raises:
            RunError: one is not.
        """
        for stage in stages:
            if not self.is_done(stage):
                raise RunError(f"{self.path}: {self._lack(stage)}")

    def _lack(self, stage: Stage) -> str:
        """Return why a stage is not complete, and what to do."""
        entry = self.record.stages.get(stage)
        unequal = [
            name
            for name, digest in ({} if entry is None else entry.files).items()
            if self._digest(name) != digest
        ]
        if unequal and Run.open(self.path).manifest != self.manifest:
            return "it was changed by another command since it was opened; open it again"
        why = f" ({listed(unequal, 3)}: missing, or changed since it was written)" if unequal else ""
        return f"the stage `{stage}` is not complete{why}; run `ganstrata {stage} {self.path}` first"

    def finish(
        self, stage: Stage, *, seconds: float, files: tuple[str, ...] = (), **facts: Unpack[StageFacts]
    ) -> None:
        """Record a stage as complete; later stages must be run again.

        Files that the stage wrote earlier, but not this time, are removed.

        Args:
            stage: name of the stage.
            seconds: its time.
            files: files that the stage wrote, relative to the run directory.
            facts: what else its record holds.
        """
        self.check_held()
        self.drop(STAGES[STAGES.index(stage) + 1 :])
        digests = {file: self._digest(file) or "" for file in files}
        finished = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.record.stages[stage] = StageRecord(
            seconds=round(seconds, 2), finished=finished, files=digests, **facts
        )
        for file in set(self.record.leftovers.pop(stage, [])) - set(files):
            with suppress(OSError):
                (self.path / file).unlink(missing_ok=True)
        self.save()

    def drop(self, stages: Sequence[Stage]) -> None:
        """Mark stages as not complete; their files stay until they are run again."""
        for stage in stages:
            entry = self.record.stages.pop(stage, None)
            if entry is not None:
                self.record.leftovers[stage] = sorted({*self.record.leftovers.get(stage, []), *entry.files})


def _why_no_run(path: Path) -> str:
    """Return why a path is no run directory, and what to do."""
    if path.parts and path.parts[0].removesuffix(":") in SCHEMES and path.parts[0].endswith(":"):
        return "it is a URL, where at most its arrays lie; give the directory, which records the URL"
    if path.exists() and not path.is_dir():
        cure = f"give its directory, {path.parent}" if path.name == "run.json" else "give a directory"
        return f"it is {type_in_words(path.stat().st_mode)}; {cure}"
    what = "it has no run.json" if path.is_dir() else "there is no such directory"
    return f"{what}. `ganstrata run CONFIG --out {path}` makes one."


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide results."""
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = "not installed"
    return installed
