"""Tell the page how far a job is, and let more urgent work pass between its steps."""

from __future__ import annotations

from ...core.runs.progress import Progress, Step
from ..handlers import Answer


class JobProgress(Progress):
    """Show the stages of a job on the page, in place of a terminal.

    What it raises between two steps, once the user has stopped the job, ends the stage.

    Args:
        answer: of the request that asked for the job.

    Attributes:
        remarks: what the job warned of.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(quiet=True)
        self._answer = answer
        self.remarks: list[str] = []

    def warn(self, text: str) -> None:
        """Keep a warning for the answer."""
        self.remarks.append(text)

    def advance(self, step: Step, count: int) -> None:
        """Breathe, and say how far the stage is."""
        self._answer.step(min(step.done, step.total), step.total, text=step.label)
