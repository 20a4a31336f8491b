"""Tells plugins that follow a run what happens in it; one that fails is named, and the run goes on."""

from __future__ import annotations

import traceback
from copy import deepcopy
from typing import Any, Literal

from ..plugins.failures import one_line
from ..plugins.registry import registry
from ..text import visible
from .progress import Progress
from .run import Run

Event = Literal["ganstrata_stage_started", "ganstrata_stage_finished", "ganstrata_stage_failed"]


def tell(event: Event, stage: str, run: Run, progress: Progress, **more: Any) -> None:
    """Call every listener of an event, each by itself and with a run of its own, so that none can disturb the others or the run.

    Args:
        event: the hook.
        stage: its name.
        run: as it is now.
        progress: where a listener that fails is named.
        more: further arguments of the hook.

    Raises:
        KeyboardInterrupt: Ctrl-C came while a listener was at work.
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
                f"listener {visible(implementation.plugin_name)} failed in {event} of `{stage}`: {reason}. The run goes on."
            )


def _place(error: BaseException, function: Any) -> str:
    """The line of the listener itself, else that where the error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    own = [frame for frame in frames if frame.filename == file] or list(frames)
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
