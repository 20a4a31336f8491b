"""Check a learner's boundaries: unit normals of the right space and shape, one for each requested concept."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import MismatchError, PluginBroken
from ..messages import listed, shown, visible
from ..plugins.base import owner_of
from ..plugins.boundary import SPACES, STYLES, Boundaries, Boundary
from ..plugins.compatibility import check_fits
from ..plugins.failures import one_line
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.records import LEVELS, Concept
from ..storage import name_rules
from .random_state import ADVICE

LONGEST = 1_000_000  # maximum number of characters of a boundary's facts
# Facts that reports and analyses read by name.
COUNTS = ("positives", "negatives", "positives_asked", "negatives_asked", "held_out")
SHARES = ("held_out_accuracy", "rest_accuracy")
REPEATED = 1e-4  # tolerance of normals and offsets that are learnt again from the same samples
UNIT = 1e-3  # tolerance of the length of a unit normal


def check_learned(
    returned: object,
    learner: BoundaryLearner,
    concepts: Sequence[Concept],
    generator: Generator,
    *,
    styles: bool = False,
) -> Boundaries:
    """Return a learner's boundaries after checking that they fit the generator and the requested concepts.

    Args:
        returned: the result of learn().
        learner: the learner.
        concepts: the requested concepts; directions found without labels have names of their own.
        generator: the generator in whose latent space the boundaries lie.
        styles: whether they were learnt from styles, and so lie in s; otherwise in a space of codes.

    Raises:
        PluginBroken: the message says which boundary is wrong and why.
    """
    owner = owner_of(learner)
    if not isinstance(returned, Boundaries):
        cure = ": return ganstrata.Boundaries([...])" if isinstance(returned, list | tuple) else ""
        raise PluginBroken(
            f"{owner}: learn returned {type(returned).__name__}; ganstrata.Boundaries was expected{cure}"
        )
    for boundary in returned:
        if not isinstance(boundary, Boundary):
            raise PluginBroken(
                f"{owner}: learn returned {type(boundary).__name__} among its boundaries; "
                "each must be a ganstrata.Boundary"
            )
        fault = _fault(boundary, generator, styles)
        if fault:
            name = _shown_name(boundary)
            raise PluginBroken(f"{owner}: the boundary '{name}' {fault}")
    names = [boundary.name for boundary in returned]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise PluginBroken(f"{owner} returned two boundaries called '{visible(repeated[0])}'")
    if learner.supervised:
        _check_names(names, [concept.name for concept in concepts], owner)
    else:
        _check_directions(returned, [concept.name for concept in concepts], owner)
    levels = {concept.name: concept.level for concept in concepts}
    for boundary in returned:
        level = levels.get(boundary.concept, boundary.level)
        if boundary.level != level:
            raise PluginBroken(
                f"{owner}: the boundary '{visible(boundary.name)}' has the level {boundary.level}; "
                f"that of its concept is {level}"
            )
    return returned


def check_repeated(first: Boundaries, again: Boundaries, learner: BoundaryLearner) -> None:
    """Refuse boundaries that differ although they were learnt from the same samples with the same seed.

    Raises:
        PluginBroken: they differ, so that nobody can repeat the run.
    """
    for one in first:
        other = next((boundary for boundary in again if boundary.name == one.name), None)
        if other is not None and one.normal.shape == other.normal.shape:
            apart = float(np.abs(one.normal - other.normal).max())
            offsets = np.isclose(one.offset, other.offset, rtol=REPEATED, atol=REPEATED).all()
            if apart <= REPEATED and offsets:
                continue
            difference = (
                f"its normals differ by up to {apart:.2g}" if apart > REPEATED else "its offset differs"
            )
        else:
            difference = "the second time it is missing or has another shape"
        raise PluginBroken(
            f"{owner_of(learner)} learns another boundary '{one.name}' when it learns again from the same "
            f"samples with the same seed: {difference}. {ADVICE}"
        )


def _check_names(returned: Sequence[str], requested: Sequence[str], owner: str) -> None:
    missing = [visible(name) for name in requested if name not in returned]
    unrequested = [visible(name) for name in returned if name not in requested]
    if unrequested:
        raise PluginBroken(
            f"{owner} returned boundaries that were not requested: {listed(unrequested)}; "
            "a boundary has the name of its concept"
        )
    if missing:
        raise PluginBroken(
            f"{owner} returned no boundary for {listed(missing)}, and no reason; if one cannot be learnt, "
            "learn() must raise ganstrata.DataError and say why"
        )


def _check_directions(returned: Boundaries, concepts: Sequence[str], owner: str) -> None:
    """Refuse what has neither a name of its own nor that of a requested concept."""
    nameless = [visible(b.concept) for b in returned if not b.direction and b.concept not in concepts]
    if nameless:
        raise PluginBroken(
            f"{owner} returned {listed(nameless)}, but no concept of the run has such a name; a direction "
            "found without labels has a name of its own: Boundary.unlabelled(name, normal, generator)"
        )


def _shown_name(boundary: Boundary) -> str:
    name: object = boundary.direction or boundary.concept
    return visible(name) if isinstance(name, str) else shown(name)


def _fault_of_name(boundary: Boundary) -> str:
    """Return why a boundary's concept or own name cannot be used; empty if both can."""
    names: tuple[object, ...] = (boundary.concept, boundary.direction)
    for name in names:
        if not isinstance(name, str):
            return "is not text"
        if name and (fault := name_rules.fault_of(name)):
            return fault
    return "" if boundary.concept or boundary.direction else "is empty"


def _fault(boundary: Boundary, generator: Generator, styles: bool) -> str:
    """Return what is wrong with a boundary; empty if nothing is."""
    if fault := _fault_of_name(boundary):
        return f"has a name that cannot be used: it {fault}"
    if (boundary.concept or not boundary.direction) and boundary.level not in LEVELS:
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
        return (
            f"has {shown(layers)} for layers; "
            f"a tuple of numbers from 0 to {generator.card.layers - 1}, or None, was expected"
        )
    if boundary.space == STYLES and not styles:
        return "lies in s, the space of style channels, but was learnt from codes; set learning.space: s"
    if boundary.space not in SPACES or boundary.generator != generator.fingerprint:
        space, fingerprint = shown(boundary.space), shown(boundary.generator)
        return (
            f"does not fit: it lies in space {space} of generator {fingerprint}; codes of this generator are "
            f"in {generator.space}, and its fingerprint is {generator.fingerprint}: "
            "Boundary(..., space=generator.space, generator=generator.fingerprint)"
        )
    return (
        _fault_of_facts(boundary.facts)
        or _fault_of_slope(boundary)
        or _fault_of_hyperplane(boundary, generator)
    )


def _fault_of_facts(facts: object) -> str:
    """Return why the facts cannot be stored as JSON or shown in the report; empty if they can."""
    if not isinstance(facts, Mapping):
        return f"has {type(facts).__name__} for facts; a mapping was expected"
    try:
        length = len(json.dumps(dict(facts)))
    except (TypeError, ValueError, RecursionError) as error:
        return (
            f"has facts that cannot be written as JSON ({one_line(error)}); "
            "use text and Python's own numbers: float(...), int(...)"
        )
    if length > LONGEST:
        return f"has facts of {length} characters; {LONGEST} are allowed"
    by_layer = facts.get("layers", [])
    if not isinstance(by_layer, list) or not all(isinstance(layer, dict) for layer in by_layer):
        return f"has {shown(by_layer)} for layers in its facts; a list with facts of each layer was expected"
    for record in (facts, *by_layer):
        for name, value in ((name, record[name]) for name in (*COUNTS, *SHARES) if name in record):
            most = 1.0 if name in SHARES else math.inf
            if value is None and name in SHARES:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                expected = "a share from 0 to 1" if name in SHARES else "a count"
                return f"has {shown(value)} for {name} in its facts; {expected} was expected"
    return ""


def _fault_of_slope(boundary: Boundary) -> str:
    """Return what is wrong with the slope, if there is one; empty if nothing is."""
    slope: object = boundary.slope
    if slope is None:
        return ""
    if not isinstance(slope, np.ndarray) or slope.dtype.kind != "f":
        return f"has {shown(slope)} for slope; an array of floats like the normal, or None, was expected"
    if not isinstance(boundary.normal, np.ndarray) or slope.shape != boundary.normal.shape:
        return f"has a slope of shape {slope.shape}, unlike its normal"
    lengths = np.linalg.norm(slope.astype(np.float64), axis=-1)
    if not bool(np.all(np.abs(lengths - 1.0) <= UNIT)):
        return "has a slope whose length is not 1: divide by np.linalg.norm(slope)"
    return ""


def _fault_of_hyperplane(boundary: Boundary, generator: Generator) -> str:
    """Return what is wrong with the normal and the offset; empty if nothing is."""
    value: object = boundary.normal
    if not isinstance(value, np.ndarray):
        return f"has a normal that is {shown(value)}; a numpy array was expected"
    normal, offset = boundary.normal, np.asarray(boundary.offset)
    if normal.dtype.kind != "f" or offset.dtype.kind not in "fiu":
        return f"has a normal of {normal.dtype} and an offset of {offset.dtype}; floats were expected"
    with np.errstate(over="ignore"):  # they are stored as float32
        normal, offset = normal.astype(np.float32), offset.astype(np.float32)
    if not np.isfinite(normal).all() or not np.isfinite(offset).all():
        return "has a normal or an offset that is not finite (NaN or infinity)"
    if normal.ndim not in (1, 2) or offset.shape not in ((), (1,), normal.shape[:-1]):
        return (
            f"has a normal of shape {normal.shape} and an offset of shape {offset.shape}; "
            "(D,) with (), or (L, D) with (L,), was expected"
        )
    try:
        check_fits(boundary, generator)
    except MismatchError as error:
        return f"does not fit: {error}"
    lengths = np.atleast_1d(np.linalg.norm(normal.astype(np.float64), axis=-1))
    worst = float(lengths[np.abs(lengths - 1.0).argmax()])
    if abs(worst - 1.0) > UNIT:
        return (
            f"has a normal of length {worst:.4g}; steps are measured along unit normals: "
            "divide by np.linalg.norm(normal)"
        )
    return ""
