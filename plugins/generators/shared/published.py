"""Share what every generator does whose networks are published in several layouts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.plugins.generator import Generator
from ....core.plugins.records import Latents, Match
from ....core.randomness import Stream
from .classes import Classes
from .layouts import Layout, Shapes, find


class PublishedGenerator(Generator):
    """Recognise and examine a checkpoint by its tensor names, and draw the classes of conditional networks.

    Subclasses give `family`, `layouts` and `examine`, and set `_classes`, of which there are none in
    unconditional networks.
    """

    family: ClassVar[str]
    """Name of the architecture, for messages."""
    layouts: ClassVar[Sequence[Layout]]
    """Ways in which its tensors are named and stored, the first that fits first."""
    judges_range = False  # any weights are accepted
    _classes: Classes

    @classmethod
    def layout_of(cls, names_and_shapes: Shapes) -> Layout | None:
        """Return the layout of tensors with these names and shapes, or None if the family has none."""
        return find(cls.layouts, names_and_shapes)

    @classmethod
    @abstractmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """Recognise the tensor names of any published layout."""
        layout = cls.layout_of(names_and_shapes)
        if layout is None:
            return None
        return Match(layout.confidence, f"{cls.family} in the {layout.name} layout")

    @property
    def classes(self) -> int:
        """Return the number of classes of the network; 0 if it is unconditional."""
        return self._classes.count

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw normal z (n, Z), and for conditional networks classes (n,) uniformly from those configured."""
        return self._classes.sample(super().sample(n, seed, start, stream), seed, stream)
