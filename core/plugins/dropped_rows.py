"""Name the stratum that loses samples of a batch, where a later method fails because of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import GanstrataError, PluginBroken, ShapeError
from .base import owner_of
from .generator import Generator
from .records import State


@contextmanager
def dropped_rows_named(generator: Generator, state: State, codes: Tensor, start: int) -> Iterator[None]:
    """Blame the stratum that lost samples for an error in the block, if there is such a stratum.

    Args:
        generator: the generator; its strata are run again, one by one, after an error.
        state: the state before stratum `start`.
        codes: codes (N, L, D) with which the block runs the strata from `start` on, and `finish`.
        start: the first stratum.

    Raises:
        PluginBroken: a stratum returned fewer rows than samples, and a later method failed.
    """
    try:
        yield
    except (ShapeError, PluginBroken) as error:
        n = len(codes)
        found = _first_drop(generator, state, codes, start)
        if found is None:
            raise
        s, rows = found
        raise PluginBroken(
            f"{owner_of(generator)}: stratum({s}) returned a State whose x is of shape (N, ...) with "
            f"N = {rows} for {n} samples; keep one row for each sample"
        ) from error


def _first_drop(generator: Generator, state: State, codes: Tensor, start: int) -> tuple[int, int] | None:
    """Return the stratum after which rows are missing to the end, and their number; None if none are.

    A state of one row that was never of N rows is a constant, which is added to every sample.
    """
    n, before, found = len(codes), _rows(state, len(codes)), None
    with torch.no_grad():
        for s in range(start, len(generator.strata)):
            layer = generator.strata[s].reads
            try:
                state = generator.stratum(s, state, None if layer is None else codes[:, layer])
                rows = _rows(state, n)
            except (GanstrataError, AttributeError):  # it fails here again, or returns something else
                break
            if rows < n <= before:
                found = s, rows
            elif rows >= n:
                found = None
            before = rows
    return found


def _rows(state: State, n: int) -> int:
    """Return the number of rows of a state; a state without a feature map lacks none."""
    return n if state.x is None or not state.x.ndim else len(state.x)
