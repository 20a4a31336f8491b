"""Read the sizes of a network from the shapes of its tensors, and name the tensor that does not give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import visible

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
