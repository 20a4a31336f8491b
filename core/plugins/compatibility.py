"""Check that a boundary belongs to a generator."""

from __future__ import annotations

from ..errors import MismatchError
from .contracts import Generator
from .records import Boundary


def check_fits(boundary: Boundary, generator: Generator) -> None:
    """Refuse to apply a boundary to another generator or latent space.

    Raises:
        MismatchError: the generator, the space or the shape of the normal differs.
    """
    card = generator.card
    if boundary.generator and boundary.generator != generator.fingerprint:
        raise MismatchError(
            f"boundary '{boundary.concept}' was learnt for generator {boundary.generator}; "
            f"this one is {generator.fingerprint} ({card.family}, {card.source})"
        )
    if boundary.space not in (generator.space, "w+"):
        raise MismatchError(
            f"boundary '{boundary.concept}' lies in space {boundary.space}, "
            f"but the codes of this generator are in {generator.space}"
        )
    expected = (card.layers, card.code_size) if boundary.space == "w+" else (card.code_size,)
    if boundary.normal.shape != expected:
        raise MismatchError(
            f"boundary '{boundary.concept}' has a normal of shape {boundary.normal.shape}; "
            f"this generator needs {expected}"
        )
