"""Read the sizes of a network from the shapes of its tensors, and name the tensor that does not give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import listed, visible

SHOWN = 12  # numbers of blocks that a message names
Shape = tuple[int, ...]


class AboutTensor(CheckpointError):
    """Say what is wrong with one tensor, which is named as here; see spelling.as_stored().

    Args:
        words: the message, with {name} in place of the tensor's name.
        name: of the tensor, as here.
    """

    def __init__(self, words: str, name: str) -> None:
        super().__init__(words.replace("{name}", visible(name)))
        self.words, self.name = words, name


class Watched(dict[str, Shape]):
    """Hold the shapes of tensors by name, and remember which one was read last.

    Attributes:
        last: name of the tensor that was read last; empty before the first.
    """

    last = ""

    def __getitem__(self, name: str) -> Shape:
        """Return the shape of a tensor.

        Raises:
            KeyError: there is no such tensor.
        """
        self.last = name
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the shape of a tensor, or the default."""
        if name in self:
            self.last = name
        return super().get(name, default)


def numbers(names: Iterable[str], pattern: str) -> list[int]:
    """Return the numbers, in order, that the first group of a pattern matches in names.

    >>> numbers(["blocks.1.bias", "blocks.0.bias", "blocks.0.weight", "rgb"], r"blocks\\.(\\d+)\\..*")
    [0, 1]
    """
    return sorted({int(match[1]) for name in names if (match := re.fullmatch(pattern, name))})


def count_numbered(names: Iterable[str], pattern: str, family: str, what: str) -> int:
    """Return how many parts of a network there are, which are numbered 0, 1, 2 ...

    Args:
        names: of tensors.
        pattern: for the names of the parts' tensors; its first group is the number.
        family: name of the network, for messages.
        what: name of the parts, for messages.

    Raises:
        CheckpointError: there are none, or numbers are left out.
    """
    present = numbers(names, pattern)
    if not present or present != list(range(len(present))):
        raise CheckpointError(
            f"the {what} of this {family} are not numbered 0, 1, 2 ...; the file has "
            f"{listed(map(str, present), SHOWN) or 'none'}"
        )
    return len(present)


def lacking(family: str, error: KeyError) -> AboutTensor:
    """Return the error for a tensor from which sizes follow, and that is not there."""
    return AboutTensor(f"this {family} lacks the tensor {{name}}", error.args[0])


def wrong_dimensions(shapes: Watched, family: str) -> AboutTensor:
    """Return the error for the shape that was read last, which has too few or too many dimensions."""
    which = f"{{name}} of shape {shapes.get(shapes.last)}" if shapes.last else "a tensor"
    return AboutTensor(
        f"the sizes of this {family} cannot be read from its tensors: {which} has the wrong number of "
        "dimensions; the file is damaged, or of another network",
        shapes.last,
    )


def inconsistent(shapes: Mapping[str, Shape], family: str, sizes: Mapping[str, object]) -> AboutTensor:
    """Return the error for sizes that make no network: it names a tensor without numbers if there is one."""
    empty = next((name for name, shape in shapes.items() if 0 in shape), "")
    why = f"{{name}} has the shape {shapes[empty]}, without numbers" if empty else f"{dict(sizes)}"
    return AboutTensor(f"the sizes of this {family} are inconsistent: {why}", empty)
