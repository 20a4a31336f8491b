"""Checks the boundaries that a learner gives: unit normals, of the right space and size, one for each concept that was asked for."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import MismatchError, PluginBroken
from ..plugins.base import owner_of
from ..plugins.compatibility import check_fits
from ..plugins.contracts import BoundaryLearner, Generator
from ..plugins.failures import one_line
from ..plugins.records import LEVELS, SPACES, Boundaries, Boundary, Concept
from ..storage import naming
from ..text import listed, shown, visible

LONGEST = 1_000_000  # characters of a boundary's facts
COUNTS = (
    "positives",
    "negatives",
    "positives_asked",
    "negatives_asked",
    "held_out",
)  # facts that reports and analyses know by name
SHARES = ("held_out_accuracy", "rest_accuracy")
UNIT = 1e-3  # how far from 1 the length of a normal may be


def check_learned(
    returned: object, learner: BoundaryLearner, concepts: Sequence[Concept], generator: Generator
) -> Boundaries:
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
        raise PluginBroken(
            f"{owner}: learn returned {type(returned).__name__}; ganstrata.Boundaries was expected"
        )
    for boundary in returned:
        if not isinstance(boundary, Boundary):
            raise PluginBroken(
                f"{owner}: learn returned {type(boundary).__name__} among its boundaries; each must be a ganstrata.Boundary"
            )
        fault = _fault(boundary, generator)
        if fault:
            name = visible(boundary.concept) if isinstance(boundary.concept, str) else shown(boundary.concept)
            raise PluginBroken(f"{owner}: the boundary '{name}' {fault}")
    names = [boundary.name for boundary in returned]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PluginBroken(f"{owner} gave two boundaries called '{visible(twice[0])}'")
    if learner.supervised:
        _check_names(names, [concept.name for concept in concepts], owner)
    levels = {concept.name: concept.level for concept in concepts}
    for boundary in returned:
        level = levels.get(boundary.concept, boundary.level)
        if boundary.level != level:
            raise PluginBroken(
                f"{owner}: the boundary '{visible(boundary.name)}' has the level {boundary.level}; that of its concept is {level}"
            )
    return Boundaries(returned)


def _check_names(given: Sequence[str], asked: Sequence[str], owner: str) -> None:
    missing, unasked = (
        [visible(name) for name in a if name not in b] for a, b in ((asked, given), (given, asked))
    )
    if unasked:
        raise PluginBroken(
            f"{owner} gave boundaries that were not asked for: {listed(unasked)}; a boundary has the name of its concept"
        )
    if missing:
        raise PluginBroken(
            f"{owner} gave no boundary for {listed(missing)}, and no reason; where one cannot be learnt, learn() raises ganstrata.DataError with why"
        )


def _fault(boundary: Boundary, generator: Generator) -> str:
    """What is wrong with one boundary; nothing if it will do."""
    if not isinstance(boundary.concept, str) or naming.fault_of(boundary.concept):
        return "has a name that cannot be used: it " + (
            naming.fault_of(boundary.concept) if isinstance(boundary.concept, str) else "is no text"
        )
    if boundary.level not in LEVELS:
        return f"has the level {visible(repr(boundary.level))}; levels are {', '.join(LEVELS)}"
    if not isinstance(boundary.given, list | tuple) or not all(
        isinstance(name, str) for name in boundary.given
    ):
        return f"has {shown(boundary.given)} for given; a tuple of names was expected"
    layers = boundary.layers
    if layers is not None and not (
        isinstance(layers, list | tuple)
        and all(type(layer) is int and 0 <= layer < generator.card.layers for layer in layers)
    ):
        return f"has {shown(layers)} for layers; a tuple of numbers from 0 to {generator.card.layers - 1}, or None, was expected"
    if boundary.space not in SPACES or boundary.generator != generator.fingerprint:
        space, own = shown(boundary.space), shown(boundary.generator)
        return (
            f"does not fit: it lies in space {space} of generator {own}; codes of this generator are in {generator.space}, and boundaries for it "
            f"have its fingerprint {generator.fingerprint}: Boundary(..., space=generator.space, generator=generator.fingerprint)"
        )
    return _fault_of_facts(boundary.facts) or _fault_of_plane(boundary, generator)


def _fault_of_facts(facts: object) -> str:
    """What cannot be kept of the facts, or cannot be shown where the report shows some by name."""
    if not isinstance(facts, Mapping):
        return f"has {type(facts).__name__} for facts; a mapping was expected"
    try:
        length = len(json.dumps(dict(facts)))
    except (TypeError, ValueError, RecursionError) as error:
        return f"has facts that cannot be written as JSON ({one_line(error)}); have them hold text and Python's own numbers: float(...), int(...)"
    if length > LONGEST:
        return f"has facts of {length} characters; {LONGEST} are allowed"
    by_layer = facts.get("layers", [])
    if not isinstance(by_layer, list) or not all(isinstance(layer, dict) for layer in by_layer):
        return f"has {shown(by_layer)} for layers in its facts; a list of facts, one for each layer, was expected"
    for told in (facts, *by_layer):
        for name, value in ((name, told[name]) for name in (*COUNTS, *SHARES) if name in told):
            most = 1.0 if name in SHARES else math.inf
            if value is None and name in SHARES:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value > most:
                return f"has {shown(value)} for {name} in its facts; {'a share from 0 to 1' if name in SHARES else 'a count'} was expected"
    return ""


def _fault_of_plane(boundary: Boundary, generator: Generator) -> str:
    given: object = boundary.normal
    if not isinstance(given, np.ndarray):
        return f"has a normal that is {shown(given)}; a numpy array was expected"
    normal, offset = boundary.normal, np.asarray(boundary.offset)
    if normal.dtype.kind != "f" or offset.dtype.kind not in "fiu":
        return f"has a normal of {normal.dtype} and an offset of {offset.dtype}; floats were expected"
    with np.errstate(over="ignore"):  # as they are kept, in float32
        normal, offset = normal.astype(np.float32), offset.astype(np.float32)
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
