"""Checks the boundaries that a learner gives: unit normals, of the right space and size, one for each concept that was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .. import naming
from ..compatibility import check_fits
from ..contracts import BoundaryLearner, Generator
from ..errors import MismatchError, PluginBroken
from ..plugin import owner_of
from ..records import LEVELS, Boundaries, Boundary, Concept
from ..text import listed, visible

UNIT = 1e-3  # how far from 1 the length of a normal may be


def check_learned(returned: object, learner: BoundaryLearner, concepts: Sequence[Concept], generator: Generator) -> Boundaries:
    """Return a learner's boundaries, which fit the generator and the concepts that were asked for.

    Args:
        returned: by learn().
        learner: whose they are.
        concepts: that were asked for; an unsupervised learner names its directions itself.
        generator: in whose latent space they lie.

    Raises:
        PluginBroken: the message says which boundary is wrong and why.
    """
    owner = owner_of(learner)
    if not isinstance(returned, list | tuple):
        raise PluginBroken(f"{owner}: learn returned {type(returned).__name__}; ganstrata.Boundaries was expected")
    for boundary in returned:
        if not isinstance(boundary, Boundary):
            raise PluginBroken(f"{owner}: learn returned {type(boundary).__name__} among its boundaries; each must be a ganstrata.Boundary")
        fault = _fault(boundary, generator)
        if fault:
            raise PluginBroken(f"{owner}: the boundary '{visible(str(boundary.name))}' {fault}")
    names = [boundary.name for boundary in returned]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PluginBroken(f"{owner} gave two boundaries called '{visible(twice[0])}'")
    if learner.supervised:
        _check_names(names, [concept.name for concept in concepts], owner)
    return Boundaries(returned)


def _check_names(given: Sequence[str], asked: Sequence[str], owner: str) -> None:
    missing, unasked = ([visible(name) for name in a if name not in b] for a, b in ((asked, given), (given, asked)))
    if unasked:
        raise PluginBroken(f"{owner} gave boundaries that were not asked for: {listed(unasked)}; a boundary has the name of its concept")
    if missing:
        raise PluginBroken(
            f"{owner} gave no boundary for {listed(missing)}, and no reason; where one cannot be learnt, learn() raises ganstrata.DataError with why"
        )


def _fault(boundary: Boundary, generator: Generator) -> str:
    """What is wrong with one boundary; nothing if it will do."""
    if not isinstance(boundary.concept, str) or naming.fault_of(boundary.concept):
        return "has a name that cannot be used: it " + (naming.fault_of(boundary.concept) if isinstance(boundary.concept, str) else "is no text")
    if boundary.level not in LEVELS:
        return f"has the level {visible(repr(boundary.level))}; levels are {', '.join(LEVELS)}"
    normal, offset = np.asarray(boundary.normal), np.asarray(boundary.offset)
    if normal.dtype.kind != "f" or offset.dtype.kind not in "fiu":
        return f"has a normal of {normal.dtype} and an offset of {offset.dtype}; floats were expected"
    if not np.isfinite(normal).all() or not np.isfinite(offset).all():
        return "has a normal or an offset that is not finite (NaN or infinity)"
    if normal.ndim not in (1, 2) or offset.shape not in ((), (1,), normal.shape[:-1]):
        return f"has a normal of shape {normal.shape} and an offset of shape {offset.shape}; (D,) with (), or (L, D) with (L,), was expected"
    try:
        check_fits(boundary, generator)
    except MismatchError as error:
        return f"does not fit: {error}"
    lengths = np.atleast_1d(np.linalg.norm(normal.astype(np.float64), axis=-1))
    worst = float(lengths[np.abs(lengths - 1.0).argmax()])
    if abs(worst - 1.0) > UNIT:
        return f"has a normal of length {worst:.4g}; steps are measured along unit normals: divide by np.linalg.norm(normal)"
    return ""
