"""The whole surface of extension: three hooks that register plugins and three that follow a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ..runs.run import Run
    from .registry import Register

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
    """Note that a stage of a run begins.

    This and the two below are called in the process that runs the command, one listener after the other. `run` is a
    copy, to be read: `run.path` is the run directory, `run.manifest` what run.json says. Files of the run must not
    be changed; what a listener writes belongs elsewhere. A listener that raises is named, and the run goes on.

    Args:
        stage: synthesize, learn, rescore, edit or report. A stage that was done before is not announced.
        run: as it is before the stage.
    """


@hookspec
def ganstrata_stage_finished(stage: str, run: Run) -> None:
    """Note that a stage of a run is complete; its results are on disk, and its entry in `run.manifest`.

    Args:
        stage: as above.
        run: with what the stage has recorded.
    """


@hookspec
def ganstrata_stage_failed(stage: str, run: Run, error: BaseException) -> None:
    """Note that a stage ended before it was complete; what it had finished is kept, and the same command continues it.

    Not called where the process is killed.

    Args:
        stage: as above.
        run: as it is now.
        error: what ended it, a KeyboardInterrupt after Ctrl-C. It is raised again afterwards.
    """
