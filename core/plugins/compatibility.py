"""Check that a boundary belongs to a generator."""

from __future__ import annotations

from ..errors import MismatchError
from .contracts import Generator
from .records import Boundary


def check_fits(boundary: Boundary, generator: Generator, *, styles: bool = False) -> None:
    """Refuse to apply a boundary to another generator or latent space.

    Args:
        boundary: boundary to apply.
        generator: generator to apply it to.
        styles: whether directions in s, which move styles instead of codes, can be applied here.

    Raises:
        MismatchError: the generator, the space or the shape of the normal differs.
    """
    card = generator.card
    if boundary.generator and boundary.generator != generator.fingerprint:
        raise MismatchError(
            f"boundary '{boundary.name}' was learnt for generator {boundary.generator}; "
            f"this one is {generator.fingerprint} ({card.family}, {card.source})"
        )
    if boundary.space == "s":
        _check_styles(boundary, generator, styles)
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


def _check_styles(boundary: Boundary, generator: Generator, styles: bool) -> None:
    """Refuse a direction in s where codes are moved, or if the generator has other styles."""
    if not styles:
        raise MismatchError(
            f"boundary '{boundary.name}' lies in space s: it moves style channels and not codes, "
            "which only `manipulate` does"
        )
    channels = sum(stratum.style_width or 0 for stratum in generator.strata if stratum.reads is not None)
    if boundary.normal.shape != (channels,):
        raise MismatchError(
            f"boundary '{boundary.name}' has a normal of shape {boundary.normal.shape}; "
            f"this generator has {channels} style channels in all"
        )
