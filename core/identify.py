"""Says in words what a checkpoint seems to be when no generator plugin knows it."""

from __future__ import annotations

from .checkpoints import Checkpoint


def describe(checkpoint: Checkpoint) -> str:
    """What the tensors look like, for messages."""
    names = list(checkpoint.parts[0].tensors)
    return f"its tensors are called {', '.join(names[:4])} ..."
