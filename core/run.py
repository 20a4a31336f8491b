"""The run directory: one config and everything computed from it."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .config import RunConfig
from .disk import content_hash, disk_error, make_folder, write_text
from .errors import RunError

STAGES = ("synthesize", "learn", "rescore", "edit", "report")
FORMAT = 1
PACKAGES = ("ganstrata", "torch", "numpy", "scikit-learn", "zarr", "pydantic")
LOCK = "run.lock"
FREE_KEYS = ("checks", "engine")  # sections that do not change results
SCORING = ("scorers", "concepts", "conditions")  # sections that a finished run may be given anew: its samples stay


class Run:
    """A run directory; `manifest` is what run.json says.

    Attributes:
        path: of the directory.
        manifest: config, versions, plugins, checkpoints, what each stage did and when.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path, self.manifest = path, manifest

    @property
    def config(self) -> RunConfig:
        """The config the run was made from."""
        return RunConfig.model_validate(self.manifest["config"])

    @property
    def step_unit(self) -> float:
        """The length in w of one unit of distance."""
        return self.config.rescoring.unit(float(self.manifest["spread"]))

    @property
    def batch(self) -> int:
        """Images in one pass, as resolved when the run began."""
        return int(self.manifest["batch_size"])

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """An existing run.

        Raises:
            RunError: there is none, or it was written by a newer version.
        """
        path = Path(path)
        file = path / "run.json"
        if not file.is_file():
            what = "there is no such directory" if not path.is_dir() else "it has no run.json"
            raise RunError(f"{path} is no run directory: {what}. `ganstrata run CONFIG --out {path}` makes one.")
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            found = manifest["format"]
            missing = [key for key in ("config", "batch_size", "checkpoints", "stages") if key not in manifest]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RunError(f"{file} is damaged ({type(error).__name__}: {error}); the run cannot be continued, use another directory") from None
        if found != FORMAT:
            raise RunError(f"{file} has format {found}; this version reads format {FORMAT}")
        if missing:
            raise RunError(f"{file} is damaged (it has no {', '.join(missing)}); the run cannot be continued, use another directory")
        return cls(path, manifest)

    @classmethod
    def begin(cls, path: Path | str, config: RunConfig, facts: Mapping[str, Any]) -> Run:
        """The run of this config in this directory: continued if it is there, else made.

        Args:
            path: directory; made if missing.
            config: validated.
            facts: what to record of plugins, checkpoints, device and sizes.

        Raises:
            RunError: the directory holds something else, or a run of another config.
        """
        path = Path(path)
        if (path / "run.json").is_file():
            run = cls.open(path)
            asked = config.model_dump(mode="json", by_alias=True)
            old, new = ({key: value for key, value in c.items() if key not in SCORING} for c in (run.manifest["config"], asked))
            keys = differing(old, new)
            old, new = ({"generator": c.get("generator")} for c in (run.manifest["checkpoints"], facts["checkpoints"]))
            keys += differing(old, new, ("checkpoint of",))
            if keys:
                raise RunError(
                    f"{path} holds a run of another config; these differ: {'; '.join(keys)}. "
                    "Give another --out, or the config that this run was made from."
                )
            if scoring_changes(run.manifest, asked, facts):
                run.manifest.update({"config": asked, **facts, "stages": {}})
                run.save()
            return run
        manifest = {
            "format": FORMAT,
            "config": config.model_dump(mode="json", by_alias=True),
            **facts,
            "versions": versions(),
            "machine": {"system": platform.platform(), "processor": platform.machine(), "python": platform.python_version()},
            "stages": {},
        }
        run = cls(path, manifest)
        run.save()
        return run

    def save(self) -> None:
        """Write run.json in one step: it is never half there."""
        write_text(self.path / "run.json", json.dumps(self.manifest, indent=2) + "\n")

    def is_done(self, stage: str) -> bool:
        """Whether a stage is complete and its files are what it wrote."""
        entry = self.manifest["stages"].get(stage)
        if entry is None:
            return False
        return all(content_hash(self.path / name) == digest for name, digest in entry["files"].items())

    def require(self, *stages: str) -> None:
        """Refuse to go on without earlier stages.

        Raises:
            RunError: one is not complete.
        """
        for stage in stages:
            if not self.is_done(stage):
                raise RunError(f"{self.path}: the stage `{stage}` is not complete; run `ganstrata {stage} {self.path}` first")

    def finish(self, stage: str, *, seconds: float, files: tuple[str, ...] = (), **facts: Any) -> None:
        """Record a stage as complete; stages behind it must be run again."""
        digests = {name: content_hash(self.path / name) for name in files}
        finished = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.manifest["stages"][stage] = {"seconds": round(seconds, 2), "finished": finished, "files": digests, **facts}
        for later in STAGES[STAGES.index(stage) + 1 :]:
            self.manifest["stages"].pop(later, None)
        self.save()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make a run directory if it is missing, and keep other processes out of it.

    Raises:
        RunError: it holds something else, or another process is at work in it.
    """
    if not (path / "run.json").is_file() and path.exists() and (not path.is_dir() or any(p.name != LOCK for p in path.iterdir())):
        raise RunError(f"{path} exists and is no run directory; give an empty or a new one")
    make_folder(path)
    lock = FileLock(path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{path} is in use by another process; wait for it, or give another --out") from None
    except OSError as error:
        raise disk_error(error, path / LOCK) from error
    try:
        yield
    finally:
        lock.release()


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


def scoring_changes(manifest: Mapping[str, Any], asked: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Sections about scorers in which a run and a config differ; the checkpoints of scorers count with them."""
    changed = [section for section in SCORING if manifest["config"].get(section) != asked.get(section)]
    if manifest["checkpoints"] != facts["checkpoints"] and "scorers" not in changed:
        changed.append("scorers")
    return changed


def versions() -> dict[str, str]:
    """Of the packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
