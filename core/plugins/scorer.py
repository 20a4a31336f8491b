"""Define the contracts of scorers, and of those that label pixels.

Shapes: N samples, C concepts, M classes, H x W pixels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .base import ConfigT, Plugin, owner_of
from .checked_methods import with_checked_input
from .classes import check_labels, checked_logits
from .generator import Generator
from .records import Concept, Rendering, StatedAccuracy


class Scorer(Plugin[ConfigT]):
    """Score images: one number per image and concept.

    Attributes:
        concepts: the concepts of the columns of score().
        features: numbers of the strata whose feature maps score() reads; none by default.
        extras: names of the columns of extra(), stored beside the scores.
        checkpoint: hash of the network's weights, if there are any. Scores are computed again when it
            changes, or a file named in the config, or the plugin's source or version.
        packages: distributions whose version affects the scores, besides those that the plugin's own
            distribution requires.
        input_size: height and width of the input of its network, if pictures are resized for it and a whole
            batch goes through it at once; else None. `batch_size: auto` is then smaller on a CPU. Scores do
            not depend on it.
        judges_range: whether to check the range of the first pictures that come from outside a run.
    """

    noun = "scorer"
    relief = "give a smaller synthesis.batch_size, fewer engine.workers, or another device"
    guarded = (
        "concepts", "features", "extras", "checkpoint", "check", "check_generator", "score", "extra", "embed",
        "feature_stages", "logits", "labels",
    )  # fmt: skip
    concepts: tuple[Concept, ...]
    features: tuple[int, ...] = ()
    extras: tuple[str, ...] = ()
    checkpoint: str = ""
    packages: tuple[str, ...] = ()
    input_size: tuple[int, int] | None = None
    judges_range: bool = True

    @cached_property
    def declared(self) -> tuple[Concept, ...]:
        """Concepts at the first access, with which those of later accesses are compared."""
        return tuple(self.concepts)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the methods that take a rendering, so that it is checked."""
        super().__init_subclass__(**kwargs)
        for name in ("score", "extra", "embed", "feature_stages", "logits", "labels"):
            if name in cls.__dict__:
                setattr(cls, name, with_checked_input(cls.__dict__[name]))

    def check(self, samples: int) -> None:
        """Refuse a number of samples before a run begins. Default: accept any.

        Raises:
            DataError: the scorer has no data for so many samples.
        """

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the scorer does not fit, before a run begins. Default: accept any.

        Raises:
            UserError: the scorer reads feature maps of another generator.
        """

    @abstractmethod
    def score(self, rendering: Rendering) -> Tensor:
        """Return scores (N, C), float32; NaN only for concepts that may be undefined.

        A run calls it under `torch.inference_mode()`, with a rendering that must not be changed.
        """

    def extra(self, rendering: Rendering) -> Tensor:
        """Return the numbers (N, E) that `extras` names, such as the confidence of a score."""
        return rendering.images.new_zeros((rendering.images.shape[0], 0))

    def embed(self, rendering: Rendering) -> Tensor | None:
        """Return features (N, F) of a network whose distances say how alike pictures look. Default: None.

        The perceptual path length of `ganstrata leaderboard` is measured with the first scorer that has them.
        """
        return None

    def feature_stages(self, rendering: Rendering) -> Sequence[Tensor] | None:
        """Return feature maps (N, C_k, H_k, W_k) of a network, shallow to deep. Default: None.

        Pictures are compared by them when photographs are inverted, so gradients must flow to the pictures.
        They depend on the pictures alone, and are not written into.
        """
        return None


class Segmenter(Scorer[ConfigT]):
    """Label pixels, and score a picture by the share of its area that each of M classes covers.

    Attributes:
        accuracy: how right its labels are, if that is known. Agreement with its labels is shown beside it.
    """

    accuracy: StatedAccuracy | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap logits(), so that its result is checked."""
        super().__init_subclass__(**kwargs)
        for name in {"logits"} & cls.__dict__.keys():
            setattr(cls, name, checked_logits(cls.__dict__[name]))

    @abstractmethod
    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, H, W): channel i is the class of concepts[i].

        Raises:
            ScoreError: the result has another shape; also in subclasses.
        """

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the class with the highest logit of each pixel, (N, H, W), from 0 to M - 1."""
        # max() is several times faster than argmax() on a CPU.
        return self.logits(rendering).max(dim=1).indices

    def score(self, rendering: Rendering) -> Tensor:
        """Return area shares (N, M): pixels with the label of each class, divided by H*W."""
        labels, classes = self.labels(rendering), len(self.concepts)
        if rendering.images.device.type == "cpu":  # an accelerator would have to be waited for
            check_labels(labels, owner_of(self), len(rendering.images), classes)
        labels = labels.flatten(1)  # (N, H*W)
        n = labels.shape[0]
        first = classes * torch.arange(n, device=labels.device)[:, None]  # (N, 1): each picture's first bin
        bins = (labels + first).flatten()  # (N*H*W,)
        # Unlike bincount(), this does not make an accelerator wait; whole numbers add up exactly.
        one = torch.ones(1, dtype=torch.int32, device=labels.device)
        counts = one.new_zeros(n * classes).scatter_add_(0, bins, one.expand_as(bins))  # (N*M,)
        return counts.view(n, classes).float() / labels.shape[1]  # (N, M)
