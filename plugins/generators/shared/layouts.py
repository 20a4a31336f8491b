"""Tables that turn other people's tensor names into those of our networks.

The same network is published under many sets of names. A `Layout` is one of them: a signature by
which it is known, and rules that say for every stored name what it is called here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ....core.errors import CheckpointError

TENSORS = 10_000  # of one network; the largest that is known here has some 1,000
Shapes = Mapping[str, tuple[int, ...]]
Change = Callable[[Tensor], Tensor]
Naming = Callable[[re.Match[str]], str | None]


@dataclass(frozen=True)
class Rule:
    r"""What the stored names of one form mean.

    Attributes:
        pattern: regular expression for the whole of a stored name.
        name: our name, with \1 for groups of the pattern or computed from its match; None where the
            tensor is known and not needed (a filter kernel, a training counter).
        change: from the tensor as stored to ours: transposed, scaled, flipped.
    """

    pattern: str
    name: str | Naming | None
    change: Change | None = None

    def apply(self, stored: str) -> tuple[bool, str | None]:
        """Whether the rule knows this name, and what it is called here."""
        match = re.fullmatch(self.pattern, stored)
        if match is None:
            return False, None
        if self.name is None or callable(self.name):
            return True, None if self.name is None else self.name(match)
        return True, match.expand(self.name)


@dataclass(frozen=True)
class Translated:
    """A state dict by our names, and what had none.

    Attributes:
        tensors: by our names.
        origin: our name to the stored one, for messages.
        unknown: stored names that no rule knows.
    """

    tensors: dict[str, Tensor]
    origin: dict[str, str]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """One way of naming and storing a network.

    Attributes:
        name: whose it is, in words: `NVIDIA PyTorch`, `rosinality`.
        signature: patterns of stored names, each of which some tensor must have.
        rules: the first that knows a name decides.
        absent: patterns of which no tensor may have one; they tell relatives apart.
    """

    name: str
    signature: Sequence[str]
    rules: Sequence[Rule] = field(repr=False)
    absent: Sequence[str] = ()

    def fits(self, names: Mapping[str, object]) -> bool:
        """Whether tensors of these names are stored in this layout."""
        return all(_any(pattern, names) for pattern in self.signature) and not any(
            _any(pattern, names) for pattern in self.absent
        )

    def translate(self, tensors: Mapping[str, Tensor]) -> Translated:
        """The tensors by our names, changed where the layout stores them in another way.

        A second tensor of one name counts as unknown: which of the two was meant nobody can tell.

        Raises:
            CheckpointError: a tensor has too few dimensions, or another number of values, to be changed.
        """
        ours: dict[str, Tensor] = {}
        origin: dict[str, str] = {}
        unknown = []
        for stored, tensor in tensors.items():
            for rule in self.rules:
                known, name = rule.apply(stored)
                if not known:
                    continue
                if name in ours:
                    unknown.append(stored)
                elif name is not None:
                    ours[name] = tensor if rule.change is None else self._changed(stored, tensor, rule.change)
                    origin[name] = stored
                break
            else:
                unknown.append(stored)
        return Translated(ours, origin, tuple(unknown))

    def _changed(self, stored: str, tensor: Tensor, change: Change) -> Tensor:
        try:
            return change(tensor)
        except (IndexError, RuntimeError, ValueError):
            raise CheckpointError(
                f"{stored} has the shape {tuple(tensor.shape)}, which it never has in the {self.name} layout"
            ) from None


def find(layouts: Sequence[Layout], names: Mapping[str, object]) -> Layout | None:
    """The first layout that fits; none fits more tensors than any generator has."""
    if len(names) > TENSORS:
        return None
    return next((layout for layout in layouts if layout.fits(names)), None)


def _any(pattern: str, names: Mapping[str, object]) -> bool:
    compiled = re.compile(pattern)
    return any(compiled.fullmatch(name) for name in names)
