"""Group layers by the size of what they control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....core.strata.layers import GROUP_NAMES


def groups_by_size(sizes: Sequence[int]) -> Mapping[str, tuple[int, ...]] | None:
    """Return layers by group: bottom (the smallest size), lower, upper, top (the largest).

    None, which selects the default groups of the core, if all layers have the same size.

    Args:
        sizes: size or sampling rate of each layer, (L,).

    >>> groups_by_size((8, 8, 16, 32, 64))
    {'bottom': (0, 1), 'lower': (2,), 'upper': (3,), 'top': (4,)}
    """
    distinct = sorted(set(sizes))
    if len(distinct) == 1:
        return None
    middle = distinct[1:-1]
    half = len(middle) // 2
    members = (distinct[:1], middle[:half], middle[half:], distinct[-1:])
    groups = {
        name: tuple(layer for layer, size in enumerate(sizes) if size in chosen)
        for name, chosen in zip(GROUP_NAMES, members, strict=True)
    }
    return {name: layers for name, layers in groups.items() if layers}
