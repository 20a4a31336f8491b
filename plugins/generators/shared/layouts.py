"""Translate the tensor names of other libraries into those of this package.

The same network is published under many sets of names. A `Layout` describes one of them by a signature,
which identifies it, and by rules, which map every stored name to the name used here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ....core.errors import CheckpointError

MAX_TENSORS = 10_000  # of one network; the largest published ones have about 1,000
# Note of rules for the psi that GenForce's programs store for each layer.
TRUNCATION = "the file stores a truncation ({name}), which is not applied: truncation_psi of the config is"
# Note of rules for the networks that a training file holds beside the generator.
OTHERS = "tensors of other networks of the training are not used ({n}, such as {name})"
Shapes = Mapping[str, tuple[int, ...]]
Change = Callable[[Tensor], Tensor]
Naming = Callable[[re.Match[str]], str | None]
Renaming = Callable[[Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Rule:
    r"""Translate the stored names that match one pattern.

    Attributes:
        pattern: regular expression for the whole stored name.
        name: the name used here, a template with \1 for groups of the pattern or a function of the match;
            None for a known tensor that is not needed (a filter kernel, a training counter).
        change: transforms the stored tensor into the one used here (transposes, scales, flips).
        note: a sentence for the user if the rule applies, since it ignores something that matters. `{n}` is
            replaced by the number of tensors, `{name}` by the name of the first.
    """

    pattern: str
    name: str | Naming | None
    change: Change | None = None
    note: str = ""

    def apply(self, stored: str) -> tuple[bool, str | None]:
        """Return whether the rule applies to a stored name, and the name used here."""
        match = re.fullmatch(self.pattern, stored)
        if match is None:
            return False, None
        if self.name is None or callable(self.name):
            return True, None if self.name is None else self.name(match)
        return True, match.expand(self.name)


@dataclass(frozen=True)
class Translated:
    """Hold a translated state dict.

    Attributes:
        tensors: by the names used here.
        origin: maps these names to the stored ones, for messages.
        unknown: stored names that no rule translates.
        assumptions: sentences on what the translation ignored or assumed, for `Examined.assumptions`.
    """

    tensors: dict[str, Tensor]
    origin: dict[str, str]
    unknown: tuple[str, ...]
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Describe one way of naming and storing the tensors of a network.

    Attributes:
        name: of the library that writes it: `NVIDIA PyTorch`, `rosinality`.
        signature: patterns, each of which must match some stored name.
        rules: the first rule whose pattern matches a name translates it.
        absent: patterns that no stored name may match; they distinguish related layouts.
        renamed: maps stored names to those that the rules match, for names that depend on the others; names
            that it leaves out stay as they are.
        confidence: of the claim to a file in this layout. It is below 1 for a network that stands beside the
            one for which the file was written.
        either: returns the names that a name given by the rules may stand for, where the other names of the
            file decide which.
    """

    name: str
    signature: Sequence[str]
    rules: Sequence[Rule] = field(repr=False)
    absent: Sequence[str] = ()
    renamed: Renaming | None = None
    confidence: float = 1.0
    either: Callable[[str], Sequence[str]] | None = None

    def fits(self, names: Mapping[str, object]) -> bool:
        """Return whether tensors of these names are stored in this layout."""
        return all(_matches_any(pattern, names) for pattern in self.signature) and not any(
            _matches_any(pattern, names) for pattern in self.absent
        )

    def translate(self, tensors: Mapping[str, Tensor]) -> Translated:
        """Translate the names of tensors, and transform the tensors that the layout stores in another form.

        If two stored names translate to the same name, the second counts as unknown: either might be right.

        Raises:
            CheckpointError: the shape of a tensor does not allow its transformation.
        """
        result: dict[str, Tensor] = {}
        origin: dict[str, str] = {}
        unknown = []
        noted: dict[str, list[str]] = {}
        renamed = {} if self.renamed is None else self.renamed(tensors)
        for stored, tensor in tensors.items():
            for rule in self.rules:
                known, name = rule.apply(renamed.get(stored, stored))
                if not known:
                    continue
                if rule.note:
                    noted.setdefault(rule.note, []).append(stored)
                if name in result:
                    unknown.append(stored)
                elif name is not None:
                    result[name] = (
                        tensor if rule.change is None else self._changed(stored, tensor, rule.change)
                    )
                    origin[name] = stored
                break
            else:
                unknown.append(stored)
        notes = (
            note.replace("{n}", str(len(names))).replace("{name}", names[0]) for note, names in noted.items()
        )
        return Translated(result, origin, tuple(unknown), tuple(notes))

    def meanings(self, stored: str) -> Sequence[str]:
        """Return the names used here that a stored name may have: several where it alone does not tell."""
        name = next((name for known, name in (rule.apply(stored) for rule in self.rules) if known), None)
        if name is None:
            return ()
        return (name,) if self.either is None else self.either(name)

    def _changed(self, stored: str, tensor: Tensor, change: Change) -> Tensor:
        try:
            return change(tensor)
        except (IndexError, RuntimeError, ValueError):
            raise CheckpointError(
                f"{stored} has the shape {tuple(tensor.shape)}, which the {self.name} layout does not allow"
            ) from None


def find(layouts: Sequence[Layout], names: Mapping[str, object]) -> Layout | None:
    """Return the first layout that fits these names, or None, also for more than MAX_TENSORS names."""
    if len(names) > MAX_TENSORS:
        return None
    return next((layout for layout in layouts if layout.fits(names)), None)


def _matches_any(pattern: str, names: Mapping[str, object]) -> bool:
    compiled = re.compile(pattern)
    return any(compiled.fullmatch(name) for name in names)
