"""Find networks whose tensor names stand under a prefix, by what remains without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from torch import Tensor

from ..messages import quantity, visible
from .content import Part

T = TypeVar("T")

# Components of names that wrappers of torch put in: compilation, sharding, checkpointed activations.
WRAPPERS = re.compile(
    r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)
# Tensors that belong to a generator but are stored outside its state dict.
MEAN_CODES = re.compile(r"(\w*latent|w|d?latent)_avg|mean_latent|truncation_latent")
LEAST = 4  # tensors under a prefix that are offered to plugins
DEEP = 5  # components of a prefix
GROUPS = 64  # prefixes that are tried in one part
NAMES = 20_000  # names that are offered, in all groups of a part


def without_wrappers(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Remove what wrappers of torch put into all names, and return sentences on what was removed.

    DataParallel and DistributedDataParallel put `module.` before every name; compiled modules have
    `_orig_mod.` wherever one is inside another.
    """
    notes = []
    wrapped = sum(WRAPPERS.search(name) is not None for name in tensors)
    plain = {WRAPPERS.sub("", name): tensor for name, tensor in tensors.items()} if wrapped else tensors
    # Two names that become one would lose a tensor; and a name that is nothing but a wrapper is no name.
    if wrapped and len(plain) == len(tensors) and "" not in plain:
        first = next(match[0] for name in tensors if (match := WRAPPERS.search(name)))
        notes.append(f"{first} is removed from the names of {quantity(wrapped, 'tensor')}")
        tensors = plain
    prefix = ""
    while tensors and all(key.startswith("module.") and key != "module." for key in tensors):
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
        prefix += "module."
    if prefix:
        notes.append(stripped(prefix, len(tensors)))
    return tensors, tuple(notes)


def stripped(prefix: str, count: int, others: int = 0) -> str:
    """Return the sentence on a prefix that is stripped from `count` names, beside `others`.

    >>> stripped("generator.", 3, 2)
    'the prefix generator. is stripped from the names of 3 tensors; 2 other tensors are not used'
    """
    rest = f"; {others} other tensor{' is' if others == 1 else 's are'} not used" if others else ""
    return f"the prefix {visible(prefix)} is stripped from the names of {quantity(count, 'tensor')}{rest}"


def under_prefixes(part: Part, recognise: Callable[[Part], Sequence[T]]) -> list[tuple[Part, Sequence[T]]]:
    """Return the networks under prefixes in a part, with what `recognise` says of each.

    A prefix counts if `recognise` knows what remains without it. Shorter prefixes are tried first, and
    nothing is looked for inside a network that is known.
    """
    networks: list[tuple[Part, Sequence[T]]] = []
    level: list[tuple[str, list[str]]] = [("", list(part.tensors))]
    groups = names = 0
    for _ in range(DEEP):
        deeper: list[tuple[str, list[str]]] = []
        for prefix, members in level:
            for inner, group in _grouped(prefix, members).items():
                groups, names = groups + 1, names + len(group)
                if groups > GROUPS or names > NAMES:
                    return networks
                candidate = _under(part, prefix, inner, group)
                if claims := recognise(candidate):
                    networks.append((candidate, claims))
                else:
                    deeper.append((inner, group))
        level = deeper
    return networks


def _grouped(prefix: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names by their prefix, one component longer than `prefix`; small groups are left out."""
    groups: dict[str, list[str]] = {}
    for name in names:
        head, dot, rest = name[len(prefix) :].partition(".")
        if dot and rest:
            groups.setdefault(f"{prefix}{head}.", []).append(name)
    return {inner: group for inner, group in groups.items() if len(group) >= LEAST}


def _under(part: Part, outer: str, prefix: str, names: Sequence[str]) -> Part:
    """Return the part of these names without their prefix, and the mean w that is stored outside it."""
    means = {
        name.removeprefix(outer): part.tensors[name]
        for name in part.tensors
        if name.startswith(outer) and MEAN_CODES.fullmatch(name.removeprefix(outer))
    }
    inner, notes = without_wrappers({name.removeprefix(prefix): part.tensors[name] for name in names})
    others = len(part.tensors) - len(inner) - len(means)
    return replace(
        part,
        name=".".join(filter(None, (part.name, prefix.removesuffix(".")))),
        tensors={**means, **inner},
        notes=(*part.notes, stripped(prefix, len(inner), others), *notes),
    )
