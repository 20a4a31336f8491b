"""Check that a boundary belongs to a generator."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import MismatchError
from .boundary import STYLES, Boundary
from .generator import Generator
from .learner import BoundaryLearner


def check_fits(boundary: Boundary, generator: Generator) -> None:
    """Refuse to apply a boundary to another generator or latent space.

    Raises:
        MismatchError: the generator, the space or the shape of the normal differs.
    """
    card = generator.card
    if boundary.generator and boundary.generator != generator.fingerprint:
        raise MismatchError(
            f"boundary '{boundary.name}' was learnt for generator {boundary.generator}; "
            f"this one is {generator.fingerprint} ({card.family}, {card.source})"
        )
    if boundary.space == STYLES:
        _check_styles(boundary, generator)
        return
    if boundary.space not in (generator.space, "w+"):
        raise MismatchError(
            f"boundary '{boundary.name}' lies in space {boundary.space}, "
            f"but the codes of this generator are in {generator.space}"
        )
    expected = (card.layers, card.code_size) if boundary.space == "w+" else (card.code_size,)
    if boundary.normal.shape != expected:
        raise MismatchError(
            f"boundary '{boundary.name}' has a normal of shape {boundary.normal.shape}; "
            f"this generator needs {expected}"
        )


def _check_styles(boundary: Boundary, generator: Generator) -> None:
    """Refuse a direction in s if the generator has other styles."""
    channels = sum(stratum.style_width or 0 for stratum in generator.strata if stratum.reads is not None)
    if boundary.normal.shape != (channels,):
        raise MismatchError(
            f"boundary '{boundary.name}' lies in space s and has a normal of shape {boundary.normal.shape}; "
            f"this generator has {channels} style channels in all"
        )


def lie_in_styles(boundaries: Iterable[Boundary], purpose: str) -> bool:
    """Return whether boundaries lie in s, which moves styles, and not in a space of codes.

    Args:
        boundaries: boundaries that are used together.
        purpose: what for, in the message: "a joint edit".

    Raises:
        MismatchError: some lie in s and some in a space of codes; the message names one of each.

    Example:
        >>> import numpy as np
        >>> w, s = (Boundary(f"a/{x}", "object", np.ones(1), np.zeros(()), x, "") for x in "ws")
        >>> lie_in_styles([s, s], "a joint edit")
        True
        >>> lie_in_styles([w, s], "a joint edit")
        Traceback (most recent call last):
        ...
        ganstrata.core.errors.MismatchError: a joint edit needs boundaries of one space: 'a/s' lies in s \
(style channels), 'a/w' in w (codes)
    """
    first: dict[bool, Boundary] = {}
    for boundary in boundaries:
        first.setdefault(boundary.space == STYLES, boundary)
    if len(first) == 2:
        styled, coded = first[True], first[False]
        raise MismatchError(
            f"{purpose} needs boundaries of one space: '{styled.name}' lies in s (style channels), "
            f"'{coded.name}' in {coded.space} (codes)"
        )
    return True in first


def refusal_of_space(learner: BoundaryLearner, space: str) -> str:
    """Return why a learner cannot learn in a space, `w` or `s`; empty if it can."""
    if learner.in_styles:
        return "" if space == STYLES else "finds directions in style channels alone; learn in s"
    if space != STYLES:
        return ""
    if not learner.supervised and not learner.any_space:
        return "finds directions without labels in the space of codes; learn in w"
    if learner.layerwise:
        return (
            "learns a boundary per layer from codes; a boundary in s has channels of its own at every layer: "
            "leave out per_layer, or learn in w"
        )
    return ""
