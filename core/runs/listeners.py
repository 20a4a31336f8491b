"""Call the listeners of a run. If a listener fails, a warning names it, and the run goes on."""

from __future__ import annotations

import traceback
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

from ..messages import visible
from ..plugins.failures import one_line
from ..plugins.registry import registry
from .progress import Progress

if TYPE_CHECKING:
    from ..pipeline.results import Results

Event = Literal["ganstrata_stage_started", "ganstrata_stage_finished", "ganstrata_stage_failed"]


def tell(event: Event, stage: str, run: Results, progress: Progress, **more: Any) -> None:
    """Call each listener of an event, with its own copy of the run, so that it cannot change the run.

    Args:
        event: the hook.
        stage: name of the stage.
        run: the run in its present state, with the results of its complete stages.
        progress: display on which warnings are shown.
        more: further arguments of the hook.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed during a listener.
    """
    hooks = registry().hooks
    for implementation in reversed(getattr(hooks.hook, event).get_hookimpls()):
        others = [plugin for plugin in hooks.get_plugins() if plugin is not implementation.plugin]
        try:
            hooks.subset_hook_caller(event, others)(stage=stage, run=deepcopy(run), **more)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            reason = f"{one_line(error)}{_place(error, implementation.function)}"
            progress.warn(
                f"listener {visible(implementation.plugin_name)} failed in {event} of `{stage}`: {reason}. "
                "The run goes on."
            )


def _place(error: BaseException, function: Any) -> str:
    """Return the last line of the listener itself, or the line of the error if it is in none of its lines."""
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    own = [frame for frame in frames if frame.filename == file] or list(frames)
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
