"""Define the contract of boundary learners.

Shapes: N samples, L layers, D code size, C concepts, S style channels of all strata.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .base import ConfigT, Plugin
from .boundary import Boundaries
from .generator import Generator
from .records import Concept


class BoundaryLearner(Plugin[ConfigT]):
    """Learn a boundary per concept in a latent space.

    Attributes:
        supervised: whether the learner learns the boundary of each concept from its scores. False for
            learners that find directions without labels, and return each as `Boundary.unlabelled(...)`.
        from_samples: whether the result depends on the samples. A learner for which it does not is not asked
            again for resampled samples, so intervals include no variance due to learning. The constructor
            may set it according to the config.
        layerwise: whether the learner works in w+ and takes codes (N, L, D). It needs synthesis.mixing above
            0, since otherwise all layers have the same code and so the same boundary. The constructor may
            set it according to the config.
        within_classes: whether learn() takes `classes` (N,), the classes that a conditional generator drew,
            and compares only samples of the same class.
        jointly: whether the boundary of a concept depends on which other concepts are learnt with it. Null
            directions from permuted scores are then learnt from all concepts together.
        trains: whether learn() trains by passes through the generator. It then takes `precision` (fp32, bf16
            or fp16), in which these are to be computed, and `on_share`, a function that it calls with the
            share of its work that is done, from 0 to 1.
        checkpoint: hash of the weights of networks that it uses. Boundaries are learnt again when it changes.
        packages: distributions whose version affects them, besides those that its own distribution requires.
        in_blocks: whether learn() needs no memory for all samples. It is then given latents and scores as
            tables, of which `table[a:b]` is an array of rows and `table.shape` the size (arrays are such
            tables too), and takes `measured`: False where only normals and offsets are wanted, so that
            accuracies need not be measured. The constructor may set it according to the config.
        any_space: whether a learner of directions without labels works in s as well as in the space of codes.
            learn() then takes `space`, which is `w` or `s`, and in s is given styles (N, S).
        in_styles: whether the learner finds directions in s alone, the space of style channels. It needs
            `learning.space: s`, and is given styles (N, S).
    """

    noun = "boundary learner"
    relief = "give fewer synthesis.samples"
    guarded = (
        "layerwise", "supervised", "from_samples", "within_classes", "jointly", "trains", "in_blocks",
        "in_styles", "any_space", "check", "check_generator", "expected", "layer_sets", "learn",
    )  # fmt: skip
    supervised: ClassVar[bool] = True
    from_samples: bool = True
    layerwise: bool = False
    within_classes: ClassVar[bool] = False
    jointly: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    in_blocks: bool = False
    in_styles: ClassVar[bool] = False
    any_space: ClassVar[bool] = False
    checkpoint: str = ""
    packages: tuple[str, ...] = ()

    def check(self, samples: int) -> None:
        """Refuse a number of samples before a run begins. Default: accept any.

        Raises:
            DataError: the learner cannot work with so few samples.
        """

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the learner does not fit, before a run begins. Default: accept any.

        Raises:
            UserError: the learner reads weights or layers that this generator does not have.
        """

    def expected(self, concepts: int) -> int:
        """Return how many boundaries learn() will return, for forecasts. Default: one per concept.

        Args:
            concepts: number of concepts to learn.
        """
        return concepts

    def layer_sets(self, generator: Generator, concepts: int) -> int:
        """Return the most sets of layers that boundaries of learn() may have, for forecasts. Default: one.

        Null directions are moved once for each distinct `Boundary.layers`.

        Args:
            generator: the generator of the run.
            concepts: number of concepts to learn.
        """
        return 1

    @abstractmethod
    def learn(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
    ) -> Boundaries:
        """Learn one boundary per concept, or find directions without labels if `supervised` is False.

        Args:
            latents: codes (N, D), (N, L, D) if the learner is layerwise, or styles (N, S) in space s.
            scores: scores (N, C).
            concepts: the concepts of the columns of the scores.
            generator: the generator in whose space the boundaries lie; None outside a run.
            seed: seed of everything random in the learner.

        Raises:
            DataError: there are too few samples, or scores do not vary.
        """
