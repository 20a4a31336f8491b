"""Read and write sets of layers: numbers such as `6-11` or `0,2,5-7`, or names of groups."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import LayerError, nearest

if TYPE_CHECKING:
    from ..plugins.generator import Generator

GROUP_NAMES = ("bottom", "lower", "upper", "top")


def parse_layers(text: str, count: int) -> tuple[int, ...]:
    """Parse layer numbers.

    Args:
        text: numbers and ranges separated by commas; spaces do not matter.
        count: number of layers of the generator, L.

    Returns:
        Numbers from 0 to L - 1, ascending, each once.

    Raises:
        LayerError: the text does not have this form, is empty, or names a layer that does not exist.

    Example:
        >>> parse_layers("0, 2, 5-7", 10)
        (0, 2, 5, 6, 7)
        >>> parse_layers("3-1", 10)
        Traceback (most recent call last):
        ...
        ganstrata.core.errors.LayerError: layers '3-1': the range 3-1 runs backwards; write 1-3
    """
    chosen: set[int] = set()
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part, re.ASCII)
        if match is None:
            shown = f"'{part.strip()}'" if part.strip() else "an empty part"
            raise LayerError(
                f"layers '{text}': {shown} is neither a number nor a range; write for example 6-11 or 0,2,5-7"
            )
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise LayerError(
                f"layers '{text}': the range {first}-{last} runs backwards; write {last}-{first}"
            )
        if last >= count:
            raise LayerError(
                f"layers '{text}': there is no layer {last}; this generator has layers 0 to {count - 1}"
            )
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def show_layers(layers: Sequence[int]) -> str:
    """Return layers in the shortest form that `parse_layers` reads.

    >>> show_layers((0, 2, 5, 6, 7))
    '0,2,5-7'
    """
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)


def layers_in_words(layers: Sequence[int]) -> str:
    """Return layers as a sentence names them.

    >>> layers_in_words((0,)), layers_in_words((5, 6, 7))
    ('layer 0', 'layers 5-7')
    """
    return f"layer{'s' if len(set(layers)) != 1 else ''} {show_layers(layers)}"


def default_groups(count: int) -> dict[str, tuple[int, ...]]:
    """Return the default groups: cuts at 1/7, 3/7 and 6/7 of the layers, as for the paper's 14 (appendix E).

    Empty groups are left out; a single layer has no groups.

    >>> {name: show_layers(layers) for name, layers in default_groups(14).items()}
    {'bottom': '0-1', 'lower': '2-5', 'upper': '6-11', 'top': '12-13'}
    >>> default_groups(1)
    {}
    """
    if count == 1:
        return {}
    cuts = [0, *(int(count * share / 7.0 + 0.5) for share in (1, 3, 6)), count]
    groups = {name: tuple(range(a, b)) for name, a, b in zip(GROUP_NAMES, cuts, cuts[1:], strict=False)}
    return {name: layers for name, layers in groups.items() if layers}


def resolution_groups(resolution: int) -> dict[str, tuple[int, ...]]:
    """Return the groups of a style-based generator: two layers per resolution, from 4 pixels up (method B).

    >>> {name: show_layers(layers) for name, layers in resolution_groups(64).items()}
    {'bottom': '0-1', 'lower': '2-3', 'upper': '4-7', 'top': '8-9'}
    >>> {name: show_layers(layers) for name, layers in resolution_groups(256).items()}
    {'bottom': '0-1', 'lower': '2-5', 'upper': '6-11', 'top': '12-13'}
    """
    steps = resolution.bit_length() - 2  # resolutions from 4 to the last
    lower = max(steps - 2, 0) // 2
    cuts = [0, 1, 1 + lower, max(steps - 1, 1), steps]
    groups = {
        name: tuple(range(2 * a, 2 * b)) for name, a, b in zip(GROUP_NAMES, cuts, cuts[1:], strict=False)
    }
    return {name: layers for name, layers in groups.items() if layers}


def groups_of(
    generator: Generator, groups: Mapping[str, Sequence[int]] | None = None
) -> dict[str, tuple[int, ...]]:
    """Return these groups of layers, or without any those of the generator, or else the default ones."""
    chosen = generator.groups if groups is None else groups
    if chosen is None:
        return default_groups(generator.card.layers)
    return {name: tuple(map(int, layers)) for name, layers in chosen.items()}


def layer_sets(
    names: Sequence[str], groups: Mapping[str, tuple[int, ...]], count: int
) -> dict[str, tuple[int, ...]]:
    """Resolve names of layer sets, which are moved together in re-scoring.

    Args:
        names: `all`, `each` (each layer by itself), `groups`, the name of a group, or numbers.
        groups: named groups.
        count: number of layers of the generator, L.

    Returns:
        Name -> layers, in the order of `names`.

    Raises:
        LayerError: a name is not one of these, or there are no names.

    Example:
        >>> layer_sets(["all", "each", "groups"], {"low": (0, 1), "high": (2,)}, 3)
        {'all': (0, 1, 2), '0': (0,), '1': (1,), '2': (2,), 'low': (0, 1), 'high': (2,)}
    """
    sets: dict[str, tuple[int, ...]] = {}
    for item in names:
        if item == "all":
            sets["all"] = tuple(range(count))
        elif item == "each":
            sets.update({str(layer): (layer,) for layer in range(count)} if count > 1 else {})
        elif item == "groups":
            sets.update(groups)
        elif item in groups:
            sets[item] = groups[item]
        elif re.match(r"\s*\d", item):
            layers = parse_layers(item, count)
            sets[show_layers(layers)] = layers
        else:
            known = ["all", "each", "groups", *groups]
            raise LayerError(
                f"'{item}' names no layers.{nearest(item, known)} Allowed: {', '.join(known)}, "
                "or numbers such as 6-11 or 0,2,5-7"
            )
    if not sets:
        raise LayerError("no layers are named; write for example layers: [all, each, groups]")
    return sets
