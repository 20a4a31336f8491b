"""The whole surface of extension: three hooks that register plugins and two that follow a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .registry import Register
    from .run import Run

PROJECT = "ganstrata"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ganstrata_register_generators(register: Register) -> None:
    """Call register(name, "package.module:Class", "one line") for every generator."""


@hookspec
def ganstrata_register_scorers(register: Register) -> None:
    """Call register(name, "package.module:Class", "one line") for every scorer."""


@hookspec
def ganstrata_register_boundaries(register: Register) -> None:
    """Call register(name, "package.module:Class", "one line") for every boundary learner."""


@hookspec
def ganstrata_stage_started(stage: str, run: Run) -> None:
    """A stage of a run begins."""


@hookspec
def ganstrata_stage_finished(stage: str, run: Run) -> None:
    """A stage of a run is complete; its results are on disk."""
