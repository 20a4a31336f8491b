"""Let the config of a learner name a scorer, which the learner builds."""

from __future__ import annotations

from typing import Annotated, cast

import torch
from pydantic import AfterValidator

from ...core.config.reading import check_options
from ...core.config.schema import Use
from ...core.plugins.scorer import Scorer
from ...core.runs.loading import build


def _checked(used: Use) -> Use:
    if faults := check_options("scorer", used.use, used.options, ()):
        raise ValueError("; ".join(map(str, faults)))
    return used


UsedScorer = Annotated[Use, AfterValidator(_checked)]
"""A scorer with its config, which is checked against the scorer's own."""


def built_scorer(used: UsedScorer, device: torch.device) -> Scorer:
    """Build the scorer that a config names.

    Raises:
        GanstrataError: it cannot be built.
    """
    return cast("Scorer", build("scorer", used.use, used.options, device=str(device)))
