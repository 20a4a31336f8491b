"""Begin a run in a directory, or continue the one that it holds."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..config.schema import RunConfig
from ..errors import RunError
from .manifest import Manifest, RunFacts, StoreRecord
from .provenance.changes import changes
from .run import Run, versions
from .stages import STAGES, Stage

# What does not change results; a preset only fills in other sections, which are in the keys.
FREE_KEYS = ("version", "preset", "checks", "engine", "store")
MAY_CHANGE = (
    "scorers",
    "concepts",
    "conditions",
    "editing",
    "report",
)  # sections that may change in a finished run; its samples stay


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
    stale: tuple[Stage, ...]
    is_new: bool = False


def begin_run(path: Path | str, config: RunConfig, facts: RunFacts, *, anew: bool = False) -> Begun:
    """Continue the run in a directory, or begin a new one. Nothing is written before `Run.save`.

    Args:
        path: the directory.
        config: validated.
        facts: from `facts_of`.
        anew: whether to begin a new one even if the directory holds one, of which nothing is stored.

    Raises:
        RunError: the directory holds a run of another config, or a damaged one.
    """
    path = Path(path)
    if (path / "run.json").is_file() and not anew:
        return continue_run(Run.open(path), config, facts)
    machine = {
        "system": platform.platform(),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }
    store = None if config.store is None else StoreRecord(url=config.store, id=os.urandom(8).hex())
    if anew and (path / "run.json").is_file():
        store = Run.open(path).record.store  # which is that of this run already
    manifest = Manifest(
        format=1, grid=2, store=store, config=config, versions=versions(), machine=machine, **vars(facts)
    )
    return Begun(Run(path, manifest), (), (), is_new=True)


def continue_run(run: Run, config: RunConfig, facts: RunFacts) -> Begun:
    """Continue a run with this config; stages whose key has changed are no longer complete.

    Raises:
        RunError: the run has another config.
    """
    record = run.record
    old_config, new_config = record.config.as_data(), config.as_data()
    differences = differing(_without(old_config, MAY_CHANGE), _without(new_config, MAY_CHANGE))
    if differences:
        raise RunError(
            f"{run.path} holds a run of another config; these differ: {'; '.join(differences)}. "
            "Give another --out, or the config that this run was made from."
        )
    here = None if record.store is None else record.store.url
    if config.store not in (None, here):
        raise RunError(
            f"{run.path}: the arrays of this run lie {'in it' if here is None else f'at {here}'}, not at "
            f"{config.store}; leave `store` out, or begin a new run in another --out"
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


def _without(config: Mapping[str, Any], sections: Sequence[str]) -> dict[str, Any]:
    """Return a config without these sections."""
    return {key: value for key, value in config.items() if key not in sections}


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
