"""Read the sizes of a network from the shapes of its tensors, and name the tensor that does not give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import visible

Shape = tuple[int, ...]


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


def wrong_dimensions(shapes: Watched, family: str) -> CheckpointError:
    """Return the error for the shape that was read last, which has too few or too many dimensions."""
    which = f"{visible(shapes.last)} of shape {shapes.get(shapes.last)}" if shapes.last else "a tensor"
    return CheckpointError(
        f"the sizes of this {family} cannot be read from its tensors: {which} has the wrong number of "
        "dimensions; the file is damaged, or of another network"
    )


def inconsistent(shapes: Mapping[str, Shape], family: str, sizes: Mapping[str, object]) -> CheckpointError:
    """Return the error for sizes that make no network: it names a tensor without numbers if there is one."""
    empty = next((name for name, shape in shapes.items() if 0 in shape), "")
    why = f"{visible(empty)} has the shape {shapes[empty]}, without numbers" if empty else f"{dict(sizes)}"
    return CheckpointError(f"the sizes of this {family} are inconsistent: {why}")
