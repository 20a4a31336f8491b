"""Name the stages of a run, in their order."""

from __future__ import annotations

from typing import Literal, get_args

Stage = Literal["synthesize", "learn", "rescore", "edit", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)
