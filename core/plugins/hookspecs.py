"""Declare all hooks: seven that register plugins and three that follow a run.

What registers a plugin may leave out the one line: it is then the first line of the docstring of the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ..pipeline.results import Results
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
def ganstrata_register_engines(register: Register) -> None:
    """Call register(name, "package.module:Class", "one line") for every engine, which spreads tasks."""


@hookspec
def ganstrata_register_inverters(register: Register) -> None:
    """Call register(name, "package.module:Class", "one line") for every inverter, a step of an inversion."""


@hookspec
def ganstrata_register_analyses(register: Register) -> None:
    """Call register(name, "package.module:Class", "one line") for every analysis of finished runs."""


@hookspec
def ganstrata_register_commands(register: Register) -> None:
    """Call register(name, "package.module:command", "one line") for every command of the command line.

    What is named is a click command or group. Its module is imported when somebody gives the command.
    """


@hookspec
def ganstrata_stage_started(stage: str, run: Results) -> None:
    """Note that a stage of a run begins.

    The three stage hooks are called in the process that runs the command, one listener after the other.
    `run` is a copy of what `ganstrata.open_run` returns. A listener must not change files of the run; it may
    write elsewhere. If one raises, it is named and the run goes on.

    Args:
        stage: synthesize, learn, rescore, edit or report. A stage that is already complete is not announced.
        run: the run before the stage. `run.path` is its directory, `run.manifest` the content of run.json,
            `run.config` its config. `run.samples`, `run.boundaries` and `run.effects` are the results of the
            stages synthesize, learn and rescore; each raises RunError until its stage is complete.
    """


@hookspec
def ganstrata_stage_finished(stage: str, run: Results) -> None:
    """Note that a stage of a run is complete; its results are on disk, and its entry in `run.manifest`.

    Args:
        stage: as in `ganstrata_stage_started`.
        run: the run with the records and results of the stage.
    """


@hookspec
def ganstrata_stage_failed(stage: str, run: Results, error: BaseException) -> None:
    """Note that a stage ended before it was complete.

    Finished parts stay, and the same command continues the stage. Not called if the process is killed.

    Args:
        stage: as in `ganstrata_stage_started`.
        run: the run as it is now.
        error: the exception that ended the stage, such as KeyboardInterrupt. It is raised again afterwards.
    """
