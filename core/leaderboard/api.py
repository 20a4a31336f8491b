"""Compare learners from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config.reading import config_of, read_config
from ..config.schema import RunConfig
from ..runs.progress import Progress
from ..storage.kept_results import Store
from .board import Board
from .computing import board_of
from .folder import leaderboard_into
from .measuring import measure
from .request import FRESH, STEPS, BoardRequest, overrides_of


def leaderboard(
    config: RunConfig | Mapping[str, Any] | str | Path,
    learners: Sequence[str],
    *,
    out: Path | str | None = None,
    samples: int | None = None,
    verify: int | None = None,
    fresh: int = FRESH,
    steps: Sequence[float] = STEPS,
    null: int | None = None,
    seed: int | None = None,
    judges: Sequence[str] = (),
    baseline: str | None = None,
    quiet: bool = True,
) -> Board:
    """Compare learners of directions on common samples, steps and random directions.

    Args:
        config: config of a run: a validated one, plain data, or the path of a file. Its generator, scorers,
            concepts, samples and seed count; its learner does not.
        learners: learners to compare, as `name` or `name:{option: value}`.
        out: folder for the page, the tables and what is kept of each learner; None to write nothing.
        samples: number of samples to learn from; None for the config's.
        verify: number of samples that are moved; None for the config's.
        fresh: number of samples that no learner is given.
        steps: steps along each direction in standard deviations of w, or in space s of
            the styles, rising; effects are those of the last.
        null: number of random directions; None for the config's.
        seed: seed of everything random; None for the config's.
        judges: groups of concepts that mean the same by several scorers, as `a/wood,b/wood`.
        baseline: label of the learner with which the others are compared; None for the first.
        quiet: whether to print nothing.

    Returns:
        The leaderboard. A learner that failed is in `left`, with its reason.

    Raises:
        UserError: the config or an argument does not fit, a learner or an option is misspelt, or no learner
            is left, or not the baseline.
        GanstrataError: the generator or a scorer fails.
    """
    changes = overrides_of(samples=samples, verify=verify, null=null, seed=seed)
    source = "config"
    if isinstance(config, str | Path):
        source, config = str(config), read_config(Path(config), changes)
    else:
        config = config_of(
            config.as_data() if isinstance(config, RunConfig) else dict(config), source, changes
        )
    request = BoardRequest(tuple(learners), tuple(steps), fresh, tuple(judges), baseline)
    progress = Progress(quiet=quiet)
    if out is not None:
        return leaderboard_into(config, Path(out), request, source=source, progress=progress)
    return board_of(measure(config, request, Store(None), source=source, progress=progress), progress)
