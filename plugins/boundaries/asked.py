"""Ask a learner for directions without labels: everything it may use, in one record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...core.errors import DataError
from ...core.plugins.base import owner_of
from ...core.plugins.boundary import STYLES, Boundaries, Boundary
from ...core.plugins.generator import Generator
from ...core.plugins.learner import BoundaryLearner
from ...core.plugins.records import Concept
from ...core.storage.rows import Rows

OnShare = Callable[[float], None]


@dataclass(frozen=True)
class Asked:
    """Hold what learn() was given.

    Attributes:
        generator: the generator in whose space directions lie.
        latents: codes (N, D), or styles (N, S), which must not be changed.
        scores: (N, C).
        concepts: the C concepts.
        seed: seed of everything random.
        precision: fp32, bf16 or fp16, in which the generator computes pictures.
        on_share: called with the share of the work that is done.
        styles: whether the latents are styles, and directions are to lie in s.
    """

    generator: Generator
    latents: Rows
    scores: Rows
    concepts: Sequence[Concept]
    seed: int
    precision: str
    on_share: OnShare
    styles: bool


class LearnerWithoutLabels(BoundaryLearner):
    """Find directions without labels; subclasses implement `found`."""

    supervised = False

    def learn(
        self,
        latents: Rows,
        scores: Rows,
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
        measured: bool = True,
        precision: str = "fp32",
        on_share: OnShare = lambda _: None,
        space: str = "w",
    ) -> Boundaries:
        """Find directions. Which of the arguments count, the learner says.

        Args:
            latents: codes (N, D), or styles (N, S), an array or a table of rows.
            scores: (N, C).
            concepts: the C concepts.
            generator: the generator of the samples.
            seed: seed of everything random.
            measured: not used; there are no accuracies.
            precision: in which the generator computes pictures: fp32, bf16 or fp16.
            on_share: called with the share of the work that is done.
            space: `w`, or `s` for learners that work in both.

        Raises:
            UserError: the generator does not fit the options, or passes no gradients that are needed.
            DataError: there is no generator, or nothing is found.
        """
        if generator is None:
            raise DataError(f"{owner_of(self)} needs the generator: give learn() generator=...")
        self.check_generator(generator)
        asked = Asked(generator, latents, scores, concepts, seed, precision, on_share, space == STYLES)
        return Boundaries(self.found(asked))

    @abstractmethod
    def found(self, asked: Asked) -> Iterable[Boundary]:
        """Return the directions, the most important first."""
