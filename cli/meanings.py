"""Print what the directions of a run that were found without labels mean."""

from __future__ import annotations

from pathlib import Path

from .errors import clean, reported
from .streams import say


def say_meanings(run_dir: Path) -> None:
    """Print the meanings of directions found without labels, and the file that has all; else nothing.

    Args:
        run_dir: a run whose stage `rescore` is complete.
    """
    with reported():
        from ..core.analyses.sentences import meanings
        from ..core.pipeline.results import open_run
        from ..core.rescoring.found import DIRECTIONS_FILE

        finished = open_run(run_dir)
        # The effects of a large run take seconds, and one that learns from labels has nothing to say here.
        if not any(boundary.direction for boundary in finished.boundaries):
            return
        lines = meanings(finished.effects)
    for line in lines:
        say(clean(line))
    say(f"All of them, with their targets and facts: {run_dir / DIRECTIONS_FILE}")
